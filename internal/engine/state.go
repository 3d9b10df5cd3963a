package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// flowState is what a flow's goroutines share while they run.
type flowState struct {
	moves atomic.Int64 // links that others may have read were changed: pages that full syncs settled, and claims that moved
	full  atomic.Bool  // a full sync is under way
	whole atomic.Int64 // when the last that read everything began, in microseconds; 0 is not known
	apart apart        // its: what the filter leaves out, as sweeps have found it

	asks chan struct{} // something was accepted

	takingUp sync.Mutex // in a pair, of side A
	tookUp   bool

	mu      sync.Mutex
	counts  lockstep.Counts
	stopped *lockstep.Fault // the flow waits for a person
	pausing time.Time       // the breaker: no delivery before
	pauses  int             // in a row
	last    time.Time       // when something was settled
}

// count adds what outcomes came to.
func (s *flowState) count(outcomes []lockstep.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range outcomes {
		tally(&s.counts, &outcomes[i])
	}
	s.last = time.Now()
}

// tally adds one outcome to counts.
func tally(c *lockstep.Counts, o *lockstep.Outcome) {
	switch {
	case o.Verdict == lockstep.Accept && o.Delivery.Operation == nil:
		c.Accepted++
	case o.Verdict == lockstep.Park:
		c.Failed++
	case o.Verdict != lockstep.Done:
	case o.Did == "created":
		c.Created++
	case o.Did == "updated":
		c.Updated++
	case o.Did == "deleted" || o.Did == "disabled":
		c.Deleted++
	case o.Did == "filtered":
		c.Filtered++
	default:
		c.Level++
	}
}

// snapshot is a copy of the counts.
func (s *flowState) snapshot() lockstep.Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// pause opens the breaker for a while that grows with each pause in a row; wait, where given, is the least.
func (s *flowState) pause(wait time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses++
	d := max(wait, min(30*time.Second, 500*time.Millisecond<<min(s.pauses-1, 6)))
	s.pausing = time.Now().Add(d)
	return d
}

// well closes the breaker.
func (s *flowState) well() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses, s.pausing = 0, time.Time{}
}

// stop marks the flow as waiting for a person.
func (s *flowState) stop(f *lockstep.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = f
}

// recovered starts a flow again that had lost its position: a full sync has made it good.
func (s *flowState) recovered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil && s.stopped.Kind == lockstep.Lost {
		s.stopped = nil
	}
}

func (s *flowState) fault() *lockstep.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

func (s *flowState) resumeAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pausing
}
