package trial

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/file"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/connector/mysql"
	"github.com/lockstep-sync/lockstep/connector/postgres"
	"github.com/lockstep-sync/lockstep/connector/sqlite"
	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

// heldAs says which samples a system that creates its stream declares as something else than the source's type: the
// documented conversions, and all of them. The values stay what they are all the same: a list comes back from JSON as
// a list, a large number from an exact one as that number.
var heldAs = map[string]map[string]string{
	"memory": {},
	"csv":    {},
	"jsonl":  {},
	"sqlite": {
		"uint64":       "decimal", // an INTEGER ends at 63 bits
		"list of text": "json", "list of text with nulls": "json", "list of int": "json",
	},
	"postgres": {"uint64": "decimal"}, // so does bigint
	"mysql":    {"list of text": "json", "list of text with nulls": "json", "list of int": "json"},
}

// refuses says which samples a system cannot hold at all: each value is parked by itself, with this code.
var refuses = map[string]map[string]lockstep.Code{
	"postgres": {"text with NUL": lockstep.CodeValue},  // PostgreSQL has no NUL in texts
	"mysql":    {"float specials": lockstep.CodeValue}, // MariaDB has neither NaN nor infinity
}

// side is one system of the matrix, as source or as target.
type side struct {
	name string
	yaml string // its settings in the configuration
	conn lockstep.Connector
	open lockstep.Settings
}

var kinds = []string{"memory", "sqlite", "postgres", "mysql", "csv", "jsonl"}

func (s side) connect(t *testing.T) lockstep.System {
	t.Helper()
	sys, err := s.conn.Open(context.Background(), s.open)
	if err != nil {
		t.Fatal(err)
	}
	return sys
}

// sides are the six systems, for one role.
func (p *place) sides(role string) map[string]side {
	p.mkdir(role+"-csv", role+"-jsonl")
	dsn, maria := testkit.Postgres(p.t), testkit.MariaDB(p.t)
	mem := memory.Systems{role: memory.New()}
	streams, lines := map[string]lockstep.Settings{}, []string{}
	for _, name := range append([]string{"corpus"}, kinds...) {
		streams[name] = lockstep.Settings{"format": "jsonl"}
		lines = append(lines, name+": {format: jsonl}")
	}
	return map[string]side{
		"memory":   {role + "_memory", "{type: memory, name: " + role + "}", mem, lockstep.Settings{"name": role}},
		"sqlite":   {role + "_sqlite", "{type: sqlite, create: true, path: " + role + ".db}", sqlite.Connector, lockstep.Settings{"path": p.path(role + ".db"), "create": true}},
		"postgres": {role + "_postgres", fmt.Sprintf("{type: postgres, dsn: %q}", dsn), postgres.Connector, lockstep.Settings{"dsn": dsn}},
		"mysql":    {role + "_mysql", fmt.Sprintf("{type: mysql, dsn: %q}", maria), mysql.Connector, lockstep.Settings{"dsn": maria}},
		"csv":      {role + "_csv", "{type: file, path: " + role + "-csv}", file.Connector, lockstep.Settings{"path": p.path(role + "-csv")}},
		"jsonl": {role + "_jsonl", "{type: file, path: " + role + "-jsonl, streams: {" + strings.Join(lines, ", ") + "}}", file.Connector,
			lockstep.Settings{"path": p.path(role + "-jsonl"), "streams": streams}},
	}
}

// corpus is the type corpus as one stream: a field for each sample, under the sample's name, and a record for each
// value, in which all other fields are null; and one of nulls only.
func corpus() (lockstep.Stream, map[lockstep.Key]value.Fields, map[lockstep.Key]string) {
	s := lockstep.Stream{Name: "corpus", Key: []string{"id"}, Fields: []lockstep.Field{{Name: "id", Type: value.Type{Kind: value.TextType}}}}
	recs, sampleOf := map[lockstep.Key]value.Fields{"nulls": value.F("id", "nulls")}, map[lockstep.Key]string{}
	for _, sample := range connectortest.Corpus() {
		s.Fields = append(s.Fields, lockstep.Field{Name: sample.Name, Type: sample.Type, Nullable: true})
		for i, v := range sample.Values {
			key := lockstep.Key(fmt.Sprint(sample.Name, "/", i))
			recs[key], sampleOf[key] = value.F("id", string(key), sample.Name, v), sample.Name
		}
	}
	return s, recs, sampleOf
}

