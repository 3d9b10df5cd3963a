package mapping

import (
	"slices"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/value"
)

var oneList = []param{{name: "list", class: isList}}

func firstItem(args []static) static { return args[0].item() }

var listFunctions = []function{
	{"len", "lists", "len(x)", "how many items, members or characters", `len("čaj")`, `3`, []param{{name: "x", class: isText | isList | isObject}}, gives(isInt), false, length},
	{"first", "lists", "first(list)", "the first item, or null", `first([3, 4])`, `3`, oneList, firstItem, false,
		func(w *Worker, a []value.Value) value.Value { return end(a[0].List(), 0) }},
	{"last", "lists", "last(list)", "the last item, or null", `last([3, 4])`, `4`, oneList, firstItem, false,
		func(w *Worker, a []value.Value) value.Value { return end(a[0].List(), len(a[0].List())-1) }},
	{"unique", "lists", "unique(list)", "each item once, where it came first", `unique([1, 1.0, 2])`, `[1,2]`, oneList, givesFirst, false, unique},
	{"sort", "lists", `sort(list) or sort(list, "desc")`, "numbers, texts or times in order; null first", `sort([3, 1.5, 2])`, `[1.5,2,3]`,
		[]param{{name: "list", class: isList}, {name: "direction", class: isText, optional: true}}, givesFirst, false, sortList},
	{"reverse", "lists", "reverse(list)", "back to front", `reverse([1, 2])`, `[2,1]`, oneList, givesFirst, false,
		func(w *Worker, a []value.Value) value.Value {
			w.spend(24 * len(a[0].List()))
			out := slices.Clone(a[0].List())
			slices.Reverse(out)
			return value.List(out...)
		}},
	{"flatten", "lists", "flatten(list)", "lists inside the list opened, all the way", `flatten([1, [2, [3]]])`, `[1,2,3]`, oneList, gives(isList), false,
		func(w *Worker, a []value.Value) value.Value { return value.List(w.flatten(nil, a[0].List())...) }},
	{"concat", "lists", "concat(list, list, …)", "one list of all items; nulls are left out", `concat([1], [2, 3])`, `[1,2,3]`,
		[]param{{name: "lists", class: isList | isNull, many: true}}, gives(isList), true,
		func(w *Worker, a []value.Value) value.Value {
			var out []value.Value
			for _, v := range a {
				if !v.IsNull() {
					w.spend(24 * len(v.List()))
					out = append(out, v.List()...)
				}
			}
			return value.List(out...)
		}},
	{"compact", "lists", "compact(list)", "without nulls and empty texts", `compact(["a", "", nil])`, `["a"]`, oneList, givesFirst, false,
		func(w *Worker, a []value.Value) value.Value {
			var out []value.Value
			for _, v := range a[0].List() {
				if !blank(v) {
					out = append(out, v)
				}
			}
			w.spend(24 * len(out))
			return value.List(out...)
		}},
	{"keys", "lists", "keys(object)", "the names of its members", `keys({a: 1, b: 2})`, `["a","b"]`, []param{{name: "object", class: isObject}}, func([]static) static { return listOf(of(isText)) }, false,
		func(w *Worker, a []value.Value) value.Value {
			var out []value.Value
			for name := range a[0].Object().All() {
				out = append(out, value.Text(name))
			}
			w.spend(24 * len(out))
			return value.List(out...)
		}},
	{"values", "lists", "values(object)", "the values of its members", `values({a: 1, b: 2})`, `[1,2]`, []param{{name: "object", class: isObject}}, gives(isList), false,
		func(w *Worker, a []value.Value) value.Value { return value.List(a[0].Object().Values()...) }},
}

func length(w *Worker, a []value.Value) value.Value {
	switch v := a[0]; v.Kind() {
	case value.KindText:
		return value.Int(int64(utf8.RuneCountInString(v.Text())))
	case value.KindList:
		return value.Int(int64(len(v.List())))
	default:
		return value.Int(int64(v.Object().Len()))
	}
}

func end(items []value.Value, i int) value.Value {
	if len(items) == 0 {
		return value.Null
	}
	return items[i]
}

