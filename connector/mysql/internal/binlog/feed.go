package binlog

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Shape is what the connector makes of rows.
type Shape struct {
	Columns []string // the columns whose cells it is given, in this order
	Key     []int    // which of them make the key
	// MakeKey is the key of a row's cells. A fault of it is the row's own.
	MakeKey func(cells []Cell) (lockstep.Key, error)
	// Change is what a row's cells, none of them Unknown, mean: a record, a fault, or that it counts as gone.
	Change func(cells []Cell) lockstep.Change
	// Hints says that a row alone does not tell the record: all changes but deletes are looked at.
	Hints bool
}

// Feed follows one table. Its methods may be called by several; reads are one after the other.
type Feed struct {
	server *Server
	table  table
	id     uint32 // as which replica

	mu      sync.Mutex
	layouts *layouts
	cursor  *cursor
}

// NewFeed is a feed of a table. It connects when it is read.
func NewFeed(s *Server, schema, name string) *Feed {
	t := table{schema, name}
	// A replica's id is its own alone: those that people give are small.
	return &Feed{server: s, table: t, id: 1<<31 + rand.Uint32N(1<<31-1), layouts: newLayouts(s, t)}
}

// Close ends the feed's connection.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop()
}

func (f *Feed) drop() {
	if f.cursor != nil {
		f.cursor.stream.close()
		f.cursor = nil
	}
}

// cursor is a stream and how far it was consumed.
type cursor struct {
	stream *stream
	place  place // behind the last whole transaction
	at     gtids
	next   lockstep.Position // the position that the last page ended with

	rows    rows              // the event that is being read
	inside  bool              // rows of a transaction came, and its end did not yet
	done    int64             // rows of it that were delivered
	half    bool              // and the delete of the next one
	skip    int64             // rows of it that had been delivered before
	skipOne bool              // and the delete of the next one
	pending []lockstep.Change // made of a row, and not yet on a page
	made    [2]lockstep.Change
	began   bool   // the server accepted our place and said where it is
	failed  error  // what the next page is: the changes before it were good
	last    uint32 // when the last transaction was committed, in seconds
}

// open connects at a place. fresh says that it is made now, and that nothing can be compared.
func (f *Feed) open(ctx context.Context, p place, fresh bool) error {
	f.drop()
	info, err := f.server.know(ctx)
	if err != nil {
		return err
	}
	if p.Flavor != info.flavor {
		f.server.forget()
		return lost("the position is one of %s, the server is %s", p.Flavor, info.flavor)
	}
	at, err := parseGTIDs(p.Flavor, p.GTIDs)
	if err != nil {
		return lockstep.NewFault(lockstep.CodePosition, errPlace)
	}
	c, err := dial(ctx, f.server.Address)
	if err != nil {
		return err
	}
	if err := c.dump(&p, at, f.id); err != nil {
		_ = c.Close()
		return err
	}
	check := identity{from: p, at: copyOf(p), alien: fresh || p.Server != info.id}
	if check.alien && !fresh && p.Flavor == MySQLFile {
		_ = c.Close()
		return lost("the position is a place in the log of another server, which has no GTIDs")
	}
	p.Server = info.id
	follow := newFollower(p.Flavor, f.table, info.fold, check)
	follow.file = p.File
	f.cursor = &cursor{stream: startStream(c, follow), place: p, at: at, skip: p.Rows, skipOne: p.Half}
	f.cursor.place.Rows, f.cursor.place.Half = 0, false
	return nil
}

func copyOf(p place) gtids {
	at, _ := parseGTIDs(p.Flavor, p.GTIDs) // it was parsed before
	return at
}

// now is the end of the log. The stream is opened there and says which file that is.
func (f *Feed) now(ctx context.Context) (lockstep.Page, error) {
	info, err := f.server.know(ctx)
	if err != nil {
		return lockstep.Page{}, err
	}
	m, err := f.server.now(ctx, info.flavor)
	if err != nil {
		return lockstep.Page{}, err
	}
	p := place{Flavor: info.flavor, GTIDs: m.at.String(), File: m.file, Offset: m.offset, Server: info.id}
	if err := f.open(ctx, p, true); err != nil {
		return lockstep.Page{}, err
	}
	c := f.cursor
	for {
		it, ok, news, err := c.stream.take()
		switch {
		case err != nil:
			f.drop()
			return lockstep.Page{}, err
		case !ok:
			select {
			case <-news:
			case <-ctx.Done():
				f.drop()
				return lockstep.Page{}, ctx.Err()
			}
		default: // a stream begins with its file
			c.place.File, c.place.Born, c.began = it.file, it.born, true
			c.next = c.position()
			return lockstep.Page{Next: c.next, UpTo: m.clock}, nil
		}
	}
}

