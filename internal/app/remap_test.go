package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// writes counts what is written to the table "goods" of a target, by the target's own triggers.
type writes struct {
	reset func()
	keys  func() []string // of what was written since, in order
}

func sqliteWrites(t *testing.T, p *place) writes {
	db := p.db("shop.db", `CREATE TABLE goods (sku TEXT PRIMARY KEY, title TEXT, price NUMERIC, note TEXT)`, `CREATE TABLE written (sku TEXT)`,
		`CREATE TRIGGER w1 AFTER UPDATE ON goods BEGIN INSERT INTO written VALUES (new.sku); END`,
		`CREATE TRIGGER w2 AFTER INSERT ON goods BEGIN INSERT INTO written VALUES (new.sku); END`)
	return writes{func() { run(t, db, `DELETE FROM written`) }, func() []string { return rows(t, db, `SELECT sku FROM written ORDER BY sku`) }}
}

func postgresWrites(t *testing.T, p *place) writes {
	p.env["DSN"] = testkit.Postgres(t)
	conn, err := pgx.Connect(t.Context(), p.env["DSN"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	exec := func(sql string) {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE goods (sku text PRIMARY KEY, title text, price numeric(12,2), note text);
		CREATE TABLE written (sku text);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO written VALUES (new.sku); RETURN new; END';
		CREATE TRIGGER w AFTER INSERT OR UPDATE ON goods FOR EACH ROW EXECUTE FUNCTION note()`)
	return writes{func() { exec(`DELETE FROM written`) }, func() []string {
		r, err := conn.Query(context.Background(), `SELECT sku FROM written ORDER BY sku`)
		if err != nil {
			t.Fatal(err)
		}
		out, err := pgx.CollectRows(r, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return out
	}}
}

// TestChangedMapping: with another mapping the daemon runs a full sync by itself, which writes the records whose image
// the change makes another, and no other.
func TestChangedMapping(t *testing.T) {
	for name, target := range map[string]func(*testing.T, *place) writes{"sqlite": sqliteWrites, "postgres": postgresWrites} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			pim := p.db("pim.db", `CREATE TABLE product (sku TEXT PRIMARY KEY, name TEXT, price NUMERIC, note TEXT, moved TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')))`)
			for i := range 50 {
				run(t, pim, fmt.Sprintf(`INSERT INTO product (sku, name, price, note) VALUES ('p%02d', 'name %d', %d.50, %s)`, i, i, i, map[bool]string{true: "'n'", false: "NULL"}[i < 5]))
			}
			w := target(t, p)
			shop := `{type: sqlite, path: shop.db}`
			if name == "postgres" {
				shop = `{type: postgres, dsn: "${DSN}"}`
			}
			for _, c := range []struct {
				rules string
				want  []string
			}{
				{`{sku: sku, title: name, price: price}`, nil}, // the first: all
				{`{sku: sku, title: 'sku < "p03" ? upper(name) : name', price: price}`, []string{"p00", "p01", "p02"}},
				{`{sku: sku, title: 'sku < "p03" ? upper(name) : name'}`, []string{}},
				{`{sku: sku, title: 'sku < "p03" ? upper(name) : name', price: price + 0}`, []string{}},
				{`{sku: sku, title: 'sku < "p03" ? upper(name) : name', price: price, note: note}`, []string{"p00", "p01", "p02", "p03", "p04"}},
				{`{sku: sku, note: note}`, []string{}},
			} {
				w.reset()
				remapped(t, p, fmt.Sprintf(`
systems:
  pim:  {type: sqlite, path: pim.db}
  shop: %s
flows:
  goods:
    from: {system: pim, stream: product, track: {by: timestamp, field: moved, every: 100ms}}
    to:   {system: shop, stream: goods}
    map: %s
`, shop, c.rules), c.want == nil)
				// A delta that reads again by its overlap may meet the full sync at a record, and write what it wrote.
				if got := slices.Compact(w.keys()); c.want != nil && !slices.Equal(got, c.want) || c.want == nil && len(got) != 50 {
					t.Errorf("by %s were written: %s", c.rules, strings.Join(got, " "))
				}
			}
		})
	}
}

// remapped runs the daemon until its full sync has ended.
func remapped(t *testing.T, p *place, text string, first bool) {
	t.Helper()
	h := p.open(p.must(text))
	status := func() *Status { return ask(t, h, Request{Do: DoStatus})[0].Status }
	if s := status(); (s.FullDue != "") == first {
		t.Errorf("a full sync is due: %q", s.FullDue)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if s := status(); s.FullDue == "" && s.LastFull != nil && s.LastFull.State == "finished" && s.Ready+s.Leased == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no full sync: %+v", status())
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ask(t, h, Request{Do: DoSync}) // what an overlap read again just before the daemon stopped is in flight
	for _, e := range ask(t, h, Request{Do: DoVerify}) {
		if e.Event == DriftEvent {
			t.Errorf("not level: %+v", e.Drift)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}
