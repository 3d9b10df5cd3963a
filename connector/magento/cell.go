package magento

import (
	"context"
	"sync"
	"time"
)

// cell holds something that is known of the shop, for a while. It is loaded by one goroutine at a time, however many
// want it; what it holds is never written to again, but replaced.
type cell[T any] struct {
	turn chan struct{} // holds one: whoever takes it may load
	mu   sync.Mutex
	held T
	have bool
	at   time.Time
	gen  int // how often it was told to forget
}

func newCell[T any]() *cell[T] { return &cell[T]{turn: make(chan struct{}, 1)} }

// get is what the cell holds, loaded where it holds nothing or something older than life.
func (c *cell[T]) get(ctx context.Context, life time.Duration, load func(context.Context) (T, error)) (T, error) {
	if v, ok := c.fresh(life); ok {
		return v, nil
	}
	var none T
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { <-c.turn }()
	if v, ok := c.fresh(life); ok { // another one has loaded it meanwhile
		return v, nil
	}
	c.mu.Lock()
	gen, began := c.gen, time.Now()
	c.mu.Unlock()
	v, err := load(ctx)
	if err != nil {
		return none, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// What was forgotten while it was loaded may be of before: it is given once, and loaded again for the next.
	c.held, c.have, c.at = v, gen == c.gen, began
	return v, nil
}

func (c *cell[T]) fresh(life time.Duration) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held, c.have && time.Since(c.at) < life
}

// forget makes the next get load it.
func (c *cell[T]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have = false
	c.gen++
}

// update replaces what the cell holds by what f makes of it, where it holds something: after a write of our own, of
// which all is known. f must not change what it is given.
func (c *cell[T]) update(f func(T) T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have {
		c.held = f(c.held)
	}
	c.gen++ // a load that is under way may be of before
}

// names is a bounded set of names.
type names struct {
	mu   sync.Mutex
	held map[string]bool
}

const mostNames = 10_000

func (n *names) has(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[name]
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held == nil || len(n.held) >= mostNames {
		n.held = map[string]bool{}
	}
	n.held[name] = true
}

func (n *names) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = nil
}