// position is where c is.
func (c *cursor) position() lockstep.Position {
	p := c.place
	p.GTIDs = c.at.String()
	p.Rows, p.Half = c.done, c.half
	if c.skip > 0 || c.skipOne { // not even there again
		p.Rows, p.Half = c.done+c.skip, c.skipOne
	}
	return p.position()
}

// patience is how long one read looks for changes among those of others before it says how far it is.
const patience = time.Second

// Changes is the page behind from; nil is the end of the log.
func (f *Feed) Changes(ctx context.Context, from lockstep.Position, l lockstep.Limit, shape Shape) (lockstep.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from == nil {
		return f.now(ctx)
	}
	if f.cursor == nil || string(f.cursor.next) != string(from) {
		p, err := readPlace(from)
		if err != nil {
			return lockstep.Page{}, err
		}
		if err := f.open(ctx, p, false); err != nil {
			return lockstep.Page{}, err
		}
	}
	page := &page{limit: l}
	if err := f.read(ctx, page, shape); err != nil {
		f.drop() // the next read begins where this one did
		return lockstep.Page{}, err
	}
	c := f.cursor
	c.next = c.position()
	out := lockstep.Page{Changes: page.changes, Next: c.next, More: page.more, UpTo: page.upTo}
	if out.UpTo.IsZero() && c.last > 0 {
		out.UpTo = time.Unix(int64(c.last), 0).UTC()
	}
	return out, nil
}

// page is the page that is being filled.
type page struct {
	limit   lockstep.Limit
	changes []lockstep.Change
	bytes   int
	more    bool
	upTo    time.Time
}

// fits puts a change on the page, or says that it is full. A page takes one change at least.
func (p *page) fits(c lockstep.Change) bool {
	size := len(c.Record.Key) + c.Record.Fields.Size()
	if p.limit.Bytes > 0 && size > p.limit.Bytes && !c.Hint && c.Op == lockstep.Upsert && c.Fault == nil {
		fault := lockstep.Faultf(lockstep.CodeTooLarge, "the record has %d bytes, %d are allowed", size, p.limit.Bytes).On(lockstep.About{Key: c.Record.Key})
		c, size = lockstep.Change{Record: lockstep.Record{Key: c.Record.Key, At: c.Record.At}, Fault: fault}, 0
	}
	if len(p.changes) > 0 && (len(p.changes) >= max(1, p.limit.Rows) || p.limit.Bytes > 0 && p.bytes+size > p.limit.Bytes) {
		return false
	}
	p.changes = append(p.changes, c)
	p.bytes += size
	return true
}

// read fills the page with what the log has now: it waits for the stream until it has read all that was committed when
// it first had nothing. So a position gives the same page again, or more.
func (f *Feed) read(ctx context.Context, p *page, shape Shape) error {
	c := f.cursor
	if c.failed != nil {
		return c.failed
	}
	enough, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	goal, asked, moved := moment{}, false, false
	for {
		full, err := f.deliver(ctx, p, shape)
		if err != nil || full {
			p.more = full
			return err
		}
		if enough.Err() != nil {
			p.more = moved
			return ctx.Err()
		}
		it, ok, news, err := c.stream.take()
		switch {
		case ok:
			moved = true
			c.began = true
			if c.failed = f.take(ctx, it, shape); c.failed != nil {
				return c.fail(p, c.failed)
			}
			continue
		case err != nil:
			return c.fail(p, err)
		case !asked:
			if goal, err = f.server.now(ctx, c.place.Flavor); err != nil {
				return c.fail(p, err)
			}
			asked = true
			continue // what came meanwhile comes first
		case !c.inside && c.began && c.reached(goal):
			p.upTo = goal.clock
			return nil
		}
		select {
		case <-news:
		case <-enough.Done():
			p.more = moved
			return ctx.Err()
		}
	}
}

// fail ends a page with what is good before a fault, which the next read gives; a page without changes is the fault.
func (c *cursor) fail(p *page, err error) error {
	if len(p.changes) == 0 {
		return err
	}
	c.failed, p.more = err, true
	return nil
}

func (c *cursor) reached(m moment) bool {
	if c.place.Flavor != MySQLFile {
		return c.at.reached(m.at)
	}
	have, _ := fileNumber(c.place.File)
	want, _ := fileNumber(m.file)
	return have > want || have == want && c.place.Offset >= m.offset
}

// take takes an item over.
func (f *Feed) take(ctx context.Context, it item, shape Shape) error {
	c := f.cursor
	switch it.kind {
	case rowsItem:
		layout, err := f.layouts.of(ctx, it.table, shape.Columns, shape.Key)
		if err != nil {
			return err
		}
		if it.head.columns != len(layout.columns) {
			return unreadable(errEvent)
		}
		c.inside = true
		c.rows = rows{item: it, layout: layout, r: reader{b: it.head.body}, all: c.rows.all, cells: c.rows.cells}
	case endItem:
		return c.end(it)
	case alteredItem:
		f.layouts.stale()
	case lostItem:
		return it.err
	}
	return nil
}

