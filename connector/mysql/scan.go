package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
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
		return lockstep.Page{}, mykit.About(err, r.Stream)
	}
	if p.Table.KeyIsNullable() && len(place.After) == 0 {
		page, err := s.nullKeys(ctx, p, place)
		if err != nil || len(page.Changes) > 0 {
			return page, s.about(err, r.Stream)
		}
	}
	page, err := s.scanKeys(ctx, p, place, l)
	return page, s.about(err, r.Stream)
}

func (s *System) scanKeys(ctx context.Context, p *sqlkit.Plan, place sqlkit.Place, l lockstep.Limit) (lockstep.Page, error) {
	names := keyNames(p, "t.")
	q := &selection{plan: p, from: p.Table.SQL + " t", terms: present(p), order: strings.Join(names, ", "),
		large: sqlkit.MaxRecord(s.options.MaxRecord, l), doubles: !p.Table.KeyIsUnique()}
	if len(place.After) > 0 {
		marks, args, err := placeArgs(p, place.After)
		if err != nil {
			return lockstep.Page{}, err
		}
		term, args := behind(names, marks, args)
		q.terms, q.args = append(q.terms, term), args
	} else if p.Table.KeyIsNullable() {
		for _, name := range names {
			q.terms = append(q.terms, name+" IS NOT NULL")
		}
	}
	return s.page(ctx, q, l, place.Position(), func(keys, _ []string) lockstep.Position {
		return sqlkit.Place{After: keys}.Position()
	})
}

// placeArgs are the parameters of a place among the keys.
func placeArgs(p *sqlkit.Plan, after []string) (marks []string, args []driver.Value, err error) {
	for i, at := range p.Key {
		c := p.Columns[at]
		info := columnOf(p.Table, c)
		arg, ok := placeArg(c, info, after[i])
		if !ok {
			return nil, nil, lockstep.Faultf(lockstep.CodePosition, "the place is not one of this stream: its key may have changed")
		}
		marks, args = append(marks, keyMark(c)), append(args, arg)
	}
	return marks, args, nil
}

// placeArg is a key field's text of a place: an enum goes by its number, and a zero date is as good as any.
func placeArg(c *sqlkit.Column, info *columnInfo, text string) (driver.Value, bool) {
	if info.words != nil {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	if arg, ok := keyArg(c, text); ok {
		return arg, true
	}
	_, zero, isTime := parseTime([]byte(text))
	return text, zero && isTime
}

// behind is the condition that a row stands behind a place: (a, b) > (1, 2), in the only form for which the server goes
// to the place by an index: a > 1 OR (a = 1 AND b > 2). Otherwise a page would read all rows with that a again.
func behind(names, marks []string, args []driver.Value) (string, []driver.Value) {
	name, mark, arg := names[0], marks[0], args[0]
	if len(names) == 1 {
		return name + " > " + mark, args
	}
	rest, more := behind(names[1:], marks[1:], args[1:])
	return "(" + name + " > " + mark + " OR (" + name + " = " + mark + " AND " + rest + "))", append([]driver.Value{arg, arg}, more...)
}

// page collects a page of l. start is its position if it stays empty; place is the position behind a row, told by the
// texts of its key and those of the extra columns.
func (s *System) page(ctx context.Context, q *selection, l lockstep.Limit, start lockstep.Position, place func(keys, extra []string) lockstep.Position) (lockstep.Page, error) {
	wanted := q.plan.Rows(l)
	q.rows = wanted + 1 // one more tells whether there is more
	page := lockstep.Page{Next: start, Changes: make([]lockstep.Change, 0, wanted)}
	bytes, run := 0, 0    // run is where the rows with the last key begin
	var last, before mark // before is the last row with another key than the last row has
	err := s.collect(ctx, q, func(r *row) error {
		seen := len(page.Changes)
		if seen == wanted || (l.Bytes > 0 && seen > 0 && bytes+r.size > l.Bytes) {
			page.More = true
			return errEnough
		}
		if q.doubles && seen > 0 && page.Changes[seen-1].Record.Key != r.record.Key {
			run = seen
			before, last = last, before
		}
		bytes += r.size
		last.set(r)
		if q.look != nil {
			q.look(r)
		}
		page.Changes = append(page.Changes, lockstep.Change{Op: r.op, Record: r.record, Fault: r.fault})
		return nil
	})
	if err != nil && err != errEnough {
		return lockstep.Page{}, err
	}
	seen := len(page.Changes)
	if q.doubles && page.More && run > 0 { // more rows may have the last key: they come together, on the next page
		page.Changes, last = page.Changes[:run], before
	}
	if seen > 0 {
		page.Next = place(last.keys, last.extra)
	}
	q.plan.Saw(seen, bytes)
	return page, nil
}

// mark keeps what says where a row stands.
type mark struct{ keys, extra []string }

func (m *mark) set(r *row) {
	m.keys, m.extra = append(m.keys[:0], r.place...), append(m.extra[:0], r.extra...)
}

// nullKeys tells of the rows whose key is null: nobody could link them, and they have no name of their own, so one
// fault stands for all.
func (s *System) nullKeys(ctx context.Context, p *sqlkit.Plan, place sqlkit.Place) (lockstep.Page, error) {
	if place.Nulls != "" {
		return lockstep.Page{}, nil
	}
	terms := make([]string, len(p.Key))
	for i, name := range keyNames(p, "t.") {
		terms[i] = name + " IS NULL"
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return lockstep.Page{}, err
	}
	defer conn.Release()
	condition := strings.Join(append(present(p), "("+strings.Join(terms, " OR ")+")"), " AND ")
	n, err := conn.One(ctx, "SELECT COUNT(*) FROM "+p.Table.SQL+" t WHERE "+condition)
	if err != nil || n[0] == "0" {
		return lockstep.Page{}, err
	}
	key := lockstep.Key(fmt.Sprintf("%s rows of %s", n[0], p.Table.Stream.Name))
	f := lockstep.Faultf(lockstep.CodeNullKey, "a key field is null").On(lockstep.About{Stream: p.Table.Stream.Name, Key: key})
	return lockstep.Page{
		Changes: []lockstep.Change{{Record: lockstep.Record{Key: key}, Fault: f}},
		Next:    sqlkit.Place{Nulls: "all"}.Position(), More: true,
	}, nil
}

func keyNames(p *sqlkit.Plan, of string) []string {
	names := make([]string, len(p.Key))
	for i, at := range p.Key {
		names[i] = of + mykit.Quote(p.Columns[at].Name)
	}
	return names
}

// about adds the stream to a fault. A table or column that is gone means that what we know of the tables is old.
func (s *System) about(err error, stream string) error {
	if err == nil {
		return nil
	}
	f := lockstep.FaultOf(mykit.Fault(err)).On(lockstep.About{Stream: stream})
	if f.Code == lockstep.CodeNoStream || f.Code == lockstep.CodeNoField {
		s.forget()
	}
	return f
}
