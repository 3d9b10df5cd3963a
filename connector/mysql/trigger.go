package mysql

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// byTrigger reads the change table in the order of the key, joined with the stream: a row that is there is given as it
// is now, one that is not is a delete. From each position the rest of the table is read; at its end the position goes
// back to the start, and what was acknowledged is gone from it by then.
func (s *System) byTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return lockstep.Page{}, err
	}
	c, err := s.installed(ctx, conn, p, r)
	conn.Release()
	if err != nil {
		return lockstep.Page{}, err
	}
	now := sqlkit.Turn{Epoch: c.Epoch, Acked: c.Acked}
	if from == nil {
		return lockstep.Page{Next: now.Position(), UpTo: c.Clock}, nil
	}
	turn, err := sqlkit.ReadTurn(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, err
	}
	if err := turn.Check(c.Epoch, c.Acked); err != nil {
		return lockstep.Page{}, err
	}
	var after []string
	page, items, err := s.changedPage(ctx, c, turn, l, func(keys []string) { after = keys })
	if err != nil {
		return lockstep.Page{}, err
	}
	if len(page.Changes) == 0 {
		now.Acked = turn.Acked // nothing to acknowledge
	} else {
		now.Acked++
	}
	if page.More {
		now.After = after
	} else {
		page.UpTo = c.Clock
	}
	page.Next = now.Position()
	s.unacked.Add(sqlkit.FeedName(r), from, page.Next, items)
	return page, nil
}

// changedPage reads a page of changes behind a place, and tells the place behind the page.
func (s *System) changedPage(ctx context.Context, c *changeTable, turn sqlkit.Turn, l lockstep.Limit, place func([]string)) (lockstep.Page, []changed, error) {
	p := c.plan
	q := &selection{plan: p, doubles: !p.Table.KeyIsUnique(), large: sqlkit.MaxRecord(s.options.MaxRecord, l), gone: true}
	list, on := make([]string, len(c.Keys)), make([]string, len(c.Keys))
	for i, key := range c.Keys {
		alias := "lockstep_k" + strconv.Itoa(i)
		q.keys = append(q.keys, "c."+alias)
		list[i], on[i] = key+" AS "+alias, "t."+key+" = c."+alias
	}
	q.order = strings.Join(q.keys, ", ")
	absent := "t." + mykit.Quote(p.Table.Stream.Key[0]) + " IS NULL"
	gone := absent
	if p.Deleted != nil {
		gone = "(" + absent + " OR " + goneSQL(p.Table, p.Deleted) + ")"
	}
	q.extra = []string{"c." + sqlkit.Generation, absent, gone}
	terms := []string{mykit.Quote(mykit.Own) + " = 0"}
	if len(turn.After) > 0 {
		marks, args, err := placeArgs(p, turn.After)
		if err != nil {
			return lockstep.Page{}, nil, err
		}
		term, args := behind(c.Keys, marks, args)
		terms, q.args = append(terms, term), args
	}
	if p.Table.Where != "" {
		on = append(on, "("+p.Table.Where+")")
	}
	inner := "(SELECT " + strings.Join(list, ", ") + ", " + sqlkit.Generation + " FROM " + c.SQL() + " WHERE " + strings.Join(terms, " AND ") + " ORDER BY " + strings.Join(c.Keys, ", ")
	q.inner = func(limit string) string {
		return inner + limit + ") c LEFT JOIN " + p.Table.SQL + " t ON " + strings.Join(on, " AND ")
	}
	var items []changed
	q.look = func(r *row) {
		items = append(items, changed{r.record.Key, r.extra[0]})
		if r.extra[1] == "1" {
			r.record.Fields = value.Fields{}
		}
	}
	page, err := s.page(ctx, q, l, nil, func(keys, _ []string) lockstep.Position {
		place(slices.Clone(keys))
		return nil
	})
	return page, items[:min(len(items), len(page.Changes))], err
}

// ackTrigger deletes from the change table what was read up to a position, each key only with the generation that it
// was read with, and counts. A row that a transaction holds stays, and comes again; it holds up the others for a second at
// most.
func (s *System) ackTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, upTo lockstep.Position) error {
	turn, err := sqlkit.ReadTurn(upTo, len(p.Key))
	if err != nil {
		return err
	}
	items := slices.Concat(s.unacked.Take(sqlkit.FeedName(r), upTo)...)
	if len(items) == 0 {
		return nil
	}
	err = s.takeAway(ctx, p, r, turn, items, keysAtOnce)
	if mykit.IsNumber(err, 1205) {
		err = s.takeAway(ctx, p, r, turn, items, 1)
	}
	return err
}

// takeAway deletes from the change table, so many keys in a statement, and counts. Of many keys the server makes a reading of
// the whole table where that looks cheaper to it, and then meets rows that a transaction holds: it gives up on them soon.
// Single keys it looks up, and meets nobody: they are locked by us.
func (s *System) takeAway(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, turn sqlkit.Turn, items []changed, atOnce int) error {
	c := s.changeTableOf(p, r)
	from := "DELETE FROM " + c.SQL()
	if atOnce == 1 { // by itself it would not look up a key in a table of few rows
		from = "DELETE c FROM " + c.SQL() + " c FORCE INDEX (PRIMARY)"
	}
	return s.inWriter(ctx, p.Table, func(a *applier) error {
		patient, err := a.hurry(ctx)
		if err != nil {
			return err
		}
		defer patient()
		if counted, err := c.Count(ctx, a.link, turn); err != nil || !counted { // not the table that was read: Changes says so
			return err
		}
		for chunk := range slices.Chunk(items, keysAtOnce) {
			free, err := a.unchanged(p, c.SQL(), "t."+sqlkit.Generation, "t."+mykit.Quote(mykit.Own)+" = 0", keyColumns(p), chunk)
			if err != nil {
				return err
			}
			for some := range slices.Chunk(free, atOnce) {
				condition, args := keysIn(keyColumns(p), some, "")
				if condition == "" {
					continue
				}
				if _, err := a.link.Exec(ctx, from+" WHERE "+mykit.Quote(mykit.Own)+" = 0 AND "+condition, args...); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// hurry lets the connection wait for locks no longer than a second, until patient is called.
func (a *applier) hurry(ctx context.Context) (patient func(), err error) {
	was, err := a.link.One(ctx, "SELECT @@SESSION.innodb_lock_wait_timeout")
	if err != nil {
		return nil, err
	}
	const set = "SET SESSION innodb_lock_wait_timeout = "
	if _, err := a.link.Exec(ctx, set+"1"); err != nil {
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = a.link.Exec(ctx, set+was[0]) // if it fails, the connection is gone
	}, nil
}
