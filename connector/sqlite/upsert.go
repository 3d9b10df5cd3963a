package sqlite

import (
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// upsert is the statements for one group: the columns it binds, in order.
type upsert struct {
	table   *sqlkit.Table
	columns []*sqlkit.Column
	field   []int // where the column stands in the write's fields, or -1 for a key field that comes from the key
	key     []int // where the key fields stand in columns
}

const maxRowsPerInsert = 100

func (a *applier) newUpsert(g sqlkit.Group) (*upsert, error) {
	u := &upsert{table: a.table}
	key, err := a.table.KeyColumns()
	if err != nil {
		return nil, err
	}
	var names []string
	if g.Names != nil {
		names = g.Names.List()
	}
	if g.Keyed {
		for i, c := range key {
			u.columns, u.field, u.key = append(u.columns, c), append(u.field, -1), append(u.key, i)
		}
	}
	for i, name := range names {
		c := a.table.Column(name)
		if c == nil {
			return nil, lockstep.Faultf(lockstep.CodeNoField, "table %s has no column %q", a.table.SQL, name).On(lockstep.About{Field: name})
		}
		if c.ReadOnly {
			return nil, lockstep.Faultf(lockstep.CodeNoField, "column %q is computed by the database and cannot be written", name).On(lockstep.About{Field: name})
		}
		if at := slices.Index(key, c); g.Keyed && at >= 0 {
			if affinityOf(c.Type.Native) == none {
				u.field[at] = i // the value knows its storage class, the key's text does not
			}
			continue
		}
		u.columns, u.field = append(u.columns, c), append(u.field, i)
	}
	if !g.Keyed {
		for _, c := range key {
			if at := slices.Index(u.columns, c); at >= 0 {
				u.key = append(u.key, at)
			}
		}
	}
	return u, nil
}

// args appends what a write binds.
func (u *upsert) args(args []any, w *lockstep.Write) ([]any, error) {
	var parts []string
	if w.Key != "" {
		var err error
		if parts, err = w.Key.Parts(len(u.key)); err != nil {
			return nil, err
		}
	}
	for i, c := range u.columns {
		if u.field[i] < 0 {
			args = append(args, keyParam(c, parts[i]))
			continue
		}
		_, v := w.Fields.At(u.field[i])
		arg, err := encode(c, v)
		if err != nil {
			return nil, valueFault(err, u.table, w.Key, c.Name)
		}
		args = append(args, arg)
	}
	return args, nil
}

func (u *upsert) names() []string {
	names := make([]string, len(u.columns))
	for i, c := range u.columns {
		names[i] = c.Name
	}
	return names
}

func (u *upsert) keyNames() []string {
	names := make([]string, len(u.key))
	for i, at := range u.key {
		names[i] = u.columns[at].Name
	}
	return names
}

// complete tells whether a row can be made of the columns: a column left out must be able to stay so. SQLite checks
// that before it looks for a conflict, so an update of some fields cannot go by INSERT otherwise.
func (u *upsert) complete() bool {
	for i := range u.table.Columns {
		c := &u.table.Columns[i]
		if !c.Nullable && !c.Default && !c.ReadOnly && !slices.Contains(u.columns, c) {
			return false
		}
	}
	return true
}

func (u *upsert) insert(rows int) string {
	if len(u.columns) == 0 {
		return "INSERT INTO " + u.table.SQL + " DEFAULT VALUES"
	}
	return "INSERT INTO " + u.table.SQL + " (" + sqlkit.QuoteAll(u.names()) + ") VALUES " + rowMarks(rows, len(u.columns))
}

// conflict is the clause that makes an insert an update where the key is there.
func (u *upsert) conflict() string {
	var sets []string
	for i, c := range u.columns {
		if !slices.Contains(u.key, i) {
			sets = append(sets, sqlkit.Quote(c.Name)+" = excluded."+sqlkit.Quote(c.Name))
		}
	}
	on := " ON CONFLICT (" + sqlkit.QuoteAll(u.keyNames()) + ") DO "
	if len(sets) == 0 {
		return on + "NOTHING"
	}
	return on + "UPDATE SET " + strings.Join(sets, ", ")
}

func (a *applier) upserts(g sqlkit.Group) error {
	u, err := a.newUpsert(g)
	if err != nil {
		return err
	}
	if len(u.key) < len(a.table.Stream.Key) {
		return a.inserts(g, u)
	}
	if !g.Keyed {
		if err := a.ownKeys(g, u); err != nil {
			return err
		}
	}
	if !a.table.KeyIsUnique() || !u.complete() {
		return a.updates(g, u)
	}
	rows := max(1, min(maxRowsPerInsert, maxParams/len(u.columns)))
	args := make([]any, 0, rows*len(u.columns))
	for chunk := range slices.Chunk(g.Writes, rows) {
		args = args[:0]
		for _, at := range chunk {
			if args, err = u.args(args, &a.writes[at]); err != nil {
				return err
			}
		}
		if _, err := a.conn.ExecContext(a.ctx, u.insert(len(chunk))+u.conflict(), args...); err != nil {
			return err
		}
	}
	return nil
}

// ownKeys answers the keys of writes that carry theirs in their fields only.
func (a *applier) ownKeys(g sqlkit.Group, u *upsert) error {
	for _, at := range g.Writes {
		args, err := u.args(nil, &a.writes[at])
		if err != nil {
			return err
		}
		parts := make([]string, len(u.key))
		for i, k := range u.key {
			parts[i] = storedText(args[k])
		}
		a.results[at].Key = lockstep.MakeKey(parts...)
	}
	return nil
}

// inserts makes rows whose key the database chooses, in the order of the writes.
func (a *applier) inserts(g sqlkit.Group, u *upsert) error {
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
			parts[i] = storedText(cells[i])
		}
		a.results[at].Key = lockstep.MakeKey(parts...)
	}
	return nil
}

// updates writes row by row: update, and insert where there was nothing. The write lock is held, so nobody can
// insert in between.
func (a *applier) updates(g sqlkit.Group, u *upsert) error {
	var sets, keys []string
	for i, c := range u.columns {
		if slices.Contains(u.key, i) {
			keys = append(keys, sqlkit.Quote(c.Name)+" = ?")
		} else {
			sets = append(sets, sqlkit.Quote(c.Name)+" = ?")
		}
	}
	if len(sets) == 0 { // the key alone: an update that changes nothing tells whether the row is there
		sets = append(sets, keys[0][:len(keys[0])-1]+sqlkit.Quote(u.columns[u.key[0]].Name))
	}
	query := "UPDATE " + u.table.SQL + " SET " + strings.Join(sets, ", ") + " WHERE " + strings.Join(keys, " AND ")
	for _, at := range g.Writes {
		args, err := u.args(nil, &a.writes[at])
		if err != nil {
			return err
		}
		var ordered, tail []any
		for i, arg := range args {
			if slices.Contains(u.key, i) {
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
