package engine

import (
	"context"
	"fmt"

	"github.com/lockstep-sync/lockstep"
)

// bringPair takes the records of a full run's page that differ through the rest, where the flow has one face to face.
// The locks come first, for the flow back saves links, too. What is level is linked, and what is met nowhere is made,
// as in a one-way flow; all else goes by the queue: a delivery looks at both sides as they are then.
func (r *fullRun) bringPair(ctx context.Context, p *pageInHand, hint func(*item)) error {
	for _, it := range p.items {
		if it.out != nil && it.out.Link != nil {
			it.out = nil // its link was not read under the lock
		}
	}
	items := live(p.items)
	if len(items) == 0 {
		return nil
	}
	free := r.lock(ctx, items, hint)
	p.unlock = free
	if err := r.relink(ctx, live(items), hint); err != nil {
		return err
	}
	r.compare(live(items))
	r.lookups(live(items))
	found, err := r.lookFound(ctx, live(items), hint)
	p.unlock = func() { found(); free() }
	if err != nil {
		return err
	}
	for _, it := range items {
		switch o := it.out; {
		case o == nil && (it.known() || it.looked && it.theirs != nil), o != nil && (o.Clash != nil || o.Hint != "" || o.Verdict != lockstep.Done && o.Fault == nil):
			r.toQueue(p, it, hint)
		}
	}
	if err := r.stillThere(ctx, live(items), hint); err != nil {
		return err
	}
	p.send, err = r.begin(ctx, p.since, live(items))
	return err
}

// toQueue has the queue look at a record. What its link calls level must be looked at all the same.
func (r *fullRun) toQueue(p *pageInHand, it *item, hint func(*item)) {
	if it.op == lockstep.Delete || it.open || !it.known() || it.digest != it.link.End(r.flow.Side.Other()).Digest {
		hint(it)
		return
	}
	it.done("queued")
	change := lockstep.Change{Record: lockstep.Record{Key: it.key(), Fields: it.change.Record.Fields}, Hint: true}
	p.end.Failed = append(p.end.Failed, lockstep.Outcome{
		Delivery: lockstep.Delivery{Flow: r.flow.Name, Change: change}, Verdict: lockstep.Retry, RetryAt: r.now(), Tried: true, Did: "found by a deep read", Run: r.row.ID,
	})
}

// stillThere has the queue look at records that the scan has read and that are gone by now: the flow back may have
// deleted them, and then they must not be made again.
func (r *fullRun) stillThere(ctx context.Context, items []*item, hint func(*item)) error {
	if len(items) == 0 {
		return nil
	}
	keys := make([]lockstep.Key, len(items))
	for i, it := range items {
		keys[i] = it.key()
	}
	light := r.flow.Read
	light.Fields = nil
	found, err := r.flow.Source.Fetch(ctx, light, keys)
	if err != nil && perRecord(lockstep.FaultOf(err)) { // one of them: the queue finds out which (law 4)
		found, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("look again at the source: %w", lockstep.FaultOf(err).On(lockstep.About{Flow: r.flow.Name, System: r.flow.SourceSystem, Stream: r.flow.From.Name}))
	}
	there := make(map[lockstep.Key]bool, len(found))
	for _, rec := range found {
		there[rec.Key] = true
	}
	for _, it := range items {
		if !there[it.key()] {
			hint(it)
		}
	}
	return nil
}
