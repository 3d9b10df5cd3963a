package mapping

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/lockstep-sync/lockstep/value"
)

// loop is a function of lists that takes an expression to be evaluated for each item, in which # is the item, .name
// its member, #index its place and, in reduce, #acc what has been gathered.
type loop struct {
	name, usage, doc string
	result           func(list, body static) static
	truth            bool // the body must be a truth
	run              func(w *Worker, items []value.Value, each func(i int) value.Value) value.Value
}

func fixed(c class) func(list, body static) static {
	return func(static, static) static { return of(c) }
}

func sameList(list, _ static) static   { return list }
func itemOf(list, _ static) static     { return list.item() }
func listOfBody(_, body static) static { return listOf(body) }

var loops = func() map[string]*loop {
	out := make(map[string]*loop, len(loopTable))
	for i := range loopTable {
		out[loopTable[i].name] = &loopTable[i]
	}
	return out
}()

var loopTable = []loop{
	{"map", "map(list, expression)", "a list of what the expression gives for each item", listOfBody, false,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			w.spend(24 * len(items))
			out := make([]value.Value, 0, len(items))
			for i := range items {
				before := w.late
				w.late = false
				if v := each(i); !w.late {
					out = append(out, v)
				}
				w.late = before
			}
			return value.List(out...)
		}},
	{"filter", "filter(list, truth)", "the items for which it is true", sameList, true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			var out []value.Value
			for i, item := range items {
				if each(i).Bool() {
					out = append(out, item)
				}
			}
			w.spend(24 * len(out))
			return value.List(out...)
		}},
	{"find", "find(list, truth)", "the first item for which it is true, or null", itemOf, true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			if i := search(items, each, true); i >= 0 {
				return items[i]
			}
			return value.Null
		}},
	{"findIndex", "findIndex(list, truth)", "its place, or null", fixed(isInt), true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			if i := search(items, each, true); i >= 0 {
				return value.Int(int64(i))
			}
			return value.Null
		}},
	{"findLast", "findLast(list, truth)", "the last item for which it is true, or null", itemOf, true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			for i := len(items) - 1; i >= 0; i-- {
				if each(i).Bool() {
					return items[i]
				}
			}
			return value.Null
		}},
	{"all", "all(list, truth)", "true where it is true for every item", fixed(isBool), true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			return value.Bool(search(items, each, false) < 0)
		}},
	{"any", "any(list, truth)", "true where it is true for at least one", fixed(isBool), true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			return value.Bool(search(items, each, true) >= 0)
		}},
	{"none", "none(list, truth)", "true where it is true for no item", fixed(isBool), true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			return value.Bool(search(items, each, true) < 0)
		}},
	{"one", "one(list, truth)", "true where it is true for exactly one", fixed(isBool), true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			return value.Bool(count(items, each) == 1)
		}},
	{"count", "count(list, truth)", "for how many items it is true", fixed(isInt), true,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			return value.Int(count(items, each))
		}},
	{"sum", "sum(list) or sum(list, number)", "the sum, exact; 0 of an empty list", fixed(isNumber), false,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			total := value.Int(0)
			for i := range items {
				total = w.calculate("+", total, each(i), "the sum", "an item")
			}
			return total
		}},
	{"sortBy", `sortBy(list, expression) or sortBy(list, expression, "desc")`, "the items in the order of what the expression gives; null first", sameList, false, nil},
	{"groupBy", "groupBy(list, expression)", "an object: lists of items by the text of what the expression gives", fixed(isObject), false,
		func(w *Worker, items []value.Value, each func(int) value.Value) value.Value {
			w.spend(48 * len(items))
			groups, lists := newObject(8), [][]value.Value(nil)
			for i, item := range items {
				name := w.textOf(each(i))
				at, ok := groups.index[name]
				if !ok {
					at, lists = len(lists), append(lists, nil)
					groups.set(name, value.Null)
				}
				lists[at] = append(lists[at], item)
			}
			for i, list := range lists {
				groups.values[i] = value.List(list...)
			}
			return groups.value()
		}},
	{"reduce", "reduce(list, expression, start)", "gathers: #acc is what there is so far, # the item; without a start the first item is it", fixed(isAny), false, nil},
}

func search(items []value.Value, each func(int) value.Value, want bool) int {
	for i := range items {
		if each(i).Bool() == want {
			return i
		}
	}
	return -1
}

func count(items []value.Value, each func(int) value.Value) (n int64) {
	for i := range items {
		if each(i).Bool() {
			n++
		}
	}
	return n
}

