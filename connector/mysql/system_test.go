package mysql_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/mysql"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

func stream(t *testing.T, s system, name string) lockstep.Stream {
	t.Helper()
	streams, err := s.Streams(t.Context())
	must(t, err)
	for _, found := range streams {
		if found.Name == name {
			return found
		}
	}
	t.Fatalf("no stream %s", name)
	return lockstep.Stream{}
}

func TestDiscovery(t *testing.T) {
	s, dsn := fresh(t)
	exec(t, dsn, "CREATE TABLE `or``ders` (id int AUTO_INCREMENT PRIMARY KEY, no varchar(20) COLLATE utf8mb4_general_ci NOT NULL UNIQUE, net decimal(8,2) NOT NULL, "+
		"gross decimal(8,2) AS (net * 1.22) STORED, later decimal(8,2) AS (net * 2), `weird ``?\"'` int DEFAULT 5, changed timestamp DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, KEY (changed))",
		"CREATE TABLE parts (a int NOT NULL, b int NOT NULL, ord int, UNIQUE (a, b), UNIQUE (b), FOREIGN KEY (ord) REFERENCES `or``ders` (id) ON DELETE CASCADE)",
		"CREATE VIEW seen AS SELECT id, no FROM `or``ders`", "CREATE TABLE keyless (a int, b int UNIQUE)", "CREATE TABLE prefixed (a text NOT NULL, UNIQUE (a(10)))")
	o := stream(t, s, "or`ders")
	if !slices.Equal(o.Key, []string{"id"}) || !o.ServerKeys || o.FoldKeys || !o.CaseFoldText || o.ReadOnly || !slices.Equal(o.TrackFields, []string{"changed"}) {
		t.Errorf("%+v", o)
	}
	for name, want := range map[string][3]bool{"id": {false, true, false}, "no": {false, false, false}, "gross": {true, false, true}, "later": {true, false, true}, "weird `?\"'": {true, true, false}, "changed": {true, true, false}} {
		f := o.Field(name)
		if f == nil || f.Nullable != want[0] || (f.Default != want[1] && !f.ReadOnly) || f.ReadOnly != want[2] {
			t.Errorf("%s: %+v", name, f)
		}
	}
	l := stream(t, s, "parts")
	if !slices.Equal(l.Key, []string{"b"}) || l.ServerKeys || !slices.Equal(l.DependsOn, []string{"or`ders"}) {
		t.Errorf("%+v", l)
	}
	if v := stream(t, s, "seen"); !v.ReadOnly || v.Key != nil {
		t.Errorf("%+v", v)
	}
	if k := stream(t, s, "keyless"); k.Key != nil {
		t.Errorf("%+v", k)
	}
	if k := stream(t, s, "prefixed"); k.Key != nil {
		t.Errorf("%+v", k)
	}
	if what := findings(t, s, lockstep.Read{Stream: "parts", Track: lockstep.Track{By: lockstep.Timestamp, Field: "a"}}); !strings.Contains(what, "CASCADE") {
		t.Errorf("doctor does not name the cascade: %s", what)
	}
	two := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{
		"by_no": {"table": "or`ders", "key": []string{"no"}, "where": "no <> \"x?\"", "fields": []string{"net"}}, "seen": {"key": []string{"id"}}}})
	if b := stream(t, two, "by_no"); !b.FoldKeys || b.ServerKeys || len(b.Fields) != 2 {
		t.Errorf("%+v", b)
	}
	if _, err := two.Apply(t.Context(), "by_no", []lockstep.Write{{Key: "A1", Fields: value.F("net", 10)}, {Key: "x?", Fields: value.F("net", 1)}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"by_no": 1, "seen": 2} {
		page, err := two.Scan(t.Context(), lockstep.Read{Stream: name}, nil, lockstep.Limit{Rows: 9})
		if err != nil || len(page.Changes) != want {
			t.Errorf("%s: %d rows, %v", name, len(page.Changes), err)
		}
	}
	if _, err := two.Apply(t.Context(), "seen", []lockstep.Write{{Key: "1"}}); code(err) != lockstep.CodeCannot {
		t.Errorf("a view was written to: %v", err)
	}
}

