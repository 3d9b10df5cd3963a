package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
)

// logChanger makes the changes of one page from messages.
type logChanger struct {
	feed  *logFeed
	read  lockstep.Read
	limit lockstep.Limit
	page  lockstep.Page
	bytes int
	row   wal.Row
	cells [][]byte
	plan  *sqlkit.Plan
	d     *decoder
	apart []apart
	xids  []uint32 // of the page, each once
}

// apart is an upsert with a value that is stored apart and did not come with the row.
type apart struct {
	change int // in the page
	xid    uint32
}

func newLogChanger(f *logFeed, r lockstep.Read, p *sqlkit.Plan, l lockstep.Limit) *logChanger {
	c := &logChanger{feed: f, read: r, limit: l}
	if c.limit.Rows <= 0 {
		c.limit.Rows = 1000
	}
	c.use(p)
	return c
}

// use makes the rows by a plan. The decoder stays with the feed: its buffers serve many small pages.
func (c *logChanger) use(p *sqlkit.Plan) {
	c.plan, c.cells = p, make([][]byte, len(p.Columns))
	if d := c.feed.decoder; d == nil || d.q.plan != p {
		c.feed.decoder = newDecoder(&query{plan: p})
	}
	c.d = c.feed.decoder
	c.d.q.large = sqlkit.MaxRecord(c.feed.sys.options.MaxRecord, c.limit)
}

func (c *logChanger) oid() uint32 { return c.plan.Table.Info.(tableInfo).oid }

func (c *logChanger) lost(format string, args ...any) error {
	return lockstep.Faultf(lockstep.CodePosition, format, args...)
}

// message takes a message; taken is false where the page has no room for it, or not for all of it.
func (c *logChanger) message(ctx context.Context, m wal.Message) (taken bool, err error) {
	f := c.feed
	switch m.Kind {
	case wal.Alive:
		return true, c.alive(m.LSN)
	case wal.Begin:
		return true, c.begin(m.Body)
	case wal.Commit:
		end, err := wal.ParseCommit(m.Body)
		if err != nil {
			return false, err
		}
		if !f.inside || end.Commit != f.commit { // something between is missing
			return false, wal.ErrFormat
		}
		if f.at.Commit != 0 && f.at.Rows > f.rows {
			return false, c.lost("the transaction at %s has fewer rows than the position", f.commit)
		}
		f.inside, f.when = false, end.At
		f.at.behind(end.End)
		return true, nil
	case wal.Relation:
		return true, c.relation(ctx, m.Body)
	case wal.Truncate:
		tables, err := wal.ParseTruncate(m.Body)
		if err == nil && !f.past && slices.Contains(tables, c.oid()) {
			err = c.lost("the table was emptied by TRUNCATE, which names no rows")
		}
		return true, err
	}
	return c.change(m)
}

func (c *logChanger) alive(at wal.LSN) error {
	f := c.feed
	switch {
	case f.inside:
	case f.at.Commit == 0:
		f.at.behind(at)
	case at > f.at.Commit:
		return c.lost("the transaction at %s did not come again", f.at.Commit)
	}
	return nil
}

func (c *logChanger) begin(body []byte) error {
	f := c.feed
	b, err := wal.ParseBegin(body)
	if err != nil {
		return err
	}
	if f.inside {
		return wal.ErrFormat
	}
	if f.at.Commit != 0 && f.at.Commit != b.Commit {
		return c.lost("the transaction at %s did not come again", f.at.Commit)
	}
	f.inside, f.commit, f.when, f.xid, f.rows = true, b.Commit, b.At, b.XID, 0
	f.past = f.at.Snapshot != "" && b.Commit < f.at.Until && visible(f.at.Snapshot, b.XID)
	return nil
}

// change takes a row.
func (c *logChanger) change(m wal.Message) (taken bool, err error) {
	f := c.feed
	if err := c.row.Parse(m.Kind, m.Body); err != nil {
		return false, err
	}
	if c.row.OID != c.oid() {
		return true, nil
	}
	if f.past || f.at.Commit == f.commit && f.rows < f.at.Rows { // delivered before
		f.rows++
		return true, nil
	}
	rel := f.relation
	if rel == nil || !f.inside || len(c.row.New) > len(rel.columns) || len(c.row.Old) > len(rel.columns) {
		return false, wal.ErrFormat
	}
	rel.bind(c.plan)
	if !rel.covers && m.Kind != wal.Insert {
		return false, c.lost("the table's replica identity does not hold the stream's key: `lockstep track install` sets it")
	}
	if !c.put(m) {
		f.at.Commit, f.at.Rows = f.commit, f.rows
		return false, nil
	}
	f.rows++
	f.at.Commit, f.at.Rows, f.at.Half = f.commit, f.rows, false
	return true, nil
}

