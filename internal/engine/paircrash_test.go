package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	"github.com/lockstep-sync/lockstep/value"
)

// pairVariant is a way in which the pair of the crash test can be made.
type pairVariant struct {
	name   string
	adjust func(*pairWorld)
	lost   bool
	lossy  bool
	sided  bool
	later  bool
}

func pairVariants() []pairVariant {
	return []pairVariant{
		{name: "log tracker"},
		{name: "full only", adjust: func(w *pairWorld) { w.there.untracked, w.back.untracked = true, true }},
		{name: "lost answers", lost: true},
		{name: "side a wins", sided: true, adjust: func(w *pairWorld) { w.policy = conflict.Wins(lockstep.A) }},
		{name: "side b wins", sided: true, adjust: func(w *pairWorld) { w.policy = conflict.Wins(lockstep.B) }},
		{name: "accepts", later: true, adjust: func(w *pairWorld) {
			for _, s := range []*memory.System{w.a, w.b} {
				s.DefineStream(lockstep.Stream{Name: things, Fields: pairFields, Key: []string{"id"}, SeesDeletes: true}, memory.Rules{Later: erratic})
			}
		}},
		{name: "lossy", lossy: true, adjust: func(w *pairWorld) {
			w.there.rules = map[string]string{"id": "id", "name": "name", "price": "round(price, 1)"}
			w.back.rules = map[string]string{"id": "id", "name": "name", "price": "price"}
		}},
	}
}

// pairLife is what happens on both sides while the process lives, and what the process does between.
func pairLife(w *pairWorld, u *users, e *Engine) {
	sync := func(full bool, flows ...string) {
		_, _ = e.Sync(context.Background(), flows, SyncOptions{Full: full, Patience: 3 * time.Second, FullOptions: FullOptions{AllowDeletes: true}})
	}
	for id := range 4 { // 0 to 3 are on both sides, and differ but for 3
		u.put(lockstep.A, id)
		u.put(lockstep.B, id)
	}
	w.a.Put(things, w.b.All(things)["3"])
	for id := range 3 {
		u.put(lockstep.A, 4+id)
		u.put(lockstep.B, 7+id)
	}
	sync(true, "there", "back")
	u.put(lockstep.A, 0)
	u.put(lockstep.B, 1)
	u.put(lockstep.B, 2) // both changed: the second is newer
	u.put(lockstep.A, 2)
	u.put(lockstep.A, 4)
	u.put(lockstep.B, 4)
	u.delete(lockstep.A, 5)
	u.delete(lockstep.B, 7)
	u.delete(lockstep.A, 8) // an edit against a delete
	u.put(lockstep.B, 8)
	u.put(lockstep.B, 10)
	sync(false, "there")
	u.put(lockstep.A, 1)
	sync(false, "back", "there")
	u.put(lockstep.A, 5) // comes back
	u.delete(lockstep.B, 9)
	sync(true, "back", "there")
}

// However the process dies, once, at any point, the next one brings both sides level with the newest of both, and then
// nobody writes any more.
func TestPairCrashAnywhere(t *testing.T) {
	for _, v := range pairVariants() {
		t.Run(v.name, func(t *testing.T) {
			deaths := 0
			for at := 1; ; at++ {
				died := false
				synctest.Test(t, func(t *testing.T) { died = pairCrashOnce(t, v, at, memoryStores()) })
				if !died {
					break
				}
				if deaths++; deaths > 3000 {
					t.Fatal("the process has no end")
				}
			}
			t.Logf("%d deaths survived", deaths)
			if deaths < 60 {
				t.Fatalf("only %d points: the process has hardly lived", deaths)
			}
		})
	}
}

func pairCrashOnce(t *testing.T, v pairVariant, at int, st stores) (died bool) {
	w := newPairWorld(t)
	w.adjust = func(f *Flow) { f.Concurrency, f.To.Grace = 1, time.Millisecond }
	if v.adjust != nil {
		v.adjust(w)
	}
	u := newUsers(w)
	u.lossy, u.sided = v.lossy, v.sided
	k := &killer{at: at}
	if v.later { // what was accepted is done while nobody asks, or is lost: before anybody edits anything
		k.last = func() {
			for _, s := range []*memory.System{w.a, w.b} {
				if at%2 == 1 {
					s.Work(things)
				}
				s.Forget(things)
			}
		}
	}
	var lost *faults
	if v.lost {
		gone := lockstep.NewFault(lockstep.CodeNetwork, errors.New("the answer was lost")).Maybe()
		lost = &faults{left: map[int]error{1: gone, 4: gone, 6: gone}}
	}
	order := newShuffle()
	w.a.SetHook(order.hook(k.hook(lost)))
	w.b.SetHook(order.hook(k.hook(lost)))
	e, err := New(context.Background(), shuffledStore{mortalStore{st.open(t, k), k}, order}, w.flows(), Options{})
	if err == nil {
		pairLife(w, u, e)
	}
	w.a.SetHook(order.hook(nil))
	w.b.SetHook(order.hook(nil))
	died = k.died()
	u.put(lockstep.A, 6)
	u.put(lockstep.B, 10)
	u.delete(lockstep.A, 0) // perhaps what was being written just then
	time.Sleep(15 * time.Minute)
	next := st.reopen(t)
	defer next.Close()
	e = w.engine(shuffledStore{next, order})
	if wrong := comeToRest(w, u, e); wrong != "" {
		key, _, _ := strings.Cut(wrong, ":")
		tellAll(t, e, lockstep.Key(key))
		t.Errorf("dead at point %d: %s", at, wrong) // last: of a long log the tail is what is seen
	}
	for key, a := range w.a.All(things) { // what lossy mappings round comes back as an echo at most
		p, _ := a.Get("price")
		if want := u.prices[key]; v.lossy && u.last[key].side == lockstep.A && u.last[key].put != "" && fmt.Sprint(p) != fmt.Sprint(value.FromDecimal(want)) {
			tellAll(t, e, key)
			t.Errorf("dead at point %d: %s costs %v in a, and was put there at %v", at, key, p, want)
		}
	}
	return died
}
