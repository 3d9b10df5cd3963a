package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Settle closes leases, saves links and writes the timeline. Links go first, so that a Wait sees those of its own call.
func (s *Store) Settle(ctx context.Context, outcomes ...lockstep.Outcome) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	type held struct {
		f *flow
		e *entry
		o *lockstep.Outcome
	}
	var valid []held
	closing := map[*entry]bool{}
	for i := range outcomes {
		o := &outcomes[i]
		if o.Delivery.Operation != nil {
			e := s.operationOf(o)
			if e == nil || closing[e] {
				continue
			}
			closing[e] = true
			if o.Verdict == lockstep.Accept {
				e.still(time.Now(), o)
				continue
			}
			f := s.flows[e.Flow]
			s.saveLinks(f, o.Link, o.Unlink)
			valid = append(valid, held{f, e, o})
			continue
		}
		e := s.byID[o.Delivery.ID]
		if e == nil || e.lease == nil || e.lease.generation != o.Delivery.Generation || closing[e] {
			continue // the lease has gone to another, or an outcome before this one closes it
		}
		closing[e] = true
		f := s.flows[e.Flow]
		s.saveLinks(f, o.Link, o.Unlink)
		valid = append(valid, held{f, e, o})
	}
	for _, h := range valid {
		s.close(h.f, h.e, h.o)
	}
	for _, h := range valid {
		if h.o.Link != nil {
			s.appeared(h.f, h.o.Link)
		}
	}
	for _, h := range valid {
		if h.o.Refs != nil {
			s.saveRefs(h.f, h.o.Delivery.Change.Record.Key, h.o.Refs, h.o.Since, h.o.Verdict == lockstep.Accept)
		}
		if h.o.News != 0 {
			asker := h.e.ID
			if h.o.Verdict == lockstep.Done {
				asker = 0
			}
			s.news(h.f, h.o.Delivery.Change.Record.Key, h.o.News, asker)
		}
		if face := s.face(h.f); h.o.Hint != "" && face != nil {
			s.take(face, hintOf(h.o.Hint), hinted)
		}
	}
	s.wake()
	return nil
}

// close ends the entry's lease with its outcome.
func (s *Store) close(f *flow, e *entry, o *lockstep.Outcome) {
	now, l := time.Now(), e.lease
	if o.Delivery.Operation != nil {
		l = e.op.lease()
		e.ends()
		if o.Verdict == lockstep.Done {
			e.did(lockstep.Event{At: now, Did: "confirmed"})
		}
		e.did(step(now, o))
	} else {
		e.lease = nil
		if o.Verdict == lockstep.Accept && e.op != nil { // nobody can ask about two
			again := *o
			again.Verdict, again.Tried, again.Operation = lockstep.Retry, true, nil
			o = &again
		}
		e.did(lockstep.Event{At: l.at, Did: "sent"}, step(now, o))
	}
	s.touch(f, e.Change.Record.Key)
	f.lastSettled = now
	newer := e.Generation > l.generation
	if o.Verdict == lockstep.Accept {
		e.accept(o, l)
		return
	}
	if !o.Tried { // nothing of it was sent
		e.Prior = slices.Clone(e.Prior)
		for i := range l.doubts {
			e.Prior = slices.DeleteFunc(e.Prior, like(&l.doubts[i]))
		}
	}
	if o.Tried { // law 5
		e.Tried, e.TriedAt = true, now
		if o.Delivery.Operation == nil || !newer { // else it was told when it was overtaken
			s.perhaps(f, e, o.Delivery.Change)
		}
	}
	switch {
	case o.Verdict == lockstep.Done && !newer:
		s.settled(f, e)
		s.remove(f, e)
	case o.Verdict == lockstep.Done:
		s.settledOlder(f, e, l)
		if !o.Tried { // nothing of the newer generation was tried yet
			e.Tried, e.TriedAt = false, time.Time{}
		}
		e.Prior = nil
		if s.face(f) == nil && (e.Change.Hint || e.Change.Op == lockstep.Delete) { // the image was of what is settled now
			e.Change.Record.Fields = value.Fields{}
		}
	case !newer:
		s.judge(e, o)
	}
}

