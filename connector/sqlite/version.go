package sqlite

import (
	"context"
	"database/sql"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// byVersion reads what has a higher number, in sweeps in the order of (number, key). A row without a number is not seen.
//
// There is one writer at a time, and it draws its numbers while nobody else can write: so numbers come to light in the
// order in which they were drawn, and whatever is committed behind the highest one that is to be seen is higher.
func (s *System) byVersion(ctx context.Context, p *sqlkit.Plan, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	field, err := p.Number()
	if err != nil {
		return lockstep.Page{}, err
	}
	if from == nil {
		now, err := s.numbers(ctx, p, field, &sqlkit.Numbers{Last: sqlkit.NoNumber})
		return lockstep.Page{Next: sqlkit.Counted{Numbers: now}.Position(), UpTo: now.Clock}, err
	}
	feed, err := sqlkit.ReadCounted(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, err
	}
	if feed.Sweep == nil {
		now, err := s.numbers(ctx, p, field, &feed.Numbers)
		if err != nil {
			return lockstep.Page{}, err
		}
		feed.Sweep = feed.Begin(&now, p.Track.Overlap)
	}
	return s.countedSweep(ctx, p, field, feed, l)
}

// numbers reads the highest numbers, and looks whether the counter was set back since the last position.
func (s *System) numbers(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, last *sqlkit.Numbers) (n sqlkit.Numbers, err error) {
	n.Clock, n.Last = time.Now().UTC(), sqlkit.NoNumber
	db, err := s.read()
	if err != nil {
		return n, err
	}
	if n.Top, err = topRows(ctx, db, p, field, "", nil); err != nil {
		return n, err
	}
	if len(n.Top) > 0 {
		n.Last = n.Top[0].Number
	}
	if n.Last >= last.Last || len(last.Top) == 0 {
		return n, nil
	}
	found, err := foundRows(ctx, db, p, field, last.Top)
	if err == nil {
		err = last.SetBack(&n, found)
	}
	return n, err
}

// topRows are the rows with the highest numbers. A text is above all numbers, and none.
func topRows(ctx context.Context, q *sql.DB, p *sqlkit.Plan, field *sqlkit.Column, condition string, args []any) (top []sqlkit.TopRow, err error) {
	number := "t." + sqlkit.Quote(field.Name)
	terms := []string{number + " <= " + strconv.FormatInt(math.MaxInt64, 10)}
	if condition != "" {
		terms = append(terms, condition)
	}
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	list := "+" + number
	for _, at := range p.Key {
		list += ", +t." + sqlkit.Quote(p.Columns[at].Name)
	}
	rows, err := q.QueryContext(ctx, "SELECT "+list+" FROM "+p.Table.SQL+" t"+and(terms)+" ORDER BY "+number+" DESC LIMIT "+strconv.Itoa(sqlkit.TopRows), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cells, dest := make([]any, len(p.Key)+1), make([]any, len(p.Key)+1)
	for i := range cells {
		dest[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		n, ok := cells[0].(int64)
		if !ok {
			return nil, lockstep.Faultf(lockstep.CodeCannot, "column %q holds something that is no whole number", field.Name).On(lockstep.About{Field: field.Name})
		}
		row := sqlkit.TopRow{Number: n}
		for _, cell := range cells[1:] {
			row.Key = append(row.Key, place(cell))
		}
		top = append(top, row)
	}
	return top, rows.Err()
}

// foundRows are the numbers that some rows have now, by key.
func foundRows(ctx context.Context, q *sql.DB, p *sqlkit.Plan, field *sqlkit.Column, rows []sqlkit.TopRow) (map[string]int64, error) {
	found := map[string]int64{}
	for _, row := range rows {
		terms, args := make([]string, len(p.Key)), make([]any, len(p.Key))
		for i, at := range p.Key {
			terms[i] = "t." + sqlkit.Quote(p.Columns[at].Name) + " = ?"
			args[i], _ = unplace(row.Key[i])
		}
		now, err := topRows(ctx, q, p, field, strings.Join(terms, " AND "), args)
		if err != nil {
			return nil, err
		}
		if len(now) > 0 {
			found[sqlkit.TopKey(row.Key)] = now[0].Number
		}
	}
	return found, nil
}

func (s *System) countedSweep(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, feed sqlkit.Counted, l lockstep.Limit) (page lockstep.Page, err error) {
	db, err := s.read()
	if err != nil {
		return page, err
	}
	sweep := *feed.Sweep
	page = lockstep.Page{Next: sqlkit.Counted{Numbers: sweep.Next}.Position(), UpTo: sweep.Next.Clock}
	large, count := sqlkit.MaxRecord(s.options.MaxRecord, l), p.Rows(lockstep.Limit{Rows: l.Rows})
	query, args, err := countedSQL(p, field, sweep, large, count+1)
	if err != nil {
		return page, err
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	rd := newReader(p, large, 2)
	for bytes := 0; rows.Next(); {
		rec, fault, err := rd.record(rows)
		if err != nil {
			return page, err
		}
		if len(page.Changes) == count || l.Bytes > 0 && bytes > 0 && bytes+rd.size > l.Bytes {
			page.Next, page.More, page.UpTo = sqlkit.Counted{Numbers: feed.Numbers, Sweep: &sweep}.Position(), true, time.Time{}
			break
		}
		bytes += rd.size
		change := lockstep.Change{Record: rec, Fault: fault}
		if rd.cells[len(rd.cells)-1] == int64(1) {
			change.Op = lockstep.Delete
		}
		page.Changes = append(page.Changes, change)
		sweep.After = append([]string{place(rd.cells[len(rd.cells)-2])}, rd.place().After...)
	}
	return page, rows.Err()
}

// countedSQL selects the rows of a sweep behind its place.
func countedSQL(p *sqlkit.Plan, field *sqlkit.Column, sweep sqlkit.NumberSweep, large, rows int) (string, []any, error) {
	number := "t." + sqlkit.Quote(field.Name)
	terms := []string{number + " > ? AND " + number + " <= " + strconv.FormatInt(math.MaxInt64, 10)}
	args := []any{sweep.Above}
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	for _, at := range p.Key {
		if p.Columns[at].Nullable {
			terms = append(terms, "t."+sqlkit.Quote(p.Columns[at].Name)+" IS NOT NULL")
		}
	}
	order := number + ", " + keyList(p)
	for _, a := range sweep.After {
		v, ok := unplace(a)
		if !ok {
			return "", nil, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a version tracker")
		}
		args = append(args, v)
	}
	if len(sweep.After) > 0 {
		terms = append(terms, "("+order+") > ("+marks(len(sweep.After))+")")
	}
	gone := "0"
	if p.Deleted != nil {
		gone = goneSQL(p.Deleted)
	}
	return "SELECT " + selectList(p, large) + ", +" + number + ", " + gone + " FROM " + p.Table.SQL + " t" + and(terms) + " ORDER BY " + order +
		" LIMIT " + strconv.Itoa(rows), args, nil
}
