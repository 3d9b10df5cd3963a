package mysql

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// clockSQL is the server's clock; the session's zone is UTC.
const clockSQL = `SELECT SYSDATE(6)`

// openSQL are the open transactions, our own among them. It needs the right PROCESS. InnoDB makes the list anew only
// when nobody has read it for 100 ms: the text of our own statement in it, which begins with the parameter, tells that
// the list is not older than the statement. Their start is written in the zone of the server's machine, by the second;
// of two instants with that time there, the earlier counts. A transaction that is prepared for a commit in two phases
// has thread 0.
const openSQL = `SELECT /* %s */ trx_mysql_thread_id, trx_started, IF(CONVERT_TZ(utc - INTERVAL 1 HOUR, '+00:00', 'SYSTEM') = trx_started, utc - INTERVAL 1 HOUR, utc),
	trx_mysql_thread_id = CONNECTION_ID(), COALESCE(trx_query, '')
FROM (SELECT trx_mysql_thread_id, trx_started, CONVERT_TZ(trx_started, 'SYSTEM', '+00:00') AS utc, trx_query FROM information_schema.INNODB_TRX) x`

// runningSQL are the statements that run, by others: NOW() is what it was when they began, and they may wait, for a
// lock of the table or for the end of a backup, before InnoDB knows of their transaction. A thread that applies what
// another server wrote stamps the times of that server.
const runningSQL = `SELECT ID, TIME, COMMAND FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()
	AND (COMMAND IN ('Query', 'Execute', 'Binlog Dump') OR COMMAND LIKE 'Slave\_%' OR USER = 'system user')`

// slack is how much earlier than its transaction's or statement's start, as the server rounds it, a time can be.
const slack = 2 * time.Second

// census is what ran, and was open, at a clock.
type census struct {
	taken   time.Time // by our own clock
	clock   time.Time
	blind   bool
	running map[string]time.Time // statements by thread, with the earliest that they can have begun
	open    []transaction
}

type transaction struct {
	thread, started string
	since           time.Time
}

const (
	// fresh is how long a census serves all feeds of the system: each reading keeps the server from making a new list.
	fresh = 250 * time.Millisecond
	// idle is how long nobody reads the list before the server makes a new one, and a little more.
	idle = 120 * time.Millisecond
	// tries is how often a new list is asked for. Where somebody else reads it all the time, none is to be had.
	tries = 10
)

// horizon is a horizon that was taken after a moment of our clock. last is the one of the feed's position, or nil.
func (s *System) horizon(ctx context.Context, conn mykit.Link, last *sqlkit.Horizon, after time.Time) (sqlkit.Horizon, error) {
	c, err := s.census(ctx, conn, after)
	if err != nil {
		return sqlkit.Horizon{}, err
	}
	h := sqlkit.NewHorizon(c.clock)
	h.Since -= time.Since(c.taken)
	if h.Blind = c.blind; h.Blind {
		return h, nil
	}
	seen := map[string]bool{}
	for _, t := range c.open {
		since := t.since
		if at, ok := c.running[t.thread]; ok && at.Before(since) {
			since = at
		}
		seen[t.thread] = true
		h.Open = append(h.Open, openedBefore(last, "trx/"+t.thread+"/"+t.started, "run/"+t.thread, since))
	}
	for thread, since := range c.running {
		if !seen[thread] {
			h.Open = append(h.Open, openedBefore(last, "run/"+thread, "", since))
		}
	}
	return h, nil
}

// census is the last census where it was taken after a moment, else a new one. One is taken at a time.
func (s *System) census(ctx context.Context, conn mykit.Link, after time.Time) (*census, error) {
	select {
	case s.counting <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.counting }()
	if s.counted != nil && s.counted.taken.After(after) {
		return s.counted, nil
	}
	var c *census
	for range tries {
		var current bool
		var err error
		if c, current, err = takeCensus(ctx, conn); err != nil {
			return nil, err
		}
		if current || c.blind {
			s.counted = c
			return c, nil
		}
		wait := time.NewTimer(idle)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, ctx.Err()
		}
	}
	c.blind = true
	return c, nil
}

// takeCensus takes the clock first, then what runs, then the open transactions: a statement that moves on in between is
// seen in its old state, in its new one, or in both. It is not current if the list was made before.
func takeCensus(ctx context.Context, c mykit.Link) (_ *census, current bool, err error) {
	n := &census{taken: time.Now(), running: map[string]time.Time{}}
	if n.clock, err = clockOf(ctx, c); err != nil {
		return n, false, err
	}
	err = c.Rows(ctx, runningSQL, nil, func(cells []driver.Value) error {
		switch command := mykit.TextOf(cells[2]); command {
		case "Binlog Dump": // it only reads
		case "Query", "Execute":
			n.running[mykit.TextOf(cells[0])] = n.clock.Add(-time.Duration(number(mykit.TextOf(cells[1])))*time.Second - slack)
		default:
			n.blind = n.blind || isApplier(command)
		}
		return nil
	})
	if err != nil {
		return n, false, err
	}
	if _, err := c.Exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		return n, false, err
	}
	mark := rand.Text()
	err = c.Rows(ctx, fmt.Sprintf(openSQL, mark), nil, func(cells []driver.Value) error {
		if mykit.TextOf(cells[3]) == "1" {
			current = current || strings.Contains(mykit.TextOf(cells[4]), mark)
			return nil
		}
		since, _, ok := parseTime([]byte(mykit.TextOf(cells[2])))
		n.open = append(n.open, transaction{mykit.TextOf(cells[0]), mykit.TextOf(cells[1]), since.Add(-slack)})
		if !ok {
			return errText
		}
		return nil
	})
	if noRight(err) {
		n.blind, err = true, nil
	}
	if err == nil {
		_, err = c.Exec(ctx, "COMMIT")
	}
	return n, current, err
}

// noRight tells that the user may not see the transactions of others.
func noRight(err error) bool { return mykit.IsNumber(err, 1227, 1142, 1044) }

// openedBefore is an open transaction, or a statement that may be one, with the oldest start that was seen of it. What
// ran without a transaction when it was seen last is in this one now: one statement may have begun before it.
func openedBefore(last *sqlkit.Horizon, id, before string, since time.Time) sqlkit.Open {
	if last != nil {
		for _, o := range last.Open {
			if (o.ID == id || o.ID == before) && o.Since.Before(since) {
				since = o.Since
			}
		}
	}
	return sqlkit.Open{ID: id, Since: since}
}

// isApplier tells the threads of a replica that apply what its primary wrote.
func isApplier(command string) bool {
	return command == "Slave_SQL" || command == "Slave_worker" || command == "Connect" || command == "Replica_SQL" || command == "Replica_worker"
}

func clockOf(ctx context.Context, c mykit.Link) (time.Time, error) {
	row, err := c.One(ctx, clockSQL)
	if err != nil {
		return time.Time{}, err
	}
	t, _, ok := parseTime([]byte(row[0]))
	if !ok {
		return t, lockstep.NewFault(lockstep.CodeValue, errText)
	}
	return t, nil
}
