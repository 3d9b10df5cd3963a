package pimcore

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// watched is a mirror with a trigger on each table, which writes down each row operation.
func watched(t *testing.T, s *stand) *sql.DB {
	t.Helper()
	dsn := testkit.MariaDB(t)
	if err := s.Mirror(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	must(t, db, "CREATE TABLE seen (seq int AUTO_INCREMENT PRIMARY KEY, what varchar(100), id int)")
	must(t, db, "CREATE TABLE seen_to (seq int)")
	for table, key := range map[string]string{"objects": "id", "object_store_PR": "oo_id", "object_query_PR": "oo_id", "object_localized_data_PR": "ooo_id", "object_relations_PR": "src_id"} {
		if s.conf().Version == 10 && table == "objects" {
			key = "o_id"
		}
		short := strings.TrimSuffix(table, "_PR")
		for op, row := range map[string]string{"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"} {
			must(t, db, fmt.Sprintf("CREATE TRIGGER t_%s_%s AFTER %s ON %s FOR EACH ROW INSERT INTO seen (what, id) VALUES ('%s %s', %s.%s)", table, op, op, table, short, op[:1], row, key))
		}
	}
	must(t, db, "CREATE TRIGGER t_versions AFTER INSERT ON versions FOR EACH ROW INSERT INTO seen (what, id) VALUES ('versions I', NEW.cid)")
	return db
}

func must(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// seen takes what the triggers wrote down since the last call.
func seen(t *testing.T, db *sql.DB, parent int) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT what, id FROM seen WHERE seq > (SELECT coalesce(max(seq), 0) FROM seen_to) ORDER BY seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var what string
		var id int
		if err := rows.Scan(&what, &id); err != nil {
			t.Fatal(err)
		}
		if parent != 0 {
			what += map[bool]string{true: " parent", false: " child"}[id == parent]
		}
		out = append(out, what)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	must(t, db, "INSERT INTO seen_to SELECT max(seq) FROM seen")
	return out
}

func TestExampleTriggerRows(t *testing.T) {
	s, _ := six(t)
	oneTongue := s.must(s.Create(NewObject{Class: "Product", Parent: 2, Key: "one", Values: map[string]any{"sku": "ONE", "name@en": "One"}}))
	db := watched(t, s)
	want := readExample[map[string]json.RawMessage](t, examples(t)["trigger_rows_observed"])
	for _, c := range []struct {
		name   string
		parent int
		do     func() error
	}{
		{"field_saved", 0, func() error { return s.Save(11, map[string]any{"price": 1}) }},
		{"nothing_changed_but_saved", 0, func() error { return s.Save(11, nil) }},
		{"localized_saved", 0, func() error { return s.Save(11, map[string]any{"name@de": "Neu"}) }},
		{"draft", 0, func() error { return s.SaveVersion(11, map[string]any{"price": 2}) }},
		{"versioning_off", 0, func() error { return s.SaveUnversioned(11, map[string]any{"name@en": "New"}) }},
		{"parent_of_inheriting_child_saved", 10, func() error { return s.Save(10, map[string]any{"name@en": "Shirt one"}) }},
		{"parent_renamed", 10, func() error { return s.Rename(10, "renamed") }},
		{"deleted", 0, func() error { return s.Delete(oneTongue) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			var rows []string
			for _, r := range readExample[[]string](t, want[c.name]) {
				r, _, _ = strings.Cut(r, " (")
				r, _, _ = strings.Cut(r, " with")
				rows = append(rows, r)
			}
			if got := seen(t, db, c.parent); !slices.Equal(got, rows) {
				t.Errorf("rows differ:\nwant %q\ngot  %q", rows, got)
			}
		})
	}
	var stores int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM object_store_PR WHERE oo_id = ?", oneTongue).Scan(&stores); err != nil || stores != 0 {
		t.Errorf("the cascade left %d rows (%v)", stores, err)
	}
}

