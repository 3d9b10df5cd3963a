package sqlite

import (
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// stateOf is the entry's state as people see it: with its lease, and ready where its time has come.
func (s *Store) stateOf(r *row, now time.Time) (lockstep.EntryState, *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.leases[r.id]; l != nil && l.until.After(now) {
		return lockstep.Leased, l
	}
	if !r.notBefore.IsZero() && !r.notBefore.After(now) {
		return lockstep.Ready, nil
	}
	return stateNames[r.state], nil
}

// entry is a row as people look at it.
func (s *Store) entry(r *row, now time.Time, dec *value.Decoder) (lockstep.Entry, error) {
	d, err := s.delivery(r, dec)
	e := lockstep.Entry{Delivery: d, Priority: r.priority, NotBefore: r.notBefore, For: r.wants, Fault: decodeFault(r.fault.text),
		Coalesced: r.coalesced, Changed: r.changed}
	e.State, _ = s.stateOf(r, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.leases[r.id]; l != nil && !l.until.After(now) { // whoever gets it next is told so, too (law 5)
		e.Tried, e.TriedAt = true, l.until.UTC()
	}
	return e, err
}

// Entries lists open entries, oldest first.
func (s *Store) Entries(ctx context.Context, name string, state lockstep.EntryState, after int64, most int) (out []lockstep.Entry, err error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	where, args := "", []any{f.id, after}
	switch state {
	case lockstep.Parked:
		where = " AND state = 3"
	case lockstep.Delayed:
		where, args = " AND state = 1 AND not_before > ?", append(args, now.UnixMicro())
	case lockstep.Waits:
		where, args = " AND state = 2 AND (not_before IS NULL OR not_before > ?)", append(args, now.UnixMicro())
	case lockstep.Confirming:
		where = " AND state = 4"
	case lockstep.Ready:
		where, args = " AND (state = 0 OR not_before <= ?) AND id NOT IN (SELECT value FROM json_each(?))", append(args, now.UnixMicro(), s.leasedIDs(f, now))
	case lockstep.Leased:
		where, args = " AND id IN (SELECT value FROM json_each(?))", append(args, s.leasedIDs(f, now))
	}
	if state == lockstep.Parked || state == lockstep.Delayed || state == lockstep.Waits || state == lockstep.Confirming { // parked by its newest state, but still leased
		where, args = where+" AND id NOT IN (SELECT value FROM json_each(?))", append(args, s.leasedIDs(f, now))
	}
	err = s.read(ctx, func(c *conn) error {
		var dec value.Decoder
		return c.query("SELECT "+columns+", image, prior FROM entry_rows WHERE flow_id = ? AND id > ?"+where+" ORDER BY id LIMIT ?", append(args, most),
			func(v cells) error {
				e, err := s.entry(s.shownRow(v), now, &dec)
				if err == nil {
					err = s.operate(c, &e)
				}
				out = append(out, e)
				return err
			})
	})
	return out, err
}

// shownRow is scanRow for a reader.
func (s *Store) shownRow(v cells) *row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scanRow(v)
}

func (s *Store) leasedIDs(f *flow, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []int64
	for id, l := range f.leased {
		if l.until.After(now) {
			ids = append(ids, id)
		}
	}
	return idList(ids)
}

// Requeue makes parked, delayed and waiting entries ready, with all their attempts.
func (s *Store) Requeue(ctx context.Context, ids ...int64) (n int, err error) {
	err = s.decide(ctx, ids, func(t *tx, rows []*row) error {
		for _, r := range rows {
			if r.state == confirming {
				if err := t.giveUp(r); err != nil {
					return err
				}
				r.state = parked // not ready yet
			}
		}
		rows = slices.DeleteFunc(rows, func(r *row) bool { return r.state == ready || !r.notBefore.IsZero() && !r.notBefore.After(t.now) })
		for _, r := range rows {
			if r.unread { // what could not be read is read again
				r.hint, r.unread = true, false
			}
			r.state, r.notBefore, r.wants, r.attempts, r.fault = ready, time.Time{}, nil, 0, arg{}
			r.did(lockstep.Event{At: t.now, Did: "requeued"})
			t.wake(r.flow)
		}
		n = len(rows)
		return t.save(rows)
	})
	return n, err
}

// Discard closes entries for good. One that is leased cannot be discarded: its write may be under way.
func (s *Store) Discard(ctx context.Context, reason string, ids ...int64) (n int, err error) {
	err = s.decide(ctx, ids, func(t *tx, rows []*row) error {
		var story []told
		for _, r := range rows {
			story = append(story, told{r, r.story(lockstep.Event{At: t.now, Did: "discarded", Note: reason})})
			if l := s.leases[r.id]; l != nil {
				t.drop(l)
			}
			t.touch(r.flow, r.key)
		}
		n = len(rows)
		for _, r := range rows {
			if r.state == confirming {
				if err := t.end(r); err != nil {
					return err
				}
			}
		}
		if err := t.tell(story); err != nil {
			return err
		}
		return t.remove(rows)
	})
	return n, err
}

// decide finds the entries that are not leased and does something with them.
func (s *Store) decide(ctx context.Context, ids []int64, with func(*tx, []*row) error) error {
	return s.change(ctx, func(t *tx) error {
		free := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
			l := s.leases[id]
			return l != nil && l.until.After(t.now)
		})
		rows, err := t.rowsByID(free, "")
		if err != nil {
			return err
		}
		return with(t, rows)
	})
}

