package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// plan is the table and the plan of a read. A table or column that we do not know may have come meanwhile: it is looked
// for once more.
func (s *System) plan(ctx context.Context, r lockstep.Read) (*sqlkit.Plan, error) {
	p, err := s.knownPlan(ctx, r)
	if err == nil {
		return p, nil
	}
	if code := lockstep.FaultOf(err).Code; code != lockstep.CodeNoField && code != lockstep.CodeNoStream {
		return nil, err
	}
	s.forget()
	return s.knownPlan(ctx, r)
}

func (s *System) knownPlan(ctx context.Context, r lockstep.Read) (*sqlkit.Plan, error) {
	t, err := s.table(ctx, r.Stream)
	if err != nil {
		return nil, err
	}
	return s.plans.Plan(t, r)
}

// Scan reads the page after from, in the order of the key.
func (s *System) Scan(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	place, err := sqlkit.ReadPlace(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, about(err, r.Stream)
	}
	if p.Table.KeyIsNullable() && len(place.After) == 0 {
		page, err := s.nullKeys(ctx, p, place, l)
		if err != nil || len(page.Changes) > 0 {
			return page, s.about(err, r.Stream)
		}
	}
	page, err := s.scanKeys(ctx, p, place, l)
	return page, s.about(err, r.Stream)
}

func (s *System) scanKeys(ctx context.Context, p *sqlkit.Plan, place sqlkit.Place, l lockstep.Limit) (lockstep.Page, error) {
	names := keyNames(p)
	q := &query{plan: p, from: p.Table.SQL + " t", terms: present(p), order: strings.Join(names, ", "),
		large: sqlkit.MaxRecord(s.options.MaxRecord, l), doubles: !p.Table.KeyIsUnique()}
	if len(place.After) > 0 {
		marks := make([]string, len(names))
		for i, part := range place.After {
			marks[i] = "$" + strconv.Itoa(i+1)
			q.args = append(q.args, []byte(part))
		}
		q.terms = append(q.terms, "("+q.order+") > ("+strings.Join(marks, ", ")+")")
	} else if p.Table.KeyIsNullable() {
		for _, name := range names {
			q.terms = append(q.terms, name+" IS NOT NULL")
		}
	}
	return s.page(ctx, q, l, place.Position(), func(keys, _ []string) lockstep.Position {
		return sqlkit.Place{After: keys}.Position()
	})
}

// page collects a page of l. start is its position if it stays empty; place is the position behind a row, told by the
// cells of its key and those of the extra columns.
func (s *System) page(ctx context.Context, q *query, l lockstep.Limit, start lockstep.Position, place func(keys, extra []string) lockstep.Position) (lockstep.Page, error) {
	return s.pageBy(ctx, q, l, start, place, func(begin func(), each func(*row) error) error { return s.collect(ctx, q, begin, each) })
}

// pageBy is page with its own way to run the query.
func (s *System) pageBy(ctx context.Context, q *query, l lockstep.Limit, start lockstep.Position, place func(keys, extra []string) lockstep.Position,
	collect func(begin func(), each func(*row) error) error,
) (lockstep.Page, error) {
	wanted := q.plan.Rows(l)
	if q.rows = wanted; !q.fetch {
		q.rows++ // one more tells whether there is more; a cursor would have passed it
	}
	var page lockstep.Page
	var bytes, seen int
	var last mark
	var before mark // the last row with another key than the last row has
	run := 0        // where the rows with the last key begin
	begin := func() {
		page, bytes, seen, run = lockstep.Page{Next: start, Changes: make([]lockstep.Change, 0, wanted)}, 0, 0, 0
	}
	err := collect(begin, func(r *row) error {
		if seen == wanted || (l.Bytes > 0 && seen > 0 && bytes+r.size > l.Bytes) {
			page.More = true
			return errEnough
		}
		if q.doubles && seen > 0 && page.Changes[seen-1].Record.Key != r.record.Key {
			run = seen
			before, last = last, before
		}
		bytes += r.size
		seen++
		last.set(r)
		page.Changes = append(page.Changes, lockstep.Change{Op: r.op, Record: r.record, Fault: r.fault})
		return nil
	})
	if err != nil && err != errEnough {
		return lockstep.Page{}, err
	}
	page.More = page.More || seen == q.rows
	if q.doubles && page.More && run > 0 { // more rows may have the last key: they come together, on the next page
		page.Changes, last = page.Changes[:run], before
	}
	if seen > 0 {
		page.Next = place(last.texts(len(q.plan.Key)))
	}
	q.plan.Saw(seen, bytes)
	return page, nil
}

