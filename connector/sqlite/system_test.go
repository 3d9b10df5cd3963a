package sqlite_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/sqlite"
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

func made(t *testing.T, streams map[string]lockstep.Settings, statements ...string) (system, string) {
	path := filepath.Join(t.TempDir(), "made.db")
	exec(t, path, statements...)
	return open(t, lockstep.Settings{"path": path, "streams": streams, "busy_timeout": 200 * time.Millisecond}), path
}

func TestChinook(t *testing.T) {
	s := open(t, lockstep.Settings{"path": testkit.Data(t, "chinook.sqlite")})
	streams, err := s.Streams(t.Context())
	if err != nil || len(streams) != 11 {
		t.Fatalf("%d streams, %v", len(streams), err)
	}
	rows := 0
	for _, st := range streams {
		if len(st.Key) == 0 || st.ReadOnly {
			t.Errorf("%+v", st)
		}
		var fields []string
		for _, f := range st.Fields {
			fields = append(fields, f.Name)
		}
		got := scan(t, s, lockstep.Read{Stream: st.Name, Fields: fields}, lockstep.Limit{Rows: 1000, Bytes: 100_000})
		if int64(len(got)) != st.About {
			t.Errorf("%s: %d of %d", st.Name, len(got), st.About)
		}
		rows += len(got)
		switch st.Name {
		case "PlaylistTrack":
			if !slices.Equal(st.Key, []string{"PlaylistId", "TrackId"}) || !slices.Equal(st.DependsOn, []string{"Playlist", "Track"}) {
				t.Errorf("key %v, depends on %v", st.Key, st.DependsOn)
			}
		case "Track":
			price := st.Field("UnitPrice").Type
			if price.Kind != value.DecimalType || price.Precision != 10 || price.Scale != 2 {
				t.Errorf("%+v", price)
			}
			if v, _ := got[0].Record.Fields.Get("UnitPrice"); v.String() != "0.99" {
				t.Errorf("price %s", v)
			}
		case "Invoice":
			if v, _ := got[0].Record.Fields.Get("InvoiceDate"); v.Kind() != value.KindTime {
				t.Errorf("date %s", v)
			}
		}
	}
	if rows != 15_607 {
		t.Errorf("%d rows", rows)
	}
}

// What does not fit its declaration comes as what it is.
func TestStorageClasses(t *testing.T) {
	s, _ := made(t, nil, `CREATE TABLE v (id INTEGER PRIMARY KEY, n INT, d DECIMAL(12,4), b BOOLEAN, at DATETIME, j JSON, x BLOB, t TEXT, a)`,
		`INSERT INTO v VALUES (1, 'abc', 'abc', 7, 'soon', '{"a": }', 'text', x'ff00', 1.5)`,
		`INSERT INTO v VALUES (2, 9223372036854775807, 12.5, 1, '2026-11-23T10:00:00+01:00', '{"a":1}', x'00', 'é', 'txt')`,
		`INSERT INTO v VALUES (3, 1.5, 3, 0, 1700000000, 'null', NULL, '', NULL)`,
		`INSERT INTO v (id, t) VALUES (4, CAST(x'c328' AS TEXT))`)
	r := lockstep.Read{Stream: "v", Fields: []string{"n", "d", "b", "at", "j", "x", "t", "a"}}
	got := scan(t, s, r, lockstep.Limit{Rows: 10})
	for i, want := range []string{
		`{"n":"abc","d":"abc","b":7,"at":"soon","j":"{\"a\": }","x":"text","t":"/wA=","a":1.5}`,
		`{"n":9223372036854775807,"d":12.5,"b":true,"at":"2026-11-23T09:00:00Z","j":{"a":1},"x":"AA==","t":"é","a":"txt"}`,
		`{"n":1.5,"d":3,"b":false,"at":"2023-11-14T22:13:20Z","j":null,"x":null,"t":"","a":null}`,
		`{"n":null,"d":null,"b":null,"at":null,"j":null,"x":null,"t":"wyg=","a":null}`,
	} {
		if g := string(value.AppendFields(nil, got[i].Record.Fields)); g != want {
			t.Errorf("got  %s\nwant %s", g, want)
		}
	}
}

