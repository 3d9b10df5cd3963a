package mysql

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// keysAtOnce is how many keys go into one statement.
const keysAtOnce = 1000

// Fetch reads the records of keys. Where the key's collation folds, a record comes as it is spelled in the database.
func (s *System) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	asked := make(map[lockstep.Key]struct{}, len(keys))
	for _, k := range keys {
		asked[foldKey(p.Table, k)] = struct{}{}
	}
	var records []lockstep.Record
	for chunk := range slices.Chunk(keys, keysAtOnce) {
		if err := s.fetch(ctx, p, chunk, func(rec lockstep.Record) {
			// To the server, "café" may equal "cafe" and "01" the number 1: that is not the record asked for.
			if _, ok := asked[foldKey(p.Table, rec.Key)]; ok {
				records = append(records, rec)
			}
		}); err != nil {
			return nil, s.about(err, r.Stream)
		}
	}
	return records, nil
}

// foldKey is a key as the engine folds it.
func foldKey(t *sqlkit.Table, k lockstep.Key) lockstep.Key {
	if t.Stream.FoldKeys {
		return lockstep.Key(strings.ToLower(string(k)))
	}
	return k
}

func (s *System) fetch(ctx context.Context, p *sqlkit.Plan, keys []lockstep.Key, each func(lockstep.Record)) error {
	condition, args := keysIn(keyColumns(p), keys, "t.")
	if condition == "" {
		return nil
	}
	q := &selection{plan: p, from: p.Table.SQL + " t", terms: append(present(p), condition), args: args, large: s.options.MaxRecord}
	var found []lockstep.Record
	err := s.collect(ctx, q, func(r *row) error {
		if r.fault != nil {
			return r.fault
		}
		found = append(found, r.record)
		return nil
	})
	if mykit.Incomparable(err) && len(keys) == 1 {
		return nil
	}
	if mykit.Incomparable(err) { // one of the keys: find it by halving, for it is rare
		half := len(keys) / 2
		if err := s.fetch(ctx, p, keys[:half], each); err != nil {
			return err
		}
		return s.fetch(ctx, p, keys[half:], each)
	}
	for _, rec := range found {
		each(rec)
	}
	return err
}

func keyColumns(p *sqlkit.Plan) []*sqlkit.Column {
	columns := make([]*sqlkit.Column, len(p.Key))
	for i, at := range p.Key {
		columns[i] = p.Columns[at]
	}
	return columns
}

// keysIn is the condition that a row has one of the keys, "" where none of them can be a key. of stands in front of
// the columns' names.
func keysIn(columns []*sqlkit.Column, keys []lockstep.Key, of string) (string, []driver.Value) {
	args := make([]driver.Value, 0, len(keys)*len(columns))
	n := 0
next:
	for _, k := range keys {
		parts, err := k.Parts(len(columns))
		if err != nil {
			continue // what cannot be a key names no record
		}
		for i, c := range columns {
			arg, ok := keyArg(c, parts[i])
			if !ok {
				args = args[:n*len(columns)]
				continue next
			}
			args = append(args, arg)
		}
		n++
	}
	if n == 0 {
		return "", nil
	}
	if len(columns) == 1 {
		mark := keyMark(columns[0])
		return of + mykit.Quote(columns[0].Name) + " IN (" + mark + strings.Repeat(", "+mark, n-1) + ")", args
	}
	one := keyIs(columns, of)
	return "(" + one + strings.Repeat(" OR "+one, n-1) + ")", args
}

// keyIs is the condition that a row has a key.
func keyIs(columns []*sqlkit.Column, of string) string {
	same := make([]string, len(columns))
	for i, c := range columns {
		same[i] = of + mykit.Quote(c.Name) + " = " + keyMark(c)
	}
	return "(" + strings.Join(same, " AND ") + ")"
}

// findAtOnce is how many tuples go into one statement of Find.
const findAtOnce = 200

// Find reads the records whose fields equal each tuple; a null equals null. Texts are compared by the collations of
// their columns.
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
		if slices.ContainsFunc(tuple, value.Value.IsNull) {
			nulls = append(nulls, i)
		} else {
			solid = append(solid, i)
		}
	}
	for _, some := range []struct {
		places []int
		equals string
	}{{solid, " = "}, {nulls, " <=> "}} {
		for places := range slices.Chunk(some.places, findAtOnce) {
			if err := s.find(ctx, p, columns, values, places, some.equals, out); err != nil {
				return nil, s.about(err, r.Stream)
			}
		}
	}
	return out, nil
}

func (s *System) find(ctx context.Context, p *sqlkit.Plan, by []*sqlkit.Column, values [][]value.Value, places []int, equals string, out [][]lockstep.Record) error {
	d := derived{table: p.Table, columns: by, number: true}
	var wanted []int // what is no value of a column's type equals none
	for _, at := range places {
		if d.add(values[at]) {
			wanted = append(wanted, at)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	q := &selection{plan: p, large: s.options.MaxRecord, extra: []string{"w.i"}, terms: present(p), args: d.args,
		from: "(" + d.sql() + ") w STRAIGHT_JOIN " + p.Table.SQL + " t"}
	for i := range by {
		q.terms = append(q.terms, d.same(i, "w", equals))
	}
	err := s.collect(ctx, q, func(r *row) error {
		if r.fault != nil {
			return r.fault
		}
		i := number(r.extra[0])
		out[wanted[i]] = append(out[wanted[i]], r.record)
		return nil
	})
	return err
}

func number(text string) int {
	n := 0
	for _, c := range []byte(text) {
		n = n*10 + int(c-'0')
	}
	return n
}
