package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	lib "modernc.org/sqlite/lib"

	"modernc.org/sqlite"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Apply makes the writes in one transaction: all or none, but for those that are answered with a fault of their own.
func (s *System) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	t, err := s.table(ctx, stream)
	if err != nil {
		return nil, err
	}
	if t.Stream.ReadOnly {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "view %s cannot be written", t.SQL).On(lockstep.About{Stream: stream})
	}
	if _, err := t.KeyColumns(); err != nil {
		return nil, err
	}
	db, err := s.write()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, about(err, stream)
	}
	defer conn.Close()
	results := make([]lockstep.Result, len(writes))
	writes, moved, err := sqlkit.Moves(t, writes)
	if err != nil {
		return nil, about(err, stream)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, about(err, stream)
	}
	a := applier{ctx: ctx, conn: conn, table: t, writes: writes, moved: moved, results: results}
	if err := a.all(); err != nil {
		return nil, about(errors.Join(err, rollback(ctx, conn)), stream)
	}
	if err := commit(ctx, conn); err != nil {
		return nil, about(err, stream)
	}
	return results, nil
}

func rollback(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	if err != nil && strings.Contains(err.Error(), "no transaction is active") { // SQLite has rolled back by itself
		return nil
	}
	return err
}

// commit ends the transaction. A lock or a constraint leaves it open, so that rolling it back makes certain that
// nothing was written; after any other error nobody knows (law 5).
func commit(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	if err == nil {
		return nil
	}
	f := lockstep.FaultOf(fault(err))
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		if primary := e.Code() & 0xff; primary == lib.SQLITE_BUSY || primary == lib.SQLITE_CONSTRAINT {
			if rollback(ctx, conn) == nil {
				return f
			}
		}
	}
	_ = rollback(ctx, conn)
	return f.Maybe()
}

// applier is one Apply in its transaction.
type applier struct {
	ctx     context.Context
	conn    *sql.Conn
	table   *sqlkit.Table
	writes  []lockstep.Write
	moved   map[int]sqlkit.Move
	results []lockstep.Result
}

// keyOf is the key that a write names.
func (a *applier) keyOf(at int) lockstep.Key {
	if m, ok := a.moved[at]; ok {
		return m.From
	}
	return a.writes[at].Key
}

func (a *applier) all() error {
	if err := a.checkVersions(); err != nil {
		return err
	}
	places := make([]int, 0, len(a.writes))
	for i := range a.writes {
		if a.results[i].Err == nil {
			places = append(places, i)
			a.results[i].Key = a.keyOf(i)
		}
	}
	for _, g := range sqlkit.Groups(a.writes, places, a.moved) {
		var err error
		if g.Op == lockstep.Delete {
			err = a.deletes(g)
		} else if g.Moved {
			err = a.moves(g)
		} else {
			err = a.upserts(g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkVersions answers the writes whose record is not at the version they ask for. The transaction holds the file's
// write lock already, so what it sees stays.
func (a *applier) checkVersions() error {
	var places []int
	var keys []lockstep.Key
	for i, w := range a.writes {
		if w.IfVersion != "" {
			places, keys = append(places, i), append(keys, a.keyOf(i))
		}
	}
	if len(places) == 0 {
		return nil
	}
	p, err := a.table.VersionPlan()
	if err != nil {
		return err
	}
	now := make(map[lockstep.Key]string, len(keys))
	for chunk := range slices.Chunk(keys, keysAtOnce(p)) {
		if err := a.versions(p, chunk, now); err != nil {
			return err
		}
	}
	for _, i := range places {
		key := a.keyOf(i)
		version, there := now[key]
		a.table.AtVersion(&a.writes[i], key, version, there, &a.results[i])
	}
	return nil
}

// versions reads the versions that records have now.
func (a *applier) versions(p *sqlkit.Plan, keys []lockstep.Key, now map[lockstep.Key]string) (err error) {
	args, tuples, err := keyArgs(p, keys)
	if err != nil || tuples == 0 {
		return err
	}
	rows, err := a.conn.QueryContext(a.ctx, "SELECT "+selectList(p, 1<<20)+" FROM "+p.Table.SQL+" t"+and([]string{keysIn(p, tuples)}), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	rd := newReader(p, 1<<20, 0)
	for rows.Next() {
		rec, _, err := rd.record(rows)
		if err != nil {
			return err
		}
		now[rec.Key] = rec.Version
	}
	return rows.Err()
}

func (a *applier) deletes(g sqlkit.Group) error {
	p, err := a.table.Plan(lockstep.Read{Stream: a.table.Stream.Name})
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(g.Writes, keysAtOnce(p)) {
		keys := make([]lockstep.Key, len(chunk))
		for i, at := range chunk {
			keys[i] = a.writes[at].Key
		}
		args, tuples, err := keyArgs(p, keys)
		if err != nil {
			return err
		}
		if tuples == 0 {
			continue
		}
		if _, err := a.conn.ExecContext(a.ctx, "DELETE FROM "+a.table.SQL+" AS t"+and([]string{keysIn(p, tuples)}), args...); err != nil {
			return err
		}
	}
	return nil
}
