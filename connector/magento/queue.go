package magento

import (
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// queue is what this process knows of Magento's: which products have an operation open, and which are better not put
// into it again.
type queue struct {
	deadline time.Duration
	mu       sync.Mutex
	ops      map[string]receipt // open ones, by folded SKU
	avoided  map[string]time.Time
}

func (q *queue) open(r receipt) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ops == nil {
		q.ops = map[string]receipt{}
	}
	q.ops[foldSKU(r.SKU)] = r
}

// ended forgets an operation.
func (q *queue) ended(r receipt) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if old, is := q.ops[foldSKU(r.SKU)]; is && old.Bulk == r.Bulk && old.Op == r.Op {
		delete(q.ops, foldSKU(r.SKU))
	}
}

// busy tells whether a product has an operation open: two would race. One that nobody asks for any more counts no longer
// than its deadline.
func (q *queue) busy(sku string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r, is := q.ops[foldSKU(sku)]
	if is && time.Since(r.At) > q.deadline {
		delete(q.ops, foldSKU(sku))
		return false
	}
	return is
}

// avoid lets the product's next sends be single calls, for as long as an operation can be open.
func (q *queue) avoid(sku string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.avoided == nil {
		q.avoided = map[string]time.Time{}
	}
	for sku, until := range q.avoided {
		if time.Now().After(until) {
			delete(q.avoided, sku)
		}
	}
	q.avoided[foldSKU(sku)] = time.Now().Add(max(q.deadline, time.Minute))
}

func (q *queue) avoids(sku string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Now().Before(q.avoided[foldSKU(sku)])
}

// busyFault puts a write off until the product's open operation has ended.
func busyFault() error {
	return lockstep.Faultf(lockstep.CodeVersionMoved, "the product has an operation open in Magento's queue")
}
