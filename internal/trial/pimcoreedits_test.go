package trial

import (
	"fmt"
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