// end moves the place behind a transaction, or into a new file.
func (c *cursor) end(it item) error {
	if it.file != "" {
		c.place.File, c.place.Born = it.file, it.born
	}
	if c.place.Flavor == MySQLFile {
		c.place.Offset = max(4, it.offset)
	}
	if it.at == 0 { // a new file
		return nil
	}
	if it.settled != "" {
		i := slices.Index(c.place.Innocent, it.settled)
		if i < 0 && it.commits {
			return lost("an XA transaction was committed that changed the table, or may have")
		}
		if i >= 0 {
			c.place.Innocent = slices.Delete(c.place.Innocent, i, i+1)
		}
	}
	if it.xa != "" && !it.dirty {
		if len(c.place.Innocent) >= maxInnocent {
			c.place.Innocent = slices.Delete(c.place.Innocent, 0, 1)
		}
		c.place.Innocent = append(c.place.Innocent, it.xa)
	}
	if it.named {
		c.at.add(it.id)
	}
	c.inside, c.done, c.half, c.skip, c.skipOne = false, 0, false, 0, false
	c.last = it.at
	return nil
}

// deliver puts what was read of an event on the page. full: there was no room for all.
func (f *Feed) deliver(ctx context.Context, p *page, shape Shape) (full bool, err error) {
	c := f.cursor
	for {
		for len(c.pending) > 0 {
			if !p.fits(c.pending[0]) {
				return true, nil
			}
			c.pending = c.pending[1:]
			c.half = len(c.pending) > 0
			if !c.half {
				c.done++
			}
		}
		if !c.rows.more() {
			return false, nil
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if c.skip > 0 {
			if _, err := c.rows.next(true); err != nil {
				return false, unreadable(err)
			}
			c.skip--
			c.done++
			continue
		}
		r, err := c.rows.next(false)
		if err != nil {
			return false, unreadable(err)
		}
		changes, err := shape.changes(c.made[:0], &r, time.Unix(int64(c.rows.item.at), 0).UTC())
		if err != nil {
			return false, err
		}
		if c.skipOne && len(changes) == 2 {
			changes, c.half = changes[1:], true
		}
		c.skipOne = false
		c.pending = changes
		if len(changes) == 0 {
			c.done++
		}
	}
}

// changes appends what became of a row's record: two where its key was changed.
func (s *Shape) changes(out []lockstep.Change, r *row, at time.Time) ([]lockstep.Change, error) {
	var old, now lockstep.Key
	var err error
	if r.before != nil {
		if old, err = s.key(r.before); err != nil {
			return faulty(out, err, at)
		}
	}
	gone := lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: old, At: at}}
	if r.after == nil {
		return append(out, gone), nil
	}
	now, err = s.key(r.after)
	if r.before != nil && (err != nil || old != now) { // the old record is gone whatever the new one is
		out = append(out, gone)
	}
	if err != nil {
		return faulty(out, err, at)
	}
	return append(out, s.upsert(now, r.after, at)), nil
}

func (s *Shape) upsert(key lockstep.Key, cells []Cell, at time.Time) lockstep.Change {
	hint := lockstep.Change{Record: lockstep.Record{Key: key, At: at}, Hint: true}
	if s.Hints || slices.ContainsFunc(cells, func(c Cell) bool { return c.Kind == Unknown }) {
		return hint
	}
	change := s.Change(cells)
	if change.Record.At.IsZero() {
		change.Record.At = at
	}
	return change
}

// key is the key of a row. One that the log does not tell is a fault of the whole: nothing could be looked at.
func (s *Shape) key(cells []Cell) (lockstep.Key, error) {
	for _, i := range s.Key {
		if cells[i].Kind == Unknown {
			f := lockstep.Faultf(lockstep.CodeCannot, "the log does not tell the key of a row: field %s", s.Columns[i])
			f.Next = "Set binlog_row_image and binlog_row_metadata to FULL and run `lockstep sync FLOW --full`, or choose another tracker."
			return "", f.On(lockstep.About{Field: s.Columns[i]})
		}
	}
	return s.MakeKey(cells)
}

// faulty appends a change for a row whose key is at fault, unless the fault is one of the whole.
func faulty(out []lockstep.Change, err error, at time.Time) ([]lockstep.Change, error) {
	fault := lockstep.FaultOf(err)
	if fault.Kind.StopsFlow() {
		return nil, err
	}
	place := lockstep.Key("a row of " + at.Format(time.RFC3339))
	return append(out, lockstep.Change{Record: lockstep.Record{Key: place, At: at}, Fault: fault}), nil
}

// Wait returns when there is something behind from.
func (f *Feed) Wait(ctx context.Context, from lockstep.Position) error {
	f.mu.Lock()
	c := f.cursor
	f.mu.Unlock()
	if c == nil || string(c.next) != string(from) || len(c.pending) > 0 {
		return nil // a read tells
	}
	return c.stream.wait(ctx)
}
