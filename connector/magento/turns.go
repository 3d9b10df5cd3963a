package magento

import (
	"context"
	"slices"
	"sync"
)

// turns lets one at a time at each of the names that somebody holds. Magento has no unique index on the SKU: two that
// look, and then create, side by side make two products (law 3 is not enough, for several flows, and two calls of
// Apply, may come to one SKU by different keys).
type turns struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when it is let go
}

// hold waits until all of names are free and takes them. They are taken in one order by everybody, so nobody waits for
// one who waits for him.
func (t *turns) hold(ctx context.Context, names []string) (*turn, error) {
	names = slices.Clone(names)
	slices.Sort(names)
	out := &turn{of: t, names: map[string]bool{}}
	for _, name := range slices.Compact(names) {
		if err := t.take(ctx, name); err != nil {
			out.end()
			return nil, err
		}
		out.names[name] = true
	}
	return out, nil
}

func (t *turns) take(ctx context.Context, name string) error {
	for {
		t.mu.Lock()
		busy, taken := t.held[name]
		if !taken {
			if t.held == nil {
				t.held = map[string]chan struct{}{}
			}
			t.held[name] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// turn is what one holds. It is for one goroutine.
type turn struct {
	of    *turns
	names map[string]bool
}

// end lets go of all that is still held.
func (t *turn) end() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	for name := range t.names {
		close(t.of.held[name])
		delete(t.of.held, name)
	}
	clear(t.names)
}
