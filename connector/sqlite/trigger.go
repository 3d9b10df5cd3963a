package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// changed is a row of a change table as it was read: its rowid and its generation, which is random, so that both
// together never name another row.
type changed [2]int64

// byTrigger reads the change table in the order of the key, joined with the stream: a row that is there is given as it
// is now, one that is not is a delete. From each position the rest of the table is read; at its end the position goes
// back to the start, and what was acknowledged is gone from it by then.
func (s *System) byTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if err := s.watcher.before(ctx, s, sqlkit.FeedName(r)); err != nil {
		return lockstep.Page{}, err
	}
	clock := time.Now().UTC()
	c := changeTableOf(p, r)
	now, err := s.installed(ctx, c, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	if from == nil {
		return lockstep.Page{Next: now.Position(), UpTo: clock}, nil
	}
	turn, err := sqlkit.ReadTurn(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, err
	}
	if err := turn.Check(now.Epoch, now.Acked); err != nil {
		return lockstep.Page{}, err
	}
	page, items, after, err := s.changedPage(ctx, c, turn, l)
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
		page.UpTo = clock
	}
	page.Next = now.Position()
	s.unacked.Add(sqlkit.FeedName(r), from, page.Next, items)
	return page, nil
}

// changedPage reads a page of changes behind a place, and tells the place behind the page.
func (s *System) changedPage(ctx context.Context, c *changeTable, turn sqlkit.Turn, l lockstep.Limit) (page lockstep.Page, items []changed, after []string, err error) {
	db, err := s.read()
	if err != nil {
		return page, nil, nil, err
	}
	count, large := c.plan.Rows(lockstep.Limit{Rows: l.Rows}), sqlkit.MaxRecord(s.options.MaxRecord, l)
	query, args, err := c.pageSQL(turn, large, count+1)
	if err != nil {
		return page, nil, nil, err
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return page, nil, nil, err
	}
	defer rows.Close()
	rd := newReader(c.plan, large, len(c.keys)+4)
	after = make([]string, len(c.keys))
	for bytes := 0; rows.Next(); {
		rec, fault, err := rd.record(rows)
		if err != nil {
			return page, nil, nil, err
		}
		own := rd.cells[len(rd.cells)-4:]
		item := changed{own[0].(int64), own[1].(int64)}
		// Rows that share a key come together: acknowledged is the key.
		full := len(items) >= count || l.Bytes > 0 && bytes > 0 && bytes+rd.size > l.Bytes
		if full && item != items[len(items)-1] {
			page.More = true
			break
		}
		bytes += rd.size
		change := lockstep.Change{Record: rec, Fault: fault}
		if own[2] == int64(1) {
			change.Record.Fields = value.Fields{}
		}
		if own[3] == int64(1) {
			change.Op = lockstep.Delete
		}
		page.Changes, items = append(page.Changes, change), append(items, item)
		for i, cell := range rd.cells[len(rd.cells)-4-len(after) : len(rd.cells)-4] {
			after[i] = place(cell)
		}
	}
	return page, items, after, rows.Err()
}

// pageSQL selects changes behind a place.
func (c *changeTable) pageSQL(turn sqlkit.Turn, large, rows int) (string, []any, error) {
	terms, args := []string{c.keys[0] + " IS NOT NULL"}, []any(nil)
	for _, a := range turn.After {
		v, ok := unplace(a)
		if !ok {
			return "", nil, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a trigger tracker")
		}
		args = append(args, v)
	}
	keys := strings.Join(c.keys, ", ")
	if len(args) > 0 {
		terms = append(terms, "("+keys+") > ("+marks(len(args))+")")
	}
	list, on := make([]string, len(c.keys)), make([]string, len(c.keys))
	for i, key := range c.keys {
		list[i] = key + " AS lockstep_k" + strconv.Itoa(i)
		on[i] = "t." + key + " = " + c.aliases[i]
	}
	if c.plan.Table.Where != "" {
		on = append(on, "("+c.plan.Table.Where+")")
	}
	absent := "t." + c.keys[0] + " IS NULL"
	gone := absent
	if c.plan.Deleted != nil {
		gone += " OR " + goneSQL(c.plan.Deleted)
	}
	return "SELECT " + selectList(c.plan, large, c.aliases...) + ", +" + strings.Join(c.aliases, ", +") + ", c.lockstep_r, c." + sqlkit.Generation + ", " + absent + ", " + gone +
		" FROM (SELECT rowid AS lockstep_r, " + sqlkit.Generation + ", " + strings.Join(list, ", ") + " FROM " + c.sql + and(terms) + " ORDER BY " + keys +
		" LIMIT " + strconv.Itoa(rows) + ") c LEFT JOIN " + c.plan.Table.SQL + " t ON " + strings.Join(on, " AND ") +
		" ORDER BY " + strings.Join(c.aliases, ", "), args, nil
}

// ackTrigger deletes from the change table what was read up to a position, each key only with the generation that it
// was read with, and counts.
func (s *System) ackTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, upTo lockstep.Position) error {
	turn, err := sqlkit.ReadTurn(upTo, len(p.Key))
	if err != nil {
		return err
	}
	var items []changed
	for _, page := range s.unacked.Take(sqlkit.FeedName(r), upTo) {
		items = append(items, page...)
	}
	if len(items) == 0 {
		return nil
	}
	list, err := json.Marshal(items)
	if err != nil {
		return err
	}
	c := changeTableOf(p, r)
	return s.inWriter(ctx, func(tx *sql.Conn) error {
		counted, err := tx.ExecContext(ctx, "UPDATE "+c.sql+" SET "+sqlkit.Generation+" = max("+sqlkit.Generation+", ?) WHERE "+c.keys[0]+" IS NULL AND "+sqlkit.Epoch+" = ?",
			turn.Acked, turn.Epoch)
		if err != nil {
			return err
		}
		if n, err := counted.RowsAffected(); err != nil || n == 0 { // not the table that was read: Changes says so
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM "+c.sql+" WHERE rowid IN (SELECT c.rowid FROM json_each(?) w CROSS JOIN "+c.sql+
			" c ON c.rowid = w.value ->> 0 AND c."+sqlkit.Generation+" = w.value ->> 1)", string(list))
		return err
	})
}
