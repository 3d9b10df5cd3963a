package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/logging"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// drifting is a daemon between two databases of one kind, whose tables can be changed while it runs.
type drifting struct {
	t *testing.T
	*place
	kind   string // of both databases
	track  string // how changes are found
	pim    *sql.DB
	shop   *sql.DB
	flow   string // what stands in the flow beyond both ends
	h      *House
	beside int
	stop   func()
}

func newDrifting(t *testing.T, kind, track, flow string) *drifting {
	if track == "" {
		track = "by: timestamp, field: moved"
	}
	d := &drifting{t: t, place: newPlace(t), kind: kind, track: track, flow: flow}
	open := func(name string) *sql.DB {
		if kind == "sqlite" {
			db, err := sql.Open("sqlite", filepath.Join(d.dir, name)+"?_pragma=busy_timeout(20000)")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return db
		}
		driver, dsn := "pgx", ""
		if kind == "postgres" {
			dsn = testkit.Postgres(t)
		} else {
			driver, dsn = "mysql", testkit.MariaDB(t)
		}
		d.env[strings.ToUpper(name[:3])] = dsn
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	d.pim, d.shop = open("pim.db"), open("shop.db")
	moved := `moved TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))`
	switch kind {
	case "postgres":
		moved = `moved timestamptz NOT NULL DEFAULT now()`
	case "mysql":
		moved = `moved TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)`
	}
	for _, table := range []string{"goods", "other", "names"} {
		run(t, d.pim, `CREATE TABLE `+table+` (sku VARCHAR(20) PRIMARY KEY, name VARCHAR(50), price NUMERIC(10,2), note VARCHAR(50), `+moved+`)`)
		run(t, d.shop, `CREATE TABLE `+table+` (sku VARCHAR(20) PRIMARY KEY, name VARCHAR(50), price NUMERIC(10,2), note VARCHAR(50))`)
	}
	for i := range 5 {
		d.put("goods", i, "first")
	}
	if track != "by: timestamp, field: moved" {
		d.open()
		ask(t, d.h, Request{Do: DoTrack, Track: TrackInstall})
		t.Cleanup(func() {
			d.open()
			_, err := try(context.Background(), d.h, Request{Do: DoTrack, Track: TrackRemove})
			if err = errors.Join(err, d.h.Close()); err != nil {
				t.Error(err)
			}
		})
		if err := d.h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d.start()
	d.arrives("goods", 5, "first")
	return d
}

// open opens the house.
func (d *drifting) open() {
	d.t.Helper()
	from, to := `{type: sqlite, path: pim.db}`, `{type: sqlite, path: shop.db}`
	if d.kind != "sqlite" {
		from, to = `{type: `+d.kind+`, dsn: "${PIM}"}`, `{type: `+d.kind+`, dsn: "${SHO}"}`
	}
	cfg := d.must(fmt.Sprintf(`
systems:
  pim:  %[1]s
  shop: %[2]s
flows:
  goods:
    from: {system: pim, stream: goods, track: {%[4]s, every: 100ms}}
    to:   {system: shop, stream: goods}
    deletes: {max_share: 100%%}
    %[3]s
  other:
    from: {system: pim, stream: other, track: {by: timestamp, field: moved, every: 100ms}}
    to:   {system: shop, stream: other}
    map: {sku: sku, name: name}
`, from, to, strings.ReplaceAll(d.flow, "TRACK", d.track), d.track))
	log, err := logging.New(&d.logged, "debug", "json", Mask(cfg))
	if err != nil {
		d.t.Fatal(err)
	}
	if d.h, err = Open(context.Background(), cfg, Options{Log: log, Look: 200 * time.Millisecond}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *drifting) start() {
	d.t.Helper()
	d.open()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.h.Run(ctx) }()
	stopped := false
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, d.h.Close()); err != nil {
			d.t.Error(err)
		}
	}
	d.t.Cleanup(d.stop)
}

// put writes a record into the source.
func (d *drifting) put(table string, i int, name string) {
	d.t.Helper()
	run(d.t, d.pim, fmt.Sprintf(`DELETE FROM %s WHERE sku = 'p%d'`, table, i), fmt.Sprintf(`INSERT INTO %s (sku, name, price) VALUES ('p%d', '%s', %d.50)`, table, i, name, i))
}

func (d *drifting) until(what string, is func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: never\nstatus %+v\ntarget %q\n%s", what, *d.status("goods"), rows(d.t, d.shop, `SELECT * FROM goods ORDER BY sku`), last(d.logged.String(), 3000))
		}
	}
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

