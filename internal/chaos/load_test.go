package chaos

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/mariaserver"
	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// opened is a source with its load's tables, or a target, of a kind.
func opened(t *testing.T, kind, other string) (from, to *place) {
	t.Helper()
	var all servers
	t.Cleanup(func() {
		if err := all.stop(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	var err error
	if from, err = all.open(t.Context(), kind, "source", dir); err == nil {
		to, err = all.open(t.Context(), other, "target", dir)
	}
	if errors.Is(err, pgserver.ErrMissing) || errors.Is(err, mariaserver.ErrMissing) {
		t.Skip(err)
	}
	if err == nil {
		err = errors.Join(makeSource(t.Context(), from), makeTarget(t.Context(), to))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.db.Close(); to.db.Close() })
	return from, to
}

// The judge is judged: a faithful copy is level, and each way to spoil one record of it is found, and only that.
func TestLoadAndCompare(t *testing.T) {
	for _, kinds := range [][2]string{{"postgres", "sqlite"}, {"mysql", "postgres"}, {"sqlite", "mysql"}} {
		t.Run(kinds[0]+" to "+kinds[1], func(t *testing.T) {
			t.Parallel()
			from, to := opened(t, kinds[0], kinds[1])
			judge(t, from, to)
		})
	}
}

func judge(t *testing.T, from, to *place) {
	load, err := startLoad(t.Context(), from, 4, 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer load.Stop()
	until := func(done func() bool) {
		t.Helper()
		for !done() {
			if err := errors.Join(load.Err(), pause(t.Context(), 20*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(func() bool { return load.Late.Load() > 0 && load.Rollbacks.Load() > 0 && load.Commits.Load() > 30 })
	load.Pause()
	copyBySQL(t, from, to)
	same := func(want ...string) {
		t.Helper()
		got, err := compare(t.Context(), from, to)
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
	spoil := func(statement string) {
		t.Helper()
		if _, err := to.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	same()
	spoil(`INSERT INTO items (id, sku, title, price, qty) VALUES (-1, 'x', 'x', 1, 1)`)
	if to.kind == "sqlite" {
		spoil(`UPDATE items SET changed_at = '2026-01-01T00:00:00Z' WHERE id = -1`)
	}
	var sku string
	if err := to.db.QueryRow(`SELECT min(sku) FROM stock WHERE warehouse = 'W0'`).Scan(&sku); err != nil {
		t.Fatal(err)
	}
	spoil(`UPDATE stock SET qty = -5 WHERE warehouse = 'W0' AND sku = '` + sku + `'`)
	same("extra items -1", `wrong stock ["`+sku+`","W0"]`)
	spoil(`DELETE FROM stock WHERE qty = -5`)
	same("extra items -1", `missing stock ["`+sku+`","W0"]`)
	load.Resume()
	before := load.Commits.Load()
	until(func() bool { return load.Commits.Load() > before })
	load.Pause()
	t.Log(load)
}

// copyBySQL fills the target by hand.
func copyBySQL(t *testing.T, from, to *place) {
	t.Helper()
	for _, tab := range []*table{items, stock} {
		columns := append([]string{}, tab.source...)
		rows, err := from.db.Query("SELECT " + strings.Join(columns, ", ") + " FROM " + tab.flow)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := to.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		insert := to.marked("INSERT INTO " + tab.flow + " (" + strings.Join(tab.target, ", ") + ") VALUES (" + strings.Repeat("?, ", len(columns)-1) + "?)")
		for rows.Next() {
			cells, into, args := make([]sql.NullString, len(columns)), make([]any, len(columns)), make([]any, len(columns))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for i, c := range cells {
				if c.Valid {
					args[i] = c.String
				}
			}
			if moment := cells[tab.moment].String; to.kind == "mysql" { // it takes no letters
				args[tab.moment] = strings.NewReplacer("T", " ", "Z", "").Replace(moment)
			}
			if from.kind == "mysql" && to.kind == "postgres" {
				args[tab.moment] = cells[tab.moment].String + "+00"
			}
			if _, err := tx.Exec(insert, args...); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close(), tx.Commit()); err != nil {
			t.Fatal(err)
		}
	}
}
