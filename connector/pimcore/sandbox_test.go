package pimcore

import (
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/value"
)

// stand is a stand-in for Pimcore with a system that is open on it.
type stand struct {
	*testing.T
	srv *sandbox.Server
	url string
	sys *System
}

func newStand(t *testing.T, o sandbox.Options, settings ...any) *stand {
	t.Helper()
	srv, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	st := &stand{T: t, srv: srv, url: web.URL + srv.Path()}
	st.sys = st.open(settings...)
	return st
}

func (st *stand) open(settings ...any) *System {
	st.Helper()
	set := lockstep.Settings{"url": st.url, "api_key": st.srv.Key(), "languages": []string{"en", "de"}}
	for i := 0; i+1 < len(settings); i += 2 {
		set[settings[i].(string)] = settings[i+1]
	}
	sys, err := Connector.Open(st.Context(), set)
	if err != nil {
		st.Fatal(err)
	}
	st.Cleanup(func() { sys.Close() })
	return sys.(*System)
}

// scan reads a stream whole.
func (st *stand) scan(r lockstep.Read, rows int) map[lockstep.Key]lockstep.Change {
	st.Helper()
	out := map[lockstep.Key]lockstep.Change{}
	var from lockstep.Position
	for range 10_000 {
		p, err := st.sys.Scan(st.Context(), r, from, lockstep.Limit{Rows: rows})
		if err != nil {
			st.Fatal(err)
		}
		for _, c := range p.Changes {
			if _, again := out[c.Record.Key]; again {
				st.Errorf("%s comes twice", c.Record.Key)
			}
			out[c.Record.Key] = c
		}
		if from = p.Next; !p.More {
			return out
		}
	}
	st.Fatal("the scan has no end")
	return nil
}

// changes reads a sweep to its end.
func (st *stand) changes(r lockstep.Read, from lockstep.Position) (map[lockstep.Key]lockstep.Change, lockstep.Position) {
	st.Helper()
	out := map[lockstep.Key]lockstep.Change{}
	for range 10_000 {
		p, err := st.sys.Changes(st.Context(), r, from, lockstep.Limit{Rows: 7})
		if err != nil {
			st.Fatal(err)
		}
		for _, c := range p.Changes {
			out[c.Record.Key] = c
		}
		if from = p.Next; !p.More {
			return out, from
		}
	}
	st.Fatal("the sweep has no end")
	return nil, nil
}

func (st *stand) now(r lockstep.Read) lockstep.Position {
	st.Helper()
	p, err := st.sys.Changes(st.Context(), r, nil, lockstep.Limit{})
	if err != nil {
		st.Fatal(err)
	}
	return p.Next
}

func products(fields ...string) lockstep.Read {
	return lockstep.Read{Stream: "Product", Fields: fields, Track: lockstep.Track{By: lockstep.Timestamp, Field: modifiedField, Overlap: -1}}
}

func (st *stand) fetch(r lockstep.Read, ids ...int) map[lockstep.Key]lockstep.Record {
	st.Helper()
	var keys []lockstep.Key
	for _, id := range ids {
		keys = append(keys, lockstep.Key(strconv.Itoa(id)))
	}
	recs, err := st.sys.Fetch(st.Context(), r, keys)
	if err != nil {
		st.Fatal(err)
	}
	out := map[lockstep.Key]lockstep.Record{}
	for _, rec := range recs {
		out[rec.Key] = rec
	}
	return out
}

func (st *stand) do(err error) {
	st.Helper()
	if err != nil {
		st.Fatal(err)
	}
}

func text(fields value.Fields, name string) string {
	v, there := fields.Get(name)
	if !there {
		return "absent"
	}
	return v.String()
}

// replaceSince moves our own clock in a position: how long the process had been running when it was taken.
func replaceSince(t *testing.T, from lockstep.Position, by time.Duration) string {
	t.Helper()
	f, err := sqlkit.ReadFeed(from)
	if err != nil {
		t.Fatal(err)
	}
	f.Since += by
	return string(f.Position())
}

func key(id int) lockstep.Key { return lockstep.Key(strconv.Itoa(id)) }

func TestScanReadsEverything(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 60})
	want := st.srv.IDs("Product")
	for _, rows := range []int{1, 7, 100} {
		if got := st.scan(products("sku", "name_de", "published"), rows); len(got) != len(want) {
			t.Errorf("pages of %d: %d objects of %d", rows, len(got), len(want))
		}
	}
	unpublished := 0
	for _, c := range st.scan(products("published"), 50) {
		if text(c.Record.Fields, "published") == "false" {
			unpublished++
		}
	}
	if unpublished == 0 {
		t.Error("no unpublished object is read")
	}
}

func TestEveryFieldIsRead(t *testing.T) {
	st := newStand(t, sandbox.Options{Products: 20})
	streams, err := st.sys.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range streams {
		var names []string
		for _, f := range s.Fields {
			names = append(names, f.Name)
		}
		for _, c := range st.scan(lockstep.Read{Stream: s.Name, Fields: names}, 50) {
			if c.Fault != nil {
				t.Fatalf("%s %s: %v", s.Name, c.Record.Key, c.Fault)
			}
		}
	}
	i := slices.IndexFunc(streams, func(s lockstep.Stream) bool { return s.Name == "Product" })
	var names []string
	for _, f := range streams[i].Fields {
		names = append(names, f.Name)
	}
	rec := st.fetch(products(names...), st.srv.IDs("Product")[3])
	for _, r := range rec {
		t.Logf("%s", value.AppendFields(nil, r.Fields))
	}
}
