package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

func scan(t *testing.T, s lockstep.Scanner, r lockstep.Read, l lockstep.Limit) []lockstep.Change {
	t.Helper()
	var all []lockstep.Change
	for from := lockstep.Position(nil); ; {
		page, err := s.Scan(t.Context(), r, from, l)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Changes...)
		if from = page.Next; !page.More {
			return all
		}
	}
}

func code(err error) lockstep.Code {
	if err == nil {
		return ""
	}
	return lockstep.FaultOf(err).Code
}

func stream(t *testing.T, s lockstep.System, name string) lockstep.Stream {
	t.Helper()
	all, err := s.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range all {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("no stream %s", name)
	return lockstep.Stream{}
}

func TestNastyNames(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE SCHEMA "Näme ""x"""`, `CREATE TABLE "Näme ""x"""."Order ""Details""" ("select" int, "a.b" text, "Größe %s $1" text, "Last Modified" timestamptz DEFAULT now(), PRIMARY KEY ("select", "a.b"))`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	name := `Näme "x".Order "Details"`
	st := stream(t, s, name)
	if !slices.Equal(st.Key, []string{"select", "a.b"}) || !slices.Equal(st.TrackFields, []string{"Last Modified"}) {
		t.Errorf("%+v", st)
	}
	fields := value.F("select", 1, "a.b", `x"y`, "Größe %s $1", "v")
	key := lockstep.MakeKey("1", `x"y`)
	for range 2 {
		if _, err := s.Apply(t.Context(), name, []lockstep.Write{{Key: key, Fields: fields}}); err != nil {
			t.Fatal(err)
		}
	}
	var many []lockstep.Write
	for i := range 50 {
		many = append(many, lockstep.Write{Key: lockstep.MakeKey(fmt.Sprint(i), `x"y`), Fields: value.F("Größe %s $1", "w")})
	}
	if _, err := s.Apply(t.Context(), name, many); err != nil {
		t.Fatal(err)
	}
	r := lockstep.Read{Stream: name, Fields: []string{"Größe %s $1"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "Last Modified", Overlap: -1}}
	if got := scan(t, s, r, lockstep.Limit{Rows: 7}); len(got) != 50 {
		t.Errorf("scanned %d", len(got))
	}
	if got, err := s.Fetch(t.Context(), r, []lockstep.Key{key, lockstep.MakeKey("99", "x")}); err != nil || len(got) != 1 {
		t.Errorf("fetched %d, %v", len(got), err)
	}
	if got, err := s.Find(t.Context(), r, []string{"a.b", "Größe %s $1"}, [][]value.Value{{value.Text(`x"y`), value.Text("w")}}); err != nil || len(got[0]) != 50 {
		t.Errorf("found %v, %v", got, err)
	}
	page, err := s.Changes(t.Context(), r, nil, lockstep.Limit{Rows: 10})
	if err == nil {
		page, err = s.Changes(t.Context(), r, page.Next, lockstep.Limit{Rows: 10})
	}
	if err != nil || len(page.Changes) != 10 {
		t.Errorf("%d changes, %v", len(page.Changes), err)
	}
	if _, err := s.Apply(t.Context(), name, []lockstep.Write{{Op: lockstep.Delete, Key: key}}); err != nil {
		t.Fatal(err)
	}
}

func TestDiscovery(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TYPE mood AS ENUM ('good', 'bad')`, `CREATE DOMAIN price AS numeric(12,4) NOT NULL`,
		`CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)`,
		`CREATE TABLE kinds (code text NOT NULL, a int2 DEFAULT 5, b numeric(12,4), c numeric, d varchar(20), e char(3), f timestamp(0), g timestamptz, h date, i time(3),
			j jsonb, k uuid, l int[], m mood, n price, o bytea, p float4, q boolean NOT NULL, r interval, s int GENERATED ALWAYS AS (a * 2) STORED,
			parent bigint REFERENCES parent, changed_at timestamptz, updated_at timestamptz)`,
		`CREATE UNIQUE INDEX ON kinds (code)`, `CREATE INDEX ON kinds (changed_at)`, `CREATE VIEW pictures AS SELECT code, a FROM kinds`, `CREATE TABLE loose (a int)`,
		`CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)`, `CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)`)
	s := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{
		"pictures": {"key": []string{"code"}}, "good": {"table": "kinds", "where": "m = 'good'", "fields": []string{"m", "updated_at"}},
	}})
	st := stream(t, s, "kinds")
	if !slices.Equal(st.Key, []string{"code"}) || !slices.Equal(st.TrackFields, []string{"changed_at", "updated_at"}) || !slices.Equal(st.DependsOn, []string{"parent"}) {
		t.Errorf("key %v, track %v, depends on %v", st.Key, st.TrackFields, st.DependsOn)
	}
	want := map[string]value.Type{
		"a": {Kind: value.IntType, Bits: 16, Native: "smallint"}, "b": {Kind: value.DecimalType, Precision: 12, Scale: 4, Native: "numeric(12,4)"},
		"c": {Kind: value.DecimalType, Native: "numeric"}, "d": {Kind: value.TextType, Length: 20, Native: "character varying(20)"},
		"e": {Kind: value.TextType, Length: 3, Padded: true, Native: "character(3)"}, "f": {Kind: value.WallType, Unit: time.Second, Native: "timestamp(0) without time zone"},
		"g": {Kind: value.InstantType, Unit: time.Microsecond, Native: "timestamp with time zone"}, "h": {Kind: value.DateType, Native: "date"},
		"i": {Kind: value.ClockType, Unit: time.Millisecond, Native: "time(3) without time zone"}, "j": {Kind: value.JSONType, Native: "jsonb"},
		"k": {Kind: value.UUIDType, Native: "uuid"}, "m": {Kind: value.TextType, Native: "mood"}, "n": {Kind: value.DecimalType, Precision: 12, Scale: 4, Native: "price"},
		"o": {Kind: value.BytesType, Native: "bytea"}, "p": {Kind: value.FloatType, Bits: 32, Native: "real"}, "r": {Kind: value.TextType, Native: "interval"},
	}
	for name, typ := range want {
		if got := st.Field(name).Type; !reflect.DeepEqual(got, typ) {
			t.Errorf("%s: %+v, want %+v", name, got, typ)
		}
	}
	if l := st.Field("l").Type; l.Kind != value.ListType || l.Elem.Kind != value.IntType {
		t.Errorf("l: %+v", l)
	}
	if a, n, sum := st.Field("a"), st.Field("n"), st.Field("s"); !a.Default || !a.Nullable || n.Nullable || !sum.ReadOnly {
		t.Errorf("a %+v, n %+v, s %+v", a, n, sum)
	}
	if p := stream(t, s, "parent"); !p.ServerKeys {
		t.Error("the identity of parent is not seen")
	}
	if p := stream(t, s, "pictures"); !p.ReadOnly || !slices.Equal(p.Key, []string{"code"}) {
		t.Errorf("%+v", p)
	}
	if g := stream(t, s, "good"); len(g.Fields) != 3 { // with its key
		t.Errorf("%+v", g)
	}
	all, _ := s.Streams(t.Context())
	if slices.ContainsFunc(all, func(s lockstep.Stream) bool { return s.Name == "parts_1" }) {
		t.Error("a partition is listed beside its parent")
	}
	if _, err := s.Scan(t.Context(), lockstep.Read{Stream: "loose"}, nil, lockstep.Limit{Rows: 1}); code(err) != lockstep.CodeNoKey {
		t.Errorf("a table without a key: %v", err)
	}
	if _, err := s.Apply(t.Context(), "pictures", []lockstep.Write{{Key: "a"}}); code(err) != lockstep.CodeCannot {
		t.Errorf("writing a view: %v", err)
	}
}

func TestValues(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE v (id int PRIMARY KEY, a timestamptz, b timestamp, c date, d numeric, e float8, f json, g text[], h int[], i interval, j "char", k time with time zone)`,
		`INSERT INTO v VALUES (1, 'infinity', '-infinity', 'infinity', 'NaN', 'NaN', '{"a": 1, "a": "\ud83d\ude00"}', '{{a,NULL},{"b\"c",""}}', '[2:3]={4,5}', '1 day 2 hours', 'x', '12:00:00+02')`,
		`INSERT INTO v VALUES (2, '0044-03-15 12:00:00+00 BC', '12345-01-02 03:04:05.000006', '0001-01-01 BC', 1e-20, '-Infinity', 'null', '{}', NULL, NULL, NULL, NULL)`,
		`INSERT INTO v (id, f) VALUES (3, '"\ud83d"'), (4, '{"deep": `+strings.Repeat("[", 300)+strings.Repeat("]", 300)+`}')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	r := lockstep.Read{Stream: "v", Fields: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}}
	got := scan(t, s, r, lockstep.Limit{Rows: 10})
	show := func(i int) string { return string(value.AppendFields(nil, got[i].Record.Fields)) }
	if want := `{"a":"infinity","b":"-infinity","c":"infinity","d":"NaN","e":"NaN","f":{"a": 1, "a": "\ud83d\ude00"},"g":[["a",null],["b\"c",""]],"h":[4,5],"i":"1 day 02:00:00","j":"x","k":"12:00:00+02"}`; show(0) != want {
		t.Errorf("got  %s\nwant %s", show(0), want)
	}
	bc, _ := got[1].Record.Fields.Get("a")
	far, _ := got[1].Record.Fields.Get("b")
	if !bc.Time().Equal(time.Date(-43, 3, 15, 12, 0, 0, 0, time.UTC)) || !far.Time().Equal(time.Date(12345, 1, 2, 3, 4, 5, 6000, time.UTC)) {
		t.Errorf("%s, %s", bc, far)
	}
	for _, i := range []int{2} { // JSON that we cannot hold hurts its record only
		if f := got[i].Fault; f == nil || f.Code != lockstep.CodeValue || f.About.Field != "f" {
			t.Errorf("%s: %v", got[i].Record.Key, f)
		}
	}
	exec(t, dsn, `CREATE TABLE w (LIKE v INCLUDING ALL)`)
	for _, more := range []int{0, 60} { // by parameters, and by COPY
		writes := []lockstep.Write{{Key: "1", Fields: got[0].Record.Fields}, {Key: "2", Fields: got[1].Record.Fields}}
		for i := range more {
			writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(100 + i)), Fields: got[1].Record.Fields})
		}
		if _, err := s.Apply(t.Context(), "w", writes); err != nil {
			t.Fatal(err)
		}
		r.Stream = "w"
		back := scan(t, s, r, lockstep.Limit{Rows: 100})
		for i := range 2 {
			if g := string(value.AppendFields(nil, back[i].Record.Fields)); g != show(i) {
				t.Errorf("got  %s\nwant %s", g, show(i))
			}
		}
	}
}

func TestNullKeys(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE n (a int, b text)`, `INSERT INTO n VALUES (1, 'x'), (NULL, 'y'), (2, NULL), (3, 'z'), (NULL, NULL)`, `CREATE VIEW nv AS SELECT * FROM n`)
	key := []string{"a", "b"}
	s := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{"n": {"key": key}, "nv": {"key": key}}})
	for name, want := range map[string]int{"n": 3, "nv": 1} {
		var good, bad int
		for _, c := range scan(t, s, lockstep.Read{Stream: name, Fields: []string{"b"}}, lockstep.Limit{Rows: 2}) {
			switch {
			case c.Fault == nil:
				good++
			case c.Fault.Code == lockstep.CodeNullKey && c.Record.Key != "":
				bad++
			default:
				t.Errorf("%v", c.Fault)
			}
		}
		if good != 2 || bad != want {
			t.Errorf("%s: %d good, %d with a null key", name, good, bad)
		}
	}
}

