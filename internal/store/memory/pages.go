package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

type run struct {
	lockstep.Run
	inFlight []lockstep.InFlight
	begun    int // how many of them by the page that was begun last
	seen     map[int64][]byte
}

// StartRun remembers a new run and gives it an ID.
func (s *Store) StartRun(ctx context.Context, r lockstep.Run) (lockstep.Run, error) {
	if err := s.enter(ctx); err != nil {
		return r, err
	}
	defer s.mu.Unlock()
	s.lastRun++
	r.ID = s.lastRun
	if r.Started.IsZero() {
		r.Started = time.Now()
	}
	r.State = cmp.Or(r.State, lockstep.Running)
	s.runs[r.ID] = &run{Run: kept(r), seen: map[int64][]byte{}}
	return r, nil
}

// kept is r as a store keeps it: nothing of it is shared.
func kept(r lockstep.Run) lockstep.Run {
	r.Place = slices.Clone(r.Place)
	return r
}

// SaveRun saves where the run stands.
func (s *Store) SaveRun(ctx context.Context, r lockstep.Run) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.saveRun(r)
}

func (s *Store) saveRun(r lockstep.Run) error {
	old := s.runs[r.ID]
	if old == nil {
		return lockstep.Faultf(lockstep.CodeInvariant, "there is no run %d", r.ID)
	}
	old.Run = kept(r)
	return nil
}

// Runs lists runs, the newest first.
func (s *Store) Runs(ctx context.Context, q lockstep.RunQuery) ([]lockstep.Run, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []lockstep.Run
	for _, no := range slices.Backward(slices.Sorted(maps.Keys(s.runs))) {
		r := s.runs[no].Run
		if (q.Flow == "" || r.Flow == q.Flow) && (q.ID == 0 || r.ID == q.ID) && (q.Kind == "" || r.Kind == q.Kind) &&
			len(out) < cmp.Or(q.Max, 100) {
			out = append(out, kept(r))
		}
	}
	return out, nil
}

// DeleteRuns forgets ended runs older than before.
func (s *Store) DeleteRuns(ctx context.Context, before time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	maps.DeleteFunc(s.runs, func(_ int64, r *run) bool {
		return r.State != lockstep.Running && r.Kind != lockstep.SchemaRun && r.Ended.Before(before)
	})
	return nil
}

// Mark is the moment before a page is read.
func (s *Store) Mark(ctx context.Context) (lockstep.Seq, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.seq, nil
}

// BeginPage says which of the page's records to send, and saves their keys as in flight.
func (s *Store) BeginPage(ctx context.Context, id int64, name string, since lockstep.Seq, writes []lockstep.PageWrite) ([]bool, error) {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	r := s.runs[id]
	if r == nil {
		return nil, lockstep.Faultf(lockstep.CodeInvariant, "there is no run %d", id)
	}
	send, before := make([]bool, len(writes)), len(r.inFlight)
	for i, w := range writes {
		key := w.Change.Record.Key
		switch {
		case f.touched[key] > since:
			s.take(f, hintAt(w.Change, f.open[key] != nil), hinted)
		case f.open[key] != nil:
			s.take(f, w.Change, paged)
		default:
			send[i] = true
			in := lockstep.InFlight{Key: key, Target: w.Target, Digest: w.Digest} // law 5
			if w.Target == "" {
				in.Image = w.Change.Record.Fields
			}
			r.inFlight = append(r.inFlight, in)
			s.touch(f, key)
		}
	}
	if n := len(r.inFlight); n > before {
		r.begun = n - before
	}
	s.wake()
	return send, nil
}

