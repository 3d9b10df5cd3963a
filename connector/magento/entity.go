package magento

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// entity is a kind of record that Magento searches, in the order of its number: products, categories, customers, orders.
type entity struct {
	client *client
	conf   *conf
	name   string // for requests
	path   string
	key    string // the column of the key: "sku", or numberColumn
	plan   func(ctx context.Context, r *reading) (*plan, error)
	// columns are what fields are searched by; a field that is not there cannot be.
	columns func(ctx context.Context, r *reading, by string) (column, error)
	only    [][]filter // what a scan reads; nil is everything
}

const numberColumn = "entity_id"

// plan is how the records of a reading are made.
type plan struct {
	fields string // what to ask for of each
	light  string // likewise, for key and version alone
	rows   func(ctx context.Context, items []json.RawMessage) ([]row, error)
}

// row is a record as it was read.
type row struct {
	id     int64
	stamp  string // updated_at, in Magento's words
	change lockstep.Change
}

// column is what a field is searched by.
type column struct {
	name string
	text func(value.Value) (string, bool) // nil is searched
}

// pageOf makes one search and reads what it finds. A page that is too large is read in smaller ones, down to a record
// that is too large by itself: it comes with its fault (law 4).
func (e *entity) pageOf(ctx context.Context, p *plan, q search) (rows []row, got *found, err error) {
	for {
		q.fields = p.fields
		got, err = e.client.find(ctx, e.name, allViews, e.path, q)
		if err == nil {
			rows, err = p.rows(ctx, got.items)
		}
		if err == nil || lockstep.FaultOf(err).Code != lockstep.CodeTooLarge {
			return rows, got, err
		}
		if q.size > 1 {
			q.size = max(1, q.size/4)
			continue
		}
		cause := lockstep.FaultOf(err)
		q.fields = p.light
		if got, err = e.client.find(ctx, e.name, allViews, e.path, q); err != nil {
			return nil, nil, err
		}
		for _, raw := range got.items {
			head, err := e.head(raw)
			if err != nil {
				return nil, nil, err
			}
			head.change.Fault = cause.On(lockstep.About{Key: head.change.Record.Key})
			rows = append(rows, head)
		}
		return rows, got, nil
	}
}

// head is the part of a record that all have.
func (e *entity) head(raw json.RawMessage) (row, error) {
	var h struct {
		ID      *number `json:"id"`
		Entity  *number `json:"entity_id"`
		SKU     loose   `json:"sku"`
		Updated loose   `json:"updated_at"`
	}
	if err := json.Unmarshal(raw, &h); err != nil || h.ID == nil && h.Entity == nil {
		return row{}, lockstep.Faultf(lockstep.CodeServer, "a record has no number where one is asked for").On(lockstep.About{Request: e.name})
	}
	if h.ID == nil {
		h.ID = h.Entity
	}
	key := lockstep.Key(h.ID.text())
	if e.key != numberColumn {
		key = lockstep.Key(h.SKU)
	}
	return bareRow(int64(*h.ID), key, string(h.Updated)), nil
}

// bareRow is a row without fields.
func bareRow(id int64, key lockstep.Key, stamp string) row {
	out := row{id: id, stamp: stamp}
	out.change.Record = lockstep.Record{Key: key, Version: stamp}
	if at, err := readTime(stamp); err == nil && !at.IsNull() {
		out.change.Record.At = at.Time()
	}
	return out
}

// lightRows reads keys and versions.
func (e *entity) lightRows(_ context.Context, items []json.RawMessage) ([]row, error) {
	rows := make([]row, 0, len(items))
	for _, raw := range items {
		one, err := e.head(raw)
		if err != nil {
			return nil, err
		}
		rows = append(rows, one)
	}
	return rows, nil
}

// idPlace is behind the record of that number.
type idPlace struct {
	ID int64 `json:"id"`
}

// scan reads the page after from in the order of numbers: a record that is written meanwhile stays where it is, while
// pages by their number would shift.
func (e *entity) scan(ctx context.Context, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := e.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	at := idPlace{}
	if err := readPlace(from, &at); err != nil || at.ID < 0 {
		return lockstep.Page{}, wrongPlace()
	}
	rows, got, err := e.pageOf(ctx, p, search{
		groups: append([][]filter{{{numberColumn, greater, number(at.ID).text()}}}, e.only...), sort: []string{numberColumn}, size: rowsOf(e.conf, l),
	})
	if err != nil {
		return lockstep.Page{}, err
	}
	page := lockstep.Page{More: got.total > len(rows)}
	if page.More && len(rows) == 0 {
		return page, lockstep.Faultf(lockstep.CodeServer, "a search counts %d records and shows none", got.total).On(lockstep.About{Request: e.name})
	}
	for i := range bounded(rows, e.conf.maxRecord, l, &page) {
		if rows[i].id <= at.ID {
			return page, lockstep.Faultf(lockstep.CodeServer, "a search by number is not in their order").On(lockstep.About{Request: e.name})
		}
		at.ID = rows[i].id
		page.Changes = append(page.Changes, rows[i].change)
	}
	page.Next = place(at)
	return page, nil
}

