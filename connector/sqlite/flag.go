package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// markedRow is a row as it was read, its stored values in the order of compared. Where it was too large to be read, only
// its size is known.
type markedRow struct {
	cells []any
	size  int64 // of a row that is too large, or 0
}

// markedRows are the rows of a page, with the plan that they were read by.
type markedRows struct {
	plan *sqlkit.Plan
	rows []markedRow
}

// compared are the columns by which a row is told to be the one that was read: the key and the version where the
// settings name one; else all that were read, or all there are where only the key was.
func compared(p *sqlkit.Plan) []*sqlkit.Column {
	var out []*sqlkit.Column
	add := func(c *sqlkit.Column) { out = append(out, c) }
	for _, at := range p.Key {
		add(p.Columns[at])
	}
	if c := p.Table.Column(p.Table.Version); c != nil {
		add(c)
		return out
	}
	others := p.Columns
	if p.Names.Len() == 0 {
		others = nil
		for i := range p.Table.Columns {
			others = append(others, &p.Table.Columns[i])
		}
	}
	for _, c := range others {
		if c.Name != p.Track.Field {
			add(c)
		}
	}
	if p.Deleted != nil {
		add(p.Deleted)
	}
	return out
}

// markedSQL is true on marked rows. A boolean may be stored as a text.
func markedSQL(mark *sqlkit.Column) string {
	name := "t." + sqlkit.Quote(mark.Name)
	return "(" + name + " <> 0 AND lower(" + name + ") NOT IN ('', 'f', 'false', 'n', 'no'))"
}

// byFlag reads the rows that are marked, in the order of the key.
func (s *System) byFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	mark, err := p.Mark()
	if err != nil {
		return lockstep.Page{}, err
	}
	if err := s.watcher.before(ctx, s, sqlkit.FeedName(r)); err != nil {
		return lockstep.Page{}, err
	}
	clock := time.Now().UTC()
	if from == nil {
		return lockstep.Page{Next: sqlkit.Marked{}.Position(), UpTo: clock}, nil
	}
	place, err := sqlkit.ReadMarked(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, err
	}
	page, items, after, err := s.markedPage(ctx, p, mark, place, l)
	if err != nil {
		return lockstep.Page{}, err
	}
	next := sqlkit.Marked{}
	if page.More {
		next.After = after
	} else {
		page.UpTo = clock
	}
	page.Next = next.Position()
	var read []markedRows
	if len(items) > 0 {
		read = []markedRows{{p, items}}
	}
	s.marked.Add(sqlkit.FeedName(r), from, page.Next, read)
	return page, nil
}

// markedPage reads a page of marked rows behind a place, and tells the place behind the page.
func (s *System) markedPage(ctx context.Context, p *sqlkit.Plan, mark *sqlkit.Column, from sqlkit.Marked, l lockstep.Limit) (page lockstep.Page, items []markedRow, after []string, err error) {
	db, err := s.read()
	if err != nil {
		return page, nil, nil, err
	}
	large, count := sqlkit.MaxRecord(s.options.MaxRecord, l), p.Rows(lockstep.Limit{Rows: l.Rows})
	query, args, err := markedPageSQL(p, mark, from, large, count+1)
	if err != nil {
		return page, nil, nil, err
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return page, nil, nil, err
	}
	defer rows.Close()
	columns := len(compared(p))
	rd := newReader(p, large, columns+1)
	bytes, run, before := 0, 0, []string(nil) // run: where the rows with the last key begin
	for rows.Next() {
		rec, fault, err := rd.record(rows)
		if err != nil {
			return page, nil, nil, err
		}
		if n := len(page.Changes); n > 0 && page.Changes[n-1].Record.Key != rec.Key {
			run, before = n, after
		}
		if len(items) == count || l.Bytes > 0 && bytes > 0 && bytes+rd.size > l.Bytes {
			if page.More = true; !p.Table.KeyIsUnique() && run > 0 && page.Changes[len(page.Changes)-1].Record.Key == rec.Key {
				page.Changes, items, after = page.Changes[:run], items[:run], before // rows that share a key come together
			}
			break
		}
		bytes += rd.size
		own := rd.cells[len(p.Columns)+1:]
		row := markedRow{cells: append([]any(nil), own[:columns]...)}
		if fault != nil {
			row.size, _ = rd.cells[len(p.Columns)].(int64)
		}
		change := lockstep.Change{Record: rec, Fault: fault}
		if own[columns] == int64(1) {
			change.Op = lockstep.Delete
		}
		page.Changes, items, after = append(page.Changes, change), append(items, row), rd.place().After
	}
	return page, items, after, rows.Err()
}

