package sqlite

import (
	"cmp"
	"context"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// Settle closes leases, saves links and writes the timeline, in one transaction. Links go first, so that a Wait sees
// those of its own call; what waits for them is freed last.
func (s *Store) Settle(ctx context.Context, outcomes ...lockstep.Outcome) error {
	if len(outcomes) == 0 {
		return ctx.Err()
	}
	err := s.change(ctx, func(t *tx) error {
		var closing []closure
		ended := map[int64]bool{}
		for i := range outcomes {
			o := &outcomes[i]
			if o.Delivery.Operation != nil {
				if ended[o.Delivery.ID] {
					continue
				}
				ended[o.Delivery.ID] = true
				c, err := t.ending(o)
				if err != nil {
					return err
				}
				if c != nil {
					closing = append(closing, *c)
				}
				continue
			}
			l := s.leases[o.Delivery.ID]
			if l == nil || l.generation != o.Delivery.Generation {
				continue // the lease has gone to another
			}
			t.drop(l)
			closing = append(closing, closure{lease: l, o: o})
		}
		return t.settle(closing)
	})
	if err != nil {
		s.giveBack(context.WithoutCancel(ctx), outcomes)
	}
	return err
}

// giveBack ends the leases of outcomes that could not be settled, a full disk say: the entries are handed out again
// once that is over, as tried (law 5), and nobody has to wait until the leases run out. It writes nothing.
func (s *Store) giveBack(ctx context.Context, outcomes []lockstep.Outcome) {
	_ = s.change(ctx, func(t *tx) error { // a store that is closed has no leases any more
		for i := range outcomes {
			l := s.leases[outcomes[i].Delivery.ID]
			if l == nil || l.generation != outcomes[i].Delivery.Generation {
				continue
			}
			until := l.until
			t.set(func() { l.until = t.now }, func() { l.until = until })
			t.wake(l.flow)
		}
		return nil
	})
}

// closure is a lease, or an operation, with the outcome that closes it.
type closure struct {
	*lease
	o  *lockstep.Outcome
	op bool
}

func (t *tx) settle(closing []closure) error {
	byFlow, hints := map[*flow]*linkWork{}, map[*flow][]lockstep.Change{}
	type read struct {
		*flow
		since lockstep.Seq
		more  bool
	}
	more := map[lockstep.Key]bool{}
	refs := map[read][]lockstep.Refers{}
	for _, c := range closing {
		w := byFlow[c.flow]
		if w == nil {
			w = &linkWork{}
			byFlow[c.flow] = w
		}
		if c.o.Refs != nil {
			at := read{c.flow, c.o.Since, c.o.Verdict == lockstep.Accept}
			if at.more {
				more[c.o.Delivery.Change.Record.Key] = true
			}
			refs[at] = append(refs[at], lockstep.Refers{Key: c.o.Delivery.Change.Record.Key, To: c.o.Refs})
		}
		w.add(c.o.Link, c.o.Unlink)
		if c.o.Hint != "" {
			hints[c.flow] = append(hints[c.flow], hintOf(c.o.Hint))
		}
	}
	for f, w := range byFlow {
		if err := t.saveLinks(f, w); err != nil {
			return err
		}
	}
	rows, err := t.rowsOf(closing)
	if err != nil {
		return err
	}
	if err := t.close(closing, rows); err != nil {
		return err
	}
	for f, w := range byFlow {
		if err := t.appeared(f, w.save); err != nil {
			return err
		}
		if err := t.settledNow(f); err != nil {
			return err
		}
		t.wake(f)
	}
	for at, all := range refs {
		of := more
		if !at.more {
			of = nil
		}
		if err := t.saveRefs(at.flow, all, at.since, of); err != nil {
			return err
		}
	}
	for _, c := range closing {
		if c.o.News == 0 {
			continue
		}
		asker := c.entry
		if c.o.Verdict == lockstep.Done {
			asker = 0
		}
		if err := t.news(c.flow, []lockstep.Key{c.o.Delivery.Change.Record.Key}, c.o.News, asker); err != nil {
			return err
		}
	}
	for f, changes := range hints {
		if face := t.s.face(f); face != nil {
			if err := t.take(face, changes, make([]arg, len(changes)), hinted); err != nil {
				return err
			}
		}
	}
	return nil
}

// close gives each entry its outcome.
func (t *tx) close(closing []closure, rows map[int64]*row) error {
	var stay, gone []*row
	var story []told
	for _, c := range closing {
		r := rows[c.entry]
		if r == nil {
			continue
		}
		t.touch(r.flow, r.key)
		other := otherKey(r.flow, c.o.Link)
		sent := []lockstep.Event{{At: c.at, Did: "sent", Other: other}}
		if c.op {
			if sent = nil; c.o.Verdict == lockstep.Done {
				sent = []lockstep.Event{{At: t.now, Did: "confirmed", Other: other}}
			}
			if err := t.end(r); err != nil {
				return err
			}
		} else if c.o.Verdict == lockstep.Accept && r.state == confirming { // nobody can ask about two
			again := *c.o
			again.Verdict, again.Tried, again.Operation = lockstep.Retry, true, nil
			c.o = &again
		}
		end := step(t.now, c.o)
		end.Other = other
		sent = append(sent, end)
		newer := r.generation > c.generation
		switch {
		case c.o.Verdict == lockstep.Accept:
			r.did(sent...)
			if err := t.accept(r, c.lease, c.o); err != nil {
				return err
			}
			r.confirms(c.generation)
			stay = append(stay, r)
			continue
		case c.o.Verdict == lockstep.Done && !newer:
			gone = append(gone, r)
			story = append(story, told{r, r.story(sent...)})
		case c.o.Verdict == lockstep.Done:
			story = append(story, told{r, t.split(r, c.lease, sent...)})
			r.epoch, r.triedAt = t.s.epoch, time.Time{} // nothing of the newer generation was tried yet
			if err := t.unknow(r); err != nil {
				return err
			}
			stay = append(stay, r)
		default:
			r.did(sent...)
			stay = append(stay, r)
			if !newer {
				if err := t.judge(r, c.o); err != nil {
					return err
				}
			}
		}
		if err := t.doubts(r, c); err != nil {
			return err
		}
	}
	if err := t.tell(story); err != nil {
		return err
	}
	if err := t.remove(gone); err != nil {
		return err
	}
	return t.save(stay)
}

// unknow forgets what told of tries of a generation that is settled now: in a pair what was overtaken, else the image
// that a delete or a hint found in the entry.
func (t *tx) unknow(r *row) (err error) {
	switch {
	case t.s.face(r.flow) != nil:
		err = t.setPrior(r, nil)
	case r.hint || r.op == lockstep.Delete:
		_, err = t.exec("UPDATE entry_rows SET image = NULL, prior = NULL WHERE id = ?", r.id)
	default:
		_, err = t.exec("UPDATE entry_rows SET prior = NULL WHERE id = ? AND prior IS NOT NULL", r.id)
	}
	return err
}

// doubts keeps what an outcome leaves unknown (law 5).
func (t *tx) doubts(r *row, c closure) error {
	if c.o.Verdict != lockstep.Done && !c.o.Tried && len(c.doubts) > 0 {
		return t.nothingSent(r, c.doubts)
	}
	if !c.o.Tried {
		return nil
	}
	r.triedAt = t.now
	if c.op && r.generation > c.generation { // it was told when it was overtaken
		return nil
	}
	if line, says := priorLine(&c.o.Delivery.Change); says && c.o.Verdict != lockstep.Done {
		_, err := t.perhaps(r, line)
		return err
	}
	return nil
}

// judge puts an entry that stays where its verdict says.
func (t *tx) judge(r *row, o *lockstep.Outcome) error {
	r.fault, r.unread = encodeFault(o.Fault), false
	if o.Attempt {
		r.attempts++
	}
	r.state, r.notBefore, r.wants = ready, time.Time{}, nil
	switch {
	case (o.Verdict == lockstep.Park || o.Verdict == lockstep.Wait) && o.For != nil:
		there, err := t.there(*o.For)
		if err != nil {
			return err
		}
		switch {
		case there:
		case o.Verdict == lockstep.Park:
			r.state, r.wants = parked, o.For
		default:
			r.state, r.notBefore, r.wants = waiting, o.RetryAt, o.For
		}
	case o.Verdict == lockstep.Park:
		r.state = parked
	case o.Verdict != lockstep.Done && !o.RetryAt.IsZero():
		r.state, r.notBefore = delayed, o.RetryAt
	}
	return nil
}

// there tells whether the record that is waited for has a link.
func (t *tx) there(ref lockstep.Ref) (bool, error) {
	f := t.s.flows[ref.Flow]
	if f == nil {
		return false, nil
	}
	links, err := t.links(f.set, f.Side, []lockstep.Key{ref.Key})
	return err == nil && links[0].ID != 0, err
}

// appeared makes ready what waits for the links, in whatever flow, and has those looked at that were sent without them.
func (t *tx) appeared(by *flow, links []*lockstep.Link) error {
	if len(links) == 0 {
		return nil
	}
	awaited := t.s.waits > 0
	for _, f := range t.s.flows {
		awaited = awaited || f.referred || f.counts[parked] > 0
	}
	if !awaited {
		return nil
	}
	for _, f := range t.s.flows {
		var keys []lockstep.Key
		for _, l := range links {
			if cmp.Or(l.Set, by.Set) == f.Set {
				keys = append(keys, l.End(f.Side).Key)
			}
		}
		if len(keys) == 0 {
			continue
		}
		var ids []int64
		err := t.query("SELECT id, flow_id, state FROM entry_rows WHERE for_flow = ? AND for_key IN (SELECT value FROM json_each(?))",
			[]any{f.Name, keyList(keys)}, func(v cells) error {
				ids = append(ids, v.number(0))
				waits := t.s.byID[v.number(1)]
				t.count(waits, v.number(2), -1)
				t.count(waits, ready, 1)
				t.wake(waits)
				return nil
			})
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			if err := t.free(ids); err != nil {
				return err
			}
		}
		if err := t.news(f, keys, lockstep.Pending, 0); err != nil {
			return err
		}
	}
	return nil
}

// settledNow notes that the flow has settled something.
func (t *tx) settledNow(f *flow) error {
	was, now := f.settled, t.now.UTC()
	t.set(func() { f.settled = now }, func() { f.settled = was })
	_, err := t.exec("UPDATE flow_rows SET settled = ? WHERE id = ?", micros(now), f.id)
	return err
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

// otherKey is the target's key where it differs.
func otherKey(f *flow, l *lockstep.Link) lockstep.Key {
	if l == nil || l.A.Key == l.B.Key {
		return ""
	}
	return l.End(f.Side.Other()).Key
}
