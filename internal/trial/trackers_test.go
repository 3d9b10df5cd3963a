package trial

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const trackedYAML = `
systems:
  lite: {type: sqlite, path: lite.db}
  pg:   {type: postgres, dsn: %q}
flows:
  all:
    from: {system: %[2]s, stream: stock, track: {%[4]s, every: 100ms}}
    to:   {system: %[3]s, stream: everything, create: true}
    map: &map {site: site, sku: sku, qty: qty, note: note}
  few:
    from: {system: %[2]s, stream: stock, track: {%[4]s, every: 100ms}}
    to:   {system: %[3]s, stream: few, create: true}
    where: qty > 50
    deletes: {max_share: 100%%}
    map: *map
`

// tracker is a way to find changes: how the table is made for it, and what each statement that writes has to do.
type tracker struct{ track, column, number, marks string }

var trackers = map[string]tracker{
	"version":         {`by: version, field: n`, `, n BIGINT`, `1 + (SELECT coalesce(max(n), 0) FROM stock)`, ``},
	"flag":            {`by: flag, field: dirty`, `, dirty BOOLEAN`, `true`, `, dirty = true`},
	"flag, installed": {`by: flag, field: dirty`, `, dirty BOOLEAN`, `false`, `, dirty = false`},
	"trigger":         {`by: trigger, name: trial`, ``, ``, ``},
}

// Two flows share one feed of each tracker: each gets every change that is made beside their syncs. With triggers and
// marks nothing is left to a full sync, but for deletes where the tracker sees none. In the end all are level, by SQL too.
func TestTwoFlowsOneFeedOfEachTracker(t *testing.T) {
	for name, k := range trackers {
		for _, from := range []string{"lite", "pg"} {
			t.Run(name+"/"+from, func(t *testing.T) { oneFeed(t, name, k, from) })
		}
	}
}

func oneFeed(t *testing.T, name string, k tracker, from string) {
	p := newPlace(t)
	dsn := testkit.Postgres(t)
	lite, pg := openDB(t, "sqlite", p.path("lite.db")), openDB(t, "pgx", dsn)
	exe(t, lite, `PRAGMA journal_mode = WAL`)
	lite.SetMaxOpenConns(1)
	exe(t, lite, `PRAGMA busy_timeout = 10000`)
	src, dst, to := lite, pg, "pg"
	if from == "pg" {
		src, dst, to = pg, lite, "lite"
	}
	exe(t, src, `CREATE TABLE stock (site TEXT, sku TEXT, qty INTEGER, note TEXT`+k.column+`, PRIMARY KEY (site, sku))`)
	values := ""
	if k.number != "" {
		values = ", " + k.number
	}
	for i := range 200 {
		exe(t, src, fmt.Sprintf(`INSERT INTO stock VALUES ('s%d', 'p%d', %d, 'note'%s)`, i%3, i/3, i%100, values))
	}
	h := p.house(fmt.Sprintf(trackedYAML, dsn, from, to, k.track))
	if name == "trigger" || name == "flag, installed" {
		do(t, h, app.Request{Do: app.DoTrack, Track: app.TrackInstall})
	}
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)

	var edits sync.WaitGroup
	edits.Go(func() { editStock(t, src, k, values, name == "trigger") })
	done := make(chan struct{})
	go func() { edits.Wait(); close(done) }()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		for _, flow := range []string{"all", "few"} {
			if _, err := try(h, app.Request{Do: app.DoSync, Flows: []string{flow}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 { // what the last read of a long transaction began before
		do(t, h, app.Request{Do: app.DoSync})
	}
	level(t, h)
	const order = ` ORDER BY site, sku`
	sameRows(t, "all", rows(t, dst, `SELECT site, sku, qty, note FROM everything`+order), rows(t, src, `SELECT site, sku, qty, note FROM stock`+order))
	sameRows(t, "few", rows(t, dst, `SELECT site, sku, qty FROM few`+order), rows(t, src, `SELECT site, sku, qty FROM stock WHERE qty > 50`+order))
	if strings.HasPrefix(name, "flag") {
		if left := rows(t, src, `SELECT count(*) FROM stock WHERE dirty`); left[0] != "'0'" {
			t.Errorf("%s marks are left", left[0])
		}
	}
}

// editStock makes some hundred edits, several in one transaction now and then, some rolled back.
func editStock(t *testing.T, src *sql.DB, k tracker, values string, deletes bool) {
	rng := rand.New(rand.NewPCG(1, 2))
	set := k.marks
	if k.number != "" && set == "" {
		set = ", n = " + k.number
	}
	for i := range 150 {
		tx, err := src.Begin()
		if err != nil {
			t.Error(err)
			return
		}
		for range 1 + rng.IntN(3) {
			site, sku := fmt.Sprint("s", rng.IntN(3)), fmt.Sprint("p", rng.IntN(80))
			insert := fmt.Sprintf(`INSERT INTO stock VALUES ('%s', '%s', %d, 'edit %d'%s) ON CONFLICT (site, sku) DO UPDATE SET qty = excluded.qty, note = excluded.note%s`, site, sku, rng.IntN(100), i, values, set)
			if _, err = tx.Exec(insert); err == nil && deletes && rng.IntN(5) == 0 {
				_, err = tx.Exec(fmt.Sprintf(`DELETE FROM stock WHERE site = '%s' AND sku = 'p%d'`, site, rng.IntN(80)))
			}
			if err != nil {
				t.Error(err)
			}
		}
		if err := map[bool]func() error{true: tx.Rollback, false: tx.Commit}[rng.IntN(10) == 0](); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
	}
}
