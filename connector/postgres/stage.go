package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// maxStages is how many staging tables a connection keeps.
const maxStages = 64

// stages are the staging tables of one connection.
type stages struct {
	names map[stageID]string
	made  int
}

type stageID struct {
	table   *sqlkit.Table // discovered anew after a change of the schema: then the staging table is made anew, too
	columns string
}

// prepare makes the staging tables that the groups need. It is called outside of a transaction, so that a rollback
// leaves them.
func (a *applier) prepare(groups []sqlkit.Group) error {
	data := a.link.pg.CustomData()
	st, _ := data["lockstep.stages"].(*stages)
	if st != nil && st.made+len(groups) > maxStages {
		if err := a.exec("DISCARD TEMP"); err != nil {
			return err
		}
		st = nil
	}
	if st == nil {
		st = &stages{names: map[stageID]string{}}
		data["lockstep.stages"] = st
	}
	for _, g := range groups {
		if g.Op == lockstep.Delete {
			continue
		}
		b, err := sqlkit.Bind(a.table, g)
		if err != nil {
			return err
		}
		if b.Chosen() || ((len(g.Writes) <= few || g.Moved) && mergeable(b)) {
			continue
		}
		if err := a.makeStage(st, b); err != nil {
			return err
		}
	}
	a.stages = st
	return nil
}

// makeStage makes the staging table for a binding where it is missing. It has the columns' own types, so that values
// fail here as they would there, no constraints, and is empty at the begin of each transaction.
func (a *applier) makeStage(st *stages, b *sqlkit.Binding) error {
	columns := sqlkit.QuoteAll(b.Names())
	id := stageID{b.Table, columns}
	if _, ok := st.names[id]; ok {
		return nil
	}
	name := fmt.Sprintf("lockstep_stage_%d", st.made)
	err := a.exec("CREATE TEMPORARY TABLE " + name + " ON COMMIT DELETE ROWS AS SELECT " + columns + " FROM " + b.Table.SQL + " WITH NO DATA")
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42501" && strings.Contains(e.Message, "temporary") {
		return lockstep.Faultf(lockstep.CodeRights, "the user needs the right TEMPORARY on the database, to write many rows at once")
	}
	if err != nil {
		return err
	}
	st.made++
	st.names[id] = "pg_temp." + name
	return nil
}

// staged copies the writes into a staging table and merges it.
func (a *applier) staged(g sqlkit.Group, b *sqlkit.Binding) error {
	if err := a.ownKeys(g, b); err != nil {
		return err
	}
	columns := sqlkit.QuoteAll(b.Names())
	stage := a.stages.names[stageID{b.Table, columns}]
	if slices.Contains(a.staging, stage) { // by an earlier group of this transaction; the commit empties it otherwise
		if err := a.exec("TRUNCATE " + stage); err != nil {
			return err
		}
	}
	a.staging = append(a.staging, stage)
	if err := a.copyInto(stage, g, b); err != nil {
		return err
	}
	if mergeable(b) {
		return a.exec(into(b) + " SELECT " + columns + " FROM " + stage + " s" + b.OnConflict())
	}
	return a.merge(stage, b)
}

// merge updates the rows that are there and inserts the others, where one INSERT cannot do both: columns without a
// default are not given, or no unique index covers the key. Without one, only a lock keeps others from inserting the
// same key meanwhile.
func (a *applier) merge(stage string, b *sqlkit.Binding) error {
	unique := a.table.KeyIsUnique()
	if !unique {
		if err := a.exec("LOCK TABLE " + b.Table.SQL + " IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
	}
	var same, sets []string
	for _, k := range b.KeyNames() {
		same = append(same, "t."+sqlkit.Quote(k)+" = s."+sqlkit.Quote(k))
	}
	for _, name := range b.Others() {
		sets = append(sets, sqlkit.Quote(name)+" = s."+sqlkit.Quote(name))
	}
	on := strings.Join(same, " AND ")
	if len(sets) > 0 {
		if err := a.exec("UPDATE " + b.Table.SQL + " t SET " + strings.Join(sets, ", ") + " FROM " + stage + " s WHERE " + on); err != nil {
			return err
		}
	}
	insert := into(b) + " SELECT " + sqlkit.QuoteAll(b.Names()) + " FROM " + stage + " s WHERE NOT EXISTS (SELECT 1 FROM " + b.Table.SQL + " t WHERE " + on + ")"
	if unique {
		insert += b.OnConflict()
	}
	return a.exec(insert)
}

func (a *applier) copyInto(table string, g sqlkit.Group, b *sqlkit.Binding) error {
	r := &copyReader{b: b, writes: a.writes, places: g.Writes}
	_, err := a.link.pg.CopyFrom(a.ctx, r, "COPY "+table+" ("+sqlkit.QuoteAll(b.Names())+") FROM STDIN")
	if r.err != nil {
		return r.err
	}
	return err
}

// direct copies a batch straight into a table that was empty when this system first wrote to it: a first full sync.
// It goes on until a row is there already; then the batch, and all that follow, take the staging table.
func (a *applier) direct(g sqlkit.Group, b *sqlkit.Binding) (done bool, err error) {
	if b.Chosen() || !mergeable(b) || !a.sys.maybeDirect(a.table.Stream.Name) {
		return false, nil
	}
	if err := a.ownKeys(g, b); err != nil {
		return true, err
	}
	empty := true
	err = a.transaction(func() error {
		if !a.sys.isDirect(a.table.Stream.Name) {
			rows, err := a.link.one(a.ctx, "SELECT EXISTS (SELECT 1 FROM "+a.table.SQL+")")
			if err != nil {
				return err
			}
			if empty = rows[0] == "f"; !empty {
				return nil
			}
		}
		return a.copyInto(a.table.SQL, g, b)
	})
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "23505" || e.Code == "0A000") {
		empty, err = false, nil // a row is there, or COPY cannot write to this table
	}
	if err == nil {
		a.sys.setDirect(a.table.Stream.Name, empty)
	}
	return empty, err
}

func (s *System) maybeDirect(stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	direct, known := s.direct[stream]
	return direct || !known
}

func (s *System) isDirect(stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.direct[stream]
}

func (s *System) setDirect(stream string, direct bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.direct == nil {
		s.direct = map[string]bool{}
	}
	s.direct[stream] = direct
}
