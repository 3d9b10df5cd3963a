// Package memory is the store that forgets: a double for tests and for pilots that shall leave nothing behind. It
// keeps the whole contract of internal/store/storetest but durability, and it is written to be read, not to be fast.
package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// Store implements lockstep.Store in memory. Make one with New.
type Store struct {
	mu      sync.Mutex
	closed  bool
	changed chan struct{} // closed and replaced whenever something may have become ready

	flows map[string]*flow
	feeds map[string]*feed
	sets  map[string]*linkSet
	byID  map[int64]*entry
	runs  map[int64]*run
	days  map[string][]row // the timeline: rows by UTC day

	untold map[lockstep.Ref]telling

	seq                          lockstep.Seq
	lastEntry, lastLink, lastRun int64
}

type flow struct {
	lockstep.FlowDef
	attached    bool // named by the last Attach: its feed fills it
	missed      bool // its feed took changes while it was not attached: a full sync is due
	open        map[lockstep.Key]*entry
	touched     map[lockstep.Key]lockstep.Seq // when a key was last appended, leased or settled
	refs        map[lockstep.Key]map[lockstep.Ref]reference
	changed     map[lockstep.Key]lockstep.Seq // when a key was last news to what is made from it
	lastSettled time.Time
}

type feed struct {
	at   lockstep.Position
	upTo time.Time
}

// New makes an empty store.
func New() *Store {
	return &Store{
		changed: make(chan struct{}), seq: 1,
		flows: map[string]*flow{}, feeds: map[string]*feed{}, sets: map[string]*linkSet{},
		byID: map[int64]*entry{}, runs: map[int64]*run{}, days: map[string][]row{}, untold: map[lockstep.Ref]telling{},
	}
}

// Close ends the store. Whoever waits in Wait gets an error.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.wake()
	}
	return nil
}

// enter takes the lock for one call; leave it with s.mu.Unlock, unless it answers with an error.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return lockstep.Faultf(lockstep.CodeStore, "the store is closed")
	}
	return nil
}

// enterFlow is enter for a call about one flow.
func (s *Store) enterFlow(ctx context.Context, name string) (*flow, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	f := s.flows[name]
	if f == nil {
		s.mu.Unlock()
		return nil, lockstep.Faultf(lockstep.CodeNoFlow, "the store knows no flow of this name").On(lockstep.About{Flow: name})
	}
	return f, nil
}

func (s *Store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Attach tells the store which flows there are.
func (s *Store) Attach(ctx context.Context, defs []lockstep.FlowDef) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, f := range s.flows {
		f.attached = false
	}
	for _, def := range defs {
		f := s.flows[def.Name]
		if f == nil {
			f = &flow{open: map[lockstep.Key]*entry{}, touched: map[lockstep.Key]lockstep.Seq{}, refs: map[lockstep.Key]map[lockstep.Ref]reference{}, changed: map[lockstep.Key]lockstep.Seq{}}
			s.flows[def.Name] = f
		}
		if f.Name != "" && f.Feed != def.Feed && def.Feed != "" && !f.missed {
			s.due(def.Name, "the flow reads another feed now: a full sync is due")
		}
		f.FlowDef, f.attached, f.missed = def, true, false
	}
	return nil
}

// due adds a full run that was cut off before it began: a full sync is due.
func (s *Store) due(name, why string) {
	now := time.Now()
	s.lastRun++
	s.runs[s.lastRun] = &run{seen: map[int64][]byte{}, Run: lockstep.Run{
		ID: s.lastRun, Flow: name, Kind: lockstep.FullRun, State: lockstep.Interrupted, Started: now, Ended: now, Note: why}}
}

// Checkpoint is how far the feed is captured.
func (s *Store) Checkpoint(ctx context.Context, name string) (lockstep.Position, time.Time, error) {
	if err := s.enter(ctx); err != nil {
		return nil, time.Time{}, err
	}
	defer s.mu.Unlock()
	f := s.feed(name)
	return slices.Clone(f.at), f.upTo, nil
}

// Reset sets the feed's checkpoint whatever it was.
func (s *Store) Reset(ctx context.Context, name string, to lockstep.Position, upTo time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	f := s.feed(name)
	f.at, f.upTo = slices.Clone(to), upTo
	return nil
}

func (s *Store) feed(name string) *feed {
	f := s.feeds[name]
	if f == nil {
		f = &feed{}
		s.feeds[name] = f
	}
	return f
}

// Append fills the queues of the feed's flows and moves its checkpoint (law 1).
func (s *Store) Append(ctx context.Context, name string, from lockstep.Position, changes []lockstep.Change,
	next lockstep.Position, upTo time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	f := s.feed(name)
	if !bytes.Equal(f.at, from) {
		return lockstep.Faultf(lockstep.CodeMovedCursor, "the checkpoint of feed %s is not where the page began", name)
	}
	for _, fl := range s.flowsInOrder() {
		if fl.Feed != name || name == "" {
			continue
		}
		if !fl.attached {
			if len(changes) > 0 && !fl.missed { // law 1
				fl.missed = true
				s.due(fl.Name, "the flow was left out while its feed took changes: a full sync is due")
			}
			continue
		}
		for _, c := range changes {
			s.take(fl, c, captured)
		}
	}
	f.at = slices.Clone(next)
	if !upTo.IsZero() {
		f.upTo = upTo
	}
	s.wake()
	return nil
}

func (s *Store) flowsInOrder() []*flow {
	out := make([]*flow, 0, len(s.flows))
	for _, name := range slices.Sorted(maps.Keys(s.flows)) {
		out = append(out, s.flows[name])
	}
	return out
}

// Hint asks the flow to look at these keys.
func (s *Store) Hint(ctx context.Context, name string, keys []lockstep.Key) error {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, key := range keys {
		s.take(f, hintOf(key), hinted)
	}
	s.wake()
	return nil
}

func hintOf(key lockstep.Key) lockstep.Change {
	return lockstep.Change{Record: lockstep.Record{Key: key}, Hint: true}
}

// hintAt is the hint that a page's record becomes. Where nothing is open, it keeps the image that the page has: after
// an unknown outcome that tells where to look (law 5). An open entry has one that is newer.
func hintAt(c lockstep.Change, open bool) lockstep.Change {
	if open {
		return hintOf(c.Record.Key)
	}
	return lockstep.Change{Record: c.Record, Hint: true}
}
