package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// leaseTime is how long a batch may take before another worker may lease its entries. The locks on target records
// keep a late one and its successor apart, so this only matters for a worker that is stuck.
const leaseTime = 10 * time.Minute

// deliver carries one batch from the queue to the target. It says how many entries it took and, where the flow as a
// whole has to react, the fault. Once entries are leased the batch is brought to its end even if ctx ends meanwhile.
func (w *worker) deliver(ctx context.Context) (int, *lockstep.Fault, error) {
	if err := w.takeUp(ctx, w.flow); err != nil {
		return 0, nil, err
	}
	batch, err := w.store.Lease(ctx, w.flow.Name, w.flow.Batch, leaseTime)
	if err != nil || len(batch) == 0 {
		return 0, nil, err
	}
	ctx = context.WithoutCancel(ctx)
	items := make([]*item, len(batch))
	for i, d := range batch {
		items[i] = newItem(d)
	}
	unlock, err := w.process(ctx, items)
	defer unlock()
	if err != nil { // the store: nothing was written
		fault := *lockstep.FaultOf(err)
		fault.Unknown = false
		err = &fault
		for _, it := range live(items) {
			w.fail(it, err)
		}
	}
	outcomes := make([]lockstep.Outcome, len(items))
	w.awaits(ctx, items)
	for i, it := range items {
		if it.out == nil {
			w.fail(it, lockstep.Faultf(lockstep.CodeInvariant, "no stage closed this delivery"))
		}
		it.out.Run = w.run
		w.declare(it)
		w.accept(it)
		outcomes[i] = *it.out
	}
	fault := worst(items)
	if err := w.store.Settle(ctx, outcomes...); err != nil {
		return 0, nil, fmt.Errorf("settle: %w", err)
	}
	w.flow.state.count(outcomes)
	w.flow.state.acceptedAny(outcomes)
	w.breakRings(ctx, items)
	for i := range outcomes {
		if outcomes[i].Link != nil && outcomes[i].Unlink != nil { // another record's link went: who read it looks again
			w.flow.state.moves.Add(1)
		}
	}
	return len(items), fault, nil
}

// process takes leased items through the stages. What unlock gives back is held until they are settled.
func (w *worker) process(ctx context.Context, items []*item) (unlock func(), err error) {
	if err := w.mark(ctx, items); err != nil {
		return func() {}, err
	}
	if w.flow.Back != nil {
		return w.processPair(ctx, items)
	}
	free, err := w.prepareLeased(ctx, items, w.lock)
	if err != nil {
		return free, err
	}
	found, err := w.bring(ctx, items)
	return func() { found(); free() }, err
}

// prepareLeased takes leased items through the stages up to the locks of their target records, which lock takes.
func (w *worker) prepareLeased(ctx context.Context, items []*item, lock func(context.Context, []*item, func(*item)) func()) (unlock func(), err error) {
	unlock = func() {}
	w.refresh(ctx, items)
	moves := w.flow.state.moves.Load()
	if err := w.links(ctx, live(items)); err != nil {
		return unlock, err
	}
	w.print(live(items))
	if err := w.mapAll(ctx, live(items)); err != nil {
		return unlock, err
	}
	for _, it := range live(items) {
		if it.op == lockstep.Delete && it.known() {
			it.target = it.link.End(w.flow.Side.Other()).Key
		}
	}
	unlock = lock(ctx, live(items), w.later)
	if w.flow.state.moves.Load() != moves { // links were changed between our look at them and the locks
		if err := w.links(ctx, live(items)); err != nil {
			return unlock, err
		}
		for _, it := range live(items) {
			if to := it.link.End(w.flow.Side.Other()).Key; it.known() && it.target != to {
				it.target = to
				w.later(it) // its lock is on another record
			}
		}
	}
	return unlock, nil
}

// later puts an item off that another writer keeps from being written.
func (w *worker) later(it *item) {
	pause, why := 50*time.Millisecond, "another writer has the target record"
	if it.behind > 0 {
		pause, why = askPause(it.behind), "the target is not done with what it has accepted for this record"
	}
	it.out = &lockstep.Outcome{Delivery: it.delivery, Verdict: lockstep.Retry, RetryAt: w.now().Add(pause), Did: why}
}

