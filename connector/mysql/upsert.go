package mysql

import (
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// tuple is what a write sends.
type tuple struct {
	at   int // the write's place
	args []driver.Value
	size int
}

// tuples are what the writes at the places send. What cannot be sent is answered with a fault of its own.
func (a *applier) tuples(places []int, b *sqlkit.Binding) []tuple {
	out := make([]tuple, 0, len(places))
	all := make([]driver.Value, 0, len(places)*len(b.Columns))
	for _, at := range places {
		start := len(all)
		var err error
		if all, err = a.tuple(all, at, b); err != nil {
			a.results[at].Err = err
			all = all[:start]
			continue
		}
		t := tuple{at: at, args: all[start:len(all):len(all)]}
		for _, arg := range t.args {
			t.size += sizeOf(arg) + 4
		}
		most := a.facts.packet - overhead
		if t.size > most/2 {
			t.size += escapes(t.args)
		}
		if t.size > most {
			a.results[at].Err = lockstep.Faultf(lockstep.CodeTooLarge, "the record has %d bytes, and the server's max_allowed_packet leaves room for %d", t.size, most).
				On(lockstep.About{Stream: a.table.Stream.Name, Key: a.writes[at].Key})
			all = all[:start]
			continue
		}
		out = append(out, t)
	}
	return out
}

func (a *applier) tuple(args []driver.Value, at int, b *sqlkit.Binding) ([]driver.Value, error) {
	w := &a.writes[at]
	about := lockstep.About{Stream: a.table.Stream.Name, Key: w.Key}
	var parts []string
	if w.Key != "" {
		var err error
		if parts, err = w.Key.Parts(len(b.Key)); err != nil {
			return args, err
		}
	}
	for i, c := range b.Columns {
		about.Field = c.Name
		if b.Field[i] < 0 {
			arg, ok := keyArg(c, parts[i])
			if !ok {
				return args, lockstep.Faultf(lockstep.CodeValue, "the key is no value of the column's type, which is %s", c.Type.Native).On(about)
			}
			args = append(args, arg)
			continue
		}
		_, v := w.Fields.At(b.Field[i])
		arg, err := encode(&c.Type, v)
		if err != nil {
			return args, lockstep.NewFault(lockstep.CodeValue, err).On(about)
		}
		args = append(args, arg)
	}
	return args, nil
}

func sizeOf(arg driver.Value) int {
	switch arg := arg.(type) {
	case string:
		return len(arg)
	case []byte:
		return len(arg)
	}
	return 8
}

// escapes is how many more bytes the values take in a statement, where some letters are written as two.
func escapes(args []driver.Value) int {
	n := 0
	for _, arg := range args {
		text, ok := arg.(string)
		if b, bytes := arg.([]byte); bytes {
			text, ok = string(b), true
		}
		if !ok {
			continue
		}
		for i := range len(text) {
			switch text[i] {
			case 0, '\n', '\r', 0x1a, '\'', '"', '\\':
				n++
			}
		}
	}
	return n
}

// chunks cuts tuples into statements of at most so many rows that fit a packet, even if much of them is escaped.
func (a *applier) chunks(tuples []tuple, rows int, each func([]tuple) error) error {
	most := min(4<<20, (a.facts.packet-overhead)/2)
	for len(tuples) > 0 {
		n, size := 0, 0
		for n < len(tuples) && n < rows && (n == 0 || size+tuples[n].size <= most) {
			size += tuples[n].size
			n++
		}
		if err := each(tuples[:n]); err != nil {
			return err
		}
		tuples = tuples[n:]
	}
	return nil
}

func argsOf(tuples []tuple) []driver.Value {
	var args []driver.Value
	for _, t := range tuples {
		args = append(args, t.args...)
	}
	return args
}

// upserts updates the rows that are there and inserts the others. They are told apart first, and locked: ON DUPLICATE
// KEY UPDATE alone takes a row for the same that only shares another unique value with it, and would write over it.
func (a *applier) upserts(g sqlkit.Group, b *sqlkit.Binding) error {
	if err := a.ownKeys(g, b); err != nil {
		return err
	}
	tuples := a.tuples(g.Writes, b)
	there, err := a.lock(tuples)
	if err != nil {
		return err
	}
	var fresh, old []tuple
	for _, t := range tuples {
		if there[foldKey(a.table, a.results[t.at].Key)] {
			old = append(old, t)
		} else {
			fresh = append(fresh, t)
		}
	}
	if err := a.update(old, b); err != nil {
		return err
	}
	return a.chunks(fresh, 1000, func(some []tuple) error {
		_, err := a.link.Exec(a.ctx, insertSQL(b, len(some)), argsOf(some)...)
		return err
	})
}

// lock says which of the records are there, and locks them.
func (a *applier) lock(tuples []tuple) (map[lockstep.Key]bool, error) {
	there := make(map[lockstep.Key]bool, len(tuples))
	p, err := a.table.Plan(lockstep.Read{Stream: a.table.Stream.Name})
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(tuples, keysAtOnce) {
		keys := make([]lockstep.Key, len(chunk))
		for i, t := range chunk {
			keys[i] = a.results[t.at].Key
		}
		condition, args := keysIn(a.key, keys, "t.")
		if condition == "" {
			continue
		}
		q := &selection{plan: p, from: p.Table.SQL + " t", terms: []string{condition}, lock: " FOR UPDATE", args: args, large: 1 << 30}
		err := a.sys.collectBy(a.ctx, a.link, q, func(r *row) error {
			there[foldKey(a.table, r.record.Key)] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

func insertSQL(b *sqlkit.Binding, rows int) string {
	one := "(" + mykit.Marks(len(b.Columns)) + ")"
	return "INSERT INTO " + b.Table.SQL + " (" + mykit.QuoteAll(b.Names()) + ") VALUES " + one + strings.Repeat(","+one, rows-1)
}

// update writes over rows that are there and locked.
func (a *applier) update(tuples []tuple, b *sqlkit.Binding) error {
	others := b.Others()
	if len(tuples) == 0 || len(others) == 0 {
		return nil
	}
	if !a.mergeable(b) {
		return a.chunks(tuples, 200, func(some []tuple) error { return a.join(some, b) })
	}
	sets := make([]string, len(others))
	for i, name := range others {
		sets[i] = mykit.Quote(name) + " = VALUES(" + mykit.Quote(name) + ")"
	}
	clause := " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
	return a.chunks(tuples, 1000, func(some []tuple) error {
		_, err := a.link.Exec(a.ctx, insertSQL(b, len(some))+clause, argsOf(some)...)
		return err
	})
}

// mergeable tells whether an INSERT … ON DUPLICATE KEY UPDATE updates the rows that are there, and only that: the
// primary key, which is looked at first, is the key, all columns that must be given are, and no trigger takes the
// insert for one.
func (a *applier) mergeable(b *sqlkit.Binding) bool {
	info := infoOf(a.table)
	primary := slices.Equal(slices.Sorted(slices.Values(info.primary)), slices.Sorted(slices.Values(a.table.Stream.Key)))
	return primary && b.Complete() && !info.inserting
}

// join updates by a join with the values.
func (a *applier) join(tuples []tuple, b *sqlkit.Binding) error {
	d := derived{table: a.table, columns: b.Columns, keys: b.Key, rows: len(tuples), args: argsOf(tuples)}
	var same, sets []string
	for i, c := range b.Columns {
		if slices.Contains(b.Key, i) {
			same = append(same, d.same(i, "s", " = "))
		} else {
			sets = append(sets, "t."+mykit.Quote(c.Name)+" = s.v"+strconv.Itoa(i))
		}
	}
	_, err := a.link.Exec(a.ctx, "UPDATE ("+d.sql()+") s STRAIGHT_JOIN "+a.table.SQL+" t ON "+strings.Join(same, " AND ")+
		" SET "+strings.Join(sets, ", "), d.args...)
	return err
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

// inserts makes rows whose key the database chooses, in the order of the writes. MariaDB tells the keys; of MySQL only
// that of a single row is certain, whatever else is inserted meanwhile.
func (a *applier) inserts(g sqlkit.Group, b *sqlkit.Binding) error {
	tuples := a.tuples(g.Writes, b)
	if len(b.Columns) > 0 && a.facts.maria && a.facts.version >= 100500 {
		return a.chunks(tuples, 1000, func(some []tuple) error { return a.returning(some, b) })
	}
	statement := "INSERT INTO " + b.Table.SQL + " () VALUES ()"
	if len(b.Columns) > 0 {
		statement = insertSQL(b, 1)
	}
	for _, t := range tuples {
		done, err := a.link.Exec(a.ctx, statement, t.args...)
		if err != nil {
			return err
		}
		id, err := done.LastInsertId()
		if err != nil {
			return err
		}
		if id == 0 {
			return lockstep.Faultf(lockstep.CodeCannot, "the database did not say which key it chose: its key is no AUTO_INCREMENT column")
		}
		a.results[t.at].Key = lockstep.Key(strconv.FormatUint(uint64(id), 10))
	}
	return nil
}

func (a *applier) returning(tuples []tuple, b *sqlkit.Binding) error {
	p, err := a.table.Plan(lockstep.Read{Stream: a.table.Stream.Name})
	if err != nil {
		return err
	}
	d := newDecoder(&selection{plan: p, large: 1 << 30}, false)
	i := 0
	err = a.link.Rows(a.ctx, insertSQL(b, len(tuples))+" RETURNING "+mykit.QuoteAll(a.table.Stream.Key), argsOf(tuples), func(cells []driver.Value) error {
		if i < len(tuples) {
			a.results[tuples[i].at].Key = d.row(cells, false).record.Key
		}
		i++
		return nil
	})
	if err == nil && i != len(tuples) {
		err = lockstep.Faultf(lockstep.CodeInvariant, "the database made %d rows of %d", i, len(tuples))
	}
	return err
}

// moves gives records their new keys. Where there is none at the old key, it is made at the new one.
func (a *applier) moves(g sqlkit.Group) error {
	b, err := sqlkit.Bind(a.table, g)
	if err != nil {
		return err
	}
	sets := make([]string, len(b.Columns))
	for i, c := range b.Columns {
		sets[i] = mykit.Quote(c.Name) + " = ?"
	}
	for _, t := range a.tuples(g.Writes, b) {
		matched := int64(0)
		if condition, args := keysIn(a.key, []lockstep.Key{a.moved[t.at].From}, ""); condition != "" {
			done, err := a.link.Exec(a.ctx, "UPDATE "+b.Table.SQL+" SET "+strings.Join(sets, ", ")+" WHERE "+condition, append(slices.Clone(t.args), args...)...)
			if err != nil {
				return err
			}
			if matched, err = done.RowsAffected(); err != nil {
				return err
			}
		}
		if matched == 0 {
			if err := a.group(sqlkit.Group{Op: g.Op, Names: g.Names, Writes: []int{t.at}}); err != nil {
				return err
			}
		}
		a.results[t.at].Key = a.moved[t.at].To
	}
	return nil
}
