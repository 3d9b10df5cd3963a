package trial

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const sharedYAML = `
systems:
  lite: {type: sqlite, path: src.db}
  pg:   {type: postgres, dsn: %q}
flows:
  all:
    from: {system: lite, stream: stock, track: {by: timestamp, field: changed, every: 100ms}}
    to:   {system: pg, stream: everything, create: true}
  few:
    from: {system: lite, stream: stock, track: {by: timestamp, field: changed, every: 100ms}}
    to:   {system: pg, stream: few, create: true}
    where: qty > 50
    deletes: {max_share: 100%%}
    map:
      site: site
      sku: sku
      amount: qty
`

// Two flows of one stream share one feed: each gets every change, whichever of the two is synced; and full syncs run
// beside the deltas of both while some hundred edits are made. In the end all are level, by SQL too.
func TestTwoFlowsOneFeedUnderEdits(t *testing.T) {
	p := newPlace(t)
	src, dsn := openDB(t, "sqlite", p.path("src.db")), testkit.Postgres(t)
	exe(t, src, `PRAGMA journal_mode = WAL`, `CREATE TABLE stock (site TEXT, sku TEXT, qty INTEGER, note TEXT, changed TIMESTAMPTZ NOT NULL, PRIMARY KEY (site, sku))`)
	const now = `strftime('%Y-%m-%d %H:%M:%fZ', 'now')`
	exe(t, src, `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 599)
		INSERT INTO stock SELECT 's' || (i % 3), 'p' || (i / 3), i % 100, 'note ' || i, `+now+` FROM n`)
	src.SetMaxOpenConns(1)
	exe(t, src, `PRAGMA busy_timeout = 10000`)
	h := p.house(fmt.Sprintf(sharedYAML, dsn))
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)

	// One flow is synced, and the other has the change in its queue all the same.
	exe(t, src, `UPDATE stock SET qty = 99, changed = `+now+` WHERE site = 's1' AND sku = 'p0'`)
	do(t, h, app.Request{Do: app.DoSync, Flows: []string{"all"}})
	for _, e := range ask(t, h, app.Request{Do: app.DoStatus}) {
		if e.Status != nil && e.Status.Flow == "few" && e.Status.Ready != 1 {
			t.Errorf("few: %+v", *e.Status)
		}
	}

	var edits sync.WaitGroup
	edits.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range 400 {
			site, sku := fmt.Sprint("s", rng.IntN(3)), fmt.Sprint("p", rng.IntN(220))
			_, err := src.Exec(`INSERT INTO stock VALUES (?, ?, ?, ?, `+now+`) ON CONFLICT DO UPDATE SET qty = excluded.qty, note = excluded.note, changed = excluded.changed`,
				site, sku, rng.IntN(100), fmt.Sprint("edit ", i))
			if err == nil && i%20 == 0 { // seen by a full sync only
				_, err = src.Exec(`DELETE FROM stock WHERE site = ? AND sku = ?`, site, fmt.Sprint("p", i/20))
			}
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	done := make(chan struct{})
	go func() { edits.Wait(); close(done) }()
	var syncs sync.WaitGroup
	for _, req := range []app.Request{{Do: app.DoSync, Full: true}, {Do: app.DoSync, Flows: []string{"all"}}, {Do: app.DoSync, Flows: []string{"few"}}} {
		syncs.Go(func() {
			for {
				if _, err := try(h, req); err != nil && code(err) != "LS-BUSY" {
					t.Errorf("%+v: %v", req, err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	syncs.Wait()
	do(t, h, app.Request{Do: app.DoSync})
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	level(t, h)
	pg := openDB(t, "pgx", dsn)
	sameRows(t, "all", rows(t, pg, `SELECT site, sku, qty, note FROM everything ORDER BY site COLLATE "C", sku COLLATE "C"`), rows(t, src, `SELECT site, sku, qty, note FROM stock ORDER BY site, sku`))
	sameRows(t, "few", rows(t, pg, `SELECT site, sku, amount FROM few ORDER BY site COLLATE "C", sku COLLATE "C"`), rows(t, src, `SELECT site, sku, qty FROM stock WHERE qty > 50 ORDER BY site, sku`))
}
