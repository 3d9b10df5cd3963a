package engine

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
)

// TestHeldFlow: a held flow captures and writes nothing, whatever it is asked; let go, it delivers what came meanwhile.
func TestHeldFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := store.New()
		defer s.Close()
		w.put("products", 1, "one", "1.00")
		w.sync(w.engine(s), true)
		w.adjust = func(f *Flow) { f.Held = lockstep.Faultf(lockstep.CodeDrift, "another schema") }
		e := w.engine(s)
		w.b.ResetCounts()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := e.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		w.put("products", 1, "changed", "1.00")
		w.put("products", 2, "two", "2.00")
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := w.status(e, "products"); st.Ready != 2 {
			t.Errorf("captured: %+v", st)
		}
		held := func(what string, err error) {
			if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeDrift {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := e.Full(ctx, "products", FullOptions{})
		held("full", err)
		_, err = e.Pilot(ctx, "products", []lockstep.Key{"1"}, 0, SyncOptions{})
		held("pilot", err)
		_, err = e.Verify(ctx, "products", VerifyOptions{Repair: true})
		held("repair", err)
		if again, err := e.Resume("products"); again || err != nil || e.Stopped("products") == nil {
			t.Errorf("started again: %v %v", again, err)
		}
		stop()
		wg.Wait()
		w.put("products", 3, "three", "3.00")
		_, err = e.Sync(t.Context(), w.names(), SyncOptions{})
		held("sync", err)
		if st := w.status(e, "products"); st.Ready != 3 {
			t.Errorf("captured by a sync: %+v", st)
		}
		if n := w.b.AllWrites("products"); n > 0 {
			t.Errorf("%d writes while it was held", n)
		}
		w.adjust = nil
		w.sync(w.engine(s), false)
		w.same("products")
	})
}

// TestQueueOfAnotherMapping: an image that was captured before the mapping read another field is not taken for one in
// which that field is null.
func TestQueueOfAnotherMapping(t *testing.T) {
	w := newWorld(t, flowDef{name: "products", track: true, rules: map[string]string{"id": "id", "name": "name"}})
	s := store.New()
	defer s.Close()
	w.put("products", 1, "one", "1.00")
	e := w.engine(s)
	w.sync(e, true)
	w.put("products", 1, "changed", "5.00")
	w.put("products", 2, "new", "2.00")
	if _, err := e.captureAll(t.Context(), e.byName["products"]); err != nil {
		t.Fatal(err)
	}
	w.defs[0].rules = nil
	e = w.engine(s)
	if _, _, err := e.worker(e.byName["products"], 0).deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.same("products")
}
