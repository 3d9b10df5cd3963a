package sqlite

import (
	"bytes"
	"context"
	"slices"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Checkpoint is how far the feed is captured.
func (s *Store) Checkpoint(ctx context.Context, feed string) (at lockstep.Position, upTo time.Time, err error) {
	err = s.read(ctx, func(c *conn) (err error) {
		at, upTo, err = c.checkpoint(feed)
		return err
	})
	return at, upTo, err
}

func (c *conn) checkpoint(feed string) (at lockstep.Position, upTo time.Time, err error) {
	err = c.query("SELECT position, up_to FROM feed_rows WHERE name = ?", []any{feed}, func(v cells) error {
		if !v.null(0) {
			at = lockstep.Position(v.text(0))
		}
		upTo = momentOr(v, 1)
		return nil
	})
	return at, upTo, err
}

func (t *tx) setCheckpoint(feed string, at lockstep.Position, upTo time.Time) error {
	_, err := t.exec("INSERT INTO feed_rows VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position, up_to = excluded.up_to",
		feed, orNull(string(at)), micros(upTo))
	return err
}

// Reset sets the feed's checkpoint whatever it was.
func (s *Store) Reset(ctx context.Context, feed string, to lockstep.Position, upTo time.Time) error {
	return s.change(ctx, func(t *tx) error { return t.setCheckpoint(feed, to, upTo) })
}

// Append fills the queues of the feed's flows and moves its checkpoint, in one transaction (law 1).
func (s *Store) Append(ctx context.Context, feed string, from lockstep.Position, changes []lockstep.Change, next lockstep.Position, upTo time.Time) error {
	images := encodeImages(changes) // before the writer is ours: it is the dear part, and all flows share it
	return s.change(ctx, func(t *tx) error {
		at, was, err := t.checkpoint(feed)
		if err != nil {
			return err
		}
		if !bytes.Equal(at, from) {
			return lockstep.Faultf(lockstep.CodeMovedCursor, "the checkpoint of feed %s is not where the page began", feed)
		}
		for _, f := range s.fed(feed) {
			if err := t.take(f, changes, images, captured); err != nil {
				return err
			}
		}
		if len(changes) > 0 {
			if err := t.missing(feed); err != nil {
				return err
			}
		}
		if upTo.IsZero() {
			upTo = was
		}
		return t.setCheckpoint(feed, next, upTo)
	})
}

// mostHints is how many hints are written together. A folder that moves hints at all that is below it: others must not
// wait for the writer until the last of these is in.
const mostHints = 5 * page

// Hint asks the flow to look at these keys.
func (s *Store) Hint(ctx context.Context, name string, keys []lockstep.Key) error {
	f, err := s.flow(name)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(keys, mostHints) {
		changes := make([]lockstep.Change, len(part))
		for i, key := range part {
			changes[i] = hintOf(key)
		}
		if err := s.change(ctx, func(t *tx) error { return t.take(f, changes, make([]arg, len(changes)), hinted) }); err != nil {
			return err
		}
	}
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

// Keep saves the records of leased deliveries in their entries (law 5).
func (s *Store) Keep(ctx context.Context, deliveries ...lockstep.Delivery) error {
	changes := make([]lockstep.Change, len(deliveries))
	for i := range deliveries {
		changes[i] = deliveries[i].Change
	}
	images := encodeImages(changes)
	return s.change(ctx, func(t *tx) error {
		for i := range deliveries {
			d := &deliveries[i]
			l := s.leases[d.ID]
			if l == nil || l.generation != d.Generation {
				continue
			}
			if s.face(l.flow) != nil {
				if line, says := priorLine(&d.Change); says {
					if err := t.underWay(&row{id: d.ID, flow: l.flow}, l, line); err != nil {
						return err
					}
				}
				continue
			}
			if images[i].kind == argNull {
				continue
			}
			n, err := t.execArgs(keepImage, []arg{images[i], number(d.ID), number(d.Generation)})
			if err != nil {
				return err
			}
			if n == 0 { // a newer one brings a record of its own
				if err := t.underWay(&row{id: d.ID, flow: l.flow, key: d.Change.Record.Key}, l, images[i].text); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

const keepImage = "UPDATE entry_rows SET image = ? WHERE id = ? AND (generation = ? OR hint OR op = 1)"

// page is how many changes are looked up and written together.
const page = 1000

// encodeImages is the images of changes as the file keeps them; null for a change without one.
func encodeImages(changes []lockstep.Change) []arg {
	images := make([]arg, len(changes))
	var b []byte // grows once, not for each image
	for i := range changes {
		if f := changes[i].Record.Fields; f.Len() > 0 {
			b = value.AppendTagged(b[:0], f)
			images[i] = text(string(b))
		}
	}
	return images
}

// take puts changes into the flow's queue: as new entries, or as the next generation of open ones (law 2).
func (t *tx) take(f *flow, changes []lockstep.Change, images []arg, origin int64) error {
	for from := 0; from < len(changes); from += page {
		to := min(from+page, len(changes))
		keys := make([]lockstep.Key, 0, page)
		for i := from; i < to; i++ {
			keys = append(keys, changes[i].Record.Key)
		}
		open, err := t.rowsByKey(f, keys)
		if err != nil {
			return err
		}
		if err := t.takeInto(f, open, changes[from:to], images[from:to], origin); err != nil {
			return err
		}
	}
	if len(changes) > 0 {
		t.wake(f)
	}
	return nil
}

// takeInto does so for changes whose open entries are at hand, and saves them. They are news to what is made from them.
func (t *tx) takeInto(f *flow, open map[lockstep.Key]*row, changes []lockstep.Change, images []arg, origin int64) error {
	if err := t.takeAs(f, open, changes, images, origin, ""); err != nil || origin == referred {
		return err
	}
	keys := make([]lockstep.Key, len(changes))
	for i := range changes {
		keys[i] = changes[i].Record.Key
	}
	return t.news(f, keys, lockstep.Built, 0)
}

func (t *tx) takeAs(f *flow, open map[lockstep.Key]*row, changes []lockstep.Change, images []arg, origin int64, note string) error {
	urgent, err := t.priorities(f, changes)
	if err != nil {
		return err
	}
	rows := make([]*row, 0, len(changes))
	in := make(map[*row]bool, len(changes))
	for i := range changes {
		r := open[changes[i].Record.Key]
		if r == nil {
			r = t.newRow(f, changes[i].Record.Key, origin)
			open[r.key] = r
		}
		if !in[r] {
			if err := t.overtaken(r); err != nil {
				return err
			}
			if r.state == confirming {
				if err := t.behind(r); err != nil {
					return err
				}
			}
		}
		t.renew(r, &changes[i], images[i], urgent(i))
		if note != "" {
			r.did(lockstep.Event{At: t.now, Did: originNames[hinted], Note: note})
		}
		if !in[r] {
			in[r] = true
			rows = append(rows, r)
		}
	}
	return t.save(rows)
}

func (t *tx) newRow(f *flow, key lockstep.Key, origin int64) *row {
	return &row{flow: f, key: key, captured: t.now, coalesced: -1, epoch: t.s.epoch, origin: origin, priority: lockstep.Low, fresh: true}
}

// renew makes the change the next generation of the entry.
func (t *tx) renew(r *row, c *lockstep.Change, image arg, urgency lockstep.Priority) {
	r.generation++
	r.coalesced++
	r.priority = min(r.priority, urgency)
	behind := r.state == confirming
	r.changed, r.attempts, r.notBefore, r.wants, r.state = t.now, 0, time.Time{}, nil, ready
	r.op, r.hint, r.version, r.at = c.Op, c.Hint, c.Record.Version, ""
	if !c.Record.At.IsZero() {
		r.at = c.Record.At.Format(time.RFC3339Nano)
	}
	r.fault, r.unread = encodeFault(c.Fault), c.Fault != nil
	if r.unread {
		r.state = parked // law 4: it waits for a person, its neighbours go on
	}
	if behind {
		r.state = confirming
	}
	if image.kind != argNull { // else the last image stays: it tells where to look (law 5)
		r.image = image
	}
	if l := t.s.leases[r.id]; l != nil && !r.fresh {
		first, was, state := l.first, l.in, r.state
		t.set(func() {
			l.in = state
			if first.IsZero() {
				l.first = t.now
			}
		}, func() { l.first, l.in = first, was })
	}
	t.touch(r.flow, r.key)
}

// priorities finds the priority of each change; it looks for links only where that makes a difference.
func (t *tx) priorities(f *flow, changes []lockstep.Change) (func(i int) lockstep.Priority, error) {
	var known map[lockstep.Key]bool
	if f.Create != f.Update {
		keys := make([]lockstep.Key, len(changes))
		for i := range changes {
			keys[i] = changes[i].Record.Key
		}
		links, err := t.links(f.set, f.Side, keys)
		if err != nil {
			return nil, err
		}
		known = make(map[lockstep.Key]bool, len(keys))
		for i := range links {
			known[keys[i]] = links[i].ID != 0
		}
	}
	return func(i int) lockstep.Priority {
		switch c := &changes[i]; {
		case c.Op == lockstep.Delete:
			return f.Delete
		case f.Create == f.Update || known[c.Record.Key]:
			return f.Update
		}
		return f.Create
	}, nil
}
