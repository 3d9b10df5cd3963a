package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/postgres"
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
		if got := st.Field(name).Type; got != typ {
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

func refusals() []connectortest.Refusal {
	text := value.Type{Kind: value.TextType}
	make := func(statements ...string) func(t *testing.T) (connectortest.Place, string) {
		return func(t *testing.T) (connectortest.Place, string) {
			p := newPlace(t)
			_ = text
			s, err := p.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			exec(t, dsnOf[t.Name()], statements...)
			return p, "r"
		}
	}
	good := []lockstep.Write{{Key: "1", Fields: value.F("v", "a")}, {Key: "2", Fields: value.F("v", "b")}}
	return []connectortest.Refusal{
		{Name: "unique", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text UNIQUE)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "a")}, Want: lockstep.CodeUnique},
		{Name: "check", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text CHECK (v <> 'c'))`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "c")}, Want: lockstep.CodeConstraint},
		{Name: "not null", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text NOT NULL)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", nil)}, Want: lockstep.CodeConstraint},
		{Name: "too long", New: make(`CREATE TABLE r (id int PRIMARY KEY, v varchar(3))`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "four")}, Want: lockstep.CodeValue},
		{Name: "no number", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text)`), Good: good, Bad: lockstep.Write{Key: "three", Fields: value.F("v", "x")}, Want: lockstep.CodeValue},
		{Name: "NUL", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "a\x00b")}, Want: lockstep.CodeValue},
		{Name: "reference", New: make(`CREATE TABLE p (id text PRIMARY KEY)`, `INSERT INTO p VALUES ('a'), ('b')`, `CREATE TABLE r (id int PRIMARY KEY, v text REFERENCES p)`),
			Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "c")}, Want: lockstep.CodeReference},
		{Name: "referenced", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text)`, `CREATE TABLE c (id int REFERENCES r)`, `INSERT INTO r VALUES (3)`, `INSERT INTO c VALUES (3)`),
			Good: good, Bad: lockstep.Write{Op: lockstep.Delete, Key: "3"}, Want: lockstep.CodeReference},
		{Name: "trigger", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text)`,
			`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 3 THEN RAISE EXCEPTION ''secret-%'', NEW.v; END IF; RETURN NEW; END'`,
			`CREATE TRIGGER no BEFORE INSERT ON r FOR EACH ROW EXECUTE FUNCTION no()`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "x")}, Want: lockstep.CodeConstraint},
		{Name: "deferred", New: make(`CREATE TABLE r (id int PRIMARY KEY, v text UNIQUE DEFERRABLE INITIALLY DEFERRED)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "a")}, Want: lockstep.CodeUnique},
	}
}

// Errors name constraints and columns, but never a value, the DSN or its password (law 12).
func TestErrorsKeepSecrets(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE s (id int PRIMARY KEY, n numeric(4,2), d date, u uuid, j jsonb, v text UNIQUE CHECK (v <> 'hush-1'), b bool)`, `INSERT INTO s (id, v) VALUES (0, 'hush-2')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	for _, many := range []int{0, 30} {
		for field, bad := range map[string]any{"n": "hush", "d": "hush-day", "u": "hush", "v": "hush-1", "b": "hush"} {
			checkSecret(t, s, many, field, bad)
		}
		checkSecret(t, s, many, "n", 123456)
		checkSecret(t, s, many, "v", "hush-2")
	}
	for _, bad := range []string{"postgres://u:hush@127.0.0.1:1/db?connect_timeout=1", "postgres://u:hush@[", "hush", "host=/nowhere password=hush"} {
		sys, err := postgres.Connector.Open(t.Context(), lockstep.Settings{"dsn": bad})
		if err == nil {
			_, err = sys.Streams(t.Context())
			_ = sys.Close()
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
	role, asRole := testkit.Role(t, dsn)
	wrong := strings.Replace(asRole, role+":", "nobody-"+role+":", 1)
	sys := open(t, lockstep.Settings{"dsn": wrong})
	if _, err := sys.Streams(t.Context()); code(err) != lockstep.CodeLogin || strings.Contains(err.Error(), "secret-") {
		t.Errorf("a user that is not there: %v", err)
	}
	sys = open(t, lockstep.Settings{"dsn": asRole})
	exec(t, dsn, `GRANT SELECT ON s TO `+role)
	if _, err := sys.Apply(t.Context(), "s", []lockstep.Write{{Key: "1", Fields: value.F("v", "x")}}); code(err) != lockstep.CodeRights {
		t.Errorf("writing without the right: %v", err)
	}
}

func checkSecret(t *testing.T, s system, many int, field string, bad any) {
	t.Helper()
	writes := []lockstep.Write{{Key: "1", Fields: value.F(field, bad)}}
	for i := range many {
		writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(10 + i)), Fields: value.F(field, nil)})
	}
	_, err := s.Apply(t.Context(), "s", writes)
	if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "123456") || lockstep.KindOf(err) != lockstep.Invalid {
		t.Errorf("%s of %d: %v (kind %s)", field, len(writes), err, lockstep.KindOf(err))
	}
}

// A server that dies in the middle: whether it was before or after the commit, nobody knows, and the fault says so.
func TestUnknownOutcome(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE u (id int PRIMARY KEY, v text)`)
	for _, rows := range []int{1, 50} {
		p := newProxy(t, dsn)
		s := open(t, lockstep.Settings{"dsn": p.dsn})
		write := func(from int) error {
			var writes []lockstep.Write
			for i := range rows {
				writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(from + i)), Fields: value.F("v", "x")})
			}
			_, err := s.Apply(t.Context(), "u", writes)
			return err
		}
		if err := write(0); err != nil {
			t.Fatal(err)
		}
		unknown := 0
		for answers := range int64(12) { // cut before the nth piece of answers
			p.cutAfter(answers)
			err := write(1000)
			p.heal()
			conn := connect(t, dsn)
			if err == nil {
				do(t, conn, `DELETE FROM u WHERE id >= 1000`)
				continue
			}
			f := lockstep.FaultOf(err)
			if f.Kind != lockstep.Transient && f.Kind != lockstep.Unavailable {
				t.Errorf("cut after %d answers: %v, kind %s", answers, err, f.Kind)
			}
			var n int
			if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM u WHERE id >= 1000`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n > 0 && !f.Unknown {
				t.Errorf("cut after %d answers: the rows are there, and the fault says that nothing was written: %v", answers, err)
			}
			if f.Unknown {
				unknown++
			}
			do(t, conn, `DELETE FROM u WHERE id >= 1000`)
		}
		if unknown == 0 {
			t.Error("no cut came between a commit and its answer: the test tests nothing")
		}
	}
}

// proxy stands between us and the server, and cuts connections.
type proxy struct {
	dsn    string
	left   atomic.Int64 // answers let through; negative is no limit
	server string
}

func newProxy(t *testing.T, dsn string) *proxy {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")}
	p.heal()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	u.RawQuery = url.Values{"host": {dir}, "sslmode": {"disable"}}.Encode()
	p.dsn = u.String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *proxy) cutAfter(answers int64) { p.left.Store(answers) }
func (p *proxy) heal()                  { p.left.Store(-1) }

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := client.Read(b)
			if n > 0 {
				_, _ = server.Write(b[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		if left := p.left.Load(); left == 0 {
			return
		} else if left > 0 {
			p.left.Add(-1)
		}
		if n > 0 {
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
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