func markedPageSQL(p *sqlkit.Plan, mark *sqlkit.Column, from sqlkit.Marked, large, rows int) (string, []any, error) {
	terms, args := []string{markedSQL(mark)}, []any(nil)
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	for _, at := range p.Key {
		if p.Columns[at].Nullable {
			terms = append(terms, "t."+sqlkit.Quote(p.Columns[at].Name)+" IS NOT NULL")
		}
	}
	for _, a := range from.After {
		v, ok := unplace(a)
		if !ok {
			return "", nil, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a flag tracker")
		}
		args = append(args, v)
	}
	if len(args) > 0 {
		terms = append(terms, "("+keyList(p)+") > ("+marks(len(args))+")")
	}
	var b strings.Builder
	for _, c := range compared(p) {
		name := "t." + sqlkit.Quote(c.Name)
		if fixed(c) {
			b.WriteString(", +" + name)
			continue
		}
		fmt.Fprintf(&b, ", iif(octet_length(%s) > %d, NULL, +%s)", name, large, name)
	}
	gone := "0"
	if p.Deleted != nil {
		gone = goneSQL(p.Deleted)
	}
	return "SELECT " + selectList(p, large) + b.String() + ", " + gone + " FROM " + p.Table.SQL + " t" + and(terms) +
		" ORDER BY " + keyList(p) + " LIMIT " + strconv.Itoa(rows), args, nil
}

// ackFlag takes the marks of what was read up to a position, where the row is still as it was read. Whoever has changed
// it in between has marked it again, or left it marked: it keeps the mark.
func (s *System) ackFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, upTo lockstep.Position) error {
	mark, err := p.Mark()
	if err != nil {
		return err
	}
	if _, err := sqlkit.ReadMarked(upTo, len(p.Key)); err != nil {
		return err
	}
	pages := s.marked.Take(sqlkit.FeedName(r), upTo)
	if len(pages) == 0 {
		return nil
	}
	return s.inWriter(ctx, func(tx *sql.Conn) error {
		for _, page := range pages {
			for _, large := range [...]bool{false, true} {
				if err := page[0].clear(ctx, tx, mark, large); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// clear takes the marks of the rows that are, or are not, too large to be read.
func (m markedRows) clear(ctx context.Context, tx *sql.Conn, mark *sqlkit.Column, large bool) error {
	var stmt *sql.Stmt
	for _, row := range m.rows {
		if (row.size > 0) != large {
			continue
		}
		if stmt == nil {
			var err error
			if stmt, err = tx.PrepareContext(ctx, clearSQL(m.plan, mark, large)); err != nil {
				return err
			}
			defer stmt.Close()
		}
		args := row.cells
		if large {
			args = append(args, row.size)
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// clearSQL takes the mark of one row. Each value is compared as it is stored, whatever the column's collation; the key
// also by its own, for the sake of its index. Of a row that is too large to be read, the size is compared where values
// are too large.
func clearSQL(p *sqlkit.Plan, mark *sqlkit.Column, large bool) string {
	var terms, sizes []string
	for i, c := range compared(p) {
		name, at := "t."+sqlkit.Quote(c.Name), "?"+strconv.Itoa(i+1)
		if i < len(p.Key) {
			terms = append(terms, name+" = "+at)
		}
		same := name + " IS " + at + " COLLATE BINARY"
		if large && !fixed(c) {
			same = "(" + at + " IS NULL OR " + same + ")"
		}
		terms = append(terms, same)
	}
	if large {
		for _, c := range p.Columns {
			if !fixed(c) {
				sizes = append(sizes, "ifnull(octet_length(t."+sqlkit.Quote(c.Name)+"), 0)")
			}
		}
		terms = append(terms, strings.Join(append(sizes, "0"), " + ")+" = ?"+strconv.Itoa(len(compared(p))+1))
	}
	return "UPDATE " + p.Table.SQL + " AS t SET " + sqlkit.Quote(mark.Name) + " = 0 WHERE " + strings.Join(terms, " AND ")
}
