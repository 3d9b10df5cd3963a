package engine

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lockstep-sync/lockstep"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// While one flow writes a record, the one face to face writes neither end of its link (law 3).
func TestPairWritesOneEndAtATime(t *testing.T) {
	inPair(t, nil, func(w *pairWorld, e *Engine) {
		w.a.Put(things, value.F("id", 1, "name", "old"))
		w.quiet(e)
		w.a.Edit(things, "1", "name", "a")
		fd := e.feeds["there/log"]
		if _, _, err := e.capture(t.Context(), fd); err != nil {
			t.Fatal(err)
		}
		within := 0
		w.b.SetHook(func(c callOf) error {
			if c.Name == "Apply" && !c.After {
				w.b.SetHook(nil)
				before := w.a.AllWrites(things)
				w.b.Edit(things, "1", "name", "b")
				if err := e.store.Hint(context.Background(), "back", []lockstep.Key{"1"}); err != nil {
					t.Error(err)
				}
				n, _, err := e.worker(e.byName["back"], 0).deliver(context.Background())
				if err != nil || n != 1 {
					t.Errorf("%d taken, %v", n, err)
				}
				within = w.a.AllWrites(things) - before
			}
			return nil
		})
		if _, _, err := e.worker(e.byName["there"], 0).deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		if within != 0 {
			t.Errorf("a was written %d times meanwhile", within)
		}
		w.quiet(e)
		if a, b := brief(w.a), brief(w.b); a != b {
			t.Error(w.dump())
		}
	})
}

// What one flow finds out of the other side without a tracker telling, the flow back is told.
func TestPairToldByTheOther(t *testing.T) {
	for name, find := range map[string]func(e *Engine) error{
		"deep full sync": func(e *Engine) error {
			_, err := e.Sync(context.Background(), []string{"there"}, SyncOptions{Full: true, FullOptions: FullOptions{Deep: true}})
			return err
		},
		"repair": func(e *Engine) error {
			row, err := e.Verify(context.Background(), "there", VerifyOptions{Repair: true})
			if err == nil && row.Counts.Different != 1 {
				return lockstep.Faultf(lockstep.CodeInvariant, "%+v", row.Counts)
			}
			for range 3 {
				if err == nil {
					_, _, err = e.worker(e.byName["there"], 0).deliver(context.Background())
				}
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newPairWorld(t)
				w.back.untracked = true
				e := w.engine(store.New())
				w.a.Put(things, value.F("id", 1, "name", "old"))
				w.sync(e, false)
				w.sync(e, false)
				w.b.Edit(things, "1", "name", "b")
				if err := find(e); err != nil {
					t.Fatal(err)
				}
				if _, _, err := e.worker(e.byName["back"], 0).deliver(context.Background()); err != nil {
					t.Fatal(err)
				}
				w.both("1 name=b")
			})
		})
	}
}

// A plan says what a conflict comes to, and what the flow back will bring is nothing to do.
func TestPairPlan(t *testing.T) {
	inPair(t, nil, func(w *pairWorld, e *Engine) {
		for id := 1; id <= 4; id++ {
			w.a.Put(things, value.F("id", id, "name", "old"))
		}
		w.quiet(e)
		w.b.Edit(things, "1", "name", "b")
		w.a.Edit(things, "2", "name", "a")
		w.b.Edit(things, "3", "name", "b")
		tick()
		w.a.Edit(things, "3", "name", "a newer")
		w.a.Delete(things, "4")
		plan := func(flow string) map[lockstep.Key]string {
			got := map[lockstep.Key]string{}
			if _, err := e.Plan(context.Background(), flow, PlanOptions{Report: func(it PlanItem) error {
				got[it.Key] = it.Action
				return nil
			}}); err != nil {
				t.Fatal(err)
			}
			return got
		}
		there, back := plan("there"), plan("back")
		if len(there) != 3 || there["2"] != "update" || there["3"] != "update" || there["4"] != "delete" {
			t.Errorf("there: %v", there)
		}
		if len(back) != 1 || back["1"] != "update" {
			t.Errorf("back: %v", back)
		}
		w.quiet(e)
		w.both("1 name=b; 2 name=a; 3 name=a newer")
	})
}