func TestTooLarge(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE big (id int PRIMARY KEY, a text, b bytea, c jsonb, at timestamptz DEFAULT now())`,
		`INSERT INTO big SELECT n, 'small' FROM generate_series(1, 30) n`,
		`UPDATE big SET a = repeat('x', 3000000) WHERE id = 5`, `UPDATE big SET b = convert_to(repeat('y', 3000000), 'UTF8') WHERE id = 10`,
		`UPDATE big SET c = to_jsonb(repeat('z', 3000000)) WHERE id = 15`, `UPDATE big SET a = repeat('x', 700000), b = convert_to(repeat('y', 700000), 'UTF8') WHERE id = 20`)
	s := open(t, lockstep.Settings{"dsn": dsn, "max_record": int64(1 << 20)})
	r := lockstep.Read{Stream: "big", Fields: []string{"a", "b", "c"}}
	var large []string
	got := scan(t, s, r, lockstep.Limit{Rows: 7})
	for _, c := range got {
		if c.Fault != nil {
			if c.Fault.Code != lockstep.CodeTooLarge {
				t.Errorf("%v", c.Fault)
			}
			large = append(large, string(c.Record.Key))
		}
	}
	if len(got) != 30 || !slices.Equal(large, []string{"5", "10", "15", "20"}) {
		t.Errorf("%d records, too large %v", len(got), large)
	}
	if _, err := s.Fetch(t.Context(), r, []lockstep.Key{"1", "5"}); code(err) != lockstep.CodeTooLarge {
		t.Errorf("fetching a record over the limit: %v", err)
	}
}

// A row that appears between the look at an empty table and the copy into it: the batch takes the other way.
func TestDirectCopyUnderConcurrency(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE d (id int PRIMARY KEY, v text)`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	batch := func(from int, v string) {
		t.Helper()
		var writes []lockstep.Write
		for i := range 100 {
			writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(from + i)), Fields: value.F("v", v)})
		}
		if _, err := s.Apply(t.Context(), "d", writes); err != nil {
			t.Fatal(err)
		}
	}
	batch(0, "a")
	if _, err := s.Apply(t.Context(), "d", []lockstep.Write{{Op: lockstep.Delete, Key: "abc"}, {Op: lockstep.Delete, Key: "1000"}}); err != nil {
		t.Errorf("deleting what cannot be there: %v", err)
	}
	exec(t, dsn, `INSERT INTO d VALUES (150, 'other')`)
	batch(100, "b") // meets 150
	batch(50, "c")  // updates
	conn := connect(t, dsn)
	var got string
	if err := conn.QueryRow(t.Context(), `SELECT string_agg(v || n, ' ' ORDER BY v) FROM (SELECT v, count(*) n FROM d GROUP BY v) x`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != "a50 b50 c100" {
		t.Errorf("%s", got)
	}
}

