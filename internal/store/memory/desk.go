package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// row is a settled entry on the timeline.
type row struct {
	flow  string
	key   lockstep.Key
	steps []lockstep.Event
}

// settled moves the entry's story to the timeline.
func (s *Store) settled(f *flow, e *entry) {
	day := time.Now().UTC().Format(time.DateOnly)
	s.days[day] = append(s.days[day], row{f.Name, e.Change.Record.Key, s.story(f, e)})
}

// settledOlder does so where a newer generation stays in the queue: its own story begins with its first change.
func (s *Store) settledOlder(f *flow, e *entry, l *lease) {
	changed, coalesced := e.Changed, e.Coalesced
	e.Coalesced, e.Changed = l.coalesced, l.at
	s.settled(f, e)
	e.steps, e.origin = nil, captured
	e.Captured, e.Changed, e.Coalesced = cmp.Or(l.first, changed), changed, max(0, coalesced-l.coalesced-1)
}

// story is all steps of an entry, in order.
func (s *Store) story(f *flow, e *entry) []lockstep.Event {
	steps := []lockstep.Event{{At: e.Captured, Did: e.origin}}
	if e.Coalesced > 0 {
		steps = append(steps, lockstep.Event{At: e.Changed, Did: "coalesced", Note: fmt.Sprintf("%d more", e.Coalesced)})
	}
	steps = append(steps, e.steps...)
	key := e.Change.Record.Key
	var other lockstep.Key
	if l := s.set(f.Set).get(f.Side, key); l != nil && l.A.Key != l.B.Key {
		other = l.End(f.Side.Other()).Key
	}
	for i := range steps {
		steps[i].Flow, steps[i].Key, steps[i].Other = f.Name, key, other
	}
	return inOrder(steps)
}

func inOrder(steps []lockstep.Event) []lockstep.Event {
	slices.SortStableFunc(steps, func(a, b lockstep.Event) int { return a.At.Compare(b.At) })
	return steps
}

// Entries lists open entries, oldest first.
func (s *Store) Entries(ctx context.Context, name string, state lockstep.EntryState, after int64, most int) ([]lockstep.Entry, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	var out []lockstep.Entry
	for _, e := range f.open {
		if e.ID > after && (state == "" || e.state(now) == state) {
			out = append(out, e.shown(now))
		}
	}
	slices.SortFunc(out, func(a, b lockstep.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(most, len(out))], nil
}

func (e *entry) shown(now time.Time) lockstep.Entry {
	out := e.Entry
	out.State = e.state(now)
	if e.op != nil {
		out.Operation = e.op.shown()
		if out.State == lockstep.Confirming {
			out.NotBefore = e.op.ask
		}
	}
	if e.lease != nil && !e.lease.until.After(now) { // whoever gets it next is told so, too (law 5)
		out.Tried, out.TriedAt = true, e.lease.until
	}
	return out
}

// Requeue makes parked, delayed and waiting entries ready, with all their attempts.
func (s *Store) Requeue(ctx context.Context, ids ...int64) (int, error) {
	return s.decide(ctx, ids, func(f *flow, e *entry) bool {
		if e.op != nil { // given up: what becomes of it is not known (law 5)
			e.Tried, e.TriedAt = true, time.Now()
			if e.op.generation == e.Generation {
				s.perhaps(f, e, e.Change)
			}
			e.op = nil
		} else if e.State == lockstep.Ready || !e.NotBefore.IsZero() && !e.NotBefore.After(time.Now()) { // due is ready
			return false
		}
		if e.Change.Fault != nil { // what could not be read is read again
			e.Change.Fault, e.Change.Hint = nil, true
		}
		e.State, e.NotBefore, e.For, e.Attempts, e.Fault = lockstep.Ready, time.Time{}, nil, 0, nil
		e.did(lockstep.Event{At: time.Now(), Did: "requeued"})
		return true
	})
}

// Discard closes entries for good. One that is leased cannot be discarded: its write may be under way.
func (s *Store) Discard(ctx context.Context, reason string, ids ...int64) (int, error) {
	return s.decide(ctx, ids, func(f *flow, e *entry) bool {
		e.did(lockstep.Event{At: time.Now(), Did: "discarded", Note: reason})
		s.settled(f, e)
		s.remove(f, e)
		s.touch(f, e.Change.Record.Key)
		return true
	})
}

func (s *Store) decide(ctx context.Context, ids []int64, with func(*flow, *entry) bool) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	n := 0
	for _, id := range ids {
		e := s.byID[id]
		if e != nil && e.state(time.Now()) != lockstep.Leased && with(s.flows[e.Flow], e) {
			n++
		}
	}
	s.wake()
	return n, nil
}

// Status is a flow at a glance.
func (s *Store) Status(ctx context.Context, name string) (lockstep.FlowStatus, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return lockstep.FlowStatus{}, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	st := lockstep.FlowStatus{Links: int64(len(s.set(f.Set).byA)), LastSettled: f.lastSettled, Spreading: int64(len(s.untold))}
	if f.Feed != "" {
		st.CapturedUpTo = s.feed(f.Feed).upTo
	}
	for _, e := range f.open {
		switch e.state(now) {
		case lockstep.Ready:
			st.Ready++
		case lockstep.Delayed:
			st.Delayed++
		case lockstep.Waits:
			st.Waiting++
		case lockstep.Leased:
			st.Leased++
		case lockstep.Confirming:
			st.Confirming++
			if st.Accepted.IsZero() || e.op.At.Before(st.Accepted) {
				st.Accepted = e.op.At
			}
		default:
			st.Parked++
			continue
		}
		if st.Oldest.IsZero() || e.Captured.Before(st.Oldest) {
			st.Oldest = e.Captured
		}
	}
	return st, nil
}

// Story is all that is known of a source key.
func (s *Store) Story(ctx context.Context, name string, key lockstep.Key) ([]lockstep.Event, *lockstep.Entry, *lockstep.Link, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	defer s.mu.Unlock()
	var events []lockstep.Event
	for _, day := range slices.Sorted(maps.Keys(s.days)) {
		for _, r := range s.days[day] {
			if r.flow == name && r.key == key {
				events = append(events, r.steps...)
			}
		}
	}
	var open *lockstep.Entry
	if e := f.open[key]; e != nil {
		now := time.Now()
		shown := e.shown(now)
		open = &shown
		events = append(events, s.story(f, e)...)
		if shown.State == lockstep.Leased {
			events = append(events, lockstep.Event{At: e.lease.at, Flow: name, Key: key, Did: "sent"})
		}
	}
	var link *lockstep.Link
	if l := s.set(f.Set).get(f.Side, key); l != nil {
		link = new(lockstep.Link)
		*link = *l
	}
	return inOrder(events), open, link, nil
}

// Prune drops the timeline's days that ended before the moment.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	maps.DeleteFunc(s.days, func(day string, _ []row) bool {
		start, err := time.Parse(time.DateOnly, day)
		return err == nil && !start.AddDate(0, 0, 1).After(before)
	})
	return nil
}