// SettlePage saves what a page of a full run came to.
func (s *Store) SettlePage(ctx context.Context, name string, end lockstep.PageEnd) error {
	f, err := s.enterFlow(ctx, name)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.saveRun(end.Run); err != nil {
		return err
	}
	r := s.runs[end.Run.ID]
	if end.Ahead {
		r.inFlight = slices.Clone(r.inFlight[len(r.inFlight)-r.begun:])
	} else {
		r.inFlight, r.begun = nil, 0
	}
	for _, c := range end.Seen {
		r.seen[c.No] = slices.Clone(c.Bits)
	}
	for i := range end.Unlink {
		s.saveLinks(f, nil, &end.Unlink[i])
		s.touch(f, end.Unlink[i].End(f.Side).Key)
	}
	for i := range end.Links {
		s.saveLinks(f, &end.Links[i], nil)
		s.touch(f, end.Links[i].End(f.Side).Key)
	}
	for i := range end.Failed {
		s.saveLinks(f, end.Failed[i].Link, end.Failed[i].Unlink)
	}
	for i := range end.Failed {
		s.fail(f, &end.Failed[i])
	}
	for _, c := range end.Queue {
		if f.open[c.Record.Key] != nil && c.Fault == nil { // it knows something newer than the scan: look (law 6)
			c = hintOf(c.Record.Key)
		}
		s.take(f, c, paged)
	}
	for i := range end.Links {
		s.appeared(f, &end.Links[i])
	}
	for i := range end.Failed {
		if l := end.Failed[i].Link; l != nil {
			s.appeared(f, l)
		}
	}
	for _, r := range end.Refs {
		s.saveRefs(f, r.Key, r.To, end.Since, slices.ContainsFunc(end.Failed, func(o lockstep.Outcome) bool {
			return o.Verdict == lockstep.Accept && o.Delivery.Change.Record.Key == r.Key
		}))
	}
	for _, n := range end.News {
		s.news(f, n.Key, n.For, 0)
	}
	if len(end.Links)+len(end.Unlink) > 0 {
		f.lastSettled = time.Now()
	}
	s.wake()
	return nil
}

// fail makes an entry of a record that failed in a page. An entry that came meanwhile is newer and stays as it is.
func (s *Store) fail(f *flow, o *lockstep.Outcome) {
	if o.Verdict == lockstep.Done {
		return
	}
	now := time.Now()
	e := f.open[o.Delivery.Change.Record.Key]
	if o.Verdict == lockstep.Accept {
		s.acceptPaged(f, e, o)
		return
	}
	if e == nil {
		e = s.take(f, o.Delivery.Change, paged)
		s.judge(e, o)
	}
	if o.Tried { // law 5
		e.Tried, e.TriedAt = true, now
		s.perhaps(f, e, o.Delivery.Change)
	}
	e.did(step(now, o))
}

// acceptPaged opens an operation of a record that a page has sent. What came meanwhile is newer, and waits behind it.
func (s *Store) acceptPaged(f *flow, e *entry, o *lockstep.Outcome) {
	now := time.Now()
	sent := &lease{at: now}
	switch {
	case e == nil:
		e = s.take(f, o.Delivery.Change, paged)
		sent.generation = e.Generation
	case e.op != nil: // nobody can ask about two
		e.Tried, e.TriedAt = true, now
		s.perhaps(f, e, o.Delivery.Change)
		return
	default:
		if e.lease != nil && e.lease.generation == e.Generation { // it knows nothing of this
			e.Generation++
		}
		sent.first = e.Captured
		s.perhaps(f, e, o.Delivery.Change)
	}
	e.accept(o, sent)
	e.did(step(now, o))
}

// Resume is what an unfinished run left.
func (s *Store) Resume(ctx context.Context, id int64) ([]lockstep.InFlight, []lockstep.Chunk, error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer s.mu.Unlock()
	r := s.runs[id]
	if r == nil {
		return nil, nil, lockstep.Faultf(lockstep.CodeInvariant, "there is no run %d", id)
	}
	var seen []lockstep.Chunk
	for _, no := range slices.Sorted(maps.Keys(r.seen)) {
		seen = append(seen, lockstep.Chunk{No: no, Bits: slices.Clone(r.seen[no])})
	}
	return slices.Clone(r.inFlight), seen, nil
}
