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

// However the process dies, once, at any point of its store, while a program pulls that takes an id it knows as done: the
// next process brings the target level, and nothing is parked.
func TestCrashAnywhereWhilePulled(t *testing.T) {
	for _, v := range []struct {
		name       string
		serverKeys bool
		track      bool
	}{{"tracked", false, true}, {"full only", false, false}, {"target chooses keys", true, true}} {
		t.Run(v.name, func(t *testing.T) {
			deaths := 0
			for at := 1; ; at++ {
				died := false
				synctest.Test(t, func(t *testing.T) { died = pulledOnce(t, v.serverKeys, v.track, at) })
				if t.Failed() {
					t.Fatalf("dead at point %d", at)
				}
				if !died {
					break
				}
				deaths++
			}
			t.Logf("%d deaths survived", deaths)
			if deaths < 20 {
				t.Fatalf("only %d points", deaths)
			}
		})
	}
}

// clerk is a program that pulls and outlives the process.
type clerk struct {
	*puller
	bySource map[lockstep.Key]lockstep.Key // the keys that it has chosen
}

// round pulls and settles once, as far as there is somebody to pull from; lost: its settle does not arrive.
func (c *clerk) round(e *Engine, ttl time.Duration, lost bool) {
	h, err := e.Pull(context.Background(), "products", Ask{Max: 3, TTL: ttl, Wait: time.Second})
	if err != nil {
		return
	}
	var results []PullResult
	for _, wr := range h.Writes {
		c.ids[wr.ID]++
		r := PullResult{ID: wr.ID, Status: PullDone}
		key := wr.Key
		if key == "" {
			key = c.bySource[wr.Source]
		}
		if key == "" && wr.Op == lockstep.Upsert {
			c.made++
			key = lockstep.MakeKey(string(wr.Source) + "00")
			c.bySource[wr.Source] = key
		}
		if wr.Key == "" && wr.Op == lockstep.Upsert {
			r.Key = key
		}
		if c.ids[wr.ID] == 1 {
			if wr.Op == lockstep.Delete {
				delete(c.holds, key)
				delete(c.bySource, wr.Source)
			} else {
				c.holds[key] = textOf(wr.Write)
			}
		}
		results = append(results, r)
	}
	if !lost && len(results) > 0 {
		_, _ = e.SettlePull(context.Background(), "products", h.Lease, results)
	}
}

func pulledOnce(t *testing.T, serverKeys, track bool, at int) (died bool) {
	w, s, k := pullWorld(t, serverKeys), store.New(), &killer{at: at}
	defer s.Close()
	w.defs[0].track = track
	base := w.adjust
	w.adjust = func(f *Flow) { base(f); f.Every = time.Second }
	if serverKeys {
		w.defs[0].rules = map[string]string{"name": "name", "price": "price"}
	}
	c := &clerk{&puller{t: t, holds: map[lockstep.Key]string{}, ids: map[string]int{}}, map[lockstep.Key]lockstep.Key{}}
	run := func(st lockstep.Store, life func(e *Engine)) {
		e, err := New(context.Background(), st, w.flows(), Options{})
		if err != nil {
			return // dead
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = e.Run(ctx) })
		time.Sleep(time.Second)
		life(e)
		cancel()
		wg.Wait()
	}
	look := func(e *Engine) { // what a tracker does by itself, a full sync has to do otherwise
		time.Sleep(2 * time.Second)
		if !track {
			_, _ = e.Full(context.Background(), "products", FullOptions{AllowDeletes: true})
		}
	}
	run(mortalStore{s, k}, func(e *Engine) {
		for id := range 5 {
			w.put("products", id, "a", "1.50")
		}
		look(e)
		c.round(e, 5*time.Second, false)
		c.round(e, 5*time.Second, true)
		w.put("products", 1, "b", "1.50")
		w.put("products", 4, "b", "1.50")
		w.a.Delete("products", "2")
		look(e)
		c.round(e, 5*time.Second, false)
		time.Sleep(10 * time.Second) // what was lost comes again
		w.put("products", 1, "a", "1.50")
		w.put("products", 7, "a", "1.50")
		look(e)
		c.round(e, 5*time.Second, true)
		w.a.Delete("products", "7")
		look(e)
		c.round(e, 20*time.Second, false)
	})
	died = k.died()
	w.put("products", 5, "c", "5.55")
	w.a.Delete("products", "0")
	run(s, func(e *Engine) {
		time.Sleep(30 * time.Minute) // leases of the process that died run out
		for range 3 {
			look(e)
			for range 10 {
				c.round(e, time.Minute, false)
			}
			time.Sleep(10 * time.Minute)
		}
		if st := w.status(e, "products"); st.Ready+st.Leased+st.Delayed+st.Waiting+st.Parked != 0 {
			parked, _ := s.Entries(context.Background(), "products", "", 0, 10)
			t.Errorf("%+v %+v", st, parked)
		}
	})
	want := map[string]int{}
	for _, f := range w.a.All("products") {
		want[textOf(lockstep.Write{Fields: f})]++
	}
	got := map[string]int{}
	for _, text := range c.holds {
		got[text]++
	}
	if len(want) != len(got) {
		t.Errorf("the source has %v, the target %v", want, got)
	}
	for text, n := range want {
		if got[text] != n {
			t.Errorf("the source has %v, the target %v", want, got)
		}
	}
	if !serverKeys {
		c.level(w)
	}
	return died
}
