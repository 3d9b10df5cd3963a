package webhook

import (
	"sync"
	"time"
)

// Seen remembers the notices that were taken, for as long as their signatures can be right, to tell one that is sent
// again. It holds two generations of a bounded number: under a flood it forgets the oldest, and a notice that comes once
// more then does what it did before, which is harmless. The zero Seen is ready.
type Seen struct {
	Most int // of each generation; 0 is 128 Ki

	mu       sync.Mutex
	now, old map[ID]struct{}
	since    time.Time // when now was begun
}

// Has tells whether the notice was added before.
func (s *Seen) Has(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, in := s.now[id]
	if !in {
		_, in = s.old[id]
	}
	return in
}

// Add remembers a notice for at least keep, the time for which its signature can be right.
func (s *Seen) Add(id ID, at time.Time, keep time.Duration) {
	most := s.Most
	if most == 0 {
		most = 128 << 10
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || len(s.now) >= most || at.Sub(s.since) > keep {
		s.old, s.now, s.since = s.now, map[ID]struct{}{}, at
	}
	s.now[id] = struct{}{}
}
