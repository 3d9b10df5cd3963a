package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// changed is a row of a change table as it was read: the texts of its key fields, and behind them its generation.
type changed []string

func (c changed) generation() string { return c[len(c)-1] }

// byTrigger reads the change table in the order of the key, joined with the stream: a row that is there is given as it
// is now, one that is not is a delete. From each position the rest of the table is read; at its end the position goes
// back to the start, and what was acknowledged is gone from it by then.
func (s *System) byTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	s.listener.before(sqlkit.FeedName(r), channel(r))
	c, err := s.installed(ctx, p, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	now := sqlkit.Turn{Epoch: c.epoch, Acked: c.acked}
	if from == nil {
		return lockstep.Page{Next: now.Position(), UpTo: c.clock}, nil
	}
	turn, err := sqlkit.ReadTurn(from, len(p.Key))
	if err != nil {
		return lockstep.Page{}, err
	}
	if err := turn.Check(c.epoch, c.acked); err != nil {
		return lockstep.Page{}, err
	}
	page, items, err := s.changedPage(ctx, c, turn, l)
	if err != nil {
		return lockstep.Page{}, err
	}
	if len(page.Changes) == 0 {
		now.Acked = turn.Acked // nothing to acknowledge
	} else {
		now.Acked++
	}
	if page.More {
		now.After = items[len(items)-1][:len(p.Key)]
	} else {
		page.UpTo = c.clock
	}
	page.Next = now.Position()
	s.unacked.Add(sqlkit.FeedName(r), from, page.Next, items)
	return page, nil
}

// changedPage reads a page of changes behind a place.
func (s *System) changedPage(ctx context.Context, c *changeTable, turn sqlkit.Turn, l lockstep.Limit) (lockstep.Page, []changed, error) {
	p := c.plan
	q := &query{plan: p, order: strings.Join(c.aliases, ", "), keys: c.aliases, doubles: !p.Table.KeyIsUnique(),
		large: sqlkit.MaxRecord(s.options.MaxRecord, l), args: bytesOf(turn.After)}
	gone := "(t." + sqlkit.Quote(p.Table.Stream.Key[0]) + " IS NULL)"
	q.extra = append(append(q.extra, c.aliases...), sqlkit.Generation, gone, gone)
	q.gone = true
	if p.Deleted != nil {
		q.extra[len(q.extra)-1] = "(" + gone + " OR " + goneSQL(p.Deleted) + ")"
	}
	terms := []string{c.keys[0] + " IS NOT NULL"}
	if len(turn.After) > 0 {
		marks := make([]string, len(turn.After))
		for i := range marks {
			marks[i] = "$" + strconv.Itoa(i+1)
		}
		terms = append(terms, "("+strings.Join(c.keys, ", ")+") > ("+strings.Join(marks, ", ")+")")
	}
	if held := s.held.List(c.epoch + c.sql); held != nil { // generations begin anew with each installation
		q.args = append(q.args, appendArray(nil, bytesOf(held)))
		terms = append(terms, sqlkit.Generation+" <> ALL($"+strconv.Itoa(len(q.args))+"::bigint[])")
	}
	inner := "(SELECT " + c.columnList() + ", " + sqlkit.Generation + " FROM " + c.sql + " WHERE " + strings.Join(terms, " AND ") + " ORDER BY " + strings.Join(c.keys, ", ")
	join := ") c LEFT JOIN " + p.Table.SQL + " t ON " + strings.Join(append([]string{c.onKey()}, whereOf(p)...), " AND ")
	if p.Table.KeyIsUnique() { // by its index, row by row: the server expects a full page, and would rather read the whole table
		join = ") c LEFT JOIN LATERAL (SELECT * FROM " + p.Table.SQL + " t WHERE " + strings.Join(append([]string{c.onKey()}, whereOf(p)...), " AND ") + " OFFSET 0) t ON true"
	}
	q.join = func(limit string) string { return inner + limit + join }
	return s.itemsPage(ctx, q, l, len(p.Key)+1, func(r *row) {
		if string(r.cells[len(r.cells)-2]) == "t" {
			r.record.Fields = value.Fields{}
		}
	})
}

