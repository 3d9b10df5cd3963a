package engine

import (
	"context"
	"fmt"

	"github.com/lockstep-sync/lockstep"
)

// unknowns tells, of items that seem to have news of both sides, what may be the work of a delivery with an unknown
// outcome, and no news (law 5): of their own, and of the flow back's. Where that cannot be told, and it is the flow back's,
// that goes first.
func (w *worker) unknowns(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	if err := w.ownWork(ctx, items); err != nil {
		return err
	}
	keys := make([]lockstep.Key, len(items))
	for i, it := range items {
		keys[i] = w.theirKey(it)
	}
	back := w.flow.Back.Name
	states, err := w.store.Links(ctx, back, keys)
	if err != nil {
		return fmt.Errorf("links of %s: %w", back, err)
	}
	for i, it := range items {
		if !states[i].Open {
			continue
		}
		_, entry, _, err := w.store.Story(ctx, back, keys[i]) // few are
		if err != nil {
			return fmt.Errorf("the entry of %s: %w", back, err)
		}
		if entry == nil || !entry.Tried || entry.State == lockstep.Parked {
			continue
		}
		if !w.met(it) {
			if err := w.theirWork(ctx, it, entry); err != nil {
				return err
			}
			if f := it.face; !f.agree && !f.standing.ours && !f.standing.theirs { // each is the other's: that tells nothing
				f.standing.ours, f.standing.theirs = true, true
			}
			if it.face.course() != clash || it.delivery.Tried {
				continue
			}
		}
		it.out = &lockstep.Outcome{Delivery: it.lease(), Verdict: lockstep.Retry, RetryAt: w.now().Add(waitPause(w.now().Sub(it.delivery.Captured))), Tried: it.delivery.Tried, Did: back + " comes first"}
	}
	return nil
}

// met tells whether the target's record is missed at a first meeting: what is here may be all that the flow back made.
func (w *worker) met(it *item) bool {
	return it.op == lockstep.Upsert && it.theirs == nil && (!it.known() || it.link.End(w.flow.Side.Other()).Digest == begun)
}

// tries are what an earlier try of a delivery may have brought.
func tries(d lockstep.Delivery) []lockstep.Change {
	if !d.Tried {
		return nil
	}
	return append([]lockstep.Change{d.Change}, d.Prior...)
}

// told tells whether the item's entry says what it is about to bring.
func (it *item) told() bool {
	d := it.delivery
	for _, c := range append([]lockstep.Change{d.Change}, d.Prior...) {
		if c.Op == it.change.Op && (c.Op == lockstep.Delete || c.Record.Fields.Equal(it.change.Record.Fields)) {
			return true
		}
	}
	return false
}

// ownWork finds, for the page at once, what earlier tries of the items themselves have left with the target.
func (w *worker) ownWork(ctx context.Context, items []*item) error {
	var told []*item
	of := map[*item]*item{}
	for _, it := range items {
		for _, c := range tries(it.delivery) {
			if c.Op == lockstep.Delete && it.theirs == nil {
				it.face.standing.theirs = false
			} else if c.Op == lockstep.Upsert && it.theirs != nil && c.Record.Fields.Len() > 0 {
				one := &item{change: lockstep.Change{Record: c.Record}, link: it.link, delivery: it.delivery}
				told, of[one] = append(told, one), it
			}
		}
	}
	if err := w.mapAll(ctx, told); err != nil {
		return err
	}
	for _, one := range told {
		if it := of[one]; one.out == nil && one.op == lockstep.Upsert && sameImage(w.flow.Shape, one.image, it.face.theirs) {
			it.face.standing.theirs = false
		}
	}
	return nil
}

// theirWork finds what tries of the flow back have left here.
func (w *worker) theirWork(ctx context.Context, it *item, entry *lockstep.Entry) error {
	for _, c := range tries(entry.Delivery) {
		switch {
		case c.Op == lockstep.Delete && it.op == lockstep.Delete && !it.left:
			it.face.standing.ours = false
		case c.Op == lockstep.Upsert && it.op == lockstep.Upsert && c.Record.Fields.Len() > 0:
			one := w.mirror(it, c.Record, it.link)
			if err := w.across().mapAll(ctx, []*item{one}); err != nil {
				return err
			}
			if one.out == nil && one.op == lockstep.Upsert && sameImage(w.flow.Back.Shape, one.image, it.face.ours) {
				it.face.standing.ours = false
			}
		}
	}
	return nil
}