// unique compares scalars by their canonical text, lists and objects one with another.
func unique(w *Worker, a []value.Value) value.Value {
	items := a[0].List()
	w.spend(64 * len(items))
	seen := make(map[string]bool, len(items))
	var out, nested []value.Value
	for _, item := range items {
		w.step()
		if classOf(item)&(isList|isObject) != 0 {
			if slices.ContainsFunc(nested, func(v value.Value) bool { w.step(); return same(v, item) }) {
				continue
			}
			nested = append(nested, item)
		} else {
			key := w.uniqueKey(item)
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		out = append(out, item)
	}
	return value.List(out...)
}

// uniqueKey is one text for all values that same() holds for equal.
func (w *Worker) uniqueKey(v value.Value) string {
	switch {
	case classOf(v)&isNumber != 0:
		if d, ok := finite(v); ok {
			return "n" + d.Trim().String()
		}
	case v.Kind() == value.KindTime:
		return "t" + w.textOf(value.Time(v.Time().UTC()))
	case v.Kind() == value.KindBytes:
		return "x" + string(v.Bytes())
	}
	return string(rune('a'+v.Kind())) + w.textOf(v)
}

func sortList(w *Worker, a []value.Value) value.Value {
	down := len(a) > 1 && w.descending(a[1])
	w.spend(24 * len(a[0].List()))
	out := slices.Clone(a[0].List())
	slices.SortStableFunc(out, func(x, y value.Value) int { return w.sorted(x, y, down) })
	return value.List(out...)
}

func (w *Worker) flatten(out, items []value.Value) []value.Value {
	w.spend(24 * len(items))
	for _, item := range items {
		w.step()
		if item.Kind() == value.KindList {
			out = w.flatten(out, item.List())
		} else {
			out = append(out, item)
		}
	}
	return out
}

func blank(v value.Value) bool {
	return v.IsNull() || (v.Kind() == value.KindText && v.Text() == "")
}

var valueFunctions = []function{
	{"coalesce", "values", "coalesce(a, b, …)", "the first that is not null; a ?? b is the same for two", `coalesce(nil, 2)`, `2`,
		[]param{{name: "values", class: isAny, many: true}}, nil, true, nil},
	{"iif", "values", "iif(condition, a, b)", "a where the condition is true, else b (null where it is left out); condition ? a : b is the same", `iif(1 < 2, "yes", "no")`, `"yes"`,
		[]param{{name: "condition", class: isBool}, {name: "a", class: isAny}, {name: "b", class: isAny, optional: true}}, nil, true, nil},
	{"blank", "values", "blank(x)", "true for null and the empty text", `blank("")`, `true`, []param{{name: "x", class: isAny}}, gives(isBool), true,
		func(w *Worker, a []value.Value) value.Value { return value.Bool(blank(a[0])) }},
	{"nullIf", "values", "nullIf(a, b)", "null where a equals b, else a", `nullIf("-", "-")`, `null`, []param{{name: "a", class: isAny}, {name: "b", class: isAny}}, givesFirst, true,
		func(w *Worker, a []value.Value) value.Value {
			if same(a[0], a[1]) {
				return value.Null
			}
			return a[0]
		}},
	{"lookup", "values", `lookup("map", key) or lookup("map", key, default)`, "the value of a key in a value map; without a default a key that is not there is an error", ``, ``,
		[]param{{name: "map", class: isText}, {name: "key", class: isAny}, {name: "default", class: isAny, optional: true}}, nil, true, nil},
	{"link", "values", `link("flow", key, …)`, "the target's key of the record that another flow has brought there, as text; null for a null key. Where it is not there yet the record waits for it. A composite key has an argument for each part", ``, ``,
		[]param{{name: "flow", class: isText}, {name: "key", class: isAny}, {name: "more", class: isAny, optional: true, many: true}}, nil, true, nil},
	{"later", "values", `later(expression)`, "what the expression gives, where a link() in it is not there yet: the record is sent without it, and once more when it comes. An item of a list is left out then, a field stays as it is", ``, ``,
		[]param{{name: "expression", class: isAny}}, nil, true, nil},
}
