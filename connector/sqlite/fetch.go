package sqlite

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// maxParams is how many parameters one statement takes: SQLite's limit is 32,766.
const maxParams = 20_000

// Fetch reads the records of keys. Keys that are asked for twice come once.
func (s *System) Fetch(ctx context.Context, r lockstep.Read, keys []lockstep.Key) ([]lockstep.Record, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	var records []lockstep.Record
	for chunk := range slices.Chunk(keys, keysAtOnce(p)) {
		args, tuples, err := keyArgs(p, chunk)
		if err != nil {
			return nil, about(err, r.Stream)
		}
		if tuples == 0 {
			continue
		}
		found, err := s.fetch(ctx, p, tuples, args)
		if err != nil {
			return nil, about(err, r.Stream)
		}
		records = append(records, found...)
	}
	return records, nil
}

// keyArgs are the tuples to be bound for keys, one behind the other: more than keys where one can be stored in
// several ways.
func keyArgs(p *sqlkit.Plan, keys []lockstep.Key) (args []any, tuples int, err error) {
	args = make([]any, 0, len(keys)*len(p.Key))
	ways := make([][]any, len(p.Key))
	for _, k := range keys {
		parts, err := k.Parts(len(p.Key))
		if err != nil {
			continue // what cannot be a key names no record
		}
		n := 1
		for i, part := range parts {
			ways[i] = keyParams(p.Columns[p.Key[i]], part)
			n *= len(ways[i])
		}
		for combination := range n {
			for _, w := range ways {
				args = append(args, w[combination%len(w)])
				combination /= len(w)
			}
		}
		tuples += n
	}
	return args, tuples, nil
}

// keysAtOnce is how many keys go into one statement: each may come to several tuples.
func keysAtOnce(p *sqlkit.Plan) int { return max(1, 5000/len(p.Key)) }

func (s *System) fetch(ctx context.Context, p *sqlkit.Plan, n int, args []any) ([]lockstep.Record, error) {
	db, err := s.read()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	query := "SELECT " + selectList(p, s.options.MaxRecord) + " FROM " + p.Table.SQL + " t" + present(p, keysIn(p, n))
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	rd := newReader(p, s.options.MaxRecord, 0)
	records := make([]lockstep.Record, 0, n)
	for rows.Next() {
		rec, fault, err := rd.record(rows)
		if err != nil {
			return nil, err
		}
		if fault != nil {
			return nil, fault
		}
		records = append(records, rec)
	}
	return records, rows.Err()
}

// keysIn is the condition that the key is one of n.
func keysIn(p *sqlkit.Plan, n int) string {
	if len(p.Key) == 1 {
		return keyList(p) + " IN (" + marks(n) + ")"
	}
	return "(" + keyList(p) + ") IN (VALUES " + rowMarks(n, len(p.Key)) + ")"
}

func rowMarks(rows, width int) string {
	return strings.TrimSuffix(strings.Repeat("("+marks(width)+"), ", rows), ", ")
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
	step := maxParams / (2*len(by) + 1)
	for start := 0; start < len(values); start += step {
		end := min(len(values), start+step)
		if err := s.find(ctx, p, columns, values, start, end, out); err != nil {
			return nil, about(err, r.Stream)
		}
	}
	return out, nil
}

func (s *System) find(ctx context.Context, p *sqlkit.Plan, by []*sqlkit.Column, values [][]value.Value, start, end int, out [][]lockstep.Record) error {
	db, err := s.read()
	if err != nil {
		return err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	names, terms := []string{"i"}, []string{}
	for i, c := range by {
		v, name := "v"+strconv.Itoa(i), "t."+sqlkit.Quote(c.Name)
		if decimalText(c) { // 12.5 may stand there as 12.50
			names = append(names, v, v+"b")
			terms = append(terms, "("+name+" IN (w."+v+", w."+v+"b) OR ("+name+" IS NULL AND w."+v+" IS NULL))")
			continue
		}
		names, terms = append(names, v), append(terms, name+" IS w."+v)
	}
	args := make([]any, 0, (end-start)*(len(by)+1))
	for i := start; i < end; i++ {
		args = append(args, i)
		for j, c := range by {
			arg, err := encode(c, values[i][j])
			if err != nil {
				return lockstep.NewFault(lockstep.CodeValue, err).On(lockstep.About{Field: c.Name})
			}
			args = append(args, arg)
			if decimalText(c) {
				args = append(args, trimmed(values[i][j]))
			}
		}
	}
	// The cross join makes SQLite look up each wanted tuple, by an index where there is one.
	query := "WITH w(" + strings.Join(names, ", ") + ") AS (VALUES " + rowMarks(end-start, len(names)) + ") SELECT " +
		selectList(p, s.options.MaxRecord) + ", w.i FROM w CROSS JOIN " + p.Table.SQL + " t" + present(p, terms...)
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	rd := newReader(p, s.options.MaxRecord, 1)
	for rows.Next() {
		rec, fault, err := rd.record(rows)
		if err != nil {
			return err
		}
		if fault != nil {
			return fault
		}
		i := rd.cells[len(rd.cells)-1].(int64)
		out[i] = append(out[i], rec)
	}
	return rows.Err()
}

// decimalText tells whether a column keeps decimals as texts.
func decimalText(c *sqlkit.Column) bool {
	return c.Type.Kind == value.DecimalType && affinityOf(c.Type.Native) == text
}

func trimmed(v value.Value) any {
	switch v.Kind() {
	case value.KindNull:
		return nil
	case value.KindDecimal:
		return v.Decimal().Trim().String()
	}
	return v.String()
}
