package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// longestDelete is how long a delete waits for those that refer to its record.
const longestDelete = 10 * time.Minute

// mostNamed is how many of them are looked at to find out whether it has to.
const mostNamed = 100

// dependantsFirst puts deletes off whose target record others refer to (law 9): those are looked at again, and the delete
// goes once they were sent without it, or deleted, or say the same as before. One who is parked keeps nobody waiting.
func (w *worker) dependantsFirst(ctx context.Context, items []*item) error {
	var held []*item
	var queries []lockstep.ReferrerQuery
	for _, it := range items {
		if it.op == lockstep.Delete && it.known() && it.delivery.ID != 0 && w.flow.OnDelete == DeleteRecord && !w.flow.To.Pulled {
			held = append(held, it)
			queries = append(queries, lockstep.ReferrerQuery{Key: it.key(), For: lockstep.Linked, Busy: it.delivery.ID, Max: mostNamed})
		}
	}
	if len(held) == 0 {
		return nil
	}
	found, err := w.store.Referrers(ctx, w.flow.Name, queries)
	if err != nil {
		return fmt.Errorf("who refers to deleted records: %w", err)
	}
	for i, it := range held {
		if len(found[i]) == 0 {
			continue
		}
		stuck, err := w.inRing(ctx, it, found[i])
		if err != nil {
			return err
		}
		if !stuck && w.now().Sub(it.delivery.Captured) < longestDelete {
			w.deleteLater(it, found[i])
		}
	}
	return w.noteReferrers(ctx, live(held))
}

// deleteLater puts a delete off. Those that it did not ask yet are asked.
func (w *worker) deleteLater(it *item, by []lockstep.Referrer) {
	more := ""
	if n := len(by) - 1; n > 0 {
		more = fmt.Sprintf(" and %d others", n)
		if len(by) == mostNamed {
			more = " and many others"
		}
	}
	w.fail(it, lockstep.Faultf(lockstep.CodeReferred, "target record %s is still referred to by %s%s", it.target, nameOf(by[0].Ref), more))
	for _, r := range by {
		if r.Asked != it.delivery.ID {
			it.out.News = lockstep.Linked
			break
		}
	}
}

// inRing tells whether a delete waits for itself by way of other deletes that wait. Then it need not: somebody has to go
// first.
func (w *worker) inRing(ctx context.Context, it *item, by []lockstep.Referrer) (bool, error) {
	self := lockstep.Ref{Flow: w.flow.Name, Key: it.key()}
	seen, met := map[lockstep.Ref]bool{}, false
	for todo := by; len(todo) > 0; {
		byFlow := map[string][]lockstep.ReferrerQuery{}
		for _, r := range todo {
			switch {
			case r.Ref == self:
				met = true
				continue
			case r.Code != lockstep.CodeReferred || r.Entry == 0:
				return false, nil // it is on its way
			case seen[r.Ref]:
				continue
			case len(seen) >= 10*mostNamed: // too many to tell: they wait their time
				return false, nil
			}
			seen[r.Ref] = true
			byFlow[r.Flow] = append(byFlow[r.Flow], lockstep.ReferrerQuery{Key: r.Key, For: lockstep.Linked, Busy: r.Entry, Max: mostNamed})
		}
		todo = nil
		for flow, queries := range byFlow {
			found, err := w.store.Referrers(ctx, flow, queries)
			if err != nil {
				return false, fmt.Errorf("who refers to deleted records: %w", err)
			}
			for _, more := range found {
				todo = append(todo, more...)
			}
		}
	}
	return met, nil
}

// noteReferrers says on the story of deletes that go who refers to their records all the same.
func (w *worker) noteReferrers(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	queries := make([]lockstep.ReferrerQuery, len(items))
	for i, it := range items {
		queries[i] = lockstep.ReferrerQuery{Key: it.key(), For: lockstep.Linked, Max: 2}
	}
	found, err := w.store.Referrers(ctx, w.flow.Name, queries)
	if err != nil {
		return fmt.Errorf("who refers to deleted records: %w", err)
	}
	for i, it := range items {
		switch len(found[i]) {
		case 0:
		case 1:
			it.note = nameOf(found[i][0].Ref) + " still refers to it"
		default:
			it.note = nameOf(found[i][0].Ref) + " and others still refer to it"
		}
	}
	return nil
}
