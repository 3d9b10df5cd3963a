package pimcore

import (
	"context"
	"strconv"
	"strings"

	"golang.org/x/text/cases"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Find reads the objects whose fields equal the values: one list for each tuple. The database folds letters and blanks
// at the end, and so does this.
func (s *System) Find(ctx context.Context, r lockstep.Read, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	p, err := s.plan(ctx, withFields(r, by))
	if err != nil {
		return nil, err
	}
	columns, err := p.columns(by)
	if err != nil {
		return nil, about(err, r.Stream)
	}
	out := make([][]lockstep.Record, len(values))
	byTuple := map[string][]int{}
	var some []condition
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		got, err := s.whole(ctx, p, "find", listing{where: oneOf(some...), order: []string{idField}})
		some = nil
		if err != nil {
			return err
		}
		for i := range got.rows {
			row := &got.rows[i].change
			if row.Fault != nil {
				return row.Fault
			}
			for _, at := range byTuple[p.tuple(row.Record.Fields, by)] {
				out[at] = append(out[at], only(row.Record, r.Fields))
			}
		}
		return nil
	}
	for i, tuple := range values {
		where, ok := s.equals(columns, tuple)
		if !ok {
			continue // a list or an object equals no column
		}
		id := tupleOf(tuple)
		if byTuple[id] = append(byTuple[id], i); len(byTuple[id]) > 1 {
			continue
		}
		if some = append(some, where); len(some) >= s.conf.page {
			if err := flush(); err != nil {
				return nil, about(err, r.Stream)
			}
		}
	}
	return out, about(flush(), r.Stream)
}

// equals is the condition that columns have these values.
func (s *System) equals(columns []column, tuple []value.Value) (condition, bool) {
	var parts []condition
	for i, v := range tuple {
		if v.IsNull() {
			parts = append(parts, compare(columns[i].name, isNull, ""))
			continue
		}
		text, ok := columns[i].text(v, s)
		if !ok {
			return condition{}, false
		}
		parts = append(parts, compare(columns[i].name, equal, text))
	}
	return allOf(parts...), true
}

// withFields is r with the fields that it looks by.
func withFields(r lockstep.Read, by []string) lockstep.Read {
	fields := append([]string{}, r.Fields...)
	for _, name := range by {
		has := false
		for _, f := range fields {
			has = has || f == name
		}
		if !has {
			fields = append(fields, name)
		}
	}
	r.Fields = fields
	return r
}

// only is a record with the fields that were asked for.
func only(rec lockstep.Record, names []string) lockstep.Record {
	if rec.Fields.Len() == len(names) {
		return rec
	}
	var have []string
	var values []value.Value
	for _, name := range names {
		if v, ok := rec.Fields.Get(name); ok {
			have, values = append(have, name), append(values, v)
		}
	}
	rec.Fields = value.NewNames(have...).Fields(values)
	return rec
}

// column is a database column that a field is filtered by.
type column struct {
	name  string
	field *field
}

// columns are the columns of fields. Localized ones are matched in one language alone, and others have no column.
func (p *plan) columns(by []string) ([]column, error) {
	var out []column
	for _, name := range by {
		f := p.class.field(name)
		if f == nil {
			return nil, lockstep.Faultf(lockstep.CodeNoField, "class %s has no field %q", p.class.name, name).On(lockstep.About{Field: name})
		}
		if len(f.path.steps) != 1 || f.path.members != nil || f.path.steps[0].lang != "" || f.typ.Kind == value.ListType || f.typ.Kind == value.ObjectType {
			return nil, lockstep.Faultf(lockstep.CodeCannot, "objects cannot be found by %q: Pimcore filters by plain fields that are not localized", name).On(lockstep.About{Field: name})
		}
		col := f.path.steps[0].name
		if col == "fullpath" || col == "objectType" {
			return nil, lockstep.Faultf(lockstep.CodeCannot, "objects cannot be found by %q: it is no column", name).On(lockstep.About{Field: name})
		}
		out = append(out, column{col, f})
	}
	return out, nil
}

// text is a value as filters compare it; false where it equals nothing.
func (c column) text(v value.Value, s *System) (string, bool) {
	switch v.Kind() {
	case value.KindBool:
		return map[bool]string{true: "1", false: "0"}[v.Bool()], true
	case value.KindTime:
		return strconv.FormatInt(c.field.unix(v.Time(), s.conf.zone), 10), true
	}
	return textOf(v)
}

// tuple is what a record has of the fields, as the database compares it.
func (p *plan) tuple(f value.Fields, by []string) string {
	tuple := make([]value.Value, len(by))
	for i, name := range by {
		tuple[i], _ = f.Get(name)
	}
	return tupleOf(tuple)
}

func tupleOf(tuple []value.Value) string {
	parts := make([]string, len(tuple))
	for i, v := range tuple {
		switch v.Kind() {
		case value.KindText:
			parts[i] = cases.Fold().String(strings.TrimRight(v.Text(), " "))
		case value.KindDecimal:
			parts[i] = v.Decimal().Trim().String()
		case value.KindTime:
			parts[i] = strconv.FormatInt(v.Time().Unix(), 10)
		default:
			parts[i] = v.String()
		}
	}
	return string(lockstep.MakeKey(parts...))
}
