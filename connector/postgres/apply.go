package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// few is how many rows go by one statement with parameters; more go by COPY.
const few = 20

// Apply makes the writes in one transaction: all or none, but for those that are answered with a fault of their own.
func (s *System) Apply(ctx context.Context, stream string, writes []lockstep.Write) ([]lockstep.Result, error) {
	t, err := s.table(ctx, stream)
	if err != nil {
		return nil, err
	}
	if t.Stream.ReadOnly {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "view %s cannot be written", t.SQL).On(lockstep.About{Stream: stream})
	}
	key, err := t.KeyColumns()
	if err != nil || len(writes) == 0 {
		return nil, err
	}
	results := make([]lockstep.Result, len(writes))
	writes, moved, err := sqlkit.Moves(t, writes)
	if err != nil {
		return nil, about(err, stream)
	}
	a := &applier{moved: moved, ctx: ctx, sys: s, table: t, key: key, writes: writes, results: results}
	places := make([]int, len(writes))
	versions := false
	for i := range writes {
		places[i] = i
		a.results[i].Key = a.keyOf(i)
		versions = versions || writes[i].IfVersion != ""
	}
	if a.link, err = s.acquire(ctx, s.writer); err != nil {
		return nil, about(err, stream)
	}
	defer a.link.release()
	if err := a.run(places, versions); err != nil {
		return nil, s.about(err, stream)
	}
	return a.results, nil
}

// applier is one Apply on its connection.
type applier struct {
	ctx     context.Context
	sys     *System
	link    link
	table   *sqlkit.Table
	key     []*sqlkit.Column
	writes  []lockstep.Write
	results []lockstep.Result
	moved   map[int]sqlkit.Move
	stages  *stages
	staging []string // the staging tables that this transaction has used
}

func (a *applier) run(places []int, versions bool) error {
	groups := sqlkit.Groups(a.writes, places, a.moved)
	if len(groups) == 1 && !versions && !groups[0].Moved {
		if done, err := a.single(groups[0]); done || err != nil {
			return err
		}
	}
	if err := a.prepare(groups); err != nil {
		return err
	}
	return a.transaction(func() error {
		if versions {
			left, err := a.checkVersions(places)
			if err != nil {
				return err
			}
			groups = sqlkit.Groups(a.writes, left, a.moved)
		}
		return a.groups(groups)
	})
}

// single makes a group that one statement does, or a plain COPY into an empty table.
func (a *applier) single(g sqlkit.Group) (done bool, err error) {
	if g.Op == lockstep.Delete {
		return true, a.alone(func() error { return a.deletes(g) })
	}
	b, err := sqlkit.Bind(a.table, g)
	if err != nil {
		return true, err
	}
	switch {
	case len(g.Writes) > few:
		return a.direct(g, b)
	case b.Chosen() && len(b.Columns) > 0:
		return true, a.alone(func() error { return a.inserts(g, b) })
	case !b.Chosen() && mergeable(b):
		return true, a.alone(func() error { return a.values(g, b) })
	}
	return false, nil
}

// mergeable tells whether an INSERT … ON CONFLICT on the key does all.
func mergeable(b *sqlkit.Binding) bool { return b.Table.KeyIsUnique() && b.Complete() }

// alone runs what commits: COMMIT, or one statement in a transaction of its own. Once it is sent, only an answer of
// the server says what became of it (law 5). The driver's word for "nothing was sent" is not taken: it says so of a
// connection that breaks behind a simple query, too.
func (a *applier) alone(statement func() error) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	err := statement()
	if err == nil {
		return nil
	}
	f := lockstep.FaultOf(fault(err))
	if own, is := err.(*lockstep.Fault); (is && own != nil) || answered(err) {
		return f
	}
	return f.Maybe()
}

// transaction runs the work between BEGIN and COMMIT. Whatever fails before COMMIT is sent leaves nothing behind.
func (a *applier) transaction(work func() error) error {
	if err := a.exec("BEGIN"); err != nil {
		return err
	}
	err := work()
	if err == nil {
		err = a.ctx.Err()
	}
	if err != nil {
		a.rollback()
		return err
	}
	return a.alone(func() error { return a.exec("COMMIT") })
}

func (a *applier) rollback() {
	if a.link.pg.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), 5*time.Second)
	defer cancel()
	_, _ = a.link.pg.Exec(ctx, "ROLLBACK").ReadAll() // if it fails, the pool drops the connection
}

func (a *applier) exec(sql string) error {
	_, err := a.link.pg.Exec(a.ctx, sql).ReadAll()
	return err
}

func (a *applier) params(sql string, args [][]byte) error {
	_, err := a.link.pg.ExecParams(a.ctx, sql, args, nil, nil, nil).Close()
	return err
}

func (a *applier) groups(groups []sqlkit.Group) error {
	for _, g := range groups {
		if err := a.group(g); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) group(g sqlkit.Group) error {
	if g.Op == lockstep.Delete {
		return a.deletes(g)
	}
	if g.Moved {
		return a.moves(g)
	}
	b, err := sqlkit.Bind(a.table, g)
	if err != nil {
		return err
	}
	switch {
	case b.Chosen():
		return a.inserts(g, b)
	case len(g.Writes) <= few && mergeable(b):
		return a.values(g, b)
	}
	return a.staged(g, b)
}

// keyOf is the key that a write names.
func (a *applier) keyOf(at int) lockstep.Key {
	if m, ok := a.moved[at]; ok {
		return m.From
	}
	return a.writes[at].Key
}

func (a *applier) keys(places []int) []lockstep.Key {
	keys := make([]lockstep.Key, len(places))
	for i, at := range places {
		keys[i] = a.writes[at].Key
	}
	return keys
}

func (a *applier) deletes(g sqlkit.Group) error {
	keys := possible(a.key, a.keys(g.Writes))
	if len(keys) == 0 {
		return nil // what cannot be a key names no record: it is gone
	}
	condition, args, err := keysIn(a.key, keys, 1)
	if err != nil {
		return err
	}
	return a.params("DELETE FROM "+a.table.SQL+" t WHERE "+condition, args)
}

// checkVersions locks the records that are written for a version, answers those that are not at it, and returns the
// places of the others.
func (a *applier) checkVersions(places []int) ([]int, error) {
	p, err := a.table.VersionPlan()
	if err != nil {
		return nil, err
	}
	var keys []lockstep.Key
	for _, at := range places {
		if a.writes[at].IfVersion != "" {
			keys = append(keys, a.keyOf(at))
		}
	}
	condition, args, err := keysIn(keyColumns(p), keys, 1)
	if err != nil {
		return nil, err
	}
	now := make(map[lockstep.Key]string, len(keys))
	q := &query{plan: p, from: p.Table.SQL + " t", terms: []string{condition}, order: strings.Join(keyNames(p), ", "), lock: " FOR UPDATE", args: args, large: 1 << 20}
	err = a.link.collect(a.ctx, q, func(r *row) error {
		now[r.record.Key] = r.record.Version
		return nil
	})
	if err != nil {
		return nil, err
	}
	var left []int
	for _, at := range places {
		if a.atVersion(at, now) {
			left = append(left, at)
		}
	}
	return left, nil
}

func (a *applier) atVersion(at int, now map[lockstep.Key]string) bool {
	key := a.keyOf(at)
	version, there := now[key]
	return a.table.AtVersion(&a.writes[at], key, version, there, &a.results[at])
}
