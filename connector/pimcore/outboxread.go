package pimcore

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// touch is a row of the outbox as it was read: which object, by which table, in which generation.
type touch struct{ id, via, generation string }

func (t touch) String() string { return t.id + " " + t.via + " " + t.generation }

// changedObject is an object that the outbox names, and what its own row says in the same moment.
type changedObject struct {
	id      string
	touches []touch
	there   bool
	mine    bool // it is of the class
	variant bool
	gone    bool  // a delete was seen
	date    int64 // its modificationDate
	newest  int64 // the highest generation: microseconds
	behind  bool  // what GraphQL shows is older than what was committed: it is read again
	said    row   // what GraphQL says
	silent  bool  // nothing comes of it
}

// patience is for how long an answer that is older than the row is taken to come from a cache that will follow.
const patience = 10 * time.Minute

// byTrigger reads the outbox in the order of ids, and the objects of a page by GraphQL. What is in the outbox was
// committed: a late commit is in it late, whatever was read before, and a rollback leaves nothing. From each position the
// rest of the outbox is read; at its end the position goes back to the start, and what was acknowledged is gone from it
// by then.
func (s *System) byTrigger(ctx context.Context, p *plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	d, err := s.detector(r)
	if err != nil {
		return lockstep.Page{}, err
	}
	var b *outbox
	var turn sqlkit.Turn
	var found []changedObject
	more := false
	err = d.with(ctx, r.Stream, func(ctx context.Context, conn mykit.Link) (err error) {
		if b, err = d.installed(ctx, conn, r, p.class.conf.inherits, false); err != nil || from == nil {
			return err
		}
		if turn, err = sqlkit.ReadTurn(from, 1); err != nil {
			return err
		}
		if err = turn.Check(b.Epoch, b.Acked); err != nil {
			return err
		}
		found, more, err = d.changed(ctx, conn, b, turn, s.rows(l))
		return err
	})
	if err != nil {
		return lockstep.Page{}, err
	}
	now := sqlkit.Turn{Epoch: b.Epoch, Acked: b.Acked}
	if from == nil {
		return lockstep.Page{Next: now.Position(), UpTo: b.Clock}, nil
	}
	after := ""
	if len(found) > 0 {
		after = found[len(found)-1].id
	}
	found = d.free(found, r, b)
	if err := s.look(ctx, p, found, b.Clock); err != nil {
		return lockstep.Page{}, err
	}
	page, items, last := s.pageOf(found, l)
	if page.More {
		after = last
	}
	if page.More = page.More || more; page.More {
		now.After = []string{after}
	} else {
		page.UpTo = b.Clock
	}
	if now.Acked = turn.Acked; len(items) > 0 {
		now.Acked = b.Acked + 1
	}
	page.Next = now.Position()
	d.unacked.Add(sqlkit.FeedName(r), from, page.Next, items)
	return page, nil
}

// errEnough ends a reading.
var errEnough = errors.New("enough")

