package mysql

import (
	"context"
	"database/sql/driver"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// byVersion reads what has a higher number, in sweeps in the order of (number, key). A row without a number is not seen.
func (s *System) byVersion(ctx context.Context, p *sqlkit.Plan, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	field, err := p.Number()
	if err != nil {
		return lockstep.Page{}, err
	}
	if from == nil {
		now, err := s.numbers(ctx, p, field, nil)
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

// numbers reads the highest numbers, and then the open transactions, in that order. last is the position, nil for the
// first one.
func (s *System) numbers(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, last *sqlkit.Numbers) (n sqlkit.Numbers, err error) {
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return n, err
	}
	defer conn.Release()
	n.Last = sqlkit.NoNumber
	if n.Top, err = topRows(ctx, conn, p, field, "", nil); err != nil {
		return n, err
	}
	if len(n.Top) > 0 {
		n.Last = n.Top[0].Number
	}
	if last != nil && n.Last < last.Last && len(last.Top) > 0 {
		found := map[string]int64{}
		for _, top := range last.Top {
			marks, args, err := placeArgs(p, top.Key)
			if err != nil {
				return n, err
			}
			terms := make([]string, len(marks))
			for i, name := range keyNames(p, "t.") {
				terms[i] = name + " = " + marks[i]
			}
			now, err := topRows(ctx, conn, p, field, strings.Join(terms, " AND "), args)
			if err != nil {
				return n, err
			}
			if len(now) > 0 {
				found[sqlkit.TopKey(top.Key)] = now[0].Number
			}
		}
		if err := last.SetBack(&n, found); err != nil {
			return n, err
		}
	}
	h, err := s.horizon(ctx, conn, nil, time.Now())
	n.Clock, n.Blind = h.Clock, h.Blind
	for _, o := range h.Open {
		n.Open = append(n.Open, sqlkit.OpenNumber{ID: o.ID, Above: sqlkit.NoNumber, Late: last != nil && wasThere(last, o.ID)})
	}
	return n, err
}

// wasThere tells whether a transaction may be one that was seen before under another name: as a statement that ran
// without one yet, or before it was prepared for a commit in two phases.
func wasThere(last *sqlkit.Numbers, id string) bool {
	thread, _, isTransaction := strings.Cut(strings.TrimPrefix(id, "trx/"), "/")
	if !isTransaction {
		return false
	}
	for _, o := range last.Open {
		if thread == "0" || o.ID == "run/"+thread {
			return true
		}
	}
	return false
}

// topRows are the rows with the highest numbers.
func topRows(ctx context.Context, c mykit.Link, p *sqlkit.Plan, field *sqlkit.Column, condition string, args []driver.Value) (top []sqlkit.TopRow, err error) {
	number := "t." + mykit.Quote(field.Name)
	terms := append(counted(p), number+" IS NOT NULL")
	if condition != "" {
		terms = append(terms, condition)
	}
	d := newDecoder(&selection{plan: p}, false)
	err = c.Rows(ctx, "SELECT "+number+", "+strings.Join(keyNames(p, "t."), ", ")+" FROM "+p.Table.SQL+" t WHERE "+strings.Join(terms, " AND ")+
		" ORDER BY "+number+" DESC LIMIT "+strconv.Itoa(sqlkit.TopRows), args, func(cells []driver.Value) error {
		row := sqlkit.TopRow{}
		var err error
		if row.Number, err = whole(cells[0], field); err != nil {
			return err
		}
		for i, at := range p.Key {
			row.Key = append(row.Key, placeText(d.words[i], d.keyText(d.types[at], cells[1+i])))
		}
		top = append(top, row)
		return nil
	})
	return top, err
}

func whole(cell driver.Value, field *sqlkit.Column) (int64, error) {
	text, rest, _ := strings.Cut(mykit.TextOf(cell), ".")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.Trim(rest, "0") != "" {
		return 0, lockstep.Faultf(lockstep.CodeCannot, "column %q holds something that is no whole number of 64 bits", field.Name).On(lockstep.About{Field: field.Name})
	}
	return n, nil
}

func (s *System) countedSweep(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, feed sqlkit.Counted, l lockstep.Limit) (lockstep.Page, error) {
	sweep := *feed.Sweep
	q, err := s.swept(p, field, sweep.After, l)
	if err != nil {
		return lockstep.Page{}, err
	}
	q.terms, q.args = append(q.terms, "t."+mykit.Quote(field.Name)+" > ?"), append(q.args, sweep.Above)
	end := sqlkit.Counted{Numbers: sweep.Next}.Position()
	page, err := s.page(ctx, q, l, end, func(keys, extra []string) lockstep.Position {
		after := sweep
		after.After = append([]string{extra[0]}, keys...)
		return sqlkit.Counted{Numbers: feed.Numbers, Sweep: &after}.Position()
	})
	if err == nil && !page.More {
		page.Next, page.UpTo = end, sweep.Next.Clock
	}
	return page, err
}
