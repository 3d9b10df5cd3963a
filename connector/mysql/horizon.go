package mysql

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// clockSQL is the server's clock; the session's zone is UTC.
const clockSQL = `SELECT SYSDATE(6)`

// openSQL are the transactions of others. Their start is known by the second, so it is taken as the second before. It
// needs the right PROCESS. A transaction that is prepared for a commit in two phases has thread 0.
const openSQL = `SELECT trx_mysql_thread_id, trx_started FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> CONNECTION_ID()`

// runningSQL are the statements that run, by others: NOW() is what it was when they began, and they may wait, for a
// lock of the table or for the end of a backup, before InnoDB knows of their transaction. A thread that applies what
// another server wrote stamps the times of that server.
const runningSQL = `SELECT ID, TIME, COMMAND FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()
	AND (COMMAND IN ('Query', 'Execute', 'Binlog Dump') OR COMMAND LIKE 'Slave\_%' OR USER = 'system user')`

// slack is how much earlier than its transaction's or statement's start, as the server rounds it, a time can be.
const slack = 2 * time.Second

// horizon takes the clock first, then what runs, then the open transactions: a statement that moves on in between is
// seen in its old state, in its new one, or in both.
func (c link) horizon(ctx context.Context, last *sqlkit.Horizon) (sqlkit.Horizon, error) {
	clock, err := c.clock(ctx)
	if err != nil {
		return sqlkit.Horizon{}, err
	}
	h := sqlkit.NewHorizon(clock)
	running := map[string]time.Time{}
	err = c.rows(ctx, runningSQL, nil, func(cells []driver.Value) error {
		thread, command := textOf(cells[0]), textOf(cells[2])
		switch command {
		case "Binlog Dump": // it only reads
		case "Query", "Execute":
			running[thread] = clock.Add(-time.Duration(number(textOf(cells[1])))*time.Second - slack)
		default:
			h.Blind = h.Blind || isApplier(command)
		}
		return nil
	})
	if err != nil {
		return h, err
	}
	err = c.rows(ctx, openSQL, nil, func(cells []driver.Value) error {
		thread, started := textOf(cells[0]), textOf(cells[1])
		since, _, ok := parseTime([]byte(started))
		if !ok {
			return errText
		}
		since = since.Add(-slack)
		if at, ok := running[thread]; ok && at.Before(since) {
			since = at
		}
		delete(running, thread)
		h.Open = append(h.Open, openedBefore(last, "trx/"+thread+"/"+started, "run/"+thread, since))
		return nil
	})
	if isNumber(err, 1227, 1142, 1044) {
		h.Blind, h.Open = true, nil
		return h, nil
	}
	for thread, since := range running {
		h.Open = append(h.Open, openedBefore(last, "run/"+thread, "", since))
	}
	return h, err
}

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

func (c link) clock(ctx context.Context) (time.Time, error) {
	row, err := c.one(ctx, clockSQL)
	if err != nil {
		return time.Time{}, err
	}
	t, _, ok := parseTime([]byte(row[0]))
	if !ok {
		return t, lockstep.NewFault(lockstep.CodeValue, errText)
	}
	return t, nil
}
