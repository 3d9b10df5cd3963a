package mapping

import (
	"strings"

	"github.com/lockstep-sync/lockstep/value"
)

func (w *Worker) in(x, y value.Value) bool {
	switch y.Kind() {
	case value.KindNull:
		return false
	case value.KindList:
		for _, item := range y.List() {
			if w.step(); same(x, item) {
				return true
			}
		}
		return false
	case value.KindObject:
		if x.Kind() != value.KindText {
			return false
		}
		_, ok := y.Object().Get(x.Text())
		return ok
	case value.KindText:
		return x.Kind() == value.KindText && strings.Contains(y.Text(), x.Text())
	}
	w.fail("in looks into a list, an object or a text, not %s", a(y))
	return false
}

func (w *Worker) textTest(op string, test func(s, t string) bool, x, y value.Value) bool {
	if x.IsNull() || y.IsNull() {
		return false
	}
	if x.Kind() != value.KindText || y.Kind() != value.KindText {
		w.fail("%s needs two texts, not %s and %s", op, a(x), a(y))
	}
	return test(x.Text(), y.Text())
}

// span is the list from x to y.
func (w *Worker) span(x, y value.Value) value.Value {
	if x.Kind() != value.KindInt || y.Kind() != value.KindInt {
		w.fail(".. needs two whole numbers, not %s and %s", a(x), a(y))
	}
	from, to := x.Int(), y.Int()
	if to < from {
		return value.List()
	}
	n := uint64(to) - uint64(from)
	if n >= maxItems {
		w.fail("a list of more than %d items", maxItems)
	}
	w.spend(24 * int(n+1))
	out := make([]value.Value, n+1)
	for i := range out {
		out[i] = value.Int(from + int64(i))
	}
	return value.List(out...)
}

// inside is x.name or x[0]; a member that is not there is null.
func (w *Worker) inside(x, p value.Value, text string) value.Value {
	switch {
	case x.IsNull():
		w.fail("%s is null; ?. looks inside only where there is something", text)
	case x.Kind() == value.KindObject && p.Kind() == value.KindText:
		v, _ := x.Object().Get(p.Text())
		return v
	case x.Kind() == value.KindList && p.Kind() == value.KindInt:
		items, i := x.List(), p.Int()
		if i < 0 {
			i += int64(len(items))
		}
		if i < 0 || i >= int64(len(items)) {
			w.fail("%s has %d items, number %d is not among them (the first is 0)", text, len(items), p.Int())
		}
		return items[i]
	}
	w.fail("%s is %s: there is no such thing inside", text, a(x))
	return value.Null
}

// piece is x[from:to] of a list or, in characters, of a text. Bounds outside are brought inside.
func (w *Worker) piece(x value.Value, from, to code, text string) value.Value {
	length, runes := 0, []rune(nil)
	switch x.Kind() {
	case value.KindText:
		w.spend(4 * len(x.Text()))
		runes = []rune(x.Text())
		length = len(runes)
	case value.KindList:
		length = len(x.List())
	default:
		w.fail("%s is %s: a piece can be taken of a text or a list only", text, a(x))
	}
	bound := func(c code, otherwise int) int {
		if c == nil {
			return otherwise
		}
		v := c(w)
		if v.Kind() != value.KindInt {
			w.fail("a piece needs whole numbers, not %s", a(v))
		}
		n := v.Int()
		if n < 0 {
			n += int64(length)
		}
		return int(min(max(n, 0), int64(length)))
	}
	i, j := bound(from, 0), bound(to, length)
	i = min(i, j)
	if runes != nil || x.Kind() == value.KindText {
		return w.text(string(runes[i:j]))
	}
	return value.List(x.List()[i:j]...)
}