// The URL and the driver's own form lead to one place.
func TestDSN(t *testing.T) {
	dsn := testkit.MariaDB(t)
	database := dsn[strings.LastIndex(dsn, "/")+1:]
	for _, form := range []string{dsn, "mysql://root@/" + database + "?socket=" + testkit.MariaServer(t).Socket(), "mariadb://root:@localhost/" + database + "?socket=" + testkit.MariaServer(t).Socket() + "&allowAllFiles=true&parseTime=true&sql_mode=''"} {
		if _, err := open(t, lockstep.Settings{"dsn": form}).Streams(t.Context()); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
	for _, form := range []string{"", "mysql://root@host", "nonsense"} {
		if _, err := mysql.Connector.Open(t.Context(), lockstep.Settings{"dsn": form}); code(err) != lockstep.CodeConfig {
			t.Errorf("%q: %v", form, err)
		}
	}
}

// Keys that differ by letter case only are one record; it keeps its spelling.
func TestKeysThatFold(t *testing.T) {
	s, dsn := fresh(t)
	exec(t, dsn, "SET NAMES utf8mb4", "CREATE TABLE p (sku varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v text, n int)", "INSERT INTO p VALUES ('Abc', 'old', 7), ('cafe', 'c', 7)")
	if !stream(t, s, "p").FoldKeys {
		t.Error("the keys fold, and Streams does not say so")
	}
	r := lockstep.Read{Stream: "p", Fields: []string{"v", "n"}}
	got, err := s.Fetch(t.Context(), r, []lockstep.Key{"ABC", "café", "cafe ", "nobody"})
	if err != nil || len(got) != 1 || got[0].Key != "Abc" {
		t.Fatalf("%+v, %v", got, err)
	}
	writes := []lockstep.Write{{Key: "aBC", Fields: value.F("v", "new")}}
	for i := range 30 {
		writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint("k", i)), Fields: value.F("v", "x")})
	}
	for range 2 {
		if _, err := s.Apply(t.Context(), "p", writes); err != nil {
			t.Fatal(err)
		}
	}
	got, err = s.Fetch(t.Context(), r, []lockstep.Key{"abc"})
	if err != nil || len(got) != 1 || got[0].Key != "Abc" || !got[0].Fields.Equal(value.F("v", "new", "n", 7)) {
		t.Errorf("%+v, %v", got, err)
	}
	found, err := s.Find(t.Context(), r, []string{"v"}, [][]value.Value{{value.Text("NEW")}})
	if err != nil || len(found[0]) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

// What shares a second unique value with another record is refused and does not write over it: by INSERT … ON
// DUPLICATE KEY UPDATE alone it would.
func TestSecondUniqueKey(t *testing.T) {
	for name, create := range map[string]string{
		"key is primary":   "CREATE TABLE u (id int PRIMARY KEY, mail varchar(20) UNIQUE, v text)",
		"key is secondary": "CREATE TABLE u (no int AUTO_INCREMENT PRIMARY KEY, mail varchar(20) UNIQUE, id int NOT NULL UNIQUE, v text)",
	} {
		t.Run(name, func(t *testing.T) {
			dsn := testkit.MariaDB(t)
			exec(t, dsn, create, "INSERT INTO u (id, mail, v) VALUES (1, 'a@x', 'one'), (2, 'b@x', 'two')")
			s := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{"u": {"key": []string{"id"}}}})
			for _, w := range []lockstep.Write{{Key: "3", Fields: value.F("mail", "a@x", "v", "three")}, {Key: "2", Fields: value.F("mail", "a@x", "v", "taken")}} {
				if _, err := s.Apply(t.Context(), "u", []lockstep.Write{w}); code(err) != lockstep.CodeUnique {
					t.Errorf("%v", err)
				}
			}
			got, err := s.Fetch(t.Context(), lockstep.Read{Stream: "u", Fields: []string{"mail", "v"}}, []lockstep.Key{"1", "2", "3"})
			if err != nil || len(got) != 2 || !got[0].Fields.Equal(value.F("mail", "a@x", "v", "one")) || !got[1].Fields.Equal(value.F("mail", "b@x", "v", "two")) {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := s.Apply(t.Context(), "u", []lockstep.Write{{Key: "2", Fields: value.F("mail", "c@x")}, {Key: "4", Fields: value.F("mail", "d@x", "v", "four")}}); err != nil {
				t.Fatal(err)
			}
			if v := fetchOne(t, s, lockstep.Read{Stream: "u", Fields: []string{"mail"}}, "2"); v.Text() != "c@x" {
				t.Errorf("the update left %s", v)
			}
		})
	}
}

