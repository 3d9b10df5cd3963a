package demo

import (
	"context"
	"slices"
	"sync"
	"time"
)

// LookEvery is how often a Watch looks into the shop: latencies are late by up to this much, never early.
const LookEvery = 10 * time.Millisecond

// Watch measures, in the shop itself, how long after its commit a change has arrived.
type Watch struct {
	shop *Shop

	mu      sync.Mutex
	pending []Change // in the order of their revisions
	took    []time.Duration
}

// NewWatch watches a shop.
func NewWatch(shop *Shop) *Watch { return &Watch{shop: shop} }

// Expect waits for a change.
func (w *Watch) Expect(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, c)
}

// Run looks until ctx ends. arrived is called with every change that is there, and how long it took.
func (w *Watch) Run(ctx context.Context, arrived func(Change, time.Duration)) error {
	tick := time.NewTicker(LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		first, ok := w.first()
		if !ok {
			continue
		}
		items, err := w.shop.Since(ctx, first)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		at := time.Now()
		for _, c := range w.settle(items, at) {
			arrived(c, at.Sub(c.At))
		}
	}
}

func (w *Watch) first() (int64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) == 0 {
		return 0, false
	}
	return w.pending[0].Revision, true
}

// settle takes out what has arrived: the change itself, or a newer one of the same product in its stead.
func (w *Watch) settle(items map[string]int64, at time.Time) (there []Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = slices.DeleteFunc(w.pending, func(c Change) bool {
		if items[c.SKU] < c.Revision {
			return false
		}
		there = append(there, c)
		w.took = append(w.took, at.Sub(c.At))
		return true
	})
	return there
}

// Pending is how many changes have not arrived yet.
func (w *Watch) Pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending)
}

// Took is how many changes have arrived, and the 50th and 99th percentile and the maximum of how long they took.
func (w *Watch) Took() (n int, p50, p99, most time.Duration) {
	w.mu.Lock()
	sorted := slices.Sorted(slices.Values(w.took))
	w.mu.Unlock()
	if n = len(sorted); n == 0 {
		return
	}
	at := func(percent int) time.Duration { return sorted[min(n-1, (n*percent+99)/100-1)] }
	return n, at(50), at(99), sorted[n-1]
}
