package sqlite

import (
	"context"
	"fmt"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

var (
	insertFlight = "INSERT INTO flight_rows VALUES (?, ?)"
	// The newest row is of the page that was begun last.
	clearFlight = "DELETE FROM flight_rows WHERE run = ?1 AND NOT (?2 AND rowid = (SELECT MAX(rowid) FROM flight_rows WHERE run = ?1))"
	insertChunk = "INSERT INTO chunk_rows VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bits = excluded.bits"
)

// BeginPage says which of the page's records to send, and saves their keys as in flight.
func (s *Store) BeginPage(ctx context.Context, run int64, name string, since lockstep.Seq, writes []lockstep.PageWrite) ([]bool, error) {
	f, err := s.flow(name)
	if err != nil {
		return nil, err
	}
	send := make([]bool, len(writes))
	err = s.change(ctx, func(t *tx) error {
		if err := t.hasRun(run); err != nil {
			return err
		}
		clear(send)
		var flight []int
		for from := 0; from < len(writes); from += page {
			part := writes[from:min(from+page, len(writes))]
			sent, err := t.beginPart(f, since, part)
			if err != nil {
				return err
			}
			for _, i := range sent {
				send[from+i] = true
				flight = append(flight, from+i)
			}
		}
		if len(flight) < len(writes) {
			t.wake(f)
		}
		if len(flight) == 0 {
			return nil
		}
		_, err := t.exec(insertFlight, run, encodeFlight(writes, flight)) // law 5
		return err
	})
	return send, err
}

// encodeFlight is the records in flight as a tagged JSON object: {"in_flight": [[key, target key, image, digest], …]}, with
// an image where the target key is not known, and a digest where one is given. One value for a page, for it is written with every page and read after a
// crash only.
func encodeFlight(writes []lockstep.PageWrite, flight []int) string {
	items := make([]value.Value, len(flight))
	for i, at := range flight {
		w := &writes[at]
		parts := []value.Value{value.Text(string(w.Change.Record.Key)), value.Text(string(w.Target))}
		if w.Target == "" {
			parts = append(parts, value.Object(w.Change.Record.Fields))
		}
		if w.Digest != "" {
			parts = append(parts, value.Bytes([]byte(w.Digest)))
		}
		items[i] = value.List(parts...)
	}
	return string(value.AppendTagged(nil, value.NewNames("in_flight").Fields([]value.Value{value.List(items...)})))
}

func decodeFlight(text string) ([]lockstep.InFlight, error) {
	fields, err := new(value.Decoder).Fields(text)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeInvariant, fmt.Errorf("records in flight: %w", err))
	}
	list, _ := fields.Get("in_flight")
	out := make([]lockstep.InFlight, 0, len(list.List()))
	for _, item := range list.List() {
		parts := item.List()
		in := lockstep.InFlight{Key: lockstep.Key(parts[0].Text()), Target: lockstep.Key(parts[1].Text())}
		for _, more := range parts[2:] {
			if more.Kind() == value.KindBytes {
				in.Digest = lockstep.Digest(more.Bytes())
			} else {
				in.Image = more.Object()
			}
		}
		out = append(out, in)
	}
	return out, nil
}

// beginPart sorts a part of the page into what is sent, and what the queue takes.
func (t *tx) beginPart(f *flow, since lockstep.Seq, writes []lockstep.PageWrite) (send []int, err error) {
	keys := make([]lockstep.Key, len(writes))
	for i := range writes {
		keys[i] = writes[i].Change.Record.Key
	}
	open, err := t.rowsByKey(f, keys)
	if err != nil {
		return nil, err
	}
	var hints, images []lockstep.Change
	for i, key := range keys {
		switch {
		case t.touchedSince(f, key, since):
			hints = append(hints, hintAt(writes[i].Change, open[key] != nil))
		case open[key] != nil:
			images = append(images, writes[i].Change)
			t.touch(f, key)
		default:
			send = append(send, i)
			t.touch(f, key)
		}
	}
	if err := t.takeInto(f, open, images, encodeImages(images), paged); err != nil {
		return nil, err
	}
	return send, t.takeInto(f, open, hints, encodeImages(hints), hinted)
}

// SettlePage saves what a page of a full run came to, in one transaction.
func (s *Store) SettlePage(ctx context.Context, name string, end lockstep.PageEnd) error {
	f, err := s.flow(name)
	if err != nil {
		return err
	}
	return s.change(ctx, func(t *tx) error {
		if err := t.saveRun(end.Run); err != nil {
			return err
		}
		if _, err := t.exec(clearFlight, end.Run.ID, end.Ahead); err != nil {
			return err
		}
		for _, c := range end.Seen {
			if _, err := t.exec(insertChunk, end.Run.ID, c.No, c.Bits); err != nil {
				return err
			}
		}
		return t.settlePage(f, &end)
	})
}

