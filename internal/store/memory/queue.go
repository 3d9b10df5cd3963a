package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// How an entry came into the queue, as its story says it.
const (
	captured = "captured"
	hinted   = "hinted"
	paged    = "page" // a record of a full run's page
	referred = ""     // hinted by news of a record that it refers to
)

type entry struct {
	lockstep.Entry // State is what the entry is but for its lease
	origin         string
	steps          []lockstep.Event // between its capture and now, but for the changes
	lease          *lease
	op             *operation
}

// lease stays when its time has passed, until the entry is given to another: its holder may still settle.
type lease struct {
	generation int64
	at, until  time.Time
	first      time.Time         // when the oldest change since the lease came; zero for none
	coalesced  int64             // what the entry's count was at the lease
	doubts     []lockstep.Change // of the entry's Prior: what is there for its sake only
}

// take puts a change into the flow's queue: as a new entry, or as the next generation of the open one (law 2).
func (s *Store) take(f *flow, c lockstep.Change, origin string) *entry {
	now := time.Now()
	e := f.open[c.Record.Key]
	urgency := s.priority(f, c)
	if e == nil {
		s.lastEntry++
		e = &entry{origin: cmp.Or(origin, hinted)}
		e.ID, e.Flow, e.Captured, e.Priority, e.Coalesced = s.lastEntry, f.Name, now, urgency, -1
		f.open[c.Record.Key], s.byID[e.ID] = e, e
	} else if e.lease != nil && e.lease.first.IsZero() {
		e.lease.first = now
	}
	if e.op != nil && e.op.first.IsZero() {
		e.op.first = now
	}
	s.overtaken(f, e)
	e.Generation++
	e.Coalesced++
	if c.Record.Fields.Len() == 0 { // a delete or a hint: the last image tells where to look (law 5)
		c.Record.Fields = e.Change.Record.Fields
	}
	e.Change, e.Changed, e.Fault, e.Priority = c, now, c.Fault, min(e.Priority, urgency)
	e.Attempts, e.NotBefore, e.For, e.State = 0, time.Time{}, nil, lockstep.Ready
	if c.Fault != nil {
		e.State = lockstep.Parked // law 4: a record that cannot be read waits for a person, its neighbours go on
	}
	s.touch(f, c.Record.Key)
	if origin != referred {
		s.news(f, c.Record.Key, lockstep.Built, 0)
	}
	return e
}

// overtaken keeps what the holder of the entry's lease may be bringing just now.
func (s *Store) overtaken(f *flow, e *entry) {
	if l := e.lease; l != nil && l.generation == e.Generation {
		s.underWay(f, e, e.Change)
	} else if e.op != nil && e.op.generation == e.Generation {
		s.perhaps(f, e, e.Change)
	}
}

// underWay is perhaps for what the holder of the lease will have brought or not, once it says so.
func (s *Store) underWay(f *flow, e *entry, c lockstep.Change) {
	if s.perhaps(f, e, c) {
		e.lease.doubts = append(e.lease.doubts, e.Prior[len(e.Prior)-1])
	}
}

// perhaps keeps what a try that may have taken effect was to bring: for pairs, and else of records that may have been
// made by it, for they are found by nothing else. It says whether that was not known yet.
func (s *Store) perhaps(f *flow, e *entry, c lockstep.Change) bool {
	if s.face(f) == nil && (c.Op == lockstep.Delete || s.set(f.Set).get(f.Side, e.Change.Record.Key) != nil) {
		return false
	}
	if c.Op == lockstep.Upsert && c.Record.Fields.Len() == 0 {
		return false
	}
	c = lockstep.Change{Op: c.Op, Record: lockstep.Record{Key: c.Record.Key, Fields: c.Record.Fields}}
	if c.Op == lockstep.Delete {
		c.Record.Fields = value.Fields{}
	}
	if slices.ContainsFunc(e.Prior, like(&c)) {
		if e.lease != nil {
			e.lease.doubts = slices.DeleteFunc(e.lease.doubts, like(&c))
		}
		return false
	}
	e.Prior = append(slices.Clone(e.Prior), c) // who has the entry keeps what it has
	e.Prior = e.Prior[max(0, len(e.Prior)-lockstep.MaxPrior):]
	return true
}