// arrives waits until so many records of the target have a name.
func (d *drifting) arrives(table string, n int, name string) {
	d.t.Helper()
	d.until(name+" arrives in "+table, func() bool { return d.count(table, name) == n })
}

func (d *drifting) count(table, name string) int {
	return len(rows(d.t, d.shop, fmt.Sprintf(`SELECT sku FROM %s WHERE name = '%s'`, table, name)))
}

func (d *drifting) status(flow string) *Status {
	d.t.Helper()
	return ask(d.t, d.h, Request{Do: DoStatus, Flows: []string{flow}})[0].Status
}

// changed waits until the status says what has changed.
func (d *drifting) changed(want ...string) {
	d.t.Helper()
	d.until(strings.Join(want, ", "), func() bool {
		var got []string
		for _, c := range d.status("goods").Schema {
			got = append(got, c.Side+" "+c.What+" "+c.Field)
		}
		return slices.Equal(got, want)
	})
}

// stopped waits until the flow waits for a person, and sees that its neighbour does not.
func (d *drifting) stopped() {
	d.t.Helper()
	d.until("the flow stops", func() bool { s := d.status("goods"); return s.State == "stopped" && s.Fault.Code == lockstep.CodeDrift })
	d.beside++
	name := fmt.Sprint("beside", d.beside)
	d.put("other", d.beside, name)
	d.arrives("other", 1, name)
}

// level waits until verify finds no difference.
func (d *drifting) level() {
	d.t.Helper()
	d.until("both sides are level", func() bool {
		s := d.status("goods")
		if s.Ready+s.Leased+s.Delayed+s.Parked > 0 || s.FullDue != "" || s.State != "running" {
			return false
		}
		events, err := try(d.t.Context(), d.h, Request{Do: DoVerify, Flows: []string{"goods"}})
		return err == nil && !slices.ContainsFunc(events, func(e Event) bool { return e.Event == DriftEvent })
	})
}

func (d *drifting) resume() {
	d.t.Helper()
	events := ask(d.t, d.h, Request{Do: DoResume, Flows: []string{"goods"}})
	if text := events[len(events)-1].Text; !strings.Contains(text, "accepted: [goods]") {
		d.t.Errorf("resume says %q", text)
	}
	d.changed()
}

const explicit = `map: {sku: sku, name: name, price: price, note: note}`

// heldByTracker: what a tracker of the database finds while the flow is held is delivered afterwards, deletes among it.
func heldByTracker(d *drifting) {
	run(d.t, d.pim, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`, `ALTER TABLE goods DROP COLUMN note`)
	d.stopped()
	run(d.t, d.pim, `UPDATE goods SET name = 'second', extra = 'e' WHERE sku < 'p3'`, `DELETE FROM goods WHERE sku = 'p4'`)
	d.until("capture goes on", func() bool { return d.status("goods").Ready == 4 })
	if n := d.count("goods", "first"); n != 5 {
		d.t.Errorf("%d records are as they were", n)
	}
	run(d.t, d.shop, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`)
	d.changed("source dropped note", "source added extra", "target added extra")
	d.resume()
	d.until("the new field arrives", func() bool {
		return len(rows(d.t, d.shop, `SELECT sku FROM goods WHERE name = 'second' AND extra = 'e'`)) == 3
	})
	d.level()
	if n := len(rows(d.t, d.shop, `SELECT sku FROM goods`)); n != 4 {
		d.t.Errorf("%d records are left", n)
	}
}