// A record that is larger than the server's packets is a fault of its own, in reading and in writing.
func TestLargerThanAPacket(t *testing.T) {
	s, dsn := fresh(t)
	exec(t, dsn, "CREATE TABLE b (id int PRIMARY KEY, v longtext, w longblob)", "INSERT INTO b VALUES (1, 'a', ''), (2, REPEAT('x', 9000000), REPEAT('y', 9000000)), (3, 'c', '')")
	page, err := s.Scan(t.Context(), lockstep.Read{Stream: "b", Fields: []string{"v", "w"}}, nil, lockstep.Limit{Rows: 10})
	must(t, err)
	if len(page.Changes) != 3 || code(page.Changes[1].Fault) != lockstep.CodeTooLarge || page.Changes[0].Fault != nil || page.Changes[2].Fault != nil {
		t.Fatalf("%+v", page)
	}
	large := value.Bytes(make([]byte, 12<<20)) // all of it is escaped: twice the size
	writes := []lockstep.Write{{Key: "4", Fields: value.F("w", large)}, {Key: "5", Fields: value.F("w", value.Bytes(make([]byte, 20<<20)))}, {Key: "6", Fields: value.F("v", "small")}}
	results, err := s.Apply(t.Context(), "b", writes)
	must(t, err)
	if results[2].Err != nil || code(results[1].Err) != lockstep.CodeTooLarge {
		t.Errorf("%+v", results)
	}
	if results[0].Err != nil && code(results[0].Err) != lockstep.CodeTooLarge {
		t.Errorf("%v", results[0].Err)
	}
}

// Zero is a key like any other: the server would choose one in its place.
func TestZeroAsAKey(t *testing.T) {
	s, dsn := fresh(t)
	exec(t, dsn, "CREATE TABLE z (id int AUTO_INCREMENT PRIMARY KEY, v text)")
	if _, err := s.Apply(t.Context(), "z", []lockstep.Write{{Key: "0", Fields: value.F("v", "zero")}}); err != nil {
		t.Fatal(err)
	}
	if v := fetchOne(t, s, lockstep.Read{Stream: "z", Fields: []string{"v"}}, "0"); v.Text() != "zero" {
		t.Errorf("%s", v)
	}
}

// An update runs no trigger of inserts, and spends no number of AUTO_INCREMENT, on the rows that are there.
func TestUpdatesAreNoInserts(t *testing.T) {
	s, dsn := fresh(t)
	exec(t, dsn, "CREATE TABLE g (id int PRIMARY KEY, v text)", "INSERT INTO g VALUES (1, 'a')", "CREATE TABLE log (what text)",
		"CREATE TRIGGER bi BEFORE INSERT ON g FOR EACH ROW INSERT INTO log VALUES ('insert')", "CREATE TRIGGER bu BEFORE UPDATE ON g FOR EACH ROW INSERT INTO log VALUES ('update')")
	if _, err := s.Apply(t.Context(), "g", []lockstep.Write{{Key: "1", Fields: value.F("v", "b")}, {Key: "2", Fields: value.F("v", "c")}}); err != nil {
		t.Fatal(err)
	}
	var what string
	must(t, connect(t, dsn).QueryRow("SELECT GROUP_CONCAT(what ORDER BY what) FROM log").Scan(&what))
	if what != "insert,update" {
		t.Errorf("the triggers saw %s", what)
	}
}