// changed reads up to n objects of the outbox behind a place, with all that was noted of each.
func (d *database) changed(ctx context.Context, conn mykit.Link, b *outbox, turn sqlkit.Turn, n int) (found []changedObject, more bool, err error) {
	after := "0"
	if len(turn.After) > 0 {
		if after = turn.After[0]; !isID(after) {
			return nil, false, lockstep.Faultf(lockstep.CodePosition, "the position is not one of an outbox")
		}
	}
	column := func(name string) string { return "o." + mykit.Quote(b.prefix+name) }
	own := mykit.Quote(mykit.Own)
	query := "SELECT c.id, c.via, c." + sqlkit.Generation + ", " + column("id") + " IS NOT NULL, COALESCE(" + column("classId") + " = ?, 0), COALESCE(" + column("type") + " = 'variant', 0), " +
		"COALESCE(" + column("modificationDate") + ", 0) FROM (SELECT DISTINCT id FROM " + b.SQL() + " WHERE " + own + " = 0 AND id > ? ORDER BY id LIMIT " + strconv.Itoa(n+1) + ") k " +
		"JOIN " + b.SQL() + " c ON c." + own + " = 0 AND c.id = k.id LEFT JOIN " + mykit.Quote(d.name) + "." + objectsTable + " o ON " + column("id") + " = k.id ORDER BY c.id, c.via"
	err = conn.Rows(ctx, query, []driver.Value{b.class, after}, func(cells []driver.Value) error {
		t := touch{mykit.TextOf(cells[0]), mykit.TextOf(cells[1]), mykit.TextOf(cells[2])}
		if len(found) == 0 || found[len(found)-1].id != t.id {
			if more = len(found) == n; more {
				return errEnough
			}
			found = append(found, changedObject{id: t.id})
		}
		o := &found[len(found)-1]
		o.touches = append(o.touches, t)
		o.there, o.mine, o.variant = mykit.TextOf(cells[3]) == "1", mykit.TextOf(cells[4]) == "1", mykit.TextOf(cells[5]) == "1"
		o.gone = o.gone || t.via == goneVia
		date, err := strconv.ParseInt(mykit.TextOf(cells[6]), 10, 64)
		generation, gerr := strconv.ParseInt(t.generation, 10, 64)
		o.date, o.newest = date, max(o.newest, generation)
		return errors.Join(err, gerr)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, more, err
}

// free leaves out what was acknowledged already and is still there because a transaction holds it.
func (d *database) free(found []changedObject, r lockstep.Read, b *outbox) []changedObject {
	held := map[string]bool{}
	for _, id := range d.held.List(heldFeed(r, b)) {
		held[id] = true
	}
	if len(held) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(o changedObject) bool {
		return !slices.ContainsFunc(o.touches, func(t touch) bool { return !held[t.String()] })
	})
}

func heldFeed(r lockstep.Read, b *outbox) string { return sqlkit.FeedName(r) + "\x00" + b.Epoch }

// look asks GraphQL for the objects that are there, and whether those that are not are gone for it, too.
func (s *System) look(ctx context.Context, p *plan, found []changedObject, clock time.Time) error {
	var there, gone []string
	for i := range found {
		switch o := &found[i]; {
		case o.there && (!o.mine || o.variant && !p.class.conf.variants):
			o.silent = true
		case o.there:
			there = append(there, o.id)
		case p.key != nil: // nobody can say which key it had
			o.silent = true
		case o.gone:
			gone = append(gone, o.id)
		}
	}
	shown := map[string]row{}
	if len(there) > 0 {
		got, err := s.whole(ctx, p, "changes", listing{ids: there})
		if err != nil {
			return err
		}
		for _, r := range got.rows {
			shown[r.id] = r
		}
	}
	left, err := s.left(ctx, p, gone)
	if err != nil {
		return err
	}
	for i := range found {
		found[i].conclude(p, shown, left, clock)
	}
	return nil
}

// left are those of the objects whose rows are gone that GraphQL does not say to be missing.
func (s *System) left(ctx context.Context, p *plan, gone []string) (map[string]bool, error) {
	out := map[string]bool{}
	if len(gone) == 0 {
		return out, nil
	}
	there, err := s.confirm(ctx, p, gone)
	if err != nil && lockstep.FaultOf(err).Code == lockstep.CodeHidden {
		there, err = gone, nil // one of them is; each is looked at by itself when it is delivered
	}
	for _, id := range there {
		out[id] = true
	}
	return out, err
}

// conclude says what became of an object. A delete is one that the database saw and GraphQL knows of; an object that one
// of them does not show is a hint, to be looked at by itself. Pimcore lets go of its caches shortly after it commits: an
// answer from before the change stays in the outbox.
func (o *changedObject) conclude(p *plan, shown map[string]row, left map[string]bool, clock time.Time) {
	if o.silent {
		return
	}
	recent := clock.UnixMicro()-o.newest < patience.Microseconds()
	key := lockstep.Key(o.id)
	switch r, ok := shown[o.id]; {
	case ok:
		at, _ := strconv.ParseInt(r.date, 10, 64)
		o.said, o.behind = r, at < o.date && recent
	case o.there && p.key != nil: // not shown, and of no key that is known
		o.silent = true
	case !o.there && o.gone && left[o.id]:
		o.said.change, o.behind = lockstep.Change{Record: lockstep.Record{Key: key}, Hint: true}, recent
	case !o.there && o.gone:
		o.said.change = lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: key}}
	default:
		o.said.change = lockstep.Change{Record: lockstep.Record{Key: key}, Hint: true}
	}
	o.silent = o.behind
}

