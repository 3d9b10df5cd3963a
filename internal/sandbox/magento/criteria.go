package magento

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// criteria are what a list asks for. Groups are AND-ed, the filters of one OR-ed.
type criteria struct {
	groups     [][]condition
	orders     []order
	size, page int // 0: not said
	given      obj // as the answer repeats it
	repeat     bool
}

type condition struct{ field, value, op string }

type order struct {
	field string
	desc  bool
}

// criteria reads searchCriteria of the query, in either spelling. It must be there, be it empty.
func (c *call) criteria() (*criteria, error) {
	v, ok := c.query["searchCriteria"]
	if !ok {
		v, ok = c.query["search_criteria"]
	}
	if !ok {
		return nil, missing("searchCriteria")
	}
	in, _ := v.(object)
	q := &criteria{repeat: c.quirks.RepeatLastPage}
	groups := []any{}
	for _, g := range inOrder(member2(in, "filter_groups")) {
		var conds []condition
		shown := []any{}
		for _, f := range inOrder(member2(g, "filters")) {
			cond := condition{field: text2(f, "field"), value: text2(f, "value"), op: text2(f, "condition_type")}
			one := obj{{"field", cond.field}, {"value", cond.value}, {"condition_type", or(cond.op, "eq")}}
			cond.op = or(cond.op, "eq")
			conds, shown = append(conds, cond), append(shown, one)
		}
		q.groups, groups = append(q.groups, conds), append(groups, obj{{"filters", shown}})
	}
	q.given = obj{{"filter_groups", groups}}
	if err := q.sort(in); err != nil {
		return nil, err
	}
	return q, q.pages(in, c.limits)
}

func (q *criteria) pages(in object, limits InputLimits) error {
	for _, p := range []struct {
		name string
		to   *int
	}{{"page_size", &q.size}, {"current_page", &q.page}} {
		v, ok := member2(in, p.name).(string)
		if !ok && p.name == "page_size" && limits.On {
			v, ok = itoa(limits.DefaultPage), true
		}
		if !ok {
			continue
		}
		n, err := scalar(v, intKind)
		if err != nil {
			return err
		}
		*p.to = n.(int)
		q.given = append(q.given, member{p.name, n})
	}
	if _, said := member2(in, "page_size").(string); said && limits.On && q.size > limits.MaxPage {
		return failNamed(http.StatusBadRequest, "Maximum SearchCriteria pageSize is %max", "max", limits.MaxPage)
	}
	return nil
}

func (q *criteria) sort(in object) error {
	orders := []any{}
	for _, o := range inOrder(member2(in, "sort_orders")) {
		dir := strings.ToUpper(text2(o, "direction"))
		if dir != "" && dir != "ASC" && dir != "DESC" {
			return fail(http.StatusBadRequest, "The sort order has to be specified as %1 for ascending order or %2 for descending order.", "ASC", "DESC")
		}
		q.orders = append(q.orders, order{text2(o, "field"), dir != "ASC"})
		orders = append(orders, obj{{"field", text2(o, "field")}, {"direction", or(dir, "DESC")}})
	}
	if len(orders) > 0 {
		q.given = append(q.given, member{"sort_orders", orders})
	}
	return nil
}

// member2 reads a member in either spelling.
func member2(v any, name string) any {
	o, _ := v.(object)
	if got, ok := o[name]; ok {
		return got
	}
	for k, got := range o {
		if snake(k) == name {
			return got
		}
	}
	return nil
}

func text2(v any, name string) string { s, _ := member2(v, name).(string); return s }

// inOrder are the elements of a PHP array of the query, by their numbers.
func inOrder(v any) []any {
	o, _ := v.(object)
	keys := slices.SortedFunc(maps.Keys(o), func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX == nil && errY == nil {
			return x - y
		}
		return strings.Compare(a, b)
	})
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = o[k]
	}
	return list
}

// page is the part of a list that is asked for. A page past the end is empty, or the last one again in old releases.
func page[T any](q *criteria, list []T) []T {
	if q.size <= 0 {
		return list
	}
	at := (max(q.page, 1) - 1) * q.size
	if q.repeat && at >= len(list) && len(list) > 0 {
		at = (len(list) - 1) / q.size * q.size
	}
	if at < 0 || at >= len(list) {
		return nil
	}
	return list[at:min(at+q.size, len(list))]
}

// results is the answer of a list.
func (q *criteria) results(items []any, total int) obj {
	if items == nil {
		items = []any{}
	}
	return obj{{"items", items}, {"search_criteria", q.given}, {"total_count", total}}
}
