package sqlite

import (
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// upsert is the statements for one group.
type upsert struct{ *sqlkit.Binding }

const maxRowsPerInsert = 100

func (a *applier) newUpsert(g sqlkit.Group) (upsert, error) {
	b, err := sqlkit.Bind(a.table, g)
	if err != nil {
		return upsert{}, err
	}
	for i, c := range b.Columns {
		if b.Field[i] < 0 && g.Names != nil && affinityOf(c.Type.Native) == none {
			b.Field[i] = g.Names.Index(c.Name) // the value knows its storage class, the key's text does not
		}
	}
	return upsert{b}, nil
}

// args appends what a write binds.
func (u upsert) args(args []any, w *lockstep.Write) ([]any, error) {
	var parts []string
	if w.Key != "" {
		var err error
		if parts, err = w.Key.Parts(len(u.Key)); err != nil {
			return nil, err
		}
	}
	for i, c := range u.Columns {
		if u.Field[i] < 0 {
			args = append(args, keyParam(c, parts[i]))
			continue
		}
		_, v := w.Fields.At(u.Field[i])
		arg, err := encode(c, v)
		if err != nil {
			return nil, valueFault(err, u.Table, w.Key, c.Name)
		}
		args = append(args, arg)
	}
	return args, nil
}

func (u upsert) insert(rows int) string {
	if len(u.Columns) == 0 {
		return "INSERT INTO " + u.Table.SQL + " DEFAULT VALUES"
	}
	return "INSERT INTO " + u.Table.SQL + " (" + sqlkit.QuoteAll(u.Names()) + ") VALUES " + rowMarks(rows, len(u.Columns))
}

func (a *applier) upserts(g sqlkit.Group) error {
	u, err := a.newUpsert(g)
	if err != nil {
		return err
	}
	if u.Chosen() {
		return a.inserts(g, u)
	}
	if !g.Keyed {
		if err := a.ownKeys(g, u); err != nil {
			return err
		}
	}
	if !a.table.KeyIsUnique() || !u.Complete() {
		return a.updates(g, u)
	}
	rows := max(1, min(maxRowsPerInsert, maxParams/len(u.Columns)))
	args := make([]any, 0, rows*len(u.Columns))
	for chunk := range slices.Chunk(g.Writes, rows) {
		args = args[:0]
		for _, at := range chunk {
			if args, err = u.args(args, &a.writes[at]); err != nil {
				return err
			}
		}
		if _, err := a.conn.ExecContext(a.ctx, u.insert(len(chunk))+u.OnConflict(), args...); err != nil {
			return err
		}
	}
	return nil
}

// ownKeys answers the keys of writes that carry theirs in their fields only.
func (a *applier) ownKeys(g sqlkit.Group, u upsert) error {
	for _, at := range g.Writes {
		key, err := u.OwnKey(&a.writes[at])
		if err != nil {
			return err
		}
		a.results[at].Key = key
	}
	return nil
}

// moves gives records their new keys. Where there is none at the old key, it is made at the new one.
func (a *applier) moves(g sqlkit.Group) error {
	u, err := a.newUpsert(g)
	if err != nil {
		return err
	}
	p, err := a.table.Plan(lockstep.Read{Stream: a.table.Stream.Name})
	if err != nil {
		return err
	}
	var sets []string
	for _, c := range u.Columns {
		sets = append(sets, sqlkit.Quote(c.Name)+" = ?")
	}
	for _, at := range g.Writes {
		args, err := u.args(nil, &a.writes[at])
		if err != nil {
			return err
		}
		keys, tuples, err := keyArgs(p, []lockstep.Key{a.moved[at].From})
		if err != nil {
			return err
		}
		moved := int64(0)
		if tuples > 0 {
			done, err := a.conn.ExecContext(a.ctx, "UPDATE "+a.table.SQL+" AS t SET "+strings.Join(sets, ", ")+and([]string{keysIn(p, tuples)}), append(args, keys...)...)
			if err != nil {
				return err
			}
			if moved, err = done.RowsAffected(); err != nil {
				return err
			}
		}
		if moved == 0 {
			if err := a.upserts(sqlkit.Group{Op: g.Op, Names: g.Names, Writes: []int{at}}); err != nil {
				return err
			}
		}
		a.results[at].Key = a.moved[at].To
	}
	return nil
}

// inserts makes rows whose key the database chooses, in the order of the writes.
func (a *applier) inserts(g sqlkit.Group, u upsert) error {
	key := a.table.Stream.Key
	cells, dest := make([]any, len(key)), make([]any, len(key))
	returning := make([]string, len(key))
	for i, name := range key {
		dest[i], returning[i] = &cells[i], "+"+sqlkit.Quote(name)
	}
	query := u.insert(1) + " RETURNING " + strings.Join(returning, ", ")
	for _, at := range g.Writes {
		args, err := u.args(nil, &a.writes[at])
		if err != nil {
			return err
		}
		if err := a.conn.QueryRowContext(a.ctx, query, args...).Scan(dest...); err != nil {
			return err
		}
		parts := make([]string, len(key))
		for i := range key {
			parts[i] = keyText(a.table.Column(key[i]), cells[i])
		}
		a.results[at].Key = lockstep.MakeKey(parts...)
	}
	return nil
}

// updates writes row by row: update, and insert where there was nothing. The write lock is held, so nobody can
// insert in between.
func (a *applier) updates(g sqlkit.Group, u upsert) error {
	var sets, keys []string
	for i, c := range u.Columns {
		if slices.Contains(u.Key, i) {
			keys = append(keys, sqlkit.Quote(c.Name)+" = ?")
		} else {
			sets = append(sets, sqlkit.Quote(c.Name)+" = ?")
		}
	}
	if len(sets) == 0 { // the key alone: an update that changes nothing tells whether the row is there
		sets = append(sets, keys[0][:len(keys[0])-1]+sqlkit.Quote(u.Columns[u.Key[0]].Name))
	}
	query := "UPDATE " + u.Table.SQL + " SET " + strings.Join(sets, ", ") + " WHERE " + strings.Join(keys, " AND ")
	for _, at := range g.Writes {
		args, err := u.args(nil, &a.writes[at])
		if err != nil {
			return err
		}
		var ordered, tail []any
		for i, arg := range args {
			if slices.Contains(u.Key, i) {
				tail = append(tail, arg)
			} else {
				ordered = append(ordered, arg)
			}
		}
		done, err := a.conn.ExecContext(a.ctx, query, append(ordered, tail...)...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := a.conn.ExecContext(a.ctx, u.insert(1), args...); err != nil {
			return err
		}
	}
	return nil
}
