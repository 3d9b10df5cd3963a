package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	store "github.com/lockstep-sync/lockstep/internal/store/memory"
	"github.com/lockstep-sync/lockstep/value"
)

// A hint that comes while its record is on its way is looked at again: what changed since the fetch is not lost, and
// nothing is written twice.
func TestHintOfARecordOnItsWay(t *testing.T) {
	w, s := newWorld(t, flowDef{name: "products"}), store.New()
	defer s.Close()
	e := w.engine(s)
	w.put("products", 1, "first", "1.00")
	hint := func() {
		if err := s.Hint(context.Background(), "products", []lockstep.Key{"1", "1"}); err != nil {
			t.Error(err)
		}
	}
	hint()
	writes := 0
	w.b.SetHook(func(c memory.Call) error {
		if c.Name == "Apply" && !c.After {
			if writes++; writes == 1 {
				w.put("products", 1, "second", "1.00")
				hint()
				hint()
			}
		}
		return nil
	})
	worker := e.worker(e.flows[0], 0)
	for range 3 {
		if _, _, err := worker.deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.same("products")
	if writes != 2 || len(entries(t, s, "")) > 0 {
		t.Errorf("%d writes, left open: %+v", writes, entries(t, s, ""))
	}
}

// Hints of keys that the flow's filter leaves out, or that never were, make nothing, park nothing, and leave a story. The
// same after a start, when all that is open counts as tried.
func TestHintsOfNothing(t *testing.T) {
	w, s := newWorld(t, flowDef{name: "products", filter: `name != "out"`}), store.New()
	defer s.Close()
	w.put("products", 1, "out", "1.00")
	w.put("products", 2, "in", "1.00")
	w.b.Put("products", value.F("id", 1, "name", "somebody's own"))
	e := w.engine(s)
	keys := []lockstep.Key{"1", "never there", "2", "77"}
	if err := s.Hint(t.Context(), "products", keys); err != nil {
		t.Fatal(err)
	}
	held, err := s.Lease(t.Context(), "products", 10, time.Millisecond) // by a process that dies with them
	if err != nil || len(held) != 4 {
		t.Fatal(held, err)
	}
	time.Sleep(5 * time.Millisecond)
	worker := e.worker(e.flows[0], 0)
	for range 3 {
		if _, _, err := worker.deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if all := entries(t, s, ""); len(all) > 0 || w.b.Len("products") != 2 {
		t.Errorf("%d records there, left open: %+v", w.b.Len("products"), all)
	}
	for i, want := range []string{"hinted sent filtered", "hinted sent level", "hinted sent created", "hinted sent level"} {
		events, _, _, err := s.Story(t.Context(), "products", keys[i])
		var did []string
		for _, ev := range events {
			did = append(did, ev.Did)
		}
		if got := strings.Join(did, " "); err != nil || got != want {
			t.Errorf("the story of %s: %s (%v), want %s", keys[i], got, err, want)
		}
	}
}

// sparing gives fewer records than it is asked for, and every other time none, as an API does that filters behind its
// paging: More alone tells of the end.
type sparing struct {
	lockstep.Source
	empty map[string]bool
}

func (s *sparing) none(from lockstep.Position) bool {
	s.empty[string(from)] = !s.empty[string(from)]
	return s.empty[string(from)]
}

func (s *sparing) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if s.none(from) {
		return lockstep.Page{Next: from, More: true}, nil
	}
	l.Rows = min(l.Rows, 2)
	return s.Source.Scan(ctx, r, from, l)
}

func (s *sparing) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if from != nil && s.none(from) {
		return lockstep.Page{Next: from, More: true}, nil
	}
	l.Rows = min(l.Rows, 2)
	return s.Source.Changes(ctx, r, from, l)
}

// A page may come short, or empty, and there is more: nothing takes that for the end, a delete least of all.
func TestShortAndEmptyPages(t *testing.T) {
	w, s := newWorld(t), store.New()
	defer s.Close()
	w.source = func(a *memory.System) lockstep.Source { return &sparing{a, map[string]bool{}} }
	w.adjust = func(f *Flow) { f.Light, f.Page.Rows = schedule.Every(time.Minute), 5 }
	for i := range 11 {
		w.put("products", i, fmt.Sprint("n", i), "1.00")
	}
	e := w.engine(s)
	if row, err := e.Pilot(t.Context(), "products", nil, 7, SyncOptions{}); err != nil || row.Counts.Read != 7 || w.b.Len("products") != 7 {
		t.Errorf("a sample of 7: %+v, %v", row.Counts, err)
	}
	var planned []string
	if _, err := e.Plan(t.Context(), "products", PlanOptions{Report: func(it PlanItem) error { planned = append(planned, it.Action); return nil }}); err != nil ||
		!slices.Equal(planned, []string{"create", "create", "create", "create"}) {
		t.Errorf("planned %v, %v", planned, err)
	}
	w.sync(e, true)
	w.same("products")
	for i := 3; i < 9; i++ {
		w.put("products", i, "changed", "2.00")
	}
	w.a.Delete("products", "1")
	w.sync(e, false)
	w.same("products")
	row, err := e.Full(t.Context(), "products", FullOptions{Light: true})
	if err != nil || row.Counts.Read != 10 || row.Counts.Level != 10 || !IsSweep(row) {
		t.Errorf("the sweep: %+v, %v", row.Counts, err)
	}
	if row, err := e.Verify(t.Context(), "products", VerifyOptions{}); err != nil || row.Counts.Read != 10 || row.Counts.Missing+row.Counts.Extra+row.Counts.Different > 0 {
		t.Errorf("verify: %+v, %v", row.Counts, err)
	}
}
