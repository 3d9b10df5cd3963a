package memory

import (
	"context"
	"maps"

	"github.com/lockstep-sync/lockstep"
)

// Call is a call that a Hook sees.
type Call struct {
	// Name is "Streams", "Create", "Examine", "Scan", "Changes", "Fetch", "Find", "Ack", "Confirm" or "Apply"; and "Write" for
	// each write within an Apply, unless the stream answers as a whole.
	Name   string
	Stream string
	Key    lockstep.Key // of a Write
	After  bool         // false before the effect, true after it and before the answer
}

// Hook is called before and after the effect of each call, in the caller's goroutine and with no lock held. It may
// panic (a crash there), block, change the system, or return an error: before the effect the call fails with it and
// does nothing; after it the effect stays and the answer is lost. An error for a Write is that write's result.
type Hook func(Call) error

// SetHook sets the hook; nil takes it away.
func (s *System) SetHook(h Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = h
}

// Counts is how often each call was made, by name; "Write" counts the writes that Apply was given.
func (s *System) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// ResetCounts begins to count anew.
func (s *System) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
	for _, st := range s.streams {
		clear(st.writes)
	}
}

// Writes is how many writes and deletes took effect on a key through Apply.
func (s *System) Writes(streamName string, key lockstep.Key) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[streamName]
	if st == nil {
		return 0
	}
	return st.writes[st.fold(key)]
}

// AllWrites is how many writes and deletes took effect on a stream through Apply.
func (s *System) AllWrites(streamName string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	if st := s.streams[streamName]; st != nil {
		for _, writes := range st.writes {
			n += writes
		}
	}
	return n
}

// call counts, asks the hook, and does the effect under the lock.
func (s *System) call(ctx context.Context, name, streamName string, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.before(Call{Name: name, Stream: streamName}); err != nil {
		return err
	}
	if err := s.locked(effect); err != nil {
		return err
	}
	return s.after(Call{Name: name, Stream: streamName})
}

func (s *System) locked(effect func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return effect()
}

func (s *System) before(c Call) error {
	s.mu.Lock()
	s.counts[c.Name]++
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(c)
}

func (s *System) after(c Call) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	c.After = true
	return hook(c)
}
