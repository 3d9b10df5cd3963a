package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// Fetch reads the records of keys in one query. A text that cannot be a key of the column's type names no record.
func (s *System) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	if keys = possible(keyColumns(p), keys); len(keys) == 0 {
		return nil, nil
	}
	records, err := s.fetch(ctx, p, keys)
	return records, s.about(err, r.Stream)
}

// possible leaves out keys that cannot be: it spares the server the look at texts that are no number.
func possible(columns []*sqlkit.Column, keys []lockstep.Key) []lockstep.Key {
	if len(columns) != 1 || columns[0].Type.Kind != value.IntType {
		return keys
	}
	out := make([]lockstep.Key, 0, len(keys))
	for _, k := range keys {
		if _, err := strconv.ParseInt(string(k), 10, max(32, columns[0].Type.Bits)); err == nil && k[0] != '+' {
			out = append(out, k)
		}
	}
	return out
}

func (s *System) fetch(ctx context.Context, p *sqlkit.Plan, keys []lockstep.Key) ([]lockstep.Record, error) {
	terms, args, err := keysIn(keyColumns(p), keys, 1)
	if err != nil {
		return nil, err
	}
	q := &query{plan: p, from: p.Table.SQL + " t", terms: append(present(p), terms), args: args, large: s.options.MaxRecord}
	var records []lockstep.Record
	err = s.collect(ctx, q, func() { records = make([]lockstep.Record, 0, len(keys)) }, func(r *row) error {
		if r.fault != nil {
			return r.fault
		}
		records = append(records, r.record)
		return nil
	})
	if notOfType(err) { // one of the keys: find it by halving, for it is rare
		if len(keys) == 1 {
			return nil, nil
		}
		half := len(keys) / 2
		first, err := s.fetch(ctx, p, keys[:half])
		if err != nil {
			return nil, err
		}
		second, err := s.fetch(ctx, p, keys[half:])
		return append(first, second...), err
	}
	return records, err
}

// notOfType tells whether a text could not be read as a value of a type.
func notOfType(err error) bool {
	if err == nil {
		return false
	}
	if f, own := err.(*lockstep.Fault); own && f != nil {
		return f.Code == lockstep.CodeKey
	}
	return lockstep.FaultOf(fault(err)).Code == lockstep.CodeValue
}

func keyColumns(p *sqlkit.Plan) []*sqlkit.Column {
	columns := make([]*sqlkit.Column, len(p.Key))
	for i, at := range p.Key {
		columns[i] = p.Columns[at]
	}
	return columns
}

// keysIn is the condition that t has one of the keys; its parameters begin at $first.
func keysIn(columns []*sqlkit.Column, keys []lockstep.Key, first int) (string, [][]byte, error) {
	texts, err := sqlkit.ColumnKeys(keys, len(columns))
	if err != nil {
		return "", nil, err
	}
	args := make([][]byte, len(columns))
	names, marks, casts := make([]string, len(columns)), make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		items := make([][]byte, len(keys))
		for j, part := range texts[i] {
			items[j] = keyParam(c, part)
		}
		args[i] = appendArray(nil, items)
		names[i] = "t." + sqlkit.Quote(c.Name)
		marks[i] = "$" + strconv.Itoa(first+i) + "::text[]"
		casts[i] = "k." + column(i) + "::" + c.Cast
	}
	if len(columns) == 1 {
		return names[0] + " = ANY($" + strconv.Itoa(first) + "::" + columns[0].Cast + "[])", args, nil
	}
	return "(" + strings.Join(names, ", ") + ") IN (SELECT " + strings.Join(casts, ", ") + " FROM unnest(" + strings.Join(marks, ", ") +
		") k(" + columnList(len(columns)) + "))", args, nil
}

func column(i int) string { return "v" + strconv.Itoa(i) }

func columnList(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = column(i)
	}
	return strings.Join(names, ", ")
}

// keyParam is a key field's text as PostgreSQL reads it.
func keyParam(c *sqlkit.Column, part string) []byte {
	if c.Type.Kind == value.BytesType {
		return []byte(`\x` + part)
	}
	return []byte(part)
}

// Find reads the records whose fields equal each tuple; a null equals null.
func (s *System) Find(ctx context.Context, r lockstep.Read, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	columns, err := p.Table.Named(by)
	if err != nil {
		return nil, err
	}
	out := make([][]lockstep.Record, len(values))
	if len(by) == 0 {
		return out, nil
	}
	// An index answers "=", but not the comparison that takes null for equal: the tuples with a null go apart.
	var solid, nulls []int
	for i, tuple := range values {
		null := false
		for _, v := range tuple {
			null = null || v.IsNull()
		}
		if null {
			nulls = append(nulls, i)
		} else {
			solid = append(solid, i)
		}
	}
	for _, some := range []struct {
		places []int
		equals string
	}{{solid, " = "}, {nulls, " IS NOT DISTINCT FROM "}} {
		if len(some.places) > 0 {
			if err := s.find(ctx, p, columns, values, some.places, some.equals, out); err != nil {
				return nil, s.about(err, r.Stream)
			}
		}
	}
	return out, nil
}

func (s *System) find(ctx context.Context, p *sqlkit.Plan, by []*sqlkit.Column, values [][]value.Value, places []int, equals string, out [][]lockstep.Record) error {
	q := &query{plan: p, large: s.options.MaxRecord, extra: []string{"w.i"}, terms: present(p)}
	marks := make([]string, len(by))
	for j, c := range by {
		items := make([][]byte, len(places))
		for i, at := range places {
			if v := values[at][j]; !v.IsNull() {
				items[i] = appendText(make([]byte, 0, 16), &c.Type, v)
			}
		}
		q.args = append(q.args, appendArray(nil, items))
		marks[j] = "$" + strconv.Itoa(j+1) + "::text[]"
		q.terms = append(q.terms, "t."+sqlkit.Quote(c.Name)+equals+"w."+column(j)+"::"+c.Cast)
	}
	q.from = "unnest(" + strings.Join(marks, ", ") + ") WITH ORDINALITY w(" + columnList(len(by)) + ", i), " + p.Table.SQL + " t"
	var found []lockstep.Record
	var of []int
	err := s.collect(ctx, q, func() { found, of = nil, nil }, func(r *row) error {
		if r.fault != nil {
			return r.fault
		}
		i, _ := parseInt(r.cells[0])
		found, of = append(found, r.record), append(of, places[i-1])
		return nil
	})
	if notOfType(err) { // what is no value of the type equals none
		if len(places) == 1 {
			return nil
		}
		half := len(places) / 2
		if err := s.find(ctx, p, by, values, places[:half], equals, out); err != nil {
			return err
		}
		return s.find(ctx, p, by, values, places[half:], equals, out)
	}
	if err != nil {
		return err
	}
	for i, rec := range found {
		out[of[i]] = append(out[of[i]], rec)
	}
	return nil
}
