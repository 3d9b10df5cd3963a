package engine

import (
	"context"

	"github.com/lockstep-sync/lockstep"
)

// A full sync of a flow that is pulled and has no tracker puts what differs into the queue as hints, each time it reads
// everything. An entry that is such a hint already, and that nobody has looked at since, needs no new one: it would only
// get another generation, and with it another id, and a pause that it has would end. waiting are the keys of which that is
// certain: the entry is a hint, and it is not leased. Where it says too little, an entry is hinted at once more.

// mostWaiting bounds how many keys are remembered (law 11).
const mostWaiting = 200_000

// wait notes keys whose entries are hints.
func (p *pulls) wait(keys ...lockstep.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting = map[lockstep.Key]struct{}{}
	}
	for _, key := range keys {
		if len(p.waiting) < mostWaiting {
			p.waiting[key] = struct{}{}
		}
	}
}

// leased forgets keys that are looked at now.
func (p *pulls) leased(batch []lockstep.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range batch {
		delete(p.waiting, batch[i].Change.Record.Key)
	}
}

// hinted notes, of outcomes that were settled, the entries that stay as the hints that they were.
func (p *pulls) hinted(outcomes []lockstep.Outcome) {
	var keys []lockstep.Key
	for i := range outcomes {
		if o := &outcomes[i]; o.Verdict == lockstep.Retry && o.Delivery.ID != 0 && o.Delivery.Change.Hint {
			keys = append(keys, o.Delivery.Change.Record.Key)
		}
	}
	p.wait(keys...)
}

// brings tells whether a record of a full sync's page comes by what the queue holds already: by a hint that waits, or by
// a lease that is open and holds just that.
func (p *pulls) brings(it *item) bool {
	p.mu.Lock()
	leases := make([]*pull, 0, len(p.leases))
	for _, l := range p.leases {
		leases = append(leases, l)
	}
	p.mu.Unlock()
	for _, l := range leases {
		if l.brings(it) {
			return true
		}
	}
	p.mu.Lock() // after the leases: one that ends just now notes its hints before it lets go
	defer p.mu.Unlock()
	_, waits := p.waiting[it.key()]
	return waits
}

func (l *pull) brings(it *item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, there := l.byKey[it.key()]
	if !there || l.held[id] == nil {
		return false
	}
	held := l.held[id].it
	return held.op == it.op && held.digest == it.digest
}

// recall finds, as the flow is taken up, the entries that are hints.
func (w *worker) recall(ctx context.Context) {
	if w.flow.Feed != "" {
		return
	}
	for _, state := range []lockstep.EntryState{lockstep.Ready, lockstep.Delayed} {
		for after, n := int64(0), 0; n < mostWaiting && ctx.Err() == nil; {
			entries, err := w.store.Entries(ctx, w.flow.Name, state, after, 1000)
			if err != nil || len(entries) == 0 {
				break // it only saves some new ids
			}
			keys := make([]lockstep.Key, 0, len(entries))
			for i := range entries {
				if entries[i].Change.Hint {
					keys = append(keys, entries[i].Change.Record.Key)
				}
			}
			w.flow.pulls.wait(keys...)
			n, after = n+len(entries), entries[len(entries)-1].ID
		}
	}
}

// queueFor puts a page's records into the queue of a flow that is pulled, unless they are there.
func (r *fullRun) queueFor(items []*item, hint func(*item)) {
	for _, it := range items {
		if it.open && r.flow.To.Pulled && r.flow.Feed == "" && r.flow.pulls.brings(it) {
			it.done("queued")
			continue
		}
		hint(it)
	}
}

// queuedFor notes what was put into the queue of a flow that is pulled.
func (r *fullRun) queuedFor(changes []lockstep.Change) {
	if !r.flow.To.Pulled || r.flow.Feed != "" {
		return
	}
	keys := make([]lockstep.Key, 0, len(changes))
	for i := range changes {
		if changes[i].Hint {
			keys = append(keys, changes[i].Record.Key)
		}
	}
	r.flow.pulls.wait(keys...)
}