// Decimals that a NUMERIC column would round are refused, not rounded.
func TestDecimalsAreNotRounded(t *testing.T) {
	s, _ := made(t, nil, `CREATE TABLE d (id INTEGER PRIMARY KEY, n DECIMAL(38,10), f REAL)`)
	for text, want := range map[string]lockstep.Code{"12.3400": "", "1234567890123456789": "", "0.1234567890123456789": lockstep.CodeValue, "12345678901234567890.5": lockstep.CodeValue} {
		d, _ := value.ParseDecimal(text)
		_, err := s.Apply(t.Context(), "d", []lockstep.Write{{Key: "1", Fields: value.F("n", d, "f", math.NaN())}})
		if code(err) != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestNastyNames(t *testing.T) {
	s, _ := made(t, nil, `CREATE TABLE "Order ""Details""" ("select" INT, "a.b" TEXT, "Größe ? $1" TEXT, "Last Modified" DATETIME DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY ("select", "a.b")) WITHOUT ROWID`)
	name := `Order "Details"`
	var many []lockstep.Write
	for i := range 50 {
		many = append(many, lockstep.Write{Key: lockstep.MakeKey(fmt.Sprint(i), `x"y`), Fields: value.F("Größe ? $1", "w")})
	}
	for range 2 {
		if _, err := s.Apply(t.Context(), name, many); err != nil {
			t.Fatal(err)
		}
	}
	r := lockstep.Read{Stream: name, Fields: []string{"Größe ? $1"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "Last Modified", Overlap: -1}}
	if got := scan(t, s, r, lockstep.Limit{Rows: 7}); len(got) != 50 {
		t.Errorf("scanned %d", len(got))
	}
	if got, err := s.Fetch(t.Context(), r, []lockstep.Key{many[3].Key, lockstep.MakeKey("99", "x")}); err != nil || len(got) != 1 {
		t.Errorf("fetched %d, %v", len(got), err)
	}
	if got, err := s.Find(t.Context(), r, []string{"a.b", "Größe ? $1"}, [][]value.Value{{value.Text(`x"y`), value.Text("w")}}); err != nil || len(got[0]) != 50 {
		t.Errorf("found %v, %v", got, err)
	}
	page, err := s.Changes(t.Context(), r, nil, lockstep.Limit{Rows: 10})
	if err == nil {
		page, err = s.Changes(t.Context(), r, page.Next, lockstep.Limit{Rows: 10})
	}
	if err != nil || len(page.Changes) != 10 {
		t.Errorf("%d changes, %v", len(page.Changes), err)
	}
}

func TestNullKeys(t *testing.T) {
	key := map[string]lockstep.Settings{"nv": {"key": []string{"a", "b"}}}
	s, _ := made(t, key, `CREATE TABLE n (a INT, b TEXT, PRIMARY KEY (a, b))`, `INSERT INTO n VALUES (1, 'x'), (NULL, 'y'), (2, NULL), (3, 'z'), (NULL, NULL)`, `CREATE VIEW nv AS SELECT * FROM n`)
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
	if _, err := s.Apply(t.Context(), "nv", []lockstep.Write{{Key: lockstep.MakeKey("1", "x")}}); code(err) != lockstep.CodeCannot {
		t.Errorf("writing a view: %v", err)
	}
}

// Keys are found by the text that they have everywhere (value.KeyText), however SQLite stores them.
func TestKeysOfEveryType(t *testing.T) {
	for declared, values := range map[string]string{
		"DECIMAL(10,2)": `12.50`, "DECIMAL_TEXT(10,2)": `'12.50'`, "BOOLEAN": `1`, "DATE": `'2026-11-23'`, "DATETIME": `'2026-11-23 10:00:00'`,
		"TIMESTAMPTZ": `'2026-11-23T10:00:00.5Z'`, "BLOB": `x'00ff'`, "REAL": `0.1`, "": `5`, "UUID": `'6ba7b810-9dad-11d1-80b4-00c04fd430c8'`,
	} {
		s, _ := made(t, nil, `CREATE TABLE k (id `+declared+` NOT NULL PRIMARY KEY, v TEXT)`, `INSERT INTO k VALUES (`+values+`, 'x')`)
		r := lockstep.Read{Stream: "k", Fields: []string{"id", "v"}}
		all := scan(t, s, r, lockstep.Limit{Rows: 10})
		id, _ := all[0].Record.Fields.Get("id")
		if text, _ := id.KeyText(); lockstep.Key(text) != all[0].Record.Key {
			t.Errorf("%s: key %s of %s", declared, all[0].Record.Key, text)
		}
		if got, err := s.Fetch(t.Context(), r, []lockstep.Key{all[0].Record.Key}); err != nil || len(got) != 1 {
			t.Errorf("%s: key %s is not found, %v", declared, all[0].Record.Key, err)
		}
		if _, err := s.Apply(t.Context(), "k", []lockstep.Write{{Key: all[0].Record.Key, Fields: value.F("v", "y")}}); err != nil {
			t.Errorf("%s: %v", declared, err)
		}
		if again := scan(t, s, r, lockstep.Limit{Rows: 10}); len(again) != 1 {
			t.Errorf("%s: an update made another row", declared)
		}
	}
}

func TestMovedKeys(t *testing.T) {
	s, _ := made(t, nil, `CREATE TABLE m (a INT, b TEXT, v TEXT, PRIMARY KEY (a, b))`, `INSERT INTO m VALUES (1, 'x', 'old')`)
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

func TestTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.db")
	exec(t, path, `CREATE TABLE big (id INTEGER PRIMARY KEY, a TEXT, b BLOB)`,
		`INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) SELECT i, 'small', NULL FROM n`,
		`UPDATE big SET a = hex(zeroblob(1500000)) WHERE id = 5`, `UPDATE big SET b = zeroblob(3000000) WHERE id = 10`, `UPDATE big SET a = hex(zeroblob(350000)), b = zeroblob(700000) WHERE id = 20`)
	s := open(t, lockstep.Settings{"path": path, "max_record": int64(1 << 20)})
	r := lockstep.Read{Stream: "big", Fields: []string{"a", "b"}}
	var large []string
	got := scan(t, s, r, lockstep.Limit{Rows: 7})
	for _, c := range got {
		if c.Fault != nil {
			large = append(large, string(c.Fault.Code)+string(c.Record.Key))
		}
	}
	if len(got) != 30 || !slices.Equal(large, []string{"LS-TOO-LARGE5", "LS-TOO-LARGE10", "LS-TOO-LARGE20"}) {
		t.Errorf("%d records, too large %v", len(got), large)
	}
	if _, err := s.Fetch(t.Context(), r, []lockstep.Key{"1", "5"}); code(err) != lockstep.CodeTooLarge {
		t.Errorf("fetching a record over the limit: %v", err)
	}
}

func refusals() []connectortest.Refusal {
	good := []lockstep.Write{{Key: "1", Fields: value.F("v", "a")}, {Key: "2", Fields: value.F("v", "b")}}
	bad := func(v any) lockstep.Write { return lockstep.Write{Key: "3", Fields: value.F("v", v)} }
	var all []connectortest.Refusal
	for _, c := range []struct {
		name string
		bad  lockstep.Write
		want lockstep.Code
		sql  string
	}{
		{"unique", bad("a"), lockstep.CodeUnique, `CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT UNIQUE)`},
		{"check", bad("c"), lockstep.CodeConstraint, `CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'c'))`},
		{"not null", bad(nil), lockstep.CodeConstraint, `CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT NOT NULL)`},
		{"strict", bad("c"), lockstep.CodeValue, `CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT, n INTEGER) STRICT; CREATE TRIGGER x AFTER INSERT ON r WHEN NEW.v = 'c' BEGIN UPDATE r SET n = 'text' WHERE id = NEW.id; END`},
		{"reference", bad("c"), lockstep.CodeReference, `CREATE TABLE p (id TEXT PRIMARY KEY); INSERT INTO p VALUES ('a'), ('b'); CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT REFERENCES p)`},
		{"deferred reference", bad("c"), lockstep.CodeReference,
			`CREATE TABLE p (id TEXT PRIMARY KEY); INSERT INTO p VALUES ('a'), ('b'); CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT REFERENCES p DEFERRABLE INITIALLY DEFERRED)`},
		{"referenced", lockstep.Write{Op: lockstep.Delete, Key: "3"}, lockstep.CodeReference,
			`CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE c (id INT REFERENCES r); INSERT INTO r VALUES (3, 'x'); INSERT INTO c VALUES (3)`},
		{"trigger", bad("c"), lockstep.CodeConstraint,
			`CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT); CREATE TRIGGER x BEFORE INSERT ON r WHEN NEW.v = 'c' BEGIN SELECT RAISE(ABORT, 'secret'); END`},
	} {
		all = append(all, connectortest.Refusal{Name: c.name, Good: good, Bad: c.bad, Want: c.want, New: func(t *testing.T) (connectortest.Place, string) {
			settings := lockstep.Settings{"path": filepath.Join(t.TempDir(), "r.db")}
			exec(t, settings.Text("path"), c.sql)
			return place(settings), "r"
		}})
	}
	return all
}

func TestFaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	missing := open(t, lockstep.Settings{"path": filepath.Join(dir, "nosuch.db")})
	if _, err := missing.Streams(t.Context()); code(err) != lockstep.CodeFile {
		t.Errorf("a file that is not there: %v", err)
	}
	exec(t, path, `CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)`, `CREATE TABLE loose (v TEXT)`)
	s := open(t, lockstep.Settings{"path": path, "busy_timeout": 50 * time.Millisecond})
	if _, err := s.Scan(t.Context(), lockstep.Read{Stream: "loose"}, nil, lockstep.Limit{}); code(err) != lockstep.CodeNoKey {
		t.Errorf("a table without a key: %v", err)
	}
	conn, err := raw(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply(t.Context(), "a", []lockstep.Write{{Key: "1", Fields: value.F("v", "x")}})
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeDeadlock || f.Kind != lockstep.Transient || f.Unknown {
		t.Errorf("a locked file: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Apply(t.Context(), "a", []lockstep.Write{{Key: "1", Fields: value.F("v", "x")}}); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	exec(t, path, "PRAGMA page_size = 4096")
	text := filepath.Join(dir, "text.db")
	if err := writeFile(text, strings.Repeat("no database at all ", 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, lockstep.Settings{"path": text}).Streams(t.Context()); code(err) != lockstep.CodeFile {
		t.Errorf("a file that is no database: %v", err)
	}
	if _, err := sqlite.Connector.Open(t.Context(), lockstep.Settings{}); code(err) != lockstep.CodeConfig {
		t.Errorf("no path: %v", err)
	}
}

func TestIfVersion(t *testing.T) {
	_, path := made(t, nil, `CREATE TABLE i (id INTEGER PRIMARY KEY, v TEXT, updated_at TEXT)`, `INSERT INTO i VALUES (1, 'a', '2026-01-01T00:00:00Z'), (2, 'b', '2026-01-01T00:00:00Z')`)
	s := open(t, lockstep.Settings{"path": path, "streams": map[string]lockstep.Settings{"i": {"version": "updated_at"}}})
	got, err := s.Fetch(t.Context(), lockstep.Read{Stream: "i"}, []lockstep.Key{"1", "2"})
	if err != nil || len(got) != 2 || got[0].Version != "2026-01-01T00:00:00Z" {
		t.Fatal(got, err)
	}
	exec(t, path, `UPDATE i SET updated_at = '2026-01-02T00:00:00Z' WHERE id = 2`)
	results, err := s.Apply(t.Context(), "i", []lockstep.Write{
		{Key: "1", Fields: value.F("v", "ours"), IfVersion: got[0].Version}, {Key: "2", Fields: value.F("v", "ours"), IfVersion: got[1].Version},
		{Key: "3", Fields: value.F("v", "ours"), IfVersion: got[1].Version},
	})
	if err != nil || results[0].Err != nil || code(results[1].Err) != lockstep.CodeVersionMoved || code(results[2].Err) != lockstep.CodeGone {
		t.Errorf("%+v, %v", results, err)
	}
}

// A key of the settings that is not unique: each row comes, wherever pages end, so that the double is seen as one.
func TestDoubledKeys(t *testing.T) {
	s, _ := made(t, map[string]lockstep.Settings{"d": {"key": []string{"k"}}}, `CREATE TABLE d (k INT, v TEXT)`, `INSERT INTO d VALUES (1, 'a'), (2, 'a'), (2, 'b'), (3, 'a'), (3, 'b'), (3, 'c'), (4, 'a')`)
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