// changed are the first n extra cells as texts that share one buffer.
func (r *row) changed(n int) changed {
	size := 0
	for _, cell := range r.cells[:n] {
		size += len(cell)
	}
	all := make([]byte, 0, size)
	for _, cell := range r.cells[:n] {
		all = append(all, cell...)
	}
	text, out, at := string(all), make(changed, n), 0
	for i, cell := range r.cells[:n] {
		out[i], at = text[at:at+len(cell)], at+len(cell)
	}
	return out
}

// ackTrigger deletes from the change table what was read up to a position, each key only with the generation that it
// was read with, and counts. It is one statement and never waits for an application: a row that a transaction holds is
// passed over. Such a row stays, and is not read again for a while unless it gets a new generation.
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
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return err
	}
	defer conn.release()
	c := changeTableOf(p, r)
	gone, counted := make(map[string]bool, len(items)), false
	err = conn.rows(ctx, c.ackSQL(), c.ackArgs(turn, items), func(cells [][]byte) error {
		if string(cells[0]) == "0" {
			counted = true
		} else {
			gone[string(cells[0])] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !counted {
		return lockstep.Faultf(lockstep.CodeDeadlock, "the change table is being truncated or installed anew")
	}
	var kept []string
	for _, item := range items {
		if g := item.generation(); !gone[g] {
			kept = append(kept, g)
		}
	}
	s.held.Add(turn.Epoch+c.sql, kept)
	s.tidy(ctx, conn, c, len(gone))
	return nil
}

// ackSQL locks first and skips what is locked, so that it can neither wait nor take part in a deadlock. It answers with
// the generations that it deleted, and 0 for its own row, which must be there for anything to happen.
func (c *changeTable) ackSQL() string {
	marks, on := make([]string, len(c.keys)), make([]string, len(c.keys))
	for i, key := range c.keys {
		marks[i] = "$" + strconv.Itoa(i+3) + "::text[]"
		on[i] = "c." + key + " = w." + column(i) + "::" + c.types[i]
	}
	own := c.keys[0] + " IS NULL AND " + sqlkit.Epoch + " = $1"
	return "WITH own AS MATERIALIZED (SELECT ctid FROM " + c.sql + " WHERE " + own + " FOR UPDATE SKIP LOCKED)" +
		", free AS MATERIALIZED (SELECT c.ctid FROM unnest(" + strings.Join(marks, ", ") + ", $" + strconv.Itoa(len(c.keys)+3) + "::bigint[]) w(" +
		columnList(len(c.keys)) + ", g) JOIN " + c.sql + " c ON " + strings.Join(on, " AND ") + " AND c." + sqlkit.Generation + " = w.g" +
		" WHERE EXISTS (SELECT 1 FROM own) FOR UPDATE OF c SKIP LOCKED)" +
		", gone AS (DELETE FROM " + c.sql + " c USING free WHERE c.ctid = free.ctid RETURNING c." + sqlkit.Generation + ")" +
		", counted AS (UPDATE " + c.sql + " SET " + sqlkit.Generation + " = greatest(" + sqlkit.Generation + ", $2) WHERE ctid = (SELECT ctid FROM own) RETURNING 0::bigint)" +
		" SELECT * FROM gone UNION ALL SELECT * FROM counted"
}

func (c *changeTable) ackArgs(turn sqlkit.Turn, items []changed) [][]byte {
	return append(bytesOf([]string{turn.Epoch, strconv.FormatInt(turn.Acked, 10)}), transposed(items)...)
}

// A change table is filled and emptied all the time, and each look at it passes what is dead. The server's own vacuum
// comes by once a minute, so behind many deletes we do it ourselves: it is a small table.
const (
	tidyRows  = 20_000
	tidyPause = 5 * time.Second
)

// waste is what was deleted from a change table since it was vacuumed.
type waste struct {
	rows  int
	since time.Time
}

// tidy vacuums a change table behind many deletes. Where it cannot, nothing is wrong, only slower.
func (s *System) tidy(ctx context.Context, conn link, c *changeTable, deleted int) {
	s.mu.Lock()
	if s.wastes == nil {
		s.wastes = map[string]waste{}
	}
	w := s.wastes[c.sql]
	w.rows += deleted
	due := w.rows >= tidyRows && time.Since(w.since) >= tidyPause
	if due {
		w = waste{since: time.Now()}
	}
	s.wastes[c.sql] = w
	s.mu.Unlock()
	if due {
		_, _ = conn.pg.Exec(ctx, "VACUUM (SKIP_LOCKED, TRUNCATE false) "+c.sql).ReadAll()
	}
}