// pageOf puts what was found on a page, and says what of the outbox is acknowledged by it, and the last object on it.
func (s *System) pageOf(found []changedObject, l lockstep.Limit) (page lockstep.Page, items []touch, last string) {
	rows := make([]row, len(found))
	for i := range found {
		if !found[i].silent {
			rows[i] = found[i].said
		}
	}
	for i := range bounded(rows, s.maxRecord(l), l, &page) {
		o := &found[i]
		last = o.id
		if !o.silent {
			page.Changes = append(page.Changes, rows[i].change)
		}
		if !o.behind {
			items = append(items, o.touches...)
		}
	}
	return page, items, last
}

// Ack deletes from the outbox what was read up to a position, each row only in the generation that it was read in. It
// never waits for Pimcore: a row that a transaction holds stays.
func (s *System) Ack(ctx context.Context, r lockstep.Read, upTo lockstep.Position) error {
	if r.Track.By != lockstep.Trigger {
		return nil
	}
	d, err := s.detector(r)
	if err != nil {
		return err
	}
	turn, err := sqlkit.ReadTurn(upTo, 1)
	if err != nil {
		return about(err, r.Stream)
	}
	items := slices.Concat(d.unacked.Take(sqlkit.FeedName(r), upTo)...)
	if len(items) == 0 {
		return nil
	}
	b := &outbox{ChangeTable: mykit.ChangeTable{Database: d.name, Name: sqlkit.TrackName(r, boxNameLimit)}, Standing: mykit.Standing{Epoch: turn.Epoch}}
	return d.with(ctx, r.Stream, func(ctx context.Context, conn mykit.Link) error {
		for chunk := range slices.Chunk(items, ackedAtOnce) { // saves wait for one at most
			err := conn.Transaction(ctx, func() error {
				if counted, err := b.Count(ctx, conn, turn); err != nil || !counted { // not the table that was read: Changes says so
					return err
				}
				held, err := d.takeAway(ctx, conn, b, chunk)
				if err == nil {
					d.held.Add(heldFeed(r, b), held)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

const ackedAtOnce = 100

// takeAway deletes rows of the outbox that are as they were read, and names those that somebody holds.
func (d *database) takeAway(ctx context.Context, conn mykit.Link, b *outbox, items []touch) (held []string, err error) {
	d.mu.Lock()
	lock := d.lock
	d.mu.Unlock()
	read := map[touch]bool{}
	for _, t := range items {
		read[t] = true
	}
	var free []touch
	list, args := listOf(items)
	joined := ") k STRAIGHT_JOIN " + b.SQL() + " c FORCE INDEX (PRIMARY) ON c." + mykit.Quote(mykit.Own) + " = 0 AND c.id = k.id AND c.via = k.via"
	err = conn.Rows(ctx, "SELECT c.id, c.via, c."+sqlkit.Generation+" FROM ("+list+joined+lock, args, func(cells []driver.Value) error {
		t := touch{mykit.TextOf(cells[0]), mykit.TextOf(cells[1]), mykit.TextOf(cells[2])}
		if read[t] {
			free = append(free, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(free) > 0 {
		list, args := listOf(free)
		if _, err := conn.Exec(ctx, "DELETE c FROM ("+list+joined, args...); err != nil {
			return nil, err
		}
	}
	for _, t := range items {
		if !slices.Contains(free, t) {
			held = append(held, t.String())
		}
	}
	return held, nil
}

// listOf is rows of the outbox as a table, to be joined to it: each is looked up by the primary key then. With a condition
// the server reads the whole outbox where that looks cheaper, and waits for the rows that somebody holds.
func listOf(items []touch) (string, []driver.Value) {
	var args []driver.Value
	for _, t := range items {
		args = append(args, t.id, t.via)
	}
	const one = "SELECT CAST(? AS UNSIGNED) AS id, CONVERT(? USING utf8mb4) COLLATE utf8mb4_bin AS via"
	return one + strings.Repeat(" UNION ALL "+one, len(items)-1), args
}