func (c *compiler) builtin(n *ast.BuiltinNode) (code, static) {
	l, ok := loops[n.Name]
	if !ok {
		return c.fail(n, "%s is not among the functions", n.Name)
	}
	if len(c.frames) >= maxNesting {
		return c.fail(n, "more than %d of map(), filter() and their like inside each other", maxNesting)
	}
	list, s := c.open(n.Arguments[0])
	if s.class&isList == 0 {
		return c.fail(n.Arguments[0], "%s needs a list, not a %s", l.name, s.class)
	}
	frame := len(c.frames)
	var extra code
	acc := of(isAny)
	if len(n.Arguments) > 2 { // evaluated outside of the loop
		extra, _ = c.compile(n.Arguments[2])
	}
	body, b := code(func(w *Worker) value.Value { return w.frames[frame].item }), s.item()
	text := "#"
	if len(n.Arguments) > 1 {
		inner := n.Arguments[1]
		if p, ok := inner.(*ast.PredicateNode); ok {
			inner = p.Node
		}
		lets := len(c.lets)
		c.frames = append(c.frames, scope{s.item(), acc, l.name == "reduce"})
		body, b = c.compile(inner)
		c.frames, c.lets = c.frames[:frame], c.lets[:lets]
		text = describe(inner)
	}
	if (l.truth || l.name == "count") && b.class&isBool == 0 {
		return c.fail(n, "%s needs a truth for each item, not a %s", l.name, b.class)
	}
	listText := describe(n.Arguments[0])
	return func(w *Worker) value.Value {
		v := list(w)
		if v.IsNull() {
			return v
		}
		if v.Kind() != value.KindList {
			w.fail("%s is %s where %s needs a list", listText, a(v), l.name)
		}
		items := v.List()
		each := func(i int) value.Value {
			w.step()
			w.frames[frame].item, w.frames[frame].index = items[i], i
			out := body(w)
			if l.truth && out.Kind() != value.KindBool {
				w.fail("%s is %s where %s needs a truth", text, a(out), l.name)
			}
			return out
		}
		switch l.name {
		case "reduce":
			return w.reduce(frame, items, each, extra)
		case "sortBy":
			return w.sortBy(items, each, extra)
		}
		return l.run(w, items, each)
	}, l.result(s, b)
}

func (w *Worker) reduce(frame int, items []value.Value, each func(int) value.Value, start code) value.Value {
	from, acc := 0, value.Null
	switch {
	case start != nil:
		acc = start(w)
	case len(items) > 0:
		from, acc = 1, items[0]
	}
	for i := from; i < len(items); i++ {
		w.frames[frame].acc = acc
		acc = each(i)
	}
	return acc
}

func (w *Worker) sortBy(items []value.Value, each func(int) value.Value, direction code) value.Value {
	down := direction != nil && w.descending(direction(w))
	w.spend(72 * len(items))
	type pair struct{ by, item value.Value }
	pairs := make([]pair, len(items))
	for i, item := range items {
		pairs[i] = pair{each(i), item}
	}
	slices.SortStableFunc(pairs, func(p, q pair) int { return w.sorted(p.by, q.by, down) })
	out := make([]value.Value, len(items))
	for i, p := range pairs {
		out[i] = p.item
	}
	return value.List(out...)
}

func (w *Worker) descending(v value.Value) bool {
	if v.Kind() == value.KindText {
		switch v.Text() {
		case "asc":
			return false
		case "desc":
			return true
		}
	}
	w.fail(`the direction is "asc" or "desc"`)
	return false
}

// sorted orders for sorting: null first, then by order; what has no order is a failure.
func (w *Worker) sorted(x, y value.Value, down bool) int {
	w.step()
	c, ok := 0, true
	switch {
	case x.IsNull() || y.IsNull():
		c = compare(boolInt(!x.IsNull()), boolInt(!y.IsNull()))
	case x.Kind() == value.KindBool && y.Kind() == value.KindBool:
		c = compare(boolInt(x.Bool()), boolInt(y.Bool()))
	default:
		c, ok = order(x, y)
	}
	if !ok {
		w.fail("%s and %s cannot be sorted together", a(x), a(y))
	}
	if down {
		return -c
	}
	return c
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// objectBuilder gathers the members of an object; the last of two with one name wins.
type objectBuilder struct {
	names  []string
	values []value.Value
	index  map[string]int
}

func newObject(n int) *objectBuilder {
	return &objectBuilder{names: make([]string, 0, n), values: make([]value.Value, 0, n), index: make(map[string]int, n)}
}

func (o *objectBuilder) set(name string, v value.Value) {
	if i, ok := o.index[name]; ok {
		o.values[i] = v
		return
	}
	o.index[name] = len(o.names)
	o.names, o.values = append(o.names, name), append(o.values, v)
}

func (o *objectBuilder) value() value.Value {
	return value.Object(value.NewNames(o.names...).Fields(o.values))
}
