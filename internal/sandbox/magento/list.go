package magento

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// searchRows answers a list of rows by the criteria of the query. The fields are the rows' members, by other names if
// alias has one; rows come in their order.
func searchRows(c *call, rows []obj, alias map[string]string) (any, error) {
	return searchViews(c, rows, alias, func(r obj) any { return r })
}

// searchViews is searchRows where a row only holds what is searched, and is shown otherwise.
func searchViews(c *call, rows []obj, alias map[string]string, view func(obj) any) (any, error) {
	q, err := c.criteria()
	if err != nil {
		return nil, err
	}
	found := rows
	for _, group := range q.groups {
		tests := make([]func(obj) bool, 0, len(group))
		for _, cond := range group {
			t, err := c.rowTest(cond, alias)
			if err != nil {
				return nil, err
			}
			tests = append(tests, t)
		}
		if len(tests) == 0 {
			continue
		}
		var kept []obj
		for _, r := range found {
			if slices.ContainsFunc(tests, func(t func(obj) bool) bool { return t(r) }) {
				kept = append(kept, r)
			}
		}
		found = kept
	}
	found = sortedRows(q, found, alias)
	items := []any{}
	for _, r := range page(q, found) {
		items = append(items, view(r))
	}
	return q.results(items, len(found)), nil
}

func (c *call) rowTest(cond condition, alias map[string]string) (func(obj) bool, error) {
	name := or(alias[cond.field], cond.field)
	if strings.HasSuffix(name, "_at") && cond.op != "null" && cond.op != "notnull" {
		t, ok := phpDate(cond.value, c.clock())
		if !ok {
			return func(obj) bool { return true }, nil // rubbish filters nothing
		}
		cond.value = t.Format(stampLayout)
	}
	asText, err := cond.match(byText)
	if err != nil {
		return nil, err
	}
	asNumber, err := cond.match(byNumber)
	if err != nil {
		return nil, err
	}
	return func(r obj) bool {
		v, ok := r.get(name)
		switch v := v.(type) {
		case int, float64:
			return asNumber(fmt.Sprint(v), true)
		case bool:
			return asNumber(zeroOne(v), true)
		case string:
			return asText(v, true)
		default:
			return asText("", ok && v != nil)
		}
	}, nil
}

func sortedRows(q *criteria, rows []obj, alias map[string]string) []obj {
	if len(q.orders) == 0 {
		return rows
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b obj) int {
		for _, o := range q.orders {
			x, _ := a.get(or(alias[o.field], o.field))
			y, _ := b.get(or(alias[o.field], o.field))
			n := compareValues(x, y)
			if o.desc {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	return rows
}

func compareValues(a, b any) int {
	x, isInt := a.(int)
	y, both := b.(int)
	if isInt && both {
		return cmp.Compare(x, y)
	}
	f, isFloat := a.(float64)
	g, both := b.(float64)
	if isFloat && both {
		return cmp.Compare(f, g)
	}
	return textOrder(fmt.Sprint(a), fmt.Sprint(b))
}