// mark keeps the cells that say where a row stands.
type mark struct{ cells [][]byte }

func (m *mark) set(r *row) {
	m.cells = m.cells[:0]
	for _, list := range [...][][]byte{r.keys, r.cells} {
		for _, c := range list {
			if n := len(m.cells); n < cap(m.cells) {
				m.cells = m.cells[:n+1]
			} else {
				m.cells = append(m.cells, nil)
			}
			m.cells[len(m.cells)-1] = append(m.cells[len(m.cells)-1][:0], c...)
		}
	}
}

func (m *mark) texts(keys int) (key, extra []string) {
	texts := make([]string, len(m.cells))
	for i, c := range m.cells {
		texts[i] = string(c)
	}
	return texts[:keys], texts[keys:]
}

// nullKeys reads the rows whose key is null: nobody could link them, so each is a fault at a place that people find.
func (s *System) nullKeys(ctx context.Context, p *sqlkit.Plan, place sqlkit.Place, l lockstep.Limit) (lockstep.Page, error) {
	terms := make([]string, len(p.Key))
	for i, name := range keyNames(p) {
		terms[i] = name + " IS NULL"
	}
	condition := strings.Join(append(present(p), "("+strings.Join(terms, " OR ")+")"), " AND ")
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return lockstep.Page{}, err
	}
	defer conn.release()
	if !p.Table.Info.(tableInfo).ctid {
		return conn.countNullKeys(ctx, p, place, condition)
	}
	after := place.Nulls
	if after == "" {
		after = "(0,0)"
	}
	page := lockstep.Page{More: true}
	sql := "SELECT t.ctid FROM " + p.Table.SQL + " t WHERE " + condition + " AND t.ctid > $1::tid ORDER BY t.ctid LIMIT " +
		strconv.Itoa(p.Rows(lockstep.Limit{Rows: l.Rows}))
	err = conn.rows(ctx, sql, bytesOf([]string{after}), func(cells [][]byte) error {
		at := string(cells[0])
		page.Changes = append(page.Changes, nullKey(p, "ctid "+at))
		page.Next = sqlkit.Place{Nulls: at}.Position()
		return nil
	})
	return page, err
}

// countNullKeys is nullKeys for a view, whose rows have no place of their own: one fault stands for all.
func (c link) countNullKeys(ctx context.Context, p *sqlkit.Plan, place sqlkit.Place, condition string) (lockstep.Page, error) {
	if place.Nulls != "" {
		return lockstep.Page{}, nil
	}
	n, err := c.one(ctx, "SELECT count(*) FROM "+p.Table.SQL+" t WHERE "+condition)
	if err != nil || n[0] == "0" {
		return lockstep.Page{}, err
	}
	return lockstep.Page{
		Changes: []lockstep.Change{nullKey(p, fmt.Sprintf("%s rows of %s", n[0], p.Table.Stream.Name))},
		Next:    sqlkit.Place{Nulls: "all"}.Position(), More: true,
	}, nil
}

func nullKey(p *sqlkit.Plan, where string) lockstep.Change {
	key := lockstep.Key(where)
	f := lockstep.Faultf(lockstep.CodeNullKey, "a key field is null").On(lockstep.About{Stream: p.Table.Stream.Name, Key: key})
	return lockstep.Change{Record: lockstep.Record{Key: key}, Fault: f}
}

func keyNames(p *sqlkit.Plan) []string {
	names := make([]string, len(p.Key))
	for i, at := range p.Key {
		names[i] = "t." + sqlkit.Quote(p.Columns[at].Name)
	}
	return names
}

// about adds the stream to a fault. A table or column that is gone means that what we know of the tables is old.
func (s *System) about(err error, stream string) error {
	if err == nil {
		return nil
	}
	f := lockstep.FaultOf(fault(err)).On(lockstep.About{Stream: stream})
	if f.Code == lockstep.CodeNoStream || f.Code == lockstep.CodeNoField {
		s.forget()
	}
	return f
}
