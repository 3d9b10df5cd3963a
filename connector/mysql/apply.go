package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// few is how many rows do not make it worth the while to ask whether a table is empty.
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
		return nil, mykit.About(err, stream)
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	a := &applier{ctx: ctx, sys: s, table: t, key: key, writes: writes, results: results, moved: moved}
	places := make([]int, len(writes))
	versions := false
	for i := range writes {
		places[i] = i
		a.results[i].Key = a.keyOf(i)
		versions = versions || writes[i].IfVersion != ""
	}
	if a.link, err = mykit.Acquire(ctx, s.writer); err != nil {
		return nil, mykit.About(err, stream)
	}
	defer a.link.Release()
	a.facts = s.known()
	if err := a.run(places, versions); err != nil {
		return nil, s.about(err, stream)
	}
	return a.results, nil
}

// applier is one Apply on its connection.
type applier struct {
	ctx     context.Context
	sys     *System
	link    mykit.Link
	facts   *facts
	table   *sqlkit.Table
	key     []*sqlkit.Column
	writes  []lockstep.Write
	results []lockstep.Result
	moved   map[int]sqlkit.Move
}

func (a *applier) run(places []int, versions bool) error {
	groups := sqlkit.Groups(a.writes, places, a.moved)
	if len(groups) == 1 && !versions && !groups[0].Moved && groups[0].Op == lockstep.Upsert && len(places) > few {
		if done, err := a.direct(groups[0]); done || err != nil {
			return err
		}
	}
	return a.transaction(func() error {
		if versions {
			left, err := a.checkVersions(places)
			if err != nil {
				return err
			}
			groups = sqlkit.Groups(a.writes, left, a.moved)
		}
		for _, g := range groups {
			if err := a.group(g); err != nil {
				return err
			}
		}
		return nil
	})
}

// transaction runs the work between START TRANSACTION and COMMIT. Whatever fails before COMMIT is sent leaves nothing
// behind. Where no unique index covers the key, only locks of the gaps between rows keep others from inserting the same
// key meanwhile.
func (a *applier) transaction(work func() error) error {
	if !a.table.KeyIsUnique() {
		if err := a.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return err
		}
	}
	return a.link.Transaction(a.ctx, work)
}

func (a *applier) exec(statement string) error {
	_, err := a.link.Exec(a.ctx, statement)
	return err
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
	if b.Chosen() {
		return a.inserts(g, b)
	}
	return a.upserts(g, b)
}

// keyOf is the key that a write names.
func (a *applier) keyOf(at int) lockstep.Key {
	if m, ok := a.moved[at]; ok {
		return m.From
	}
	return a.writes[at].Key
}

func (a *applier) deletes(g sqlkit.Group) error {
	keys := make([]lockstep.Key, len(g.Writes))
	for i, at := range g.Writes {
		keys[i] = a.writes[at].Key
	}
	for chunk := range slices.Chunk(keys, keysAtOnce) {
		condition, args := keysIn(a.key, chunk, "")
		if condition == "" {
			continue // what cannot be a key names no record: it is gone
		}
		_, err := a.link.Exec(a.ctx, "DELETE FROM "+a.table.SQL+" WHERE "+condition, args...)
		if mykit.Incomparable(err) && len(chunk) == 1 {
			continue
		}
		if mykit.Incomparable(err) {
			for _, at := range g.Writes { // one by one: it is rare
				if err := a.deletes(sqlkit.Group{Op: g.Op, Writes: []int{at}}); err != nil {
					return err
				}
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	now := make(map[lockstep.Key]string, len(keys))
	for chunk := range slices.Chunk(keys, keysAtOnce) {
		condition, args := keysIn(a.key, chunk, "t.")
		if condition == "" {
			continue
		}
		q := &selection{plan: p, from: p.Table.SQL + " t", terms: []string{condition}, order: strings.Join(keyNames(p, "t."), ", "), lock: " FOR UPDATE",
			args: args, large: 1 << 30}
		err = a.sys.collectBy(a.ctx, a.link, q, func(r *row) error {
			now[foldKey(a.table, r.record.Key)] = r.record.Version
			return nil
		})
		if err != nil {
			return nil, err
		}
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
	version, there := now[foldKey(a.table, key)]
	return a.table.AtVersion(&a.writes[at], key, version, there, &a.results[at])
}
