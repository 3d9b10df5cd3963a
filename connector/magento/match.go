package magento

import (
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// match sorts what searches find to the tuples that were looked for.
type match struct {
	by     []string
	values [][]value.Value
	at     map[string][]int // which tuples, by their text
	out    [][]lockstep.Record
}

func newMatch(by []string, values [][]value.Value) *match {
	m := &match{by: by, values: values, at: map[string][]int{}, out: make([][]lockstep.Record, len(values))}
	for i, tuple := range values {
		if id, ok := tupleText(tuple); ok {
			m.at[id] = append(m.at[id], i)
		}
	}
	return m
}

// tupleText is a tuple as Magento compares it: letters and blanks at the end of texts do not tell it apart. A tuple with
// a list equals none.
func tupleText(tuple []value.Value) (string, bool) {
	parts := make([]string, len(tuple))
	for i, v := range tuple {
		switch v.Kind() {
		case value.KindList, value.KindObject, value.KindBytes:
			return "", false
		case value.KindNull:
			parts[i] = "\x00"
		case value.KindText:
			parts[i] = strings.ToLower(strings.TrimRight(v.Text(), " "))
		case value.KindDecimal:
			parts[i] = v.Decimal().Trim().String()
		default:
			parts[i] = v.String()
			if v.Kind() == value.KindTime {
				parts[i] = writeTime(v.Time())
			}
		}
	}
	return string(lockstep.MakeKey(parts...)), true
}

func (m *match) tuples(f value.Fields) []int {
	tuple := make([]value.Value, len(m.by))
	for i, name := range m.by {
		tuple[i], _ = f.Get(name)
	}
	id, ok := tupleText(tuple)
	if !ok {
		return nil
	}
	return m.at[id]
}

func (m *match) takes(f value.Fields) bool { return len(m.tuples(f)) > 0 }

func (m *match) take(rec lockstep.Record) {
	for _, i := range m.tuples(rec.Fields) {
		m.out[i] = append(m.out[i], rec)
	}
}

// groups are the searches that find the tuples: for one column groups of many values, for several the conditions of
// each tuple.
func (m *match) groups(columns []column) (one [][]filter, each [][][]filter) {
	var texts []string
	for _, at := range m.at {
		tuple := m.values[at[0]]
		conditions, ok := make([][]filter, len(columns)), true
		for i, c := range columns {
			if tuple[i].IsNull() {
				conditions[i] = []filter{{c.name, isNull, "1"}} // what stands there does not count, but must
				continue
			}
			as := c.text
			if as == nil {
				as = searched
			}
			text, fits := as(tuple[i])
			if !fits {
				ok = false
				break
			}
			conditions[i] = []filter{{c.name, equals, text}}
		}
		switch {
		case !ok:
		case len(columns) == 1 && conditions[0][0].cond == equals:
			texts = append(texts, conditions[0][0].value)
		default:
			each = append(each, conditions)
		}
	}
	if len(texts) > 0 {
		one = inGroups(columns[0].name, texts)
	}
	return one, each
}