// After any edits the database holds what the stand-in holds, as a fresh copy would.
func TestMirrorStaysLevel(t *testing.T) {
	for _, version := range []int{10, 11} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			s := newStand(t, Options{Products: 30, Version: version})
			dsn := testkit.MariaDB(t)
			s.do(s.Mirror(t.Context(), dsn))
			if err := s.RandomEdits(300, 5); err != nil {
				t.Fatal(err)
			}
			fresh := testkit.MariaDB(t)
			was := dump(t, dsn)
			s.do(s.Mirror(t.Context(), fresh))
			now := dump(t, fresh)
			for table, rows := range now {
				if was[table] != rows {
					t.Errorf("table %s differs:\n%.1500s\nwant\n%.1500s", table, was[table], rows)
				}
			}
		})
	}
}

// dump is all rows of the tables that show the state of today.
func dump(t *testing.T, dsn string) map[string]string {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string]string{}
	for _, table := range []string{"objects", "assets", "object_store_PR", "object_query_PR", "object_localized_query_PR_de", "object_PR", "object_brick_store_TechSpec_PR", "object_collection_Bullet_PR",
		"object_classificationstore_data_PR", "object_metadata_PR"} {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2, 3")
		if err != nil {
			t.Fatal(err)
		}
		cols, _ := rows.Columns()
		var b strings.Builder
		for rows.Next() {
			values, at := make([]sql.NullString, len(cols)), make([]any, len(cols))
			for i := range values {
				at[i] = &values[i]
			}
			if err := rows.Scan(at...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				fmt.Fprintf(&b, "%s=%s ", cols[i], v.String)
			}
			b.WriteByte('\n')
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if b.Len() == 0 {
			t.Errorf("table %s is empty", table)
		}
		out[table] = b.String()
		rows.Close()
	}
	return out
}

func TestMirrorRefusesOthersDatabase(t *testing.T) {
	s := newStand(t, Options{Products: 3})
	dsn := testkit.MariaDB(t)
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	must(t, db, "CREATE TABLE precious (id int)")
	if err := s.Mirror(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("want a refusal, got %v", err)
	}
	must(t, db, "DROP TABLE precious")
	s.do(s.Mirror(t.Context(), dsn))
	s.do(s.Mirror(t.Context(), dsn)) // its own is emptied
}

// A save that commits late is invisible until then, and shows with the date of its beginning.
func TestLateSaveHoldsItsTransaction(t *testing.T) {
	s, clock := six(t)
	db := watched(t, s)
	began := clock.at
	commit := s.SaveLate(11, map[string]any{"price": 77})
	clock.at += 60
	s.do(s.Save(12, nil))
	if got := seen(t, db, 0); slices.Contains(got, "objects I") || len(got) != 4 {
		t.Errorf("want the rows of the other save only: %q", got)
	}
	s.do(commit())
	var late int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM seen WHERE id = 11").Scan(&late); err != nil || late != 4 {
		t.Errorf("want the four rows of the late save, got %d (%v); their numbers are older", late, err)
	}
	if o, _ := s.Get(11); o.Modified != began || o.Values["price"] != 77.0 {
		t.Errorf("want the old date: %+v", o)
	}
}

// Another save of a row that a late one holds waits for it, and both are there in the end.
func TestASaveWaitsForALateOne(t *testing.T) {
	s, _ := six(t)
	db := watched(t, s)
	commit := s.SaveLate(11, map[string]any{"stock": 77})
	done := make(chan error)
	go func() { done <- s.Save(11, map[string]any{"price": 5}) }()
	for { // until the other one is in memory, and waits for the row
		if o, _ := s.Get(11); o.Values["price"] == 5.0 {
			break
		}
	}
	s.do(commit())
	s.do(<-done)
	var price float64
	if err := db.QueryRowContext(t.Context(), "SELECT price FROM object_store_PR WHERE oo_id = 11").Scan(&price); err != nil || price != 5 {
		t.Errorf("the price is %v (%v)", price, err)
	}
	if o, _ := s.Get(11); o.Values["stock"] != int64(77) || o.Values["price"] != 5.0 {
		t.Errorf("%+v", o.Values)
	}
}
