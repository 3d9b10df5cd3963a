package engine

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
)

// deliverDelete captures that a record is gone, and delivers what there is.
func deliverDelete(t *testing.T, w *world, e *Engine) {
	t.Helper()
	w.a.Delete("products", "1")
	if _, err := e.captureAll(context.Background(), e.flows[0]); err != nil {
		t.Error(err)
	}
	if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
		t.Error(err)
	}
}

// A record is written by a page of a full sync and deleted in the source before the page is settled. What is captured of it
// is a delete of something that has no link yet: it waits for the page instead of being closed as never there.
func TestDeleteOfWhatAPageIsWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "goes", "1.00")
		w.put("products", 2, "stays", "1.00")
		e := w.engine(s)
		var once atomic.Bool
		seen := &watched{Store: s}
		seen.settlePage = func() error {
			if w.b.Len("products") == 2 && !once.Swap(true) {
				deliverDelete(t, w, e)
			}
			return nil
		}
		e.store = seen
		if _, err := e.Full(context.Background(), "products", FullOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.sync(e, false)
		w.same("products")
		if !once.Load() {
			t.Error("nothing was deleted in between")
		}
	})
}

// A full sync is cut off after it wrote a page and before it settled it; the first thing that the next process sees is that a
// record of this page is deleted. It finds it.
func TestDeleteOfWhatWasInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), store.New()
		defer s.Close()
		w.put("products", 1, "goes", "1.00")
		w.put("products", 2, "stays", "1.00")
		seen := &watched{Store: s}
		seen.settlePage = func() error {
			if w.b.Len("products") == 2 {
				return lockstep.Faultf(lockstep.CodeInvariant, "the process ends here")
			}
			return nil
		}
		if _, err := w.engine(seen).Full(context.Background(), "products", FullOptions{}); err == nil || w.b.Len("products") != 2 {
			t.Fatalf("%v, %d in the target", err, w.b.Len("products"))
		}
		e := w.engine(s)
		deliverDelete(t, w, e)
		time.Sleep(time.Minute)
		if _, _, err := e.worker(e.flows[0], 0).deliver(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.same("products")
	})
}
