package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// reference is what a record was made with, and the entry whose news had it looked at last.
type reference struct {
	use   lockstep.Use
	asked int64
}

// telling is news of a record that have not reached all that refer to it.
type telling struct {
	use   lockstep.Use
	asker int64
	after lockstep.Ref
}

// saveRefs replaces what a record was made with; more adds to it.
func (s *Store) saveRefs(f *flow, key lockstep.Key, to []lockstep.Reference, since lockstep.Seq, more bool) {
	now, had := map[lockstep.Ref]reference{}, f.refs[key]
	for _, r := range to {
		if s.flows[r.Flow] != nil {
			one := now[r.Ref]
			one.use |= r.Use
			now[r.Ref] = one
		}
	}
	if more {
		for ref, old := range had {
			one := now[ref]
			one.use |= old.use
			now[ref] = one
		}
	}
	came := false
	for ref, r := range now {
		if old, was := had[ref]; was && old.use == r.use {
			now[ref] = old
		}
		came = came || r.use&lockstep.Pending != 0 && s.there(ref)
		came = came || r.use&^had[ref].use&lockstep.Built != 0 && since != 0 && s.flows[ref.Flow].changed[ref.Key] > since
	}
	f.refs[key] = now
	if came { // since it was read, or mapped: nobody else will tell
		s.take(f, hintOf(key), referred)
	}
}

// news remembers that those who refer to a record in some way are to look.
func (s *Store) news(f *flow, key lockstep.Key, use lockstep.Use, asker int64) {
	to := lockstep.Ref{Flow: f.Name, Key: key}
	if use&lockstep.Built != 0 {
		s.seq++
		f.changed[key] = s.seq
	}
	for _, of := range s.flows {
		for _, refs := range of.refs {
			if refs[to].use&use == 0 {
				continue
			}
			was := s.untold[to]
			s.untold[to] = telling{use: was.use | use, asker: max(was.asker, asker)}
			return
		}
	}
}

// page is how many of those who refer are told at a time.
const page = 1000

// spread takes news to those who refer to their records.
func (s *Store) spread() {
	most := page
	for _, to := range sortedRefs(s.untold) {
		if most <= 0 {
			return
		}
		t := s.untold[to]
		all := s.referring(to, t.use)
		all = slices.DeleteFunc(all, func(r lockstep.Ref) bool { return compareRefs(r, t.after) <= 0 })
		n := min(most, len(all))
		for _, from := range all[:n] {
			s.tell(to, from, t)
		}
		if most -= max(1, n); n < len(all) {
			t.after = all[n-1]
			s.untold[to] = t
			return
		}
		delete(s.untold, to)
	}
}

// tell has one record looked at that refers to another.
func (s *Store) tell(to, from lockstep.Ref, t telling) {
	f := s.flows[from.Flow]
	if t.asker != 0 {
		r := f.refs[from.Key][to]
		r.asked = t.asker
		f.refs[from.Key][to] = r
	}
	switch {
	case !f.attached:
		if !f.missed { // law 1
			f.missed = true
			s.due(f.Name, "the flow was left out while records changed that its own were made with: a full sync is due")
		}
	default:
		e := s.take(f, hintOf(from.Key), referred)
		e.did(lockstep.Event{At: time.Now(), Did: hinted, Note: "refers to " + string(to.Key) + " of flow " + to.Flow})
	}
}

// referring are those who refer to a record in one of these ways, in their order.
func (s *Store) referring(to lockstep.Ref, use lockstep.Use) []lockstep.Ref {
	out := map[lockstep.Ref]bool{}
	for name, f := range s.flows {
		for key, refs := range f.refs {
			at := lockstep.Ref{Flow: name, Key: key}
			if how := refs[to].use & use; how != 0 && (at != to || how&lockstep.Pending != 0) { // its own news are none, but for its link
				out[at] = true
			}
		}
	}
	return sortedRefs(out)
}

func sortedRefs[T any](m map[lockstep.Ref]T) []lockstep.Ref {
	out := make([]lockstep.Ref, 0, len(m))
	for r := range m {
		out = append(out, r)
	}
	slices.SortFunc(out, compareRefs)
	return out
}

func compareRefs(a, b lockstep.Ref) int {
	return cmp.Or(cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.Key, b.Key))
}

// Refers is what a record was made with.
func (s *Store) Refers(ctx context.Context, name string, key lockstep.Key) ([]lockstep.Reference, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []lockstep.Reference
	for _, to := range sortedRefs(f.refs[key]) {
		out = append(out, lockstep.Reference{Ref: to, Use: f.refs[key][to].use})
	}
	return out, nil
}

// Referrers finds those who refer to keys.
func (s *Store) Referrers(ctx context.Context, name string, queries []lockstep.ReferrerQuery) ([][]lockstep.Referrer, error) {
	if _, err := s.enterFlow(ctx, name); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	out := make([][]lockstep.Referrer, len(queries))
	for i, q := range queries {
		to := lockstep.Ref{Flow: name, Key: q.Key}
		for _, from := range s.referring(to, q.For) {
			f := s.flows[from.Flow]
			ref, e := f.refs[from.Key][to], f.open[from.Key]
			r := lockstep.Referrer{Reference: lockstep.Reference{Ref: from, Use: ref.use}, Asked: ref.asked}
			if e != nil {
				r.Entry, r.State = e.ID, e.state(now)
				if e.Fault != nil {
					r.Code = e.Fault.Code
				}
			}
			busy := q.Busy == 0 || ref.asked != q.Busy || e != nil && e.State != lockstep.Parked
			if busy && from != to && len(out[i]) < q.Max {
				out[i] = append(out[i], r)
			}
		}
	}
	return out, nil
}

// Open are the open entries of keys, without images.
func (s *Store) Open(ctx context.Context, name string, keys []lockstep.Key) ([]*lockstep.Entry, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	out := make([]*lockstep.Entry, len(keys))
	for i, key := range keys {
		if e := f.open[key]; e != nil {
			shown := e.shown(now)
			shown.Change.Record.Fields, shown.Prior = lockstep.Record{}.Fields, nil
			out[i] = &shown
		}
	}
	return out, nil
}