// put adds the changes of a row to the page. Where it has room for the first of two only, the place says so.
func (c *logChanger) put(m wal.Message) bool {
	f := c.feed
	var before, after lockstep.Key
	hasBefore, hasAfter := false, false
	if c.row.Old != nil {
		before, hasBefore = c.key(c.row.Old, nil)
	}
	if c.row.New != nil {
		after, hasAfter = c.key(c.row.New, c.row.Old)
	}
	if hasBefore && before != after && !f.at.Half {
		if !c.add(lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: before, At: f.when}}, len(before)+24) {
			return false
		}
		f.at.Half = hasAfter
	}
	if !hasAfter { // a null key: nobody can link the row; the full sync parks it
		return true
	}
	change, size, isApart := c.upsert(after, len(m.Body))
	if !c.add(change, size) {
		return false
	}
	if isApart {
		c.apart = append(c.apart, apart{change: len(c.page.Changes) - 1, xid: f.xid})
	}
	return true
}

func (c *logChanger) add(change lockstep.Change, size int) bool {
	n := len(c.page.Changes)
	if n > 0 && (n >= c.limit.Rows || c.limit.Bytes > 0 && c.bytes+size > c.limit.Bytes) {
		return false
	}
	c.page.Changes = append(c.page.Changes, change)
	c.bytes += size
	if xid := c.feed.xid; len(c.xids) == 0 || c.xids[len(c.xids)-1] != xid {
		c.xids = append(c.xids, xid)
	}
	return true
}

// key is the key of a row; ok is false where a field of it is null. What did not change is in the old row.
func (c *logChanger) key(cells, old []wal.Cell) (lockstep.Key, bool) {
	d, rel := c.d, c.feed.relation
	for i, at := range c.plan.Key {
		cell, _ := rel.cell(rel.at[at], cells, old)
		if cell.Kind != wal.Text {
			return "", false
		}
		d.parts[i] = d.keyText(d.types[at], cell.Text)
	}
	return lockstep.MakeKey(d.parts...), true
}

// upsert is the change that a new row is. Where its values are not all there, or their meaning is not certain, it is a
// hint. isApart says that reading the row back is worth a try.
func (c *logChanger) upsert(key lockstep.Key, size int) (change lockstep.Change, bytes int, isApart bool) {
	f, rel := c.feed, c.feed.relation
	hint := lockstep.Change{Hint: true, Record: lockstep.Record{Key: key, At: f.when}}
	if c.plan.Deleted != nil {
		cell, ok := rel.cell(rel.deleted, c.row.New, c.row.Old)
		switch {
		case !ok || cell.Kind == wal.Unchanged || cell.Kind == wal.Cut:
			return hint, len(key) + 24, false
		case cell.Kind == wal.Text && gone(cell.Text):
			return lockstep.Change{Op: lockstep.Delete, Record: hint.Record}, len(key) + 24, false
		}
	}
	if c.plan.Table.Where != "" {
		return hint, len(key) + 24, false
	}
	for i := range c.plan.Columns {
		cell, ok := rel.cell(rel.at[i], c.row.New, c.row.Old)
		switch {
		case !ok:
			return hint, len(key) + 24, false
		case cell.Kind == wal.Unchanged:
			isApart = true
		case cell.Kind == wal.Cut && cell.Size <= c.d.q.large:
			return hint, len(key) + 24, false
		case cell.Kind == wal.Cut:
			c.d.out = row{record: lockstep.Record{Key: key}}
			c.d.tooLarge(cell.Size)
			return lockstep.Change{Record: c.d.out.record, Fault: c.d.out.fault}, len(key) + 24, false
		}
		c.cells[i] = cell.Text
	}
	if isApart {
		return hint, size, true
	}
	out := c.d.row(c.cells, false)
	if out.record.At.IsZero() {
		out.record.At = f.when
	}
	return lockstep.Change{Record: out.record, Fault: out.fault}, out.size, false
}

// gone is goneSQL of a cell.
func gone(cell []byte) bool {
	switch strings.ToLower(string(cell)) {
	case "", "0", "0.0", "f", "false", "n", "no":
		return false
	}
	return true
}

// readBack fetches the rows whose values did not all come with the change. A row counts if it is still the one that
// the transaction wrote; the others stay hints, and so do those that the page has no room for.
func (c *logChanger) readBack(ctx context.Context) error {
	if len(c.apart) == 0 {
		return nil
	}
	keys, of := make([]lockstep.Key, 0, len(c.apart)), make(map[lockstep.Key][]apart, len(c.apart))
	for _, a := range c.apart {
		key := c.page.Changes[a.change].Record.Key
		if of[key] == nil {
			keys = append(keys, key)
		}
		of[key] = append(of[key], a)
	}
	terms, args, err := keysIn(keyColumns(c.plan), keys, 1)
	if err != nil {
		return err
	}
	q := &query{plan: c.plan, from: c.plan.Table.SQL + " t", terms: append(present(c.plan), terms), args: args, extra: []string{"t.xmin"}, large: c.d.q.large}
	room := 0
	err = c.feed.sys.collect(ctx, q, func() { room = max(c.limit.Bytes, c.d.q.large) }, func(r *row) error {
		if room -= r.size; room < 0 {
			return errEnough
		}
		for _, a := range of[r.record.Key] {
			change := &c.page.Changes[a.change]
			if r.fault == nil && string(r.cells[0]) == strconv.FormatUint(uint64(a.xid), 10) {
				if r.record.At.IsZero() {
					r.record.At = change.Record.At
				}
				*change = lockstep.Change{Record: r.record}
			}
		}
		return nil
	})
	if err == errEnough {
		return nil
	}
	return err
}