// drifts are what happens to the tables while the daemon runs, by policy and kind of database.
var drifts = map[string]struct {
	flow  string
	track string
	only  string // the kind of database, "" is all
	does  func(d *drifting)
}{
	"warn, a field added on both sides": {flow: "", does: func(d *drifting) {
		run(d.t, d.pim, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`, `UPDATE goods SET extra = 'e'`)
		run(d.t, d.shop, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`)
		d.changed("source added extra", "target added extra")
		d.put("goods", 1, "second")
		d.arrives("goods", 1, "second")
		if got := rows(d.t, d.shop, `SELECT sku FROM goods WHERE extra IS NOT NULL`); len(got) > 0 {
			d.t.Errorf("nobody has accepted the new field, and it was written: %v", got)
		}
		d.resume()
		d.until("the new field arrives", func() bool { return len(rows(d.t, d.shop, `SELECT sku FROM goods WHERE extra = 'e'`)) == 4 })
		d.level()
	}},
	"warn, a field dropped that goes as it is": {flow: "", does: func(d *drifting) {
		run(d.t, d.shop, `UPDATE goods SET note = 'kept'`)
		run(d.t, d.pim, `ALTER TABLE goods DROP COLUMN note`)
		d.changed("source dropped note")
		d.put("goods", 1, "second")
		d.arrives("goods", 1, "second")
		if got := rows(d.t, d.shop, `SELECT sku FROM goods WHERE note = 'kept'`); len(got) < 4 {
			d.t.Errorf("the field that is gone was cleared: %d left", len(got))
		}
	}},
	"warn, a field dropped that the mapping reads": {flow: explicit, does: func(d *drifting) {
		run(d.t, d.pim, `ALTER TABLE goods DROP COLUMN note`)
		d.put("goods", 1, "second")
		d.stopped()
		d.put("goods", 2, "second")
		if _, err := try(d.t.Context(), d.h, Request{Do: DoResume, Flows: []string{"goods"}}); code(err) != lockstep.CodeDrift {
			d.t.Errorf("a schema that the mapping does not fit was accepted: %v", err)
		}
		d.stop()
		d.start() // it does not keep the daemon from starting
		d.stopped()
		run(d.t, d.pim, `ALTER TABLE goods ADD COLUMN note VARCHAR(50)`)
		d.arrives("goods", 2, "second")
		d.level()
	}},
	"warn, a field of the target dropped that the mapping writes": {flow: explicit, does: func(d *drifting) {
		run(d.t, d.shop, `ALTER TABLE goods DROP COLUMN note`)
		for i := range 3 {
			d.put("goods", i, "second")
		}
		d.stopped()
		run(d.t, d.shop, `ALTER TABLE goods ADD COLUMN note VARCHAR(50)`)
		d.arrives("goods", 3, "second")
		d.level()
	}},
	"hold": {flow: "drift: hold\n    " + explicit, does: func(d *drifting) {
		run(d.t, d.pim, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`)
		d.stopped()
		for i := range 7 {
			d.put("goods", i, "second")
		}
		d.until("capture goes on", func() bool { return d.status("goods").Ready == 7 })
		if _, err := try(d.t.Context(), d.h, Request{Do: DoSync, Flows: []string{"goods"}, Full: true}); code(err) != lockstep.CodeDrift {
			d.t.Errorf("a full sync of a held flow: %v", err)
		}
		if n := d.count("goods", "second"); n > 0 {
			d.t.Errorf("%d records were delivered while the flow was held", n)
		}
		d.resume()
		d.arrives("goods", 7, "second")
		d.level()
	}},
	"stop": {flow: "drift: stop\n    " + explicit, does: func(d *drifting) {
		run(d.t, d.shop, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`)
		d.stopped()
		d.put("goods", 1, "second")
		d.put("goods", 6, "second")
		time.Sleep(300 * time.Millisecond)
		// What an overlap read again just before it stopped may wait; what came afterwards may not.
		queued, err := try(d.t.Context(), d.h, Request{Do: DoQueue, Flows: []string{"goods"}, Keys: []lockstep.Key{"p6"}})
		if err != nil || len(queued) > 0 || d.count("goods", "second") > 0 {
			d.t.Errorf("a stopped flow goes on: %v %+v", err, queued)
		}
		d.stop()
		d.start()
		d.stopped() // until a person says so, also by a daemon that is started anew
		d.resume()
		d.arrives("goods", 2, "second")
		d.level()
	}},
	"map, a field added on both sides": {flow: "drift: map", does: func(d *drifting) {
		run(d.t, d.shop, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`)
		run(d.t, d.pim, `ALTER TABLE goods ADD COLUMN extra VARCHAR(20)`, `UPDATE goods SET extra = 'e'`)
		d.until("the new field arrives", func() bool { return len(rows(d.t, d.shop, `SELECT sku FROM goods WHERE extra = 'e'`)) == 5 })
		d.changed()
		d.level()
		run(d.t, d.pim, `ALTER TABLE goods DROP COLUMN extra`)
		d.put("goods", 1, "second")
		d.arrives("goods", 1, "second")
		d.level()
	}},
	"a feed shared with a flow that cannot go on": {flow: explicit + `
  names:
    from: {system: pim, stream: goods, track: {TRACK, every: 100ms}}
    to:   {system: shop, stream: names}
    map:  {sku: sku, name: name}`, does: func(d *drifting) {
		run(d.t, d.pim, `ALTER TABLE goods DROP COLUMN note`)
		d.stopped()
		d.put("goods", 1, "second")
		d.arrives("names", 1, "second")
		if n := d.count("goods", "second"); n > 0 {
			d.t.Errorf("%d records were delivered by the flow that waits", n)
		}
		run(d.t, d.shop, `UPDATE goods SET note = 'old'`)
		run(d.t, d.pim, `ALTER TABLE goods ADD COLUMN note VARCHAR(50)`, `UPDATE goods SET note = 'new'`)
		d.arrives("goods", 1, "second")
		d.until("the note arrives", func() bool { return len(rows(d.t, d.shop, `SELECT sku FROM goods WHERE note = 'new'`)) == 5 })
		d.level()
	}},
	"hold, by triggers": {flow: "drift: hold", track: "by: trigger", only: "postgres", does: heldByTracker},
	"hold, by the log":  {flow: "drift: hold", track: "by: log", only: "postgres", does: heldByTracker},
	"a text of the target made shorter": {flow: explicit, only: "postgres", does: func(d *drifting) {
		run(d.t, d.shop, `ALTER TABLE goods ALTER COLUMN name TYPE varchar(6)`)
		d.put("goods", 1, "too long")
		d.put("goods", 2, "second")
		d.arrives("goods", 1, "second")
		d.until("what does not fit is parked", func() bool { return d.status("goods").Parked == 1 })
		d.changed("target retyped name")
		run(d.t, d.shop, `ALTER TABLE goods ALTER COLUMN name TYPE varchar(50)`)
		d.changed()
		ask(d.t, d.h, Request{Do: DoRetry, Flows: []string{"goods"}, All: true})
		d.arrives("goods", 1, "too long")
		d.level()
	}},
	"a number made a text on both sides": {flow: explicit, only: "postgres", does: func(d *drifting) {
		run(d.t, d.pim, `ALTER TABLE goods ALTER COLUMN price TYPE text`)
		d.put("goods", 1, "second")
		d.arrives("goods", 1, "second")
		d.changed("source retyped price")
		run(d.t, d.shop, `ALTER TABLE goods ALTER COLUMN price TYPE text`)
		d.changed("source retyped price", "target retyped price")
		d.put("goods", 2, "second")
		d.arrives("goods", 2, "second")
		d.level()
	}},
}

// TestDrift: a schema that changes while the daemon runs is noticed, handled as the flow says, and loses nothing.
func TestDrift(t *testing.T) {
	for name, c := range drifts {
		for _, kind := range []string{"sqlite", "postgres", "mysql"} {
			if c.only != "" && c.only != kind || testing.Short() && c.only == "" && kind != "sqlite" {
				continue
			}
			t.Run(name+"/"+kind, func(t *testing.T) { c.does(newDrifting(t, kind, c.track, c.flow)) })
		}
	}
}

// TestDriftOfAPair: where one flow of a pair waits, the other does, too, and one word lets both go on.
func TestDriftOfAPair(t *testing.T) {
	for _, policy := range []string{"hold", "stop"} {
		t.Run(policy, func(t *testing.T) {
			p := pairPlace(t)
			cfg := p.must(strings.Replace(pairYAML, "map: {sku: sku, title: name, stock: stock}", "map: {sku: sku, title: name, stock: stock}\n    drift: "+policy, 1))
			erp, shop := p.db("erp.db"), p.db("shop.db")
			sync := func() (err error) {
				h := p.open(cfg)
				for range 3 {
					_, err = try(t.Context(), h, Request{Do: DoSync})
				}
				return errors.Join(err, h.Close())
			}
			if err := sync(); err != nil {
				t.Fatal(err)
			}
			run(t, erp, `ALTER TABLE item ADD COLUMN extra TEXT`, `UPDATE item SET name = 'ours' WHERE sku = 'p1'`)
			run(t, shop, `UPDATE products SET title = 'theirs' WHERE sku = 'p2'`)
			if err := sync(); code(err) != lockstep.CodeDrift || !strings.Contains(err.Error(), "flow there") || !strings.Contains(err.Error(), "flow back") {
				t.Errorf("the sync of a pair that waits: %v", err)
			}
			const edits = `SELECT count(*) FROM %s WHERE %s IN ('ours', 'theirs')`
			if a, b := rows(t, erp, fmt.Sprintf(edits, "item", "name")), rows(t, shop, fmt.Sprintf(edits, "products", "title")); a[0] != "1" || b[0] != "1" {
				t.Errorf("something was written while the pair waits: %v %v", a, b)
			}
			h := p.open(cfg)
			ask(t, h, Request{Do: DoResume, Flows: []string{"there"}})
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			if err := sync(); err != nil {
				t.Error(err)
			}
			if a, b := rows(t, erp, fmt.Sprintf(edits, "item", "name")), rows(t, shop, fmt.Sprintf(edits, "products", "title")); a[0] != "2" || b[0] != "2" {
				t.Errorf("afterwards: %v %v", a, b)
			}
		})
	}
}