func like(c *lockstep.Change) func(lockstep.Change) bool {
	return func(p lockstep.Change) bool { return p.Op == c.Op && p.Record.Fields.Equal(c.Record.Fields) }
}

func (s *Store) priority(f *flow, c lockstep.Change) lockstep.Priority {
	switch {
	case c.Op == lockstep.Delete:
		return f.Delete
	case f.Create == f.Update || s.set(f.Set).get(f.Side, c.Record.Key) != nil:
		return f.Update
	}
	return f.Create
}

func (s *Store) touch(f *flow, key lockstep.Key) {
	s.seq++
	f.touched[key] = s.seq
}

// state is the entry's state as people see it: with its lease, and ready where its time has come.
func (e *entry) state(now time.Time) lockstep.EntryState {
	switch {
	case e.lease != nil && e.lease.until.After(now):
		return lockstep.Leased
	case e.op != nil:
		return lockstep.Confirming
	case !e.NotBefore.IsZero() && !e.NotBefore.After(now):
		return lockstep.Ready
	}
	return e.State
}

func (e *entry) rank() time.Time { return e.Captured.Add(e.Priority.Handicap()) }

// Lease hands out ready entries by rank.
func (s *Store) Lease(ctx context.Context, name string, most int, ttl time.Duration) ([]lockstep.Delivery, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	s.spread()
	now := time.Now()
	var ready []*entry
	for _, e := range f.open {
		if e.state(now) == lockstep.Ready {
			ready = append(ready, e)
		}
	}
	slices.SortFunc(ready, func(a, b *entry) int {
		return cmp.Or(a.rank().Compare(b.rank()), cmp.Compare(a.ID, b.ID))
	})
	var out []lockstep.Delivery
	for _, e := range ready[:min(most, len(ready))] {
		if e.lease != nil { // its time has passed: the outcome is unknown, and its holder is fenced off (law 5)
			if e.lease.generation == e.Generation {
				s.perhaps(f, e, e.Change)
			}
			e.Generation++
			e.Tried, e.TriedAt = true, e.lease.until
		}
		e.State, e.NotBefore, e.For = lockstep.Ready, time.Time{}, nil
		e.lease = &lease{generation: e.Generation, at: now, until: now.Add(ttl), coalesced: e.Coalesced}
		s.touch(f, e.Change.Record.Key)
		d := e.Delivery
		d.Clash = e.clash()
		out = append(out, d)
	}
	return out, nil
}

// Keep saves the records of leased deliveries in their entries (law 5).
func (s *Store) Keep(ctx context.Context, deliveries ...lockstep.Delivery) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, d := range deliveries {
		e := s.byID[d.ID]
		if e == nil || e.lease == nil || e.lease.generation != d.Generation {
			continue
		}
		if f := s.flows[e.Flow]; s.face(f) != nil {
			s.underWay(f, e, d.Change)
			continue
		}
		if d.Change.Record.Fields.Len() == 0 {
			continue
		}
		if e.Generation == d.Generation || e.Change.Hint || e.Change.Op == lockstep.Delete {
			e.Change.Record.Fields = d.Change.Record.Fields
		} else {
			s.underWay(s.flows[e.Flow], e, d.Change)
		}
	}
	return nil
}

// Wait returns when the flow may have something to lease.
func (s *Store) Wait(ctx context.Context, name string) error {
	for {
		f, err := s.enterFlow(ctx, name)
		if err != nil {
			return err
		}
		now, next := time.Now(), time.Time{}
		ready := len(s.untold) > 0
		for _, e := range f.open {
			ready = ready || e.state(now) == lockstep.Ready
			for _, at := range []time.Time{e.NotBefore, e.leasedUntil()} {
				if at.After(now) && (next.IsZero() || at.Before(next)) {
					next = at
				}
			}
		}
		changed := s.changed
		s.mu.Unlock()
		if ready {
			return nil
		}
		if err := sleep(ctx, changed, next); err != nil {
			return err
		}
	}
}

func (e *entry) leasedUntil() time.Time {
	if e.lease == nil {
		return time.Time{}
	}
	return e.lease.until
}

// sleep waits for a change, a moment (zero for none) or the end of ctx.
func sleep(ctx context.Context, changed <-chan struct{}, until time.Time) error {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
