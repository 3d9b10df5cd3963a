package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	"github.com/lockstep-sync/lockstep/value"
)

// tryOut is what becomes of one try of the flow back.
type tryOut string

const (
	arrived tryOut = "arrives, and the answer is lost" // it is written, and nobody knows
	broken  tryOut = "is lost on its way"              // it is not written, and nobody knows
	refused tryOut = "is refused"                      // another writer has the record: nothing was sent
)

// However often a record of side B is tried, and is edited there while it is: what one of the tries has left on side A is
// the flow's own work, and no news of A that would win over B's newest.
func TestPairKnowsAllItsTries(t *testing.T) {
	for _, tries := range [][]tryOut{
		{arrived}, {arrived, refused}, {arrived, refused, refused, refused}, {arrived, broken}, {broken, arrived}, {arrived, broken, refused, broken},
	} {
		for _, hinted := range []bool{false, true} {
			name := "captured"
			if hinted {
				name = "hinted"
			}
			for _, try := range tries {
				name += ", " + string(try)
			}
			t.Run(name, func(t *testing.T) {
				adjust := func(w *pairWorld) {
					w.policy = conflict.Wins(lockstep.A)
					w.back.untracked = hinted // then no entry has an image: what is tried is what is fetched
					w.adjust = func(f *Flow) { f.Retry.Attempts, f.Retry.From, f.Retry.To = 20, 0, 0 }
				}
				inPair(t, adjust, func(w *pairWorld, e *Engine) { tryAll(t, w, e, hinted, tries) })
			})
		}
	}
}

func tryAll(t *testing.T, w *pairWorld, e *Engine, hinted bool, tries []tryOut) {
	for i, try := range tries {
		w.b.Put(things, value.F("id", 1, "stock", i))
		if hinted {
			if err := e.store.Hint(t.Context(), "back", []lockstep.Key{"1"}); err != nil {
				t.Fatal(err)
			}
		} else if _, _, err := e.capture(t.Context(), e.feeds["back/log"]); err != nil {
			t.Fatal(err)
		}
		tryOnce(t, w, e, try)
		tick()
	}
	w.b.Put(things, value.F("id", 1, "stock", 99))
	w.quiet(e)
	w.both("1 stock=99")
	w.empty(e)
}

// A process that dies between a write and its settling, where what it wrote was not what it had captured: the next one
// knows that write as the flow's own, and the edit behind it stands, against a policy that prefers the other side.
func TestPairKnowsWhatADeadProcessFetched(t *testing.T) {
	put := func(w *pairWorld, stock int) { w.b.Put(things, value.F("id", 1, "stock", stock)) }
	for name, before := range map[string]func(*pairWorld, *Engine) error{
		"a hint of a new one": func(w *pairWorld, e *Engine) error {
			put(w, 1)
			return e.store.Hint(context.Background(), "back", []lockstep.Key{"1"})
		},
		"a hint of an edit": func(w *pairWorld, e *Engine) error {
			put(w, 1)
			w.quiet(e)
			put(w, 2)
			return e.store.Hint(context.Background(), "back", []lockstep.Key{"1"})
		},
		"a hint of a delete": func(w *pairWorld, e *Engine) error {
			put(w, 1)
			w.quiet(e)
			w.b.Delete(things, "1")
			return e.store.Hint(context.Background(), "back", []lockstep.Key{"1"})
		},
		"an edit behind the one that was captured": func(w *pairWorld, e *Engine) error {
			put(w, 1)
			_, _, err := e.capture(context.Background(), e.feeds["back/log"])
			put(w, 2)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, func(w *pairWorld) { w.policy = conflict.Wins(lockstep.A) }, func(w *pairWorld, e *Engine) {
				if err := before(w, e); err != nil {
					t.Fatal(err)
				}
				k, written := &killer{at: 1}, w.a.AllWrites(things)
				w.a.SetHook(func(c callOf) error {
					if c.Name == "Apply" && c.After {
						return k.point()
					}
					return nil
				})
				mortal := &Engine{}
				*mortal = *e
				mortal.store = settlesNot{e.store, k}
				if _, _, err := mortal.worker(e.byName["back"], 0).deliver(t.Context()); err == nil {
					t.Fatal("it did not die")
				}
				w.a.SetHook(nil)
				if w.a.AllWrites(things) != written+1 {
					t.Fatal("it did not write")
				}
				tick()
				put(w, 99)
				time.Sleep(2 * leaseTime)
				w.quiet(e)
				w.both("1 stock=99")
				w.empty(e)
			})
		})
	}
}

// settlesNot is a store whose process dies before it settles.
type settlesNot struct {
	lockstep.Store
	k *killer
}

func (s settlesNot) Settle(ctx context.Context, os ...lockstep.Outcome) error {
	if s.k.died() {
		return errDead
	}
	return s.Store.Settle(ctx, os...)
}

// tryOnce has the flow back deliver. While it has its lease, its entry is hinted.
func tryOnce(t *testing.T, w *pairWorld, e *Engine, try tryOut) {
	hint := func() {
		if err := e.store.Hint(context.Background(), "back", []lockstep.Key{"1"}); err != nil {
			t.Error(err)
		}
	}
	if try == refused {
		ds, err := e.store.Lease(t.Context(), "back", 10, leaseTime)
		if err != nil || len(ds) != 1 {
			t.Fatal(ds, err)
		}
		hint()
		it := newItem(ds[0])
		e.worker(e.byName["back"], 0).later(it)
		if err := e.store.Settle(t.Context(), *it.out); err != nil {
			t.Fatal(err)
		}
		return
	}
	met := false
	w.a.SetHook(func(c callOf) error {
		if c.Name != "Apply" || c.After != (try == arrived) {
			return nil
		}
		met = true
		hint()
		return lockstep.NewFault(lockstep.CodeNetwork, errors.New("the connection broke")).Maybe()
	})
	if _, _, err := e.worker(e.byName["back"], 0).deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.a.SetHook(nil)
	if !met {
		t.Errorf("it was not tried: %s", try)
	}
	time.Sleep(time.Millisecond)
}
