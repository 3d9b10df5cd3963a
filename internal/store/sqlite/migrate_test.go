package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// A store of the first version is taken over with all that is open in it.
func TestMigrateFromVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lockstep.db")
	open := func() *Store {
		t.Helper()
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Attach(t.Context(), []lockstep.FlowDef{{Name: "there", Feed: "feed", Set: "there"}, {Name: "back", Set: "there", Side: lockstep.B}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	change := func(n int) []lockstep.Change {
		return []lockstep.Change{{Record: lockstep.Record{Key: "a", Fields: value.F("n", n)}}}
	}
	if err := s.Append(t.Context(), "feed", nil, change(1), lockstep.Position("1"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, back := range []string{"DROP VIEW operations", "DROP TABLE operation_rows", "DROP TABLE hold_rows", "DROP INDEX entry_rows_confirming", "DROP VIEW refers", "DROP VIEW news", "DROP TABLE reference_rows", "DROP TABLE news_rows", "ALTER TABLE entry_rows DROP COLUMN prior", "DELETE FROM schema_versions WHERE version_id > 1"} {
		if _, err := db.Exec(back); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if err := s.Append(t.Context(), "feed", lockstep.Position("1"), change(2), lockstep.Position("2"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	ds, err := s.Lease(t.Context(), "there", 10, time.Minute)
	if err != nil || len(ds) != 1 || !ds[0].Change.Record.Fields.Equal(value.F("n", 2)) || len(ds[0].Prior) != 1 || !ds[0].Prior[0].Record.Fields.Equal(value.F("n", 1)) {
		t.Fatalf("%+v %v", ds, err)
	}
}
