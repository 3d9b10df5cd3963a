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

// sweptSource is a database whose table is tracked by a time, and what a person does to it.
type sweptSource struct {
	system string
	exec   func(statement string)
}

func sqliteSource(t *testing.T, p *place) sweptSource {
	db := p.db("pim.db", `CREATE TABLE goods (sku INTEGER PRIMARY KEY, name TEXT, moved TEXT NOT NULL)`)
	return sweptSource{`{type: sqlite, path: pim.db}`, func(statement string) {
		run(t, db, strings.ReplaceAll(statement, "now()", "strftime('%Y-%m-%dT%H:%M:%fZ')"))
	}}
}

func postgresSource(t *testing.T, p *place) sweptSource {
	p.env["DSN"] = testkit.Postgres(t)
	conn, err := pgx.Connect(t.Context(), p.env["DSN"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	exec := func(statement string) {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE goods (sku int PRIMARY KEY, name text, moved timestamptz NOT NULL)`)
	return sweptSource{`{type: postgres, dsn: "${DSN}"}`, exec}
}

// What a tracker by time does not see, deletes and rows that are committed with an old date, is found by the sweep alone:
// on request, and by the daemon when its time has come.
func TestSweepBelowATimestamp(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *place) sweptSource{"sqlite": sqliteSource, "postgres": postgresSource} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			source := open(t, p)
			target := p.db("shop.db", `CREATE TABLE goods (sku INTEGER PRIMARY KEY, name TEXT)`)
			for i := range 30 {
				source.exec(fmt.Sprintf(`INSERT INTO goods VALUES (%d, 'name %d', now())`, i, i))
			}
			text := fmt.Sprintf(`
systems:
  pim:  %s
  shop: {type: sqlite, path: shop.db}
flows:
  goods:
    from: {system: pim, stream: goods, track: {by: timestamp, field: moved, every: 200ms, sweep: 15m}}
    to:   {system: shop, stream: goods}
    map:  {sku: sku, name: name}
`, source.system)
			h := p.open(p.must(text))
			ask(t, h, Request{Do: DoSync})
			source.exec(`UPDATE goods SET name = 'seen', moved = now() WHERE sku = 1`)
			source.exec(`DELETE FROM goods WHERE sku = 7`)
			source.exec(`INSERT INTO goods VALUES (99, 'late', '2020-01-01T00:00:00Z')`)
			source.exec(`UPDATE goods SET name = 'late', moved = '2020-01-01T00:00:00Z' WHERE sku = 8`)
			ask(t, h, Request{Do: DoSync})
			const unlevel = `SELECT name FROM goods WHERE sku IN (1, 7, 8, 99) ORDER BY sku`
			if got := rows(t, target, unlevel); !slices.Equal(got, []string{"seen", "name 7", "name 8"}) {
				t.Fatalf("by its time: %q", got)
			}
			swept := ask(t, h, Request{Do: DoSync, Sweep: true})[0].Run
			if got := rows(t, target, unlevel); !slices.Equal(got, []string{"seen", "late", "late"}) {
				t.Errorf("by the sweep: %q", got)
			}
			if c := swept.Counts; !swept.Sweep || c.Read != 30 || c.Created != 1 || c.Updated != 1 || c.Deleted != 1 || c.Level != 28 {
				t.Errorf("%+v", swept)
			}
			s := ask(t, h, Request{Do: DoStatus})[0].Status
			if s.LastSweep == nil || s.LastFull == nil || s.LastFull.Sweep || s.NextSweep == nil || !s.NextSweep.Equal(s.LastSweep.Started.Add(15*time.Minute).Truncate(time.Microsecond)) {
				t.Errorf("%+v", s)
			}
			if got := findings(t, h); !strings.Contains(got, "note deletes, and records that come with an old value of `moved`, are seen by the next sweep (every 15m0s) only") {
				t.Errorf("doctor says\n%s", got)
			}
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}

			source.exec(`DELETE FROM goods WHERE sku = 9`)
			bySweep(t, p.open(p.must(strings.Replace(text, "sweep: 15m", "sweep: 1s", 1))), 29)
			for _, e := range ask(t, p.open(p.must(text)), Request{Do: DoVerify}) {
				if e.Event == DriftEvent {
					t.Errorf("not level: %+v", e.Drift)
				}
			}
		})
	}
}

// bySweep runs the daemon until a sweep has left so many links, and closes the house.
func bySweep(t *testing.T, h *House, links int64) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	for ask(t, h, Request{Do: DoStatus})[0].Status.Links != links {
		if time.Sleep(20 * time.Millisecond); ctx.Err() != nil {
			t.Fatal("no sweep has found it")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

func findings(t *testing.T, h *House) string {
	t.Helper()
	var out []string
	for _, e := range ask(t, h, Request{Do: DoDoctor}) {
		out = append(out, e.Finding.Level+" "+e.Finding.What)
	}
	return strings.Join(out, "\n")
}

// Flows whose deletes nobody looks for are named by check.
func TestNets(t *testing.T) {
	p := newPlace(t)
	for setting, want := range map[string]string{
		"by: timestamp, field: moved":                "goods: deletes, and records that come with an old value of `moved`, are seen by a full sync on request only",
		"by: timestamp, field: moved, deleted: gone": "goods: deletes that `gone` does not mark",
		"by: flag, field: mark":                      "goods: deletes, and",
		"by: version, field: number":                 "goods: deletes, and",
		"by: version, field: number, per: record":    "",
		"by: timestamp, field: moved, sweep: 15m":    "",
		"by: trigger":  "",
		"by: snapshot": "",
	} {
		notes, err := Check(p.must(`
systems:
  pim:  {type: sqlite, path: pim.db}
  shop: {type: sqlite, path: shop.db}
flows:
  goods:
    from: {system: pim, stream: goods, track: {` + setting + `}}
    to:   {system: shop, stream: goods}
`))
		got := strings.Join(notes, "\n")
		if err != nil || want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, %v", setting, got, err)
		}
	}
}
