package sqlite

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// Whoever asks for the status while the last entry is being settled is not told that there is nothing to do: the link that
// has come is news to a record that was sent without it.
func TestStatusIsNotIdleBeforeTheCommit(t *testing.T) {
	var s *Store
	var armed atomic.Bool
	seen := make(chan lockstep.FlowStatus, 1)
	look := func() {
		st, err := s.Status(t.Context(), "f")
		if err != nil {
			t.Error(err)
		}
		seen <- st
	}
	s = openAt(t, filepath.Join(t.TempDir(), "lockstep.db"), Options{Hook: func(point string) {
		if point == PointCommit && armed.CompareAndSwap(true, false) {
			go look()
			time.Sleep(100 * time.Millisecond) // as a slow disk: an answer that does not wait for the commit is there by then
		}
	}})
	defer func() { must(t, s.Close()) }()
	must(t, s.Attach(t.Context(), []lockstep.FlowDef{flowF}))
	if err := s.Append(t.Context(), "feed", nil, products(0, 2), place(1), time.Now()); err != nil {
		t.Fatal(err)
	}
	ds, err := s.Lease(t.Context(), "f", 2, time.Minute)
	if err != nil || len(ds) != 2 {
		t.Fatalf("%d leased, %v", len(ds), err)
	}
	done := func(d lockstep.Delivery) lockstep.Outcome {
		return lockstep.Outcome{Delivery: d, Verdict: lockstep.Done, Link: link(d.Change.Record.Key)}
	}
	early := done(ds[0])
	early.Refs = []lockstep.Reference{{Ref: lockstep.Ref{Flow: "f", Key: ds[1].Change.Record.Key}, Use: lockstep.Linked | lockstep.Pending}}
	if err := s.Settle(t.Context(), early); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	if err := s.Settle(t.Context(), done(ds[1])); err != nil {
		t.Fatal(err)
	}
	if st := <-seen; st.Ready+st.Leased+st.Spreading == 0 {
		t.Errorf("%+v: there is news that nobody has heard yet", st)
	}
}
