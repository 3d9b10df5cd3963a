package binlog

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Feed follows one table. Its methods may be called by several; reads are one after the other.
type Feed struct {
	server *Server
	table  table
	id     uint32 // as which replica

	mu      sync.Mutex
	layouts *layouts
	cursor  *cursor
	closed  bool
}

// NewFeed is a feed of a table. It connects when it is read.
func NewFeed(s *Server, schema, name string) *Feed {
	t := table{schema, name}
	// A replica's id is its own alone: those that people give are small.
	return &Feed{server: s, table: t, id: 1<<31 + rand.Uint32N(1<<31-1), layouts: newLayouts(s, t)}
}

// Close ends the feed's connection, and lets it make no other.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
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
	if f.closed {
		return errClosed
	}
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
	if at, known, err := f.server.visible(ctx, info.flavor); err != nil {
		return lockstep.Page{}, err
	} else if known {
		m.at = at
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
	err := f.read(ctx, page, shape)
	if err == nil && len(page.changes) > 0 {
		err = f.seen(ctx)
	}
	if err != nil {
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
			if c.place.Flavor == MariaDB && c.began && c.at.ahead(goal.at) {
				return c.fail(p, lost("the server's log ends before our place: it was thrown away"))
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
		changes, err := shape.changes(c.made[:0], &r, c.rows.layout.versioned, time.Unix(int64(c.rows.item.at), 0).UTC())
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

// Wait returns when there is something behind from.
func (f *Feed) Wait(ctx context.Context, from lockstep.Position) error {
	f.mu.Lock()
	c := f.cursor
	ready := c == nil || string(c.next) != string(from) || len(c.pending) > 0 || c.rows.more() || c.failed != nil
	f.mu.Unlock()
	if ready {
		return nil // a read tells
	}
	return c.stream.wait(ctx)
}
