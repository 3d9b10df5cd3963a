package postgres

import (
	"context"
	"time"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// clockSQL is the database's clock. A standby applies what the primary committed a while ago: there the clock is the
// time of the last transaction that it has applied.
const clockSQL = `SELECT CASE WHEN pg_is_in_recovery() THEN least(clock_timestamp(), coalesce(pg_last_xact_replay_timestamp(), clock_timestamp()))
	ELSE clock_timestamp() END, pg_is_in_recovery()`

// openSQL are the sessions that are in a transaction in this database, other than this one. Which transaction a session
// of another user is in, and even its kind, is shown only to members of pg_read_all_stats. Autovacuum writes no rows.
const openSQL = `SELECT pid, backend_start, xact_start,
	usesysid IS NULL OR pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_read_all_stats', 'USAGE')
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND coalesce(backend_type, '') NOT LIKE 'autovacuum%'
	AND (xact_start IS NOT NULL OR NOT (usesysid IS NULL OR pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_read_all_stats', 'USAGE')))`

// preparedSQL are the transactions that are prepared for a commit in two phases. Their start is not kept.
const preparedSQL = `SELECT gid, transaction, prepared FROM pg_prepared_xacts WHERE database = current_database()`

// preparedAge is how long before it was prepared a transaction may have begun, where we were not there to see it.
const preparedAge = 24 * time.Hour

// horizon takes the clock first, then the open transactions, then the prepared ones: one that moves on in between is
// seen in its old state, in its new one, or in both.
func (c link) horizon(ctx context.Context, first bool) (sqlkit.Horizon, error) {
	var h sqlkit.Horizon
	row, err := c.one(ctx, clockSQL)
	if err != nil {
		return h, err
	}
	clock, err := instant(row[0])
	if err != nil {
		return h, err
	}
	h = sqlkit.NewHorizon(clock)
	h.Blind = row[1] == "t" // a standby does not know the transactions of the primary
	err = c.rows(ctx, openSQL, nil, func(cells [][]byte) error {
		if string(cells[3]) != "t" {
			h.Blind = true
			return nil
		}
		since, err := instant(string(cells[2]))
		h.Open = append(h.Open, sqlkit.Open{ID: string(cells[0]) + "/" + string(cells[1]) + "/" + string(cells[2]), Since: since})
		return err
	})
	if err != nil {
		return h, err
	}
	err = c.rows(ctx, preparedSQL, nil, func(cells [][]byte) error {
		o := sqlkit.Open{ID: "prepared/" + string(cells[1]) + "/" + string(cells[0])}
		if first {
			at, err := instant(string(cells[2]))
			if err != nil {
				return err
			}
			o.Since = at.Add(-preparedAge)
		}
		h.Open = append(h.Open, o)
		return nil
	})
	return h, err
}

func instant(text string) (time.Time, error) {
	t, ok := parseTime([]byte(text))
	if !ok {
		return t, errText
	}
	return t, nil
}
