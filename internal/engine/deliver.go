package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// leaseTime is how long a batch may take before another worker may lease its entries. The locks on target records
// keep a late one and its successor apart, so this only matters for a worker that is stuck.
const leaseTime = 10 * time.Minute

// deliver carries one batch from the queue to the target. It says how many entries it took and, where the flow as a
// whole has to react, the fault. Once entries are leased the batch is brought to its end even if ctx ends meanwhile.
func (w *worker) deliver(ctx context.Context) (int, *lockstep.Fault, error) {
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
		for _, it := range live(items) {
			w.fail(it, err)
		}
	}
	outcomes := make([]lockstep.Outcome, len(items))
	for i, it := range items {
		if it.out == nil {
			w.fail(it, lockstep.Faultf(lockstep.CodeInvariant, "no stage closed this delivery"))
		}
		it.out.Run = w.run
		outcomes[i] = *it.out
	}
	fault := worst(items)
	if err := w.store.Settle(ctx, outcomes...); err != nil {
		return 0, nil, fmt.Errorf("settle: %w", err)
	}
	w.flow.state.count(outcomes)
	return len(items), fault, nil
}

// process takes leased items through the stages. What unlock gives back is held until they are settled.
func (w *worker) process(ctx context.Context, items []*item) (unlock func(), err error) {
	unlock = func() {}
	w.refresh(ctx, items)
	pages := w.flow.state.pages.Load()
	if err := w.links(ctx, live(items)); err != nil {
		return unlock, err
	}
	if err := w.mapAll(ctx, live(items)); err != nil {
		return unlock, err
	}
	for _, it := range live(items) {
		if it.op == lockstep.Delete && it.known() {
			it.target = it.link.End(w.flow.Side.Other()).Key
		}
	}
	unlock = w.lock(live(items), func(it *item) {
		it.out = &lockstep.Outcome{Delivery: it.delivery, Verdict: lockstep.Retry, RetryAt: w.now().Add(50 * time.Millisecond), Did: "another writer has the target record"}
	})
	if w.flow.state.pages.Load() != pages { // a full sync settled a page between our look at the links and the locks
		if err := w.links(ctx, live(items)); err != nil {
			return unlock, err
		}
		for _, it := range live(items) {
			if it.known() {
				it.target = it.link.End(w.flow.Side.Other()).Key
			}
		}
	}
	return unlock, w.bring(ctx, items)
}

// bring takes items whose links and images are known through the rest: compare, look, claim, write.
func (w *worker) bring(ctx context.Context, items []*item) error {
	w.compare(live(items))
	w.lookups(live(items))
	w.lookAt(ctx, live(items))
	if err := w.claim(ctx, live(items)); err != nil {
		return err
	}
	w.write(ctx, live(items))
	return nil
}

// lock takes the locks of the items' target records, of both records where one moves. Items whose record is taken
// are given to taken.
func (w *worker) lock(items []*item, taken func(*item)) (unlock func()) {
	names := make([]string, 0, len(items))
	second := make([]string, len(items))
	for i, it := range items {
		names = append(names, w.flow.lockName(it))
		if to, moved := w.moved(it); moved {
			second[i] = w.flow.lockName(&item{target: to})
		}
	}
	got, got2 := w.locks.try(names), w.locks.try(second)
	for i, it := range items {
		if !got[i] || !got2[i] {
			taken(it)
		}
	}
	return func() { w.locks.free(names, got); w.locks.free(second, got2) }
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