func TestWriteWithoutAUniqueIndex(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE k (id int NOT NULL, v text, must text NOT NULL)`)
	s := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{"k": {"key": []string{"id"}}}})
	for _, n := range []int{3, 40} {
		for round := range 2 {
			var writes []lockstep.Write
			for i := range n {
				f := value.F("v", fmt.Sprint(round), "must", "m")
				if round == 1 {
					f = value.F("v", fmt.Sprint(round)) // a field that must be there stays as it is
				}
				writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(i)), Fields: f})
			}
			if _, err := s.Apply(t.Context(), "k", writes); err != nil {
				t.Fatal(err)
			}
		}
		if got := scan(t, s, lockstep.Read{Stream: "k", Fields: []string{"v", "must"}}, lockstep.Limit{Rows: 100}); len(got) != n {
			t.Errorf("%d rows of %d", len(got), n)
		}
	}
}

func TestIfVersion(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE i (id int PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT clock_timestamp())`, `INSERT INTO i VALUES (1, 'a'), (2, 'b')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	r := lockstep.Read{Stream: "i", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "updated_at", Overlap: -1}}
	got, err := s.Fetch(t.Context(), r, []lockstep.Key{"1", "2"})
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	exec(t, dsn, `UPDATE i SET v = 'theirs', updated_at = clock_timestamp() WHERE id = 2`)
	results, err := s.Apply(t.Context(), "i", []lockstep.Write{
		{Key: got[0].Key, Fields: value.F("v", "ours"), IfVersion: got[0].Version},
		{Key: got[1].Key, Fields: value.F("v", "ours"), IfVersion: got[1].Version},
		{Key: "3", Fields: value.F("v", "ours"), IfVersion: got[1].Version},
		{Op: lockstep.Delete, Key: "4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	codes := []lockstep.Code{"", "", "", ""}
	for i, r := range results {
		codes[i] = code(r.Err)
	}
	if want := []lockstep.Code{"", lockstep.CodeVersionMoved, lockstep.CodeGone, ""}; got[0].Version == "" || !slices.Equal(codes, want) {
		t.Errorf("%v, want %v", codes, want)
	}
}

func TestServerGone(t *testing.T) {
	s := open(t, lockstep.Settings{"dsn": "postgres://u:p@127.0.0.1:1/x"})
	_, err := s.Streams(t.Context())
	if f := lockstep.FaultOf(err); f == nil || f.Kind != lockstep.Unavailable {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Streams(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestMovedKeys(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE m (a int, b text, v text, PRIMARY KEY (a, b))`, `INSERT INTO m VALUES (1, 'x', 'old')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	results, err := s.Apply(t.Context(), "m", []lockstep.Write{
		{Key: lockstep.MakeKey("1", "x"), Fields: value.F("b", "y", "v", "moved")},
		{Key: lockstep.MakeKey("7", "x"), Fields: value.F("a", 8, "v", "made")},
		{Key: lockstep.MakeKey("1", "y"), Fields: value.F("a", 1, "v", "after")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Key != `["1","y"]` || results[1].Key != `["8","x"]` {
		t.Errorf("%+v", results)
	}
	got := scan(t, s, lockstep.Read{Stream: "m", Fields: []string{"v"}}, lockstep.Limit{Rows: 10})
	if len(got) != 2 || got[0].Record.Key != `["1","y"]` || got[0].Record.Fields.Values()[0].Text() != "after" || got[1].Record.Key != `["8","x"]` {
		t.Errorf("%+v", got)
	}
}

// Keys are found by the text that they have everywhere (value.KeyText).
func TestKeysOfEveryType(t *testing.T) {
	dsn := testkit.Postgres(t)
	for i, c := range [][2]string{{"numeric(10,2)", "12.50"}, {"boolean", "true"}, {"date", "2026-11-23"}, {"timestamp", "2026-11-23 10:00:00"}, {"timestamptz", "2026-11-23 10:00:00.5+00"},
		{"bytea", `\x00ff`}, {"float8", "0.1"}, {"uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, {"char(5)", "ab"}, {"text", ""}, {"time", "10:00:00"}, {"int2", "-7"}} {
		table := fmt.Sprintf("k%d", i)
		exec(t, dsn, `CREATE TABLE `+table+` (id `+c[0]+` PRIMARY KEY, v text)`, `INSERT INTO `+table+` VALUES ('`+c[1]+`', 'x')`)
		s := open(t, lockstep.Settings{"dsn": dsn})
		r := lockstep.Read{Stream: table, Fields: []string{"id", "v"}}
		all := scan(t, s, r, lockstep.Limit{Rows: 10})
		id, _ := all[0].Record.Fields.Get("id")
		if text, _ := id.KeyText(); strings.TrimRight(text, " ") != string(all[0].Record.Key) {
			t.Errorf("%s: key %s of %s", c[0], all[0].Record.Key, text)
		}
		if all[0].Record.Key == "" {
			continue // an empty key in a Write asks the database to choose
		}
		if got, err := s.Fetch(t.Context(), r, []lockstep.Key{all[0].Record.Key}); err != nil || len(got) != 1 {
			t.Errorf("%s: key %s is not found, %v", c[0], all[0].Record.Key, err)
		}
		if _, err := s.Apply(t.Context(), table, []lockstep.Write{{Key: all[0].Record.Key, Fields: value.F("v", "y")}}); err != nil {
			t.Errorf("%s: %v", c[0], err)
		}
		if again := scan(t, s, r, lockstep.Limit{Rows: 10}); len(again) != 1 {
			t.Errorf("%s: an update made another row", c[0])
		}
	}
}

// A key of the settings that is not unique: each row comes, wherever pages end, so that the double is seen as one.
func TestDoubledKeys(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE d (k int NOT NULL, v text)`, `INSERT INTO d VALUES (1, 'a'), (2, 'a'), (2, 'b'), (3, 'a'), (3, 'b'), (3, 'c'), (4, 'a')`)
	s := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{"d": {"key": []string{"k"}}}})
	for _, rows := range []int{3, 4, 5, 100} {
		counts := map[lockstep.Key]int{}
		for _, c := range scan(t, s, lockstep.Read{Stream: "d", Fields: []string{"v"}}, lockstep.Limit{Rows: rows}) {
			counts[c.Record.Key]++
		}
		if counts["1"] != 1 || counts["2"] != 2 || counts["3"] != 3 || counts["4"] != 1 {
			t.Errorf("pages of %d: %v", rows, counts)
		}
	}
}