func (t *tx) settlePage(f *flow, end *lockstep.PageEnd) error {
	var w linkWork
	for i := range end.Unlink {
		w.add(nil, &end.Unlink[i])
		t.touch(f, end.Unlink[i].End(f.Side).Key)
	}
	for i := range end.Links {
		w.add(&end.Links[i], nil)
		t.touch(f, end.Links[i].End(f.Side).Key)
	}
	for i := range end.Failed {
		w.add(end.Failed[i].Link, end.Failed[i].Unlink)
	}
	if err := t.saveLinks(f, &w); err != nil {
		return err
	}
	if err := t.fail(f, end.Failed); err != nil {
		return err
	}
	if err := t.queue(f, end.Queue); err != nil {
		return err
	}
	if err := t.appeared(f, w.save); err != nil {
		return err
	}
	accepted := map[lockstep.Key]bool{}
	for i := range end.Failed {
		if o := &end.Failed[i]; o.Verdict == lockstep.Accept {
			accepted[o.Delivery.Change.Record.Key] = true
		}
	}
	if err := t.saveRefs(f, end.Refs, end.Since, accepted); err != nil {
		return err
	}
	byUse := map[lockstep.Use][]lockstep.Key{}
	for _, n := range end.News {
		byUse[n.For] = append(byUse[n.For], n.Key)
	}
	for use, keys := range byUse {
		if err := t.news(f, keys, use, 0); err != nil {
			return err
		}
	}
	if len(end.Failed)+len(end.Queue) > 0 {
		t.wake(f)
	}
	if len(end.Links)+len(end.Unlink) == 0 {
		return nil
	}
	return t.settledNow(f)
}

// fail makes entries of records that failed in a page. An entry that came meanwhile is newer and stays as it is.
func (t *tx) fail(f *flow, failed []lockstep.Outcome) error {
	var changes []lockstep.Change
	var outcomes []*lockstep.Outcome
	var keys []lockstep.Key
	for i := range failed {
		if o := &failed[i]; o.Verdict != lockstep.Done {
			changes, outcomes, keys = append(changes, o.Delivery.Change), append(outcomes, o), append(keys, o.Delivery.Change.Record.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	open, err := t.rowsByKey(f, keys)
	if err != nil {
		return err
	}
	urgent, err := t.priorities(f, changes)
	if err != nil {
		return err
	}
	images := encodeImages(changes)
	rows, in, accepted, told := []*row{}, map[*row]bool{}, []closure{}, map[int]bool{}
	for i, o := range outcomes {
		r := open[keys[i]]
		if o.Verdict == lockstep.Accept {
			if told[i] = r != nil; r == nil {
				r = t.newRow(f, keys[i], paged)
				open[r.key] = r
				t.renew(r, &changes[i], images[i], urgent(i))
			}
			if r.state == confirming { // nobody can ask about two
				r.triedAt = t.now
			} else {
				accepted = append(accepted, t.acceptPaged(r, o))
				r.did(step(t.now, o))
			}
		} else if r == nil {
			r = t.newRow(f, keys[i], paged)
			open[r.key] = r
			t.renew(r, &changes[i], images[i], urgent(i))
			if err := t.judge(r, o); err != nil {
				return err
			}
			r.unread = o.Delivery.Change.Fault != nil
		}
		if o.Tried { // law 5
			r.triedAt = t.now
		}
		if o.Verdict != lockstep.Accept {
			r.did(step(t.now, o))
		}
		if !in[r] {
			in[r], rows = true, append(rows, r)
		}
	}
	if err := t.save(rows); err != nil {
		return err
	}
	for _, c := range accepted {
		if err := t.accept(open[c.o.Delivery.Change.Record.Key], c.lease, c.o); err != nil {
			return err
		}
	}
	for i, o := range outcomes {
		if line, says := priorLine(&o.Delivery.Change); says && (o.Tried || told[i]) {
			if _, err := t.perhaps(open[keys[i]], line); err != nil {
				return err
			}
		}
	}
	return nil
}

// acceptPaged puts a record that a page has sent behind its operation. What came meanwhile is newer, and waits, too.
func (t *tx) acceptPaged(r *row, o *lockstep.Outcome) closure {
	sent := &lease{at: t.now, generation: r.generation}
	if !r.fresh {
		sent.first = r.captured
		if l := t.s.leases[r.id]; l != nil { // it knows nothing of this
			if l.generation == r.generation {
				r.generation++
			}
			was := l.in
			t.set(func() { l.in = confirming }, func() { l.in = was })
		}
		sent.generation = 0
	}
	r.confirms(sent.generation)
	return closure{lease: sent, o: o}
}

// queue takes changes that go by the queue. Where a key is open, the entry knows something newer than the scan: look
// (law 6).
func (t *tx) queue(f *flow, changes []lockstep.Change) error {
	for from := 0; from < len(changes); from += page {
		part := append([]lockstep.Change(nil), changes[from:min(from+page, len(changes))]...)
		keys := make([]lockstep.Key, len(part))
		for i := range part {
			keys[i] = part[i].Record.Key
		}
		open, err := t.rowsByKey(f, keys)
		if err != nil {
			return err
		}
		seen := make(map[lockstep.Key]bool, len(part))
		for i, key := range keys {
			if part[i].Fault == nil && (open[key] != nil || seen[key]) {
				part[i] = hintOf(key)
			}
			seen[key] = true
		}
		if err := t.takeInto(f, open, part, encodeImages(part), paged); err != nil {
			return err
		}
	}
	return nil
}

// Resume is what an unfinished run left.
func (s *Store) Resume(ctx context.Context, run int64) (flight []lockstep.InFlight, seen []lockstep.Chunk, err error) {
	err = s.read(ctx, func(c *conn) error {
		if err := c.hasRun(run); err != nil {
			return err
		}
		err := c.query("SELECT records FROM flight_rows WHERE run = ? ORDER BY rowid", []any{run}, func(v cells) error {
			page, err := decodeFlight(v.text(0))
			flight = append(flight, page...)
			return err
		})
		if err != nil {
			return err
		}
		return c.query("SELECT no, bits FROM chunk_rows WHERE run = ? ORDER BY no", []any{run}, func(v cells) error {
			seen = append(seen, lockstep.Chunk{No: v.number(0), Bits: []byte(v.blob(1))})
			return nil
		})
	})
	return flight, seen, err
}
