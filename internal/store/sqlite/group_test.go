package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// TestGroup holds the writer until many calls wait, lets them go, and looks that they shared one transaction, that
// those which fail failed alone, and that one whose caller left did nothing.
func TestGroup(t *testing.T) {
	hold, begins := make(chan struct{}), 0
	held := make(chan struct{}, 1)
	armed := false
	s := openAt(t, filepath.Join(t.TempDir(), "lockstep.db"), Options{Hook: func(point string) {
		if !armed || point != PointBegin {
			return
		}
		if begins++; begins == 1 {
			held <- struct{}{}
			<-hold
		}
	}})
	defer func() { must(t, s.Close()) }()
	must(t, s.Attach(t.Context(), []lockstep.FlowDef{flowF}))
	armed = true
	var wg sync.WaitGroup
	errs := make([]error, 40)
	wg.Go(func() { must(t, s.Hint(t.Context(), "f", []lockstep.Key{"first"})) })
	<-held
	for i := range errs {
		wg.Go(func() {
			if i%4 == 0 { // the work is done, and then refused: it must be undone alone
				errs[i] = s.change(t.Context(), func(tx *tx) error {
					changes := []lockstep.Change{product(i)}
					if err := tx.take(s.flows["f"], changes, encodeImages(changes), captured); err != nil {
						return err
					}
					return errRefused
				})
				return
			}
			errs[i] = s.Hint(t.Context(), "f", []lockstep.Key{lockstep.Key(fmt.Sprint("k", i))})
		})
	}
	left, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- s.Hint(left, "f", []lockstep.Key{"left"}) }()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("the caller who left got %v", err)
	}
	close(hold)
	wg.Wait()
	for i, err := range errs {
		if (i%4 == 0) != errors.Is(err, errRefused) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	st, err := s.Status(t.Context(), "f")
	must(t, err)
	if st.Ready != 31 {
		t.Errorf("%d entries, want the first and 30", st.Ready)
	}
	es, err := s.Entries(t.Context(), "f", "", 0, 100)
	must(t, err)
	if len(es) != 31 {
		t.Errorf("%d entries in the file, want 31", len(es))
	}
	if begins > 20 {
		t.Errorf("%d transactions for 41 calls: they were not gathered", begins)
	}
}

var errRefused = errors.New("refused")

// TestFailedGroup breaks a whole transaction and looks that memory is as the file is.
func TestFailedGroup(t *testing.T) {
	s := openBench(t, Options{})
	must(t, s.Append(t.Context(), "feed", nil, products(0, 5), place(1), time.Time{}))
	before, err := s.Lease(t.Context(), "f", 2, time.Minute)
	must(t, err)
	err = s.change(t.Context(), func(tx *tx) error {
		f := s.flows["f"]
		for _, work := range []func() error{
			func() error { return tx.take(f, products(0, 9), encodeImages(products(0, 9)), captured) },
			func() error { return tx.saveLinks(f, &linkWork{save: []*lockstep.Link{link("x"), link("y")}}) },
			func() error { _, err := tx.lease(f, []int64{3, 4}, time.Minute); return err },
			func() error {
				return tx.settle([]closure{{lease: s.leases[before[0].ID], o: &lockstep.Outcome{Delivery: before[0]}}})
			},
			func() error { _, err := tx.exec("ROLLBACK"); return err }, // as SQLite does itself when a disk fails
		} {
			if err := work(); err != nil {
				return err
			}
		}
		return nil
	})
	if code(err) != lockstep.CodeStore {
		t.Fatalf("a call whose transaction is gone got %v", err)
	}
	st, err := s.Status(t.Context(), "f")
	must(t, err)
	if st.Ready != 3 || st.Leased != 2 || st.Links != 0 || len(s.leases) != 2 || s.leases[before[0].ID] == nil {
		t.Fatalf("memory is ahead of the file: %+v, %d leases", st, len(s.leases))
	}
	must(t, s.Settle(t.Context(), lockstep.Outcome{Delivery: before[0], Link: link("x")}, lockstep.Outcome{Delivery: before[1], Link: link("y")}))
	must(t, s.Append(t.Context(), "feed", place(1), products(20, 5), place(2), time.Time{}))
	st, err = s.Status(t.Context(), "f")
	must(t, err)
	if st.Ready != 8 || st.Leased != 0 || st.Links != 2 {
		t.Fatalf("%+v", st)
	}
}
