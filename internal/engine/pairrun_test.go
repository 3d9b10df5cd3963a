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

// The daemon carries both flows of a pair at once, with several workers each, while both sides are edited. When the
// edits end both sides have the newest, and nobody writes any more.
func TestPairUnderRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPairWorld(t)
		w.adjust = func(f *Flow) { f.Every, f.Concurrency = 50*time.Millisecond, 3 }
		u := newUsers(w)
		for id := range 5 {
			u.put(lockstep.Side(id%2), id)
		}
		e := w.engine(store.New())
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := e.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(5 * time.Second)
		for i := range 300 {
			id := i * 7 % 11
			if u.put(lockstep.Side(i/3%2), id); i%13 == 0 {
				time.Sleep(2 * time.Second) // a delete of what is level
				u.rest()
				u.delete(lockstep.Side(i%2), id)
			}
			time.Sleep(time.Duration(i%17*13) * time.Millisecond)
		}
		time.Sleep(time.Minute)
		before := w.writes()
		time.Sleep(10 * time.Minute)
		if after := w.writes(); after != before {
			t.Errorf("%d writes while nobody edits", after-before)
		}
		if wrong := u.check(); wrong != "" {
			t.Errorf("%s\n%s", wrong, w.dump())
		}
		w.empty(e)
		stop()
		wg.Wait()
	})
}
