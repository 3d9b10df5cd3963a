package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// A bulk update gives all its rows one time. Without an index on (time, key) each page of them would sort them all
// again, so behind its first page a sweep goes on with a cursor. It is only a faster way to the same rows: the
// position says where to read on without it, in another process or when the connection is gone. That its snapshot
// ages does no harm either: what is committed meanwhile belongs to the next sweep, whose horizon was taken before.

// cursor is an open cursor of a sweep, in a transaction of its own.
type cursor struct {
	link link
	next string // the position behind what was read
}

// cursorIdle is how long the server lets an abandoned cursor live.
const cursorIdle = time.Minute

const beginCursor = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = "

// takeCursor gives the plan's cursor if it stands at the position. One that stands elsewhere is closed.
func (s *System) takeCursor(p *sqlkit.Plan, at string) *cursor {
	s.mu.Lock()
	c := s.cursors[p]
	delete(s.cursors, p)
	s.mu.Unlock()
	if c != nil && c.next != at {
		c.close()
		return nil
	}
	return c
}

// keepCursor keeps a cursor for the next page, unless too many connections of the pool are taken so already.
func (s *System) keepCursor(p *sqlkit.Plan, c *cursor) {
	s.mu.Lock()
	keep := s.cursors != nil && len(s.cursors)+2 <= int(s.reader.Config().MaxConns)
	if keep {
		s.cursors[p] = c
	}
	s.mu.Unlock()
	if !keep {
		c.close()
	}
}

// close gives the connection back. The transaction has read only, so nobody minds how it ends.
func (c *cursor) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := c.link.pg.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
		_ = c.link.pg.Conn().Close()
	}
	c.link.release()
}

// openCursor makes the cursor of a query that has no LIMIT.
func (s *System) openCursor(ctx context.Context, q *query) (*cursor, error) {
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	c := &cursor{link: conn}
	_, err = conn.pg.Exec(ctx, beginCursor+strconv.FormatInt(cursorIdle.Milliseconds(), 10)).ReadAll()
	if err == nil {
		_, err = conn.pg.ExecParams(ctx, "DECLARE lockstep_sweep NO SCROLL CURSOR FOR "+q.sql(false), q.args, nil, nil, nil).Close()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// goOn reads the next page of a sweep by its cursor. Where anything goes wrong the caller reads it without: ok is
// false.
func (s *System) goOn(ctx context.Context, q query, at string, l lockstep.Limit, place func(keys, extra []string) lockstep.Position) (page lockstep.Page, ok bool) {
	p := q.plan
	c := s.takeCursor(p, at)
	if c == nil {
		var err error
		if c, err = s.openCursor(ctx, &q); err != nil {
			return page, false
		}
	}
	q.fetch = true
	page, err := s.pageBy(ctx, &q, l, lockstep.Position(at), place, func(begin func(), each func(*row) error) error {
		begin()
		return c.link.collect(ctx, &q, each)
	})
	switch {
	case err != nil:
		c.close()
		return page, false
	case len(page.Changes) < q.rows: // the end, or a page that was full before its rows were
		c.close()
	default:
		c.next = string(page.Next)
		s.keepCursor(p, c)
	}
	return page, true
}

// closeCursors gives the connections back before the pool is closed, which waits for them.
func (s *System) closeCursors() {
	s.mu.Lock()
	open := s.cursors
	s.cursors = nil // and none is kept any more
	s.mu.Unlock()
	for _, c := range open {
		c.close()
	}
}
