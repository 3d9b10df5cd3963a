package chaos

import (
	"database/sql"
	"encoding/csv"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

func server(t *testing.T) *pgserver.Server {
	t.Helper()
	pg, err := pgserver.Start(t.Context(), pgserver.Fast)
	if errors.Is(err, pgserver.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := pg.Exec(t.Context(), "postgres", sourceSchema...); err != nil {
		t.Fatal(err)
	}
	return pg
}

// The judge is judged: a faithful copy is level, and each way to spoil one record of it is found, and only that.
func TestLoadAndCompare(t *testing.T) {
	pg := server(t)
	load, err := StartLoad(t.Context(), pg.DSN("postgres"), 4, 7)
	if err != nil {
		t.Fatal(err)
	}
	for load.Late.Load() < 2 || load.Rollbacks.Load() < 2 || load.Commits.Load() < 60 {
		if err := errors.Join(load.Err(), pause(t.Context(), 20*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	load.Pause()
	file := filepath.Join(t.TempDir(), "target.db")
	db := copied(t, pg, file)
	same := func(want ...string) {
		t.Helper()
		got, err := Compare(t.Context(), pg, "postgres", file)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, d := range got {
			have = append(have, d.Kind()+" "+d.Flow+" "+d.Key)
		}
		if strings.Join(have, "; ") != strings.Join(want, "; ") {
			t.Errorf("got %q, want %q", have, want)
		}
	}
	same()
	for _, st := range []string{
		`INSERT INTO items VALUES (-1, 'x', 'x', 1, 1, NULL, '2026-01-01T00:00:00Z')`,
		`UPDATE stock SET qty = -5 WHERE (sku, warehouse) = (SELECT min(sku), 'W0' FROM stock WHERE warehouse = 'W0')`,
	} {
		if _, err := db.Exec(st); err != nil {
			t.Fatal(err)
		}
	}
	var key string
	if err := db.QueryRow(`SELECT json_array(sku, warehouse) FROM stock WHERE qty = -5`).Scan(&key); err != nil {
		t.Fatal(err)
	}
	same("extra items -1", "wrong stock "+key)
	if _, err := db.Exec(`DELETE FROM stock WHERE qty = -5`); err != nil {
		t.Fatal(err)
	}
	same("extra items -1", "missing stock "+key)
	load.Resume()
	before := load.Commits.Load()
	for load.Commits.Load() == before {
		if err := errors.Join(load.Err(), pause(t.Context(), 20*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	load.Pause()
	load.Stop()
	t.Log(load)
}

// copied makes the target and fills it by hand.
func copied(t *testing.T, pg *pgserver.Server, file string) *sql.DB {
	t.Helper()
	db, err := makeTarget(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for name, query := range map[string]string{"items": "SELECT id, sku, name, price, qty, note, " + isoTime + " FROM items",
		"stock": "SELECT sku, warehouse, qty, " + isoTime + " FROM stock"} {
		out, err := pg.Psql(t.Context(), "postgres", "-c", "COPY ("+query+") TO STDOUT (FORMAT csv, NULL '<null>')").Output()
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			args := make([]any, len(l))
			for i, v := range l {
				if v != "<null>" {
					args[i] = v
				}
			}
			if _, err := tx.Exec("INSERT INTO "+name+" VALUES (?"+strings.Repeat(",?", len(l)-1)+")", args...); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return db
}
