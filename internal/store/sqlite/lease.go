package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Lease hands out ready entries by rank. It writes nothing but what is rare: news that are not spread yet, entries whose
// time has come, and entries whose lease has run out.
func (s *Store) Lease(ctx context.Context, name string, most int, ttl time.Duration) (out []lockstep.Delivery, err error) {
	f, err := s.flow(name)
	if err != nil || most <= 0 {
		return nil, err
	}
	var rows []*row
	err = s.change(ctx, func(t *tx) error {
		if err := t.spread(page); err != nil {
			return err
		}
		if err := t.promote(f, max(1000, 4*most)); err != nil {
			return err
		}
		ids, err := t.heads(f, most)
		if err != nil || len(ids) == 0 {
			return err
		}
		rows, err = t.lease(f, ids, ttl)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.deliveries(context.WithoutCancel(ctx), rows)
}

// deliveries are leased rows as they are handed out. Their images are decoded here and not by the writer, who is what
// everybody waits for: that took a sixth of its time.
func (s *Store) deliveries(ctx context.Context, rows []*row) ([]lockstep.Delivery, error) {
	out := make([]lockstep.Delivery, len(rows))
	var dec value.Decoder
	for i, r := range rows {
		var err error
		if out[i], err = s.delivery(r, &dec); err != nil {
			leased := make([]lockstep.Outcome, len(rows))
			for i, r := range rows {
				leased[i].Delivery = lockstep.Delivery{ID: r.id, Generation: r.generation}
			}
			s.giveBack(ctx, leased)
			return nil, err
		}
	}
	return out, nil
}

// promote makes delayed entries whose time has come ready, a bounded number at a time.
func (t *tx) promote(f *flow, most int) error {
	if f.due.IsZero() || f.due.After(t.now) {
		return nil
	}
	var ids []int64
	moved := map[int64]int64{}
	err := t.query("SELECT id, state FROM entry_rows WHERE flow_id = ? AND not_before <= ? ORDER BY not_before LIMIT ?",
		[]any{f.id, t.now.UnixMicro(), most}, func(v cells) error {
			ids = append(ids, v.number(0))
			moved[v.number(1)]++
			return nil
		})
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		if err := t.free(ids); err != nil {
			return err
		}
		for state, n := range moved {
			t.count(f, state, -n)
			t.count(f, ready, n)
		}
	}
	next, err := t.one("SELECT MIN(not_before) FROM entry_rows WHERE flow_id = ? AND not_before IS NOT NULL", f.id)
	if err != nil {
		return err
	}
	was, due := f.due, time.Time{}
	if next != 0 {
		due = moment(next)
	}
	t.set(func() { f.due = due }, func() { f.due = was })
	return nil
}

// free makes entries ready.
func (t *tx) free(ids []int64) error {
	for _, id := range ids {
		t.changed(id)
	}
	_, err := t.exec(`UPDATE entry_rows SET state = 0, not_before = NULL, for_flow = NULL, for_key = NULL
		WHERE id IN (SELECT value FROM json_each(?))`, idList(ids))
	return err
}

// heads are the IDs of the entries to lease. The rank of an entry is its age plus a handicap by priority, so the heads
// of the three priorities, each by age, are merged; the index alone answers.
func (t *tx) heads(f *flow, most int) ([]int64, error) {
	type head struct{ id, rank int64 }
	var all []head
	for p := lockstep.High; p <= lockstep.Low; p++ {
		err := t.query("SELECT id, captured FROM entry_rows WHERE flow_id = ? AND priority = ? AND state = 0 ORDER BY captured, id LIMIT ?",
			[]any{f.id, int64(p), most + len(f.leased)}, func(v cells) error {
				id := v.number(0)
				if l := t.s.leases[id]; l == nil || !l.until.After(t.now) {
					all = append(all, head{id, v.number(1) + p.Handicap().Microseconds()})
				}
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b head) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id, b.id)) })
	ids := make([]int64, min(most, len(all)))
	for i := range ids {
		ids[i] = all[i].id
	}
	return ids, nil
}

// lease grants leases of the entries and gives their rows, in their order.
func (t *tx) lease(f *flow, ids []int64, ttl time.Duration) ([]*row, error) {
	rows, err := t.rowsByID(ids, ", image, prior")
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*row, len(rows))
	for _, r := range rows {
		byID[r.id] = r
	}
	for i, id := range ids {
		r := byID[id]
		if old := t.s.leases[id]; old != nil { // its time has passed: the outcome is unknown, its holder is fenced off (law 5)
			if old.generation == r.generation {
				if line, says, err := t.brings(r); err != nil {
					return nil, err
				} else if says {
					if _, err := t.perhaps(r, line); err != nil {
						return nil, err
					}
				}
			}
			r.generation++
			r.triedAt = old.until
			if _, err := t.exec("UPDATE entry_rows SET generation = ?, tried_at = ? WHERE id = ?", r.generation, micros(r.triedAt), id); err != nil {
				return nil, err
			}
		}
		rows[i] = r
		kept := *r
		kept.image = arg{}
		t.grant(&lease{flow: f, entry: id, generation: r.generation, at: t.now, until: t.now.Add(ttl), coalesced: r.coalesced, row: &kept})
		t.touch(f, r.key)
	}
	t.wake(f) // a later lease may end sooner than what is waited for
	return rows, nil
}

func (t *tx) grant(l *lease) {
	old := t.s.leases[l.entry]
	t.set(func() { t.s.leases[l.entry], l.flow.leased[l.entry] = l, l }, func() {
		if old == nil {
			delete(t.s.leases, l.entry)
			delete(l.flow.leased, l.entry)
			return
		}
		t.s.leases[l.entry], l.flow.leased[l.entry] = old, old
	})
}

// drop forgets a lease.
func (t *tx) drop(l *lease) {
	t.set(func() { delete(t.s.leases, l.entry); delete(l.flow.leased, l.entry) },
		func() { t.s.leases[l.entry], l.flow.leased[l.entry] = l, l })
}

// Wait returns when the flow may have something to lease. It asks memory only.
func (s *Store) Wait(ctx context.Context, name string) error {
	for {
		if err := s.alive(ctx); err != nil {
			return err
		}
		f, err := s.flow(name)
		if err != nil {
			return err
		}
		ready, next, changed := s.outlook(f, time.Now())
		if ready {
			return nil
		}
		if err := s.sleep(ctx, changed, next); err != nil {
			return err
		}
	}
}

// outlook tells whether the flow has something to lease, and else when that may be; zero is not known.
func (s *Store) outlook(f *flow, now time.Time) (isReady bool, next time.Time, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := f.counts[ready]
	next = f.due
	for _, l := range f.leased {
		if l.until.After(now) && l.in == ready {
			free--
		}
		if l.until.After(now) && (next.IsZero() || l.until.Before(next)) {
			next = l.until
		}
	}
	due := !f.due.IsZero() && !f.due.After(now)
	return free > 0 || due || s.untold, next, f.changed
}

// sleep waits for a change, a moment, or an end.
func (s *Store) sleep(ctx context.Context, changed <-chan struct{}, until time.Time) error {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(max(time.Until(until), 0))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return closed()
	case <-s.died:
		return errDead
	}
	return nil
}