// fill makes the corpus in a source, without what it refuses, and gives the keys that are there.
func fill(t *testing.T, kind string, s side) []lockstep.Key {
	t.Helper()
	stream, recs, sampleOf := corpus()
	sys := s.connect(t)
	if _, err := sys.Streams(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := sys.(lockstep.Creator).Create(t.Context(), stream, false); err != nil {
		t.Fatal(err)
	}
	var writes []lockstep.Write
	var keys []lockstep.Key
	for _, key := range slices.Sorted(maps.Keys(recs)) {
		if refuses[kind][sampleOf[key]] != "" {
			continue
		}
		keys = append(keys, key)
		writes = append(writes, lockstep.Write{ID: string(key), Key: key, Fields: recs[key]})
	}
	results, err := sys.(lockstep.Target).Apply(t.Context(), stream.Name, writes)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("%s, %s: %v", s.name, keys[i], r.Err)
		}
	}
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// readAll is a whole stream of a side, and what it declares.
func readAll(t *testing.T, s side, stream string) (lockstep.Stream, map[lockstep.Key]value.Fields) {
	t.Helper()
	sys := s.connect(t)
	defer func() {
		if err := sys.Close(); err != nil {
			t.Error(err)
		}
	}()
	streams, err := sys.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(streams, func(s lockstep.Stream) bool { return s.Name == stream })
	if i < 0 {
		t.Fatalf("%s has no stream %s", s.name, stream)
	}
	r := lockstep.Read{Stream: stream}
	for _, f := range streams[i].Fields {
		r.Fields = append(r.Fields, f.Name)
	}
	out := map[lockstep.Key]value.Fields{}
	for from := lockstep.Position(nil); ; {
		page, err := sys.(lockstep.Scanner).Scan(t.Context(), r, from, lockstep.Limit{Rows: 50, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Changes {
			if c.Fault != nil {
				t.Fatalf("%s, %s: %v", s.name, stream, c.Fault)
			}
			out[c.Record.Key] = c.Record.Fields
		}
		if from = page.Next; !page.More {
			return streams[i], out
		}
	}
}

// Every value of the type corpus, from each kind of system to each, into a stream that is created: it comes out as it
// went in, verify says so, and a second full sync finds nothing to do.
func TestTypesThroughEveryPair(t *testing.T) {
	p := newPlace(t)
	from, to := p.sides("from"), p.sides("to")
	p.conns = []lockstep.Connector{file.Connector, mysql.Connector, postgres.Connector, sqlite.Connector, memory.Systems{
		"from": from["memory"].conn.(memory.Systems)["from"], "to": to["memory"].conn.(memory.Systems)["to"],
	}}
	systems, flows, there := "systems:\n", "flows:\n", map[string][]lockstep.Key{}
	for _, a := range kinds {
		there[a] = fill(t, a, from[a])
		systems += fmt.Sprintf("  %s: %s\n  %s: %s\n", from[a].name, from[a].yaml, to[a].name, to[a].yaml)
		for _, b := range kinds {
			flows += fmt.Sprintf("  %s_%s:\n    from: {system: %s, stream: corpus, track: {by: snapshot}}\n    to: {system: %s, stream: %s, create: true}\n",
				a, b, from[a].name, to[b].name, a)
		}
	}
	h := p.house(systems + flows)
	for _, full := range []bool{false, true} {
		runs, err := try(h, app.Request{Do: app.DoSync, Full: full})
		if err != nil && code(err) != lockstep.CodeTooManyFailed {
			t.Fatal(err)
		}
		checkRuns(t, runs, there, full)
	}
	checkParked(t, h, there)
	checkVerify(t, h, there)
	p.close(h)
	for _, a := range kinds {
		for _, b := range kinds {
			t.Run(a+" to "+b, func(t *testing.T) { samePair(t, a, b, to[b], there[a]) })
		}
	}
}

// refused are those of a source's keys that a target must refuse.
func refused(a, b string, keys []lockstep.Key) map[lockstep.Key]lockstep.Code {
	out := map[lockstep.Key]lockstep.Code{}
	_, _, sampleOf := corpus()
	for _, k := range keys {
		if c := refuses[b][sampleOf[k]]; c != "" && refuses[a][sampleOf[k]] == "" {
			out[k] = c
		}
	}
	return out
}

func eachPair(there map[string][]lockstep.Key, do func(flow string, keys []lockstep.Key, refused map[lockstep.Key]lockstep.Code)) {
	for _, a := range kinds {
		for _, b := range kinds {
			do(a+"_"+b, there[a], refused(a, b, there[a]))
		}
	}
}

func checkRuns(t *testing.T, runs []app.Event, there map[string][]lockstep.Key, again bool) {
	t.Helper()
	counts := map[string]app.Counts{}
	for _, e := range runs {
		if e.Run != nil {
			counts[e.Run.Flow] = e.Run.Counts
		}
	}
	eachPair(there, func(flow string, keys []lockstep.Key, refused map[lockstep.Key]lockstep.Code) {
		c, good := counts[flow], int64(len(keys)-len(refused))
		if c.Read != int64(len(keys)) || !again && c.Created != good || again && (c.Level != good || c.Created+c.Updated > 0) {
			t.Errorf("%s (again: %v) should carry %d of %d: %+v", flow, again, good, len(keys), c)
		}
	})
}

func checkParked(t *testing.T, h *app.House, there map[string][]lockstep.Key) {
	t.Helper()
	got := map[string]lockstep.Code{}
	for _, e := range ask(t, h, app.Request{Do: app.DoParked}) {
		got[e.Entry.Flow+" "+string(e.Entry.Key)] = e.Entry.Fault.Code
		if want := refused(strings.Split(e.Entry.Flow, "_")[0], strings.Split(e.Entry.Flow, "_")[1], []lockstep.Key{e.Entry.Key}); len(want) == 0 {
			t.Errorf("%s, %s is parked: %+v", e.Entry.Flow, e.Entry.Key, *e.Entry.Fault)
		}
	}
	eachPair(there, func(flow string, _ []lockstep.Key, refused map[lockstep.Key]lockstep.Code) {
		for k, want := range refused {
			if got[flow+" "+string(k)] != want {
				t.Errorf("%s, %s: parked with %q, want %s", flow, k, got[flow+" "+string(k)], want)
			}
		}
	})
}

func checkVerify(t *testing.T, h *app.House, there map[string][]lockstep.Key) {
	t.Helper()
	counts := map[string]app.Counts{}
	for _, e := range ask(t, h, app.Request{Do: app.DoVerify}) {
		switch {
		case e.Run != nil:
			counts[e.Run.Flow] = e.Run.Counts
		case e.Drift != nil && e.Drift.What != "in flight":
			t.Errorf("verify: %s, %s is %s: %s", e.Drift.Flow, e.Drift.Key, e.Drift.What, e.Drift.Fields)
		}
	}
	eachPair(there, func(flow string, keys []lockstep.Key, refused map[lockstep.Key]lockstep.Code) {
		if c := counts[flow]; c.Read != int64(len(keys)) || c.InFlight != int64(len(refused)) || c.Missing+c.Extra+c.Different > 0 {
			t.Errorf("verify of %s: %+v", flow, c)
		}
	})
}

// samePair reads the target anew and holds it against the corpus.
func samePair(t *testing.T, a, b string, target side, keys []lockstep.Key) {
	stream, want, _ := corpus()
	def, got := readAll(t, target, a)
	bad := refused(a, b, keys)
	if len(got) != len(keys)-len(bad) {
		t.Errorf("%d records, want %d", len(got), len(keys)-len(bad))
	}
	for _, f := range stream.Fields {
		kind := f.Type.Kind.String()
		for _, system := range []string{a, b} {
			if as := heldAs[system][f.Name]; as != "" {
				kind = as
				break // what the source made of it, the target copies
			}
		}
		if have := def.Field(f.Name); have == nil || have.Type.Kind.String() != kind {
			t.Errorf("%s is declared as %+v, want %s", f.Name, have, kind)
		}
	}
	for _, k := range keys {
		fields, there := got[k]
		if !there && bad[k] == "" {
			t.Errorf("%s is not there", k)
		}
		for _, f := range stream.Fields {
			w, _ := want[k].Get(f.Name)
			if g, _ := fields.Get(f.Name); there && !connectortest.Same(w, g, f.Type) {
				t.Errorf("%s, %s: %.200s %s became %.200s %s", k, f.Name, w, w.Kind(), g, g.Kind())
			}
		}
	}
}