// bounded yields the rows that fit on a page. Where some do not, there is more.
func bounded(rows []row, largest int, l lockstep.Limit, page *lockstep.Page) func(func(int) bool) {
	if l.Bytes > 0 {
		largest = min(largest, l.Bytes)
	}
	return func(yield func(int) bool) {
		bytes := 0
		for i := range rows {
			c := &rows[i].change
			size := c.Record.Fields.Size()
			if size > largest && c.Fault == nil {
				c.Fault = lockstep.Faultf(lockstep.CodeTooLarge, "the record has %d bytes, the limit is %d", size, largest).On(lockstep.About{Key: c.Record.Key})
				c.Record.Fields = value.Fields{}
				size = 0
			}
			if bytes += size; i > 0 && (l.Bytes > 0 && bytes > l.Bytes || l.Rows > 0 && i >= l.Rows) {
				page.More = true
				return
			}
			if !yield(i) {
				return
			}
		}
	}
}

func rowsOf(c *conf, l lockstep.Limit) int {
	if l.Rows > 0 {
		return min(l.Rows, c.page)
	}
	return c.page
}

// fetch reads records by key.
func (e *entity) fetch(ctx context.Context, r *reading, keys []lockstep.Key) ([]lockstep.Record, error) {
	p, err := e.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	asked := map[lockstep.Key]bool{}
	var values []string
	for _, k := range keys {
		if folded := fold(k); !asked[folded] && e.canBe(string(k)) {
			asked[folded] = true
			values = append(values, string(k))
		}
	}
	rows, err := e.gather(ctx, p, inGroups(e.key, values))
	if err != nil {
		return nil, err
	}
	var out []lockstep.Record
	for i := range rows {
		// To the database, "café" may equal "cafe": that is not the record asked for. Of several rows with one SKU, which
		// Magento does not prevent, the one with the lowest number is the one that it writes to.
		k := fold(rows[i].change.Record.Key)
		if !asked[k] {
			continue
		}
		delete(asked, k)
		if rows[i].change.Fault != nil {
			return nil, rows[i].change.Fault
		}
		out = append(out, rows[i].change.Record)
	}
	return out, nil
}

// gather gives all records that groups of filters find, several groups side by side.
func (e *entity) gather(ctx context.Context, p *plan, groups [][]filter) ([]row, error) {
	found := make([][]row, len(groups))
	calls := make([]func() error, len(groups))
	for i, group := range groups {
		calls[i] = func() error {
			return e.each(ctx, p, group, func(one *row) error {
				found[i] = append(found[i], *one)
				return nil
			})
		}
	}
	err := inParallel(e.conf.writers, calls...)
	return slices.Concat(found...), err
}

// fold is a key as Magento compares it.
func fold(k lockstep.Key) lockstep.Key { return lockstep.Key(strings.ToLower(string(k))) }

// canBe tells whether a text can be a key at all.
func (e *entity) canBe(key string) bool {
	if e.key == numberColumn {
		n, err := strconv.ParseUint(key, 10, 32)
		return err == nil && n > 0 && strconv.FormatUint(n, 10) == key
	}
	return key != ""
}

// each gives all records that a group of filters finds, in the order of their numbers.
func (e *entity) each(ctx context.Context, p *plan, group []filter, f func(*row) error) error {
	last := int64(0)
	for {
		groups := [][]filter{group}
		if last > 0 {
			groups = append(groups, []filter{{numberColumn, greater, number(last).text()}})
		}
		rows, got, err := e.pageOf(ctx, p, search{groups: groups, sort: []string{numberColumn}, size: e.conf.page})
		if err != nil {
			return err
		}
		before := last
		for i := range rows {
			last = max(last, rows[i].id)
			if err := f(&rows[i]); err != nil {
				return err
			}
		}
		if len(rows) >= got.total || len(rows) == 0 {
			return nil
		}
		if last == before {
			return lockstep.Faultf(lockstep.CodeServer, "a search by number is not in their order").On(lockstep.About{Request: e.name})
		}
	}
}

// find reads the records whose fields equal the values. One field with many values is one search; several fields are
// one search for each tuple, for filters of one group are alternatives.
func (e *entity) find(ctx context.Context, r *reading, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	p, err := e.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	columns := make([]column, len(by))
	for i, name := range by {
		if columns[i], err = e.columns(ctx, r, name); err != nil {
			return nil, err
		}
	}
	m := newMatch(by, values)
	seen := map[lockstep.Key]bool{}
	take := func(one *row) error {
		if k := fold(one.change.Record.Key); seen[k] {
			return nil // of several rows with one SKU the first is the one that Magento writes to
		} else {
			seen[k] = true
		}
		if m.takes(one.change.Record.Fields) && one.change.Fault != nil {
			return one.change.Fault
		}
		m.take(one.change.Record)
		return nil
	}
	groups, rest := m.groups(columns)
	rows, err := e.gather(ctx, p, groups)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if err := take(&rows[i]); err != nil {
			return nil, err
		}
	}
	for _, conditions := range rest {
		if err := e.all(ctx, p, conditions, take); err != nil {
			return nil, err
		}
	}
	return m.out, nil
}

// all is each for conditions of which all must hold.
func (e *entity) all(ctx context.Context, p *plan, conditions [][]filter, f func(*row) error) error {
	q := search{groups: conditions, sort: []string{numberColumn}, size: e.conf.page}
	for q.page = 1; ; q.page++ {
		rows, got, err := e.pageOf(ctx, p, q)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := f(&rows[i]); err != nil {
				return err
			}
		}
		if q.page*q.size >= got.total || len(rows) == 0 {
			return nil
		}
	}
}

func readPlace(from lockstep.Position, into any) error {
	if from == nil {
		return nil
	}
	return json.Unmarshal(from, into)
}

func wrongPlace() error {
	return lockstep.Faultf(lockstep.CodePosition, "the position is not one of this stream")
}
