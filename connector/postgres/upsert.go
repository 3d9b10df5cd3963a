package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// maxParams is how many parameters a statement takes: the protocol's limit is 65,535.
const maxParams = 60_000

// into is the head of an INSERT. A key of ours goes into a column GENERATED ALWAYS only by overriding it.
func into(b *sqlkit.Binding) string {
	if len(b.Columns) == 0 {
		return "INSERT INTO " + b.Table.SQL + " DEFAULT VALUES"
	}
	head := "INSERT INTO " + b.Table.SQL + " (" + sqlkit.QuoteAll(b.Names()) + ")"
	if b.Table.Info.(tableInfo).generated {
		head += " OVERRIDING SYSTEM VALUE"
	}
	return head
}

// values writes a few rows by INSERT … VALUES … ON CONFLICT.
func (a *applier) values(g sqlkit.Group, b *sqlkit.Binding) error {
	if err := a.ownKeys(g, b); err != nil {
		return err
	}
	args, err := a.args(g.Writes, b)
	if err != nil {
		return err
	}
	return a.params(into(b)+" VALUES "+marks(len(g.Writes), len(b.Columns))+b.OnConflict(), args)
}

// args are the parameters of the writes, row by row; nil is NULL.
func (a *applier) args(places []int, b *sqlkit.Binding) ([][]byte, error) {
	args := make([][]byte, 0, len(places)*len(b.Columns))
	for _, at := range places {
		w := &a.writes[at]
		var parts []string
		if w.Key != "" {
			var err error
			if parts, err = w.Key.Parts(len(b.Key)); err != nil {
				return nil, err
			}
		}
		for i, c := range b.Columns {
			if b.Field[i] < 0 {
				args = append(args, keyParam(c, parts[i]))
				continue
			}
			_, v := w.Fields.At(b.Field[i])
			if v.IsNull() {
				args = append(args, nil)
				continue
			}
			args = append(args, appendText(make([]byte, 0, 16), &c.Type, v))
		}
	}
	return args, nil
}

func marks(rows, width int) string {
	var b strings.Builder
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for j := range width {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(i*width + j + 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// ownKeys answers the keys of writes that carry theirs in their fields only.
func (a *applier) ownKeys(g sqlkit.Group, b *sqlkit.Binding) error {
	if g.Keyed {
		return nil
	}
	for _, at := range g.Writes {
		key, err := b.OwnKey(&a.writes[at])
		if err != nil {
			return err
		}
		a.results[at].Key = key
	}
	return nil
}

// inserts makes rows whose key the database chooses, in the order of the writes.
func (a *applier) inserts(g sqlkit.Group, b *sqlkit.Binding) error {
	p, err := a.table.Plan(lockstep.Read{Stream: a.table.Stream.Name})
	if err != nil {
		return err
	}
	rows := 1
	if len(b.Columns) > 0 {
		rows = min(1000, maxParams/len(b.Columns))
	}
	d := newDecoder(&query{plan: p, large: 1 << 30})
	returning := " RETURNING " + sqlkit.QuoteAll(a.table.Stream.Key)
	for chunk := range slices.Chunk(g.Writes, rows) {
		args, err := a.args(chunk, b)
		if err != nil {
			return err
		}
		sql := into(b)
		if len(b.Columns) > 0 {
			sql += " VALUES " + marks(len(chunk), len(b.Columns))
		}
		i := 0
		err = a.link.rows(a.ctx, sql+returning, args, func(cells [][]byte) error {
			if i < len(chunk) {
				a.results[chunk[i]].Key = d.row(cells, false).record.Key
			}
			i++
			return nil
		})
		if err != nil {
			return err
		}
		if i != len(chunk) {
			return lockstep.Faultf(lockstep.CodeInvariant, "the database made %d rows of %d", i, len(chunk))
		}
	}
	return nil
}

// moves gives records their new keys. Where there is none at the old key, it is made at the new one.
func (a *applier) moves(g sqlkit.Group) error {
	b, err := sqlkit.Bind(a.table, g)
	if err != nil {
		return err
	}
	var sets []string
	for i, c := range b.Columns {
		sets = append(sets, sqlkit.Quote(c.Name)+" = $"+strconv.Itoa(i+1))
	}
	for _, at := range g.Writes {
		args, err := a.args([]int{at}, b)
		if err != nil {
			return err
		}
		condition, keys, err := keysIn(a.key, []lockstep.Key{a.moved[at].From}, len(args)+1)
		if err != nil {
			return err
		}
		done, err := a.link.pg.ExecParams(a.ctx, "UPDATE "+b.Table.SQL+" t SET "+strings.Join(sets, ", ")+" WHERE "+condition,
			append(args, keys...), nil, nil, nil).Close()
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			if err := a.group(sqlkit.Group{Op: g.Op, Names: g.Names, Writes: []int{at}}); err != nil {
				return err
			}
		}
		a.results[at].Key = a.moved[at].To
	}
	return nil
}