func TestMovesAndVersions(t *testing.T) {
	s, dsn := fresh(t)
	exec(t, dsn, "CREATE TABLE m (a int, b varchar(9) COLLATE utf8mb4_general_ci, v text, updated_at timestamp(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), PRIMARY KEY (a, b))", "INSERT INTO m (a, b, v) VALUES (1, 'x', 'v')")
	key, moved := lockstep.MakeKey("1", "x"), lockstep.MakeKey("1", "y")
	results, err := s.Apply(t.Context(), "m", []lockstep.Write{{Key: key, Fields: value.F("b", "y", "v", "w")}})
	if err != nil || results[0].Key != moved {
		t.Fatalf("%+v, %v", results, err)
	}
	results, err = s.Apply(t.Context(), "m", []lockstep.Write{{Key: key, Fields: value.F("b", "z", "v", "made")}})
	if err != nil || results[0].Key != lockstep.MakeKey("1", "z") {
		t.Fatalf("%+v, %v", results, err)
	}
	r := lockstep.Read{Stream: "m", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "updated_at"}}
	got, err := s.Fetch(t.Context(), r, []lockstep.Key{key, moved})
	if err != nil || len(got) != 1 || got[0].Key != moved || got[0].Version == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	exec(t, dsn, "UPDATE m SET v = 'edited' WHERE b = 'y'")
	results, err = s.Apply(t.Context(), "m", []lockstep.Write{{Key: moved, Fields: value.F("v", "ours"), IfVersion: got[0].Version}, {Key: lockstep.MakeKey("9", "q"), Fields: value.F("v", "ours"), IfVersion: "1"}})
	must(t, err)
	if code(results[0].Err) != lockstep.CodeVersionMoved || code(results[1].Err) != lockstep.CodeGone {
		t.Errorf("%+v", results)
	}
}

// Rows of a table without a unique index on the key come on one page, and are written to without doubling them.
func TestKeyWithoutAnIndex(t *testing.T) {
	dsn := testkit.MariaDB(t)
	exec(t, dsn, "CREATE TABLE n (k int, v text) ENGINE = InnoDB", "INSERT INTO n VALUES (1, 'a'), (2, 'b'), (2, 'c'), (3, 'd'), (NULL, 'e')")
	s := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{"n": {"key": []string{"k"}}}})
	var keys []string
	var from lockstep.Position
	for more := true; more; {
		page, err := s.Scan(t.Context(), lockstep.Read{Stream: "n", Fields: []string{"v"}}, from, lockstep.Limit{Rows: 2})
		must(t, err)
		for _, c := range page.Changes {
			keys = append(keys, string(c.Record.Key)+" "+string(code(c.Fault)))
		}
		from, more = page.Next, page.More
	}
	if !slices.Equal(keys, []string{"1 rows of n LS-NULL-KEY", "1 ", "2 ", "2 ", "3 "}) {
		t.Errorf("%q", keys)
	}
	if _, err := s.Apply(t.Context(), "n", []lockstep.Write{{Key: "1", Fields: value.F("v", "x")}, {Key: "4", Fields: value.F("v", "y")}}); err != nil {
		t.Fatal(err)
	}
	var n int
	must(t, connect(t, dsn).QueryRow("SELECT COUNT(*) FROM n WHERE v IN ('x', 'y')").Scan(&n))
	if n != 2 {
		t.Errorf("%d rows", n)
	}
	what := findings(t, s, lockstep.Read{Stream: "n"})
	if !strings.Contains(what, "unique index") || !strings.Contains(what, "may be null") {
		t.Errorf("%s", what)
	}
}

func TestDoctor(t *testing.T) {
	s, dsn := fresh(t)
	exec(t, dsn, "SET sql_mode = ''", "CREATE TABLE d (id int PRIMARY KEY, t datetime, z date) ENGINE = Aria", "INSERT INTO d VALUES (1, NULL, '0000-00-00')")
	what := findings(t, s, lockstep.Read{Stream: "d", Track: lockstep.Track{By: lockstep.Timestamp, Field: "t"}})
	for _, want := range []string{"Aria", "zero", "no time zone", "no index begins with t", "have no t", "is not set by the database", "deletes are not seen"} {
		if !strings.Contains(what, want) {
			t.Errorf("doctor does not say %q: %s", want, what)
		}
	}
}
