package engine

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
)

// shuffle lets other goroutines go first, a thrown number of times, around the calls of a process. So the flows meet in
// orders that a quiet machine does not bring about. It does not sleep: who waits for a mutex stops the bubble's clock.
type shuffle struct {
	mu   sync.Mutex
	dice *rand.Rand
}

func newShuffle() *shuffle { return &shuffle{dice: rand.New(rand.NewPCG(rand.Uint64(), 0))} }

func (s *shuffle) yield() {
	s.mu.Lock()
	n := s.dice.IntN(1 << s.dice.IntN(9)) // mostly few, now and then hundreds
	s.mu.Unlock()
	for range n {
		runtime.Gosched()
	}
}

// hook yields before a system's calls, and where they have taken effect.
func (s *shuffle) hook(next memory.Hook) memory.Hook {
	return func(c memory.Call) error {
		if c.Name != "Write" && c.Name != "Streams" {
			s.yield()
		}
		if next == nil {
			return nil
		}
		return next(c)
	}
}

// shuffledStore yields around the calls by which the flows of a pair meet.
type shuffledStore struct {
	lockstep.Store
	s *shuffle
}

func (st shuffledStore) Append(ctx context.Context, feed string, from lockstep.Position, cs []lockstep.Change, next lockstep.Position, upTo time.Time) error {
	st.s.yield()
	defer st.s.yield()
	return st.Store.Append(ctx, feed, from, cs, next, upTo)
}
func (st shuffledStore) Lease(ctx context.Context, flow string, max int, ttl time.Duration) ([]lockstep.Delivery, error) {
	st.s.yield()
	defer st.s.yield()
	return st.Store.Lease(ctx, flow, max, ttl)
}
func (st shuffledStore) Links(ctx context.Context, flow string, keys []lockstep.Key) ([]lockstep.LinkState, error) {
	st.s.yield()
	defer st.s.yield()
	return st.Store.Links(ctx, flow, keys)
}
func (st shuffledStore) Keep(ctx context.Context, ds ...lockstep.Delivery) error {
	st.s.yield()
	defer st.s.yield()
	return st.Store.Keep(ctx, ds...)
}
func (st shuffledStore) Settle(ctx context.Context, os ...lockstep.Outcome) error {
	st.s.yield()
	defer st.s.yield()
	return st.Store.Settle(ctx, os...)
}
func (st shuffledStore) BeginPage(ctx context.Context, run int64, flow string, since lockstep.Seq, ws []lockstep.PageWrite) ([]bool, error) {
	st.s.yield()
	defer st.s.yield()
	return st.Store.BeginPage(ctx, run, flow, since, ws)
}
func (st shuffledStore) SettlePage(ctx context.Context, flow string, end lockstep.PageEnd) error {
	st.s.yield()
	defer st.s.yield()
	return st.Store.SettlePage(ctx, flow, end)
}