// Two groups of one transaction that take the same staging table: the second must not find the rows of the first.
func TestOneStagingTableTwice(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE g (id int PRIMARY KEY, v text)`, `INSERT INTO g VALUES (0, 'x')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	var writes []lockstep.Write
	for _, v := range []string{"first", "second"} {
		for i := range 40 {
			writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(i)), Fields: value.F("v", v)})
		}
	}
	if _, err := s.Apply(t.Context(), "g", writes); err != nil {
		t.Fatal(err)
	}
	for _, c := range scan(t, s, lockstep.Read{Stream: "g", Fields: []string{"v"}}, lockstep.Limit{Rows: 100}) {
		if v := c.Record.Fields.Values()[0].Text(); v != "second" {
			t.Errorf("%s is %s", c.Record.Key, v)
		}
	}
}

func TestExamine(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE e (id int PRIMARY KEY, at timestamptz)`, `INSERT INTO e VALUES (1, NULL), (2, now() + interval '1 day')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	r := lockstep.Read{Stream: "e", Track: lockstep.Track{By: lockstep.Timestamp, Field: "at", Overlap: -1}}
	what := findings(t, s, r)
	for _, want := range []string{"have no at", "no index begins with at", "deletes are not seen", "lie in the future", "clock agrees", "open transactions are seen"} {
		if !strings.Contains(what, want) {
			t.Errorf("doctor does not say %q:\n%s", want, what)
		}
	}
	exec(t, dsn, `DELETE FROM e`, `CREATE INDEX ON e (at)`)
	if what = findings(t, open(t, lockstep.Settings{"dsn": dsn}), r); strings.Contains(what, "warning") {
		t.Errorf("nothing is wrong, and doctor says:\n%s", what)
	}
}

// A column that comes back is read at once, also where the table was listed while it was gone.
func TestColumnComesBack(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE i (id int PRIMARY KEY)`, `INSERT INTO i VALUES (1)`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	read := lockstep.Read{Stream: "i", Fields: []string{"v"}}
	if _, err := s.Scan(t.Context(), read, nil, lockstep.Limit{Rows: 10}); code(err) != lockstep.CodeNoField {
		t.Fatal(err)
	}
	exec(t, dsn, `ALTER TABLE i ADD v text DEFAULT 'back'`)
	page, err := s.Scan(t.Context(), read, nil, lockstep.Limit{Rows: 10})
	if err != nil || len(page.Changes) != 1 {
		t.Fatal(page, err)
	}
}
