package trial

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// fullRuns counts the full runs and sweeps of a house.
func fullRuns(t *testing.T, h *app.House) (n int) {
	t.Helper()
	for _, e := range ask(t, h, app.Request{Do: app.DoRuns, Max: 1000}) {
		if e.Run != nil && e.Run.Kind == "full" {
			n++
		}
	}
	return n
}

// Detect by SQL, read by GraphQL: thousands of random edits, among them moved folders, inherited values, saves with a date
// in the past and direct SQL, reach the target by the outbox alone. No full sync helps.
func TestPimcoreEditsReachTheTargetBySQL(t *testing.T) {
	t.Parallel()
	dsn, maria := testkit.Postgres(t), testkit.MariaDB(t)
	w := newPimWorld(t, sandbox.Options{Products: 150, Seed: 3})
	w.must(w.srv.Mirror(t.Context(), maria))
	p := newPlace(t)
	db := openDB(t, "pgx", dsn)
	exe(t, db, pimTable)
	h := p.house(fmt.Sprintf(pimYAML, w.url, w.srv.Key(), "    dsn: "+maria, dsn, "by: trigger"))
	do(t, h, app.Request{Do: app.DoTrack, Track: app.TrackInstall})
	do(t, h, app.Request{Do: app.DoSync})
	sameRows(t, "after the first sync", w.inTarget(db), w.inPim())

	n, before := pimEdits(), w.srv.Requests()
	const rounds = 20
	for round := range rounds {
		w.must(w.srv.RandomEdits(n/rounds, uint64(round)))
		w.lateSave(func() { do(t, h, app.Request{Do: app.DoSync}) })
		do(t, h, app.Request{Do: app.DoSync})
	}
	calls := w.srv.Requests() - before
	want := w.inPim()
	sameRows(t, "by SQL", w.inTarget(db), want)
	if full := fullRuns(t, h); full != 1 {
		t.Errorf("%d full runs: they would hide a change that is not seen", full)
	}
	t.Logf("%d edits in %d rounds, %d objects: %d calls", n, rounds, len(want), calls)
	level(t, h)
}

// lateSave begins a save, does something, and commits it then.
func (w *pimWorld) lateSave(meanwhile func()) {
	w.t.Helper()
	ids := w.srv.IDs("Product")
	commit := w.srv.SaveLate(ids[len(ids)/2], map[string]any{"price": 77.25})
	meanwhile()
	w.must(commit())
}

// Notices alone bring most of what thousands of random edits change, though one in ten is lost; one full sync at the end
// brings the rest. Nothing else looks: the tracker polls once a day.
func TestPimcoreEditsReachTheTargetByNotices(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	w := newPimWorld(t, sandbox.Options{Products: 150, Seed: 3})
	db := openDB(t, "pgx", dsn)
	exe(t, db, pimTable)
	text := fmt.Sprintf(pimYAML, w.url, w.srv.Key(), "", dsn, "by: timestamp, field: modificationDate, every: 24h")
	d := newDaemon(t, "api: {listen: %s}\n"+strings.ReplaceAll(text, "%", "%%")+"    hook: {secrets: ["+hookSecret+"]}\n")
	d.command("sync")
	sameRows(t, "after the first sync", w.inTarget(db), w.inPim())
	d.start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.log())
		}
	})
	n, before, first := pimEdits(), w.srv.Requests(), w.inTarget(db)
	w.srv.Listen(t.Context(), sandbox.Hook{URL: "http://" + d.address + "/hooks/products", Secrets: []string{hookSecret}, Lose: 0.1})
	const rounds = 20
	for round := range rounds {
		w.must(w.srv.RandomEdits(n/rounds, uint64(round)))
		w.must(w.srv.WaitNotices(t.Context()))
	}
	until(t, "the queue is empty", func() bool { return strings.Contains(d.command("queue"), "the queues are empty") })
	calls := w.srv.Requests() - before
	sent, lost := w.srv.Notices()
	want := w.inPim()
	missed := w.inTarget(db)
	left, others, changed := apart(missed, want), apart(pathless(missed), pathless(want)), apart(pathless(first), pathless(want))
	t.Logf("%d edits, %d objects: %d notices, %d more lost, %d calls; %d rows differ, %d of them not in their path alone, of %d that would", n, len(want), sent, lost, calls, left, others, changed)
	if lost < n/20 || others > changed/4 { // one lost notice of a folder is many paths; a later save of the object makes up for one
		t.Errorf("%d notices are lost; of %d rows %d still differ", lost, changed, others)
	}
	before = w.srv.Requests()
	d.command("sync", "products", "--full")
	t.Logf("the full sync: %d calls", w.srv.Requests()-before)
	sameRows(t, "by notices and a full sync", w.inTarget(db), want)
	if full := strings.Count(d.command("runs"), " full "); full != 2 {
		t.Errorf("%d full runs", full)
	}
}

// Polling sees what moves an object's own date, late commits among it, and a sweep what is gone or has an older date. What
// has no date of its own, paths below a moved folder, values that are inherited and direct SQL, waits for a full sync: one
// at the end brings it.
func TestPimcoreEditsReachTheTargetByPolling(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	w := newPimWorld(t, sandbox.Options{Products: 150, Seed: 3})
	p := newPlace(t)
	db := openDB(t, "pgx", dsn)
	exe(t, db, pimTable)
	h := p.house(fmt.Sprintf(pimYAML, w.url, w.srv.Key(), "", dsn, "by: timestamp, field: modificationDate, sweep: 24h"))
	do(t, h, app.Request{Do: app.DoSync})
	sameRows(t, "after the first sync", w.inTarget(db), w.inPim())

	n, before := pimEdits(), w.srv.Requests()
	w.srv.Fail(sandbox.FaultLate, 0.1)
	const rounds = 20
	for round := range rounds {
		w.must(w.srv.RandomEdits(n/rounds, uint64(round)))
		w.lateSave(func() { do(t, h, app.Request{Do: app.DoSync}) })
		do(t, h, app.Request{Do: app.DoSync})
	}
	polls := w.srv.Requests() - before
	do(t, h, app.Request{Do: app.DoSync, Sweep: true})
	sweep := w.srv.Requests() - before - polls
	want, got := w.inPim(), w.inTarget(db)
	if a, b := identities(got), identities(want); apart(a, b) > 0 {
		t.Errorf("polls and a sweep: %d objects are there and %d in the target, %d not in both", len(b), len(a), apart(a, b))
	}
	left := apart(got, want) // many edits in two minutes leave nothing: the overlap reads what they touched again
	before = w.srv.Requests()
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	t.Logf("%d edits, %d objects: %d calls of %d polls, %d of a sweep, %d of the full sync, before which %d rows differed", n, len(want), polls, 2*rounds, sweep, w.srv.Requests()-before, left)
	sameRows(t, "by polls and a full sync", w.inTarget(db), want)
	level(t, h)
}
