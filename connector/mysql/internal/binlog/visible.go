package binlog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// A transaction is in the log before others see what it did: the server writes the log first, perhaps waits for a
// replica to have it, and commits then. Whoever fetches a record of it meanwhile finds the old one. So a page is told
// once all of it is to be seen, and a first place lies behind nothing that is not.

// visible is up to where the log is to be seen by everybody.
//
// MariaDB says at a consistent snapshot which place in the log it belongs to (the status variables binlog_snapshot_file
// and binlog_snapshot_position). MySQL's gtid_executed grows when a transaction is committed. Of MySQL without GTIDs
// nothing is known; there is false.
func (s *Server) visible(ctx context.Context, flavor Flavor) (at gtids, known bool, err error) {
	switch flavor {
	case MariaDB:
		at, err = s.snapshot(ctx)
		return at, true, err
	case MySQL:
		m, err := s.now(ctx, flavor)
		return m.at, true, err
	}
	return at, false, nil
}

// snapshot is the place in MariaDB's log that a snapshot taken now belongs to.
func (s *Server) snapshot(ctx context.Context) (at gtids, err error) {
	const what = "the log's place of a snapshot"
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return at, fault(err, what)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		return at, fault(err, what)
	}
	var text sql.NullString
	err = conn.QueryRowContext(ctx, `SELECT BINLOG_GTID_POS(
		(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'BINLOG_SNAPSHOT_FILE'),
		(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'BINLOG_SNAPSHOT_POSITION'))`).Scan(&text)
	_, end := conn.ExecContext(ctx, "COMMIT")
	if err = errors.Join(err, end); err != nil {
		return at, fault(err, what)
	}
	if !text.Valid {
		return at, lockstep.Faultf(lockstep.CodeNetwork, "the server does not say which place in its log a snapshot belongs to")
	}
	return parseGTIDs(MariaDB, text.String)
}

// The pauses between two looks, and the longest that a page waits: then the read fails, and is tried again.
const (
	firstSight = time.Millisecond
	lastSight  = 50 * time.Millisecond
	blindness  = 30 * time.Second
)

// seen waits until others see all that was taken from the log.
func (f *Feed) seen(ctx context.Context) error {
	c := f.cursor
	goal := c.at
	if c.inside { // its own name does not count as read yet, but it is in the log
		m, err := f.server.now(ctx, c.place.Flavor)
		if err != nil {
			return err
		}
		goal = m.at
	}
	late := time.Now().Add(blindness)
	for pause := firstSight; ; pause = min(2*pause, lastSight) {
		at, known, err := f.server.visible(ctx, c.place.Flavor)
		if err != nil || !known || at.reached(goal) {
			return err
		}
		if time.Now().After(late) {
			return lockstep.Faultf(lockstep.CodeTimeout, "a transaction is in the server's log and not committed after %s", blindness)
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}