// Status is a flow at a glance. Counts come from memory; the file is asked for times.
func (s *Store) Status(ctx context.Context, name string) (st lockstep.FlowStatus, err error) {
	f, err := s.flow(name)
	if err != nil {
		return st, err
	}
	err = s.read(ctx, func(c *conn) error {
		now := time.Now()
		var feed string
		st, feed = s.counts(f, now)
		if feed != "" {
			if _, st.CapturedUpTo, err = c.checkpoint(feed); err != nil {
				return err
			}
		}
		if st.Spreading, err = c.one("SELECT COUNT(*) FROM news_rows"); err != nil {
			return err
		}
		due := st.Delayed + st.Waiting
		if due > 0 { // those whose time has come are ready
			err := c.query("SELECT state, COUNT(*) FROM entry_rows WHERE flow_id = ? AND not_before <= ? GROUP BY state", []any{f.id, now.UnixMicro()},
				func(v cells) error {
					n := v.number(1)
					st.Ready += n
					if v.number(0) == delayed {
						st.Delayed -= n
					} else {
						st.Waiting -= n
					}
					return nil
				})
			if err != nil {
				return err
			}
		}
		if st.Confirming > 0 {
			n, err := c.one("SELECT MIN(at) FROM operation_rows WHERE flow_id = ?", f.id)
			if err != nil {
				return err
			}
			if n != 0 {
				st.Accepted = moment(n)
			}
		}
		st.Oldest, err = c.oldest(f)
		return err
	})
	if err == nil && st.Ready+st.Leased+st.Confirming+st.Spreading == 0 {
		err = s.surelyIdle(ctx, f, &st)
	}
	return st, err
}

// surelyIdle looks again where there seems to be nothing to do. Memory is ahead of the file while a transaction is under
// way: a settled entry is gone from the one, and the news of it are not in the other yet. Between two changes they agree.
func (s *Store) surelyIdle(ctx context.Context, f *flow, st *lockstep.FlowStatus) error {
	return s.change(ctx, func(t *tx) error {
		now, _ := s.counts(f, time.Now())
		st.Ready, st.Leased, st.Confirming = now.Ready, now.Leased, now.Confirming
		if t.s.untold {
			st.Spreading = 1 // at least
		}
		return nil
	})
}

// counts is the part of a flow's status that memory knows, and its feed.
func (s *Store) counts(f *flow, now time.Time) (lockstep.FlowStatus, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := lockstep.FlowStatus{Ready: f.counts[ready], Delayed: f.counts[delayed], Waiting: f.counts[waiting], Parked: f.counts[parked], Confirming: f.counts[confirming],
		Links: f.set.links, LastSettled: f.settled}
	for _, l := range f.leased {
		if !l.until.After(now) {
			continue
		}
		st.Leased++
		switch l.in {
		case parked:
			st.Parked--
		case confirming:
			st.Confirming--
		default:
			st.Ready--
		}
	}
	return st, f.Feed
}

// oldest is the captured time of the oldest entry that is not parked; each part is one look into an index.
func (c *conn) oldest(f *flow) (time.Time, error) {
	least := int64(0)
	take := func(v cells) error {
		if n := v.number(0); n != 0 && (least == 0 || n < least) {
			least = n
		}
		return nil
	}
	for p := lockstep.High; p <= lockstep.Low; p++ {
		if err := c.query("SELECT MIN(captured) FROM entry_rows WHERE flow_id = ? AND priority = ? AND state = 0", []any{f.id, int64(p)}, take); err != nil {
			return time.Time{}, err
		}
	}
	if err := c.query("SELECT MIN(captured) FROM entry_rows WHERE flow_id = ? AND state = 4", []any{f.id}, take); err != nil {
		return time.Time{}, err
	}
	err := c.query("SELECT MIN(captured) FROM entry_rows WHERE flow_id = ? AND state IN (1, 2)", []any{f.id}, take)
	if err != nil || least == 0 {
		return time.Time{}, err
	}
	return moment(least), nil
}

// Story is all that is known of a source key.
func (s *Store) Story(ctx context.Context, name string, key lockstep.Key) (events []lockstep.Event, open *lockstep.Entry, link *lockstep.Link, err error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, nil, nil, err
	}
	err = s.read(ctx, func(c *conn) error {
		if events, err = s.tales(c, f, key); err != nil {
			return err
		}
		set, side, _ := s.linksOf(f)
		links, err := c.links(&set, side, []lockstep.Key{key})
		if err != nil {
			return err
		}
		if links[0].ID != 0 {
			link = &links[0]
		}
		return c.query("SELECT "+columns+", image, prior FROM entry_rows WHERE flow_id = ? AND key = ?", []any{f.id, string(key)}, func(v cells) error {
			r, now := s.shownRow(v), time.Now()
			e, err := s.entry(r, now, new(value.Decoder))
			if err == nil {
				err = s.operate(c, &e)
			}
			if err != nil {
				return err
			}
			open = &e
			own, err := s.openStory(r, now)
			events = append(events, own...)
			return err
		})
	})
	slices.SortStableFunc(events, func(a, b lockstep.Event) int { return a.At.Compare(b.At) })
	return events, open, link, err
}

// openStory is what has happened to an open entry so far.
func (s *Store) openStory(r *row, now time.Time) ([]lockstep.Event, error) {
	own, err := decodeSteps("["+r.story()+"]", r.flow.name, r.key)
	if _, l := s.stateOf(r, now); l != nil {
		own = append(own, lockstep.Event{At: l.at, Flow: r.flow.name, Key: r.key, Did: "sent"})
	}
	return own, err
}