// face is the flow face to face with f, nil for none.
func (s *Store) face(f *flow) *flow {
	for _, other := range s.flows {
		if other.attached && other.Set == f.Set && other.Side != f.Side {
			return other
		}
	}
	return nil
}

// clash is the last conflict of the entry's story.
func (e *entry) clash() *lockstep.Clash {
	for _, ev := range slices.Backward(e.steps) {
		if ev.Clash != nil {
			return ev.Clash
		}
	}
	return nil
}

// most is how many steps an entry keeps: its story must not grow while it is tried again and again.
const most = 60

// did adds to the entry's story.
func (e *entry) did(steps ...lockstep.Event) {
	e.steps = append(e.steps, steps...)
	e.steps = e.steps[max(0, len(e.steps)-most):]
}

// judge puts an entry that stays where its verdict says.
func (s *Store) judge(e *entry, o *lockstep.Outcome) {
	e.Fault = o.Fault
	if o.Attempt {
		e.Attempts++
	}
	e.State, e.NotBefore, e.For = lockstep.Ready, time.Time{}, nil
	switch {
	case o.For != nil && o.Verdict != lockstep.Retry && s.there(*o.For): // it came meanwhile
	case o.Verdict == lockstep.Park:
		e.State, e.For = lockstep.Parked, o.For
	case o.Verdict == lockstep.Wait && o.For != nil:
		e.State, e.NotBefore, e.For = lockstep.Waits, o.RetryAt, o.For
	case o.Verdict != lockstep.Done && !o.RetryAt.IsZero():
		e.State, e.NotBefore = lockstep.Delayed, o.RetryAt
	}
}

func (s *Store) remove(f *flow, e *entry) {
	delete(f.open, e.Change.Record.Key)
	delete(s.byID, e.ID)
}

// there tells whether the record that is waited for has a link.
func (s *Store) there(r lockstep.Ref) bool {
	f := s.flows[r.Flow]
	return f != nil && s.set(f.Set).get(f.Side, r.Key) != nil
}

// appeared makes ready what waits for the link, in whatever flow, and has those looked at that were sent without it.
func (s *Store) appeared(f *flow, l *lockstep.Link) {
	for _, of := range s.flows {
		if of.Set == cmp.Or(l.Set, f.Set) {
			s.news(of, l.End(of.Side).Key, lockstep.Pending, 0)
		}
	}
	for _, e := range s.byID {
		if e.For == nil {
			continue
		}
		of := s.flows[e.For.Flow]
		if of != nil && of.Set == cmp.Or(l.Set, f.Set) && l.End(of.Side).Key == e.For.Key {
			e.State, e.NotBefore, e.For = lockstep.Ready, time.Time{}, nil
		}
	}
}

var verdicts = [...]string{lockstep.Done: "done", lockstep.Retry: "retry", lockstep.Wait: "waiting", lockstep.Park: "parked", lockstep.Accept: "accepted"}

// step is an outcome as a line of the story.
func step(now time.Time, o *lockstep.Outcome) lockstep.Event {
	ev := lockstep.Event{At: now, Did: verdicts[o.Verdict], Fault: o.Fault, Run: o.Run, Clash: o.Clash}
	if o.Verdict == lockstep.Done {
		ev.Did, ev.Note = cmp.Or(o.Did, ev.Did), o.Note
	} else {
		ev.Note = cmp.Or(o.Note, o.Did)
	}
	if o.Operation != nil {
		ev.Note = o.Operation.Receipt
	}
	if o.For != nil {
		ev.Note = "for " + string(o.For.Key) + " of flow " + o.For.Flow
	}
	return ev
}