// bring takes items whose links and images are known through the rest: compare, look, claim, write. A record that the
// look found by match fields is locked by its key, too: others may know it by that (law 3).
func (w *worker) bring(ctx context.Context, items []*item) (unlock func(), err error) {
	w.compare(live(items))
	w.lookups(live(items))
	found, err := w.lookFound(ctx, live(items), w.later)
	if err != nil {
		return found, err
	}
	adopted, err := w.earlier(ctx, live(items))
	unlock = func() { adopted(); found() }
	if err != nil {
		return unlock, err
	}
	if err := w.dependantsFirst(ctx, live(items)); err != nil {
		return unlock, err
	}
	if err := w.keep(ctx, live(items)); err != nil {
		return unlock, err
	}
	w.write(ctx, live(items))
	return unlock, nil
}

// keep saves, before records are created that were fetched for it, what was fetched: a hint says nothing of where to
// look after an unknown outcome, once the source's record is gone (law 5). An update needs none: its link tells. In a
// pair each write needs it that brings something else than its entry says: there it would look like the other's news.
func (w *worker) keep(ctx context.Context, items []*item) error {
	var begun []lockstep.Delivery
	for _, it := range items {
		if w.flow.Back != nil {
			if it.delivery.ID != 0 && !it.told() {
				d := it.delivery
				d.Change = it.change
				begun = append(begun, d)
			}
			continue
		}
		if !it.fetched || it.known() || it.op == lockstep.Delete || it.delivery.Change.Record.Fields.Equal(it.change.Record.Fields) {
			continue
		}
		d := it.delivery
		d.Change.Record.Fields = it.change.Record.Fields
		begun = append(begun, d)
	}
	if len(begun) == 0 {
		return nil
	}
	if err := w.store.Keep(ctx, begun...); err != nil {
		return fmt.Errorf("keep what is to be created: %w", err)
	}
	return nil
}

// lookFound looks, locks what was found, and claims.
func (w *worker) lookFound(ctx context.Context, items []*item, taken func(*item)) (unlock func(), err error) {
	before := map[*item]lockstep.Key{}
	for _, it := range live(items) {
		before[it] = it.target
	}
	w.lookAt(ctx, live(items))
	var found []*item
	var names []string
	var ends []int
	for _, it := range live(items) {
		if it.theirs != nil && w.flow.fold(it.target) != w.flow.fold(before[it]) {
			found, names = append(found, it), append(names, w.flow.keyLock(it.target))
			ends = append(ends, len(names))
		}
	}
	unlock = w.hold(ctx, found, names, ends, taken)
	return unlock, w.claim(ctx, live(items))
}

// lock takes the locks of the items' target records, of both records where one moves. Items whose record is taken
// are given to taken.
func (w *worker) lock(ctx context.Context, items []*item, taken func(*item)) (unlock func()) {
	names, ends := make([]string, 0, len(items)), make([]int, len(items))
	for i, it := range items {
		names = w.lockNames(names, it)
		ends[i] = len(names)
	}
	return w.hold(ctx, items, names, ends, taken)
}

// lockNames appends the names of an item's locks.
func (w *worker) lockNames(names []string, it *item) []string {
	if w.flow.Back != nil { // both ends: the flow back writes where this one reads
		names = append(names, w.flow.Back.keyLock(it.key()))
	}
	names = w.flow.lockNames(names, it)
	if to, moved := w.moved(it); moved {
		names = append(names, w.flow.keyLock(to))
	}
	return names
}

// hold takes all locks that are named for each item (law 3): those of the ith end before ends[i].
func (w *worker) hold(ctx context.Context, items []*item, names []string, ends []int, taken func(*item)) (unlock func()) {
	got := w.locks.try(names)
	behind := w.operated(ctx, names)
	at := 0
	for i, it := range items {
		if behind != nil {
			it.behind = slices.Max(append(behind[at:ends[i]:ends[i]], 0))
		}
		if it.behind > 0 || slices.Contains(got[at:ends[i]], false) {
			taken(it)
		}
		at = ends[i]
	}
	return func() { w.locks.free(names, got) }
}

// worst is the fault that the flow as a whole has to react to, nil for none.
func worst(items []*item) *lockstep.Fault {
	var found *lockstep.Fault
	for _, it := range items {
		f := it.out.Fault
		if f == nil {
			continue
		}
		switch {
		case f.Kind.StopsFlow():
			return f
		case f.Kind == lockstep.Unavailable || f.Kind == lockstep.Throttled:
			found = f
		}
	}
	return found
}
