package script

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// operators are the names that the rewriter calls, with what they do.
var operators = map[string]func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error){
	"==": func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) { return truth(same(t, x, y, 0)) },
	"!=": func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		eq, err := same(t, x, y, 0)
		return truth(!eq, err)
	},
	"<":  ordered(func(c int) bool { return c < 0 }),
	"<=": ordered(func(c int) bool { return c <= 0 }),
	">":  ordered(func(c int) bool { return c > 0 }),
	">=": ordered(func(c int) bool { return c >= 0 }),
	"in": func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) { return truth(within(t, x, y)) },
	"not in": func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		in, err := within(t, x, y)
		return truth(!in, err)
	},
	"+": operate(syntax.PLUS), "-": operate(syntax.MINUS), "*": operate(syntax.STAR), "/": operate(syntax.SLASH), "//": operate(syntax.SLASHSLASH),
	"%": operate(syntax.PERCENT), "|": operate(syntax.PIPE), "&": operate(syntax.AMP), "^": operate(syntax.CIRCUMFLEX),
	"<<": operate(syntax.LTLT), ">>": operate(syntax.GTGT),
	"+=": addTo, "-=": operate(syntax.MINUS), "*=": operate(syntax.STAR), "/=": operate(syntax.SLASH), "//=": operate(syntax.SLASHSLASH),
	"%=": operate(syntax.PERCENT), "|=": uniteWith, "&=": operate(syntax.AMP), "^=": operate(syntax.CIRCUMFLEX),
	"<<=": operate(syntax.LTLT), ">>=": operate(syntax.GTGT),
}

func truth(b bool, err error) (starlark.Value, error) { return starlark.Bool(b), err }

func ordered(is func(int) bool) func(*starlark.Thread, starlark.Value, starlark.Value) (starlark.Value, error) {
	return func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		if n := max(starlark.Len(x), starlark.Len(y)); n > 0 {
			if err := work(t, n>>6); err != nil {
				return nil, err
			}
		}
		c, err := order(x, y)
		return starlark.Bool(is(c)), err
	}
}

func within(t *starlark.Thread, x, y starlark.Value) (bool, error) {
	switch y := y.(type) {
	case *starlark.List, starlark.Tuple:
		items := y.(starlark.Indexable)
		for i := range items.Len() {
			if err := work(t, 1); err != nil {
				return false, err
			}
			if eq, err := same(t, x, items.Index(i), 0); err != nil || eq {
				return eq, err
			}
		}
		return false, nil
	case starlark.String:
		if err := work(t, len(y)>>6); err != nil {
			return false, err
		}
	}
	v, err := starlark.Binary(syntax.IN, x, y)
	return v == starlark.True, err
}

// operate is a binary operator: what it makes is counted before it is made.
func operate(op syntax.Token) func(*starlark.Thread, starlark.Value, starlark.Value) (starlark.Value, error) {
	return func(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
		p, _ := isNumber(x)
		q, _ := isNumber(y)
		if p && q {
			return calculate(op, x, y)
		}
		n, err := costOf(t, op, x, y)
		if err == nil && n > 0 {
			err = spend(t, n)
		}
		if err != nil {
			return nil, err
		}
		return starlark.Binary(op, x, y)
	}
}

const itemCost, entryCost = 16, 64 // bytes of an item of a list, of a member of a dict or set

func costOf(t *starlark.Thread, op syntax.Token, x, y starlark.Value) (int, error) {
	switch op {
	case syntax.STAR:
		n, isInt := y.(starlark.Int)
		of := x
		if !isInt {
			n, isInt = x.(starlark.Int)
			of = y
		}
		times, fits := n.Int64()
		if !isInt || starlark.Len(of) <= 0 || (fits && times <= 0) {
			return 0, nil
		}
		if !fits || times > maxItems*itemCost {
			return 0, errLong
		}
		return shallow(of) * int(times), nil
	case syntax.PERCENT:
		s, ok := x.(starlark.String)
		if !ok {
			return 0, nil
		}
		w, err := weigh(t, y)
		return len(s) + w*strings.Count(string(s), "%"), err
	}
	return shallow(x) + shallow(y), nil
}

var errLong = errors.New("the result is too long")

// shallow is what a value takes by itself.
func shallow(v starlark.Value) int {
	n := max(starlark.Len(v), 0)
	switch v.(type) {
	case starlark.String, starlark.Bytes:
		return n
	case *starlark.Dict, *starlark.Set:
		return n * entryCost
	}
	return n * itemCost
}

// weigh is about how long a value is as text. What is in it many times counts as often.
func weigh(t *starlark.Thread, v starlark.Value) (int, error) { return weighed(t, v, 0) }

func weighed(t *starlark.Thread, v starlark.Value, depth int) (n int, err error) {
	if depth > maxDepth {
		return 0, errDeep
	}
	add := func(item starlark.Value) bool {
		var m int
		m, err = weighed(t, item, depth+1)
		if n += m + 4; n > maxText {
			err = errLong
		}
		return err == nil
	}
	switch v := v.(type) {
	case starlark.String:
		return 4 * len(v), nil
	case starlark.Bytes:
		return 4 * len(v), nil
	case *starlark.Dict:
		if err = work(t, v.Len()); err != nil {
			return 0, err
		}
		for k, item := range v.Entries() {
			if !add(k) || !add(item) {
				return n, err
			}
		}
		return n, nil
	case starlark.Iterable:
		if err = work(t, max(starlark.Len(v), 0)); err != nil {
			return 0, err
		}
		for item := range starlark.Elements(v) {
			if !add(item) {
				return n, err
			}
		}
		return n, nil
	}
	return len(v.String()), nil
}

const maxText = 64 << 20

// addTo is +=: a list grows in place, as in Starlark.
func addTo(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
	list, ok := x.(*starlark.List)
	more, ok2 := y.(starlark.Iterable)
	if !ok || !ok2 {
		return operate(syntax.PLUS)(t, x, y)
	}
	return list, extend(t, list, more)
}

func extend(t *starlark.Thread, list *starlark.List, more starlark.Iterable) error {
	items, err := collect(t, more, itemCost)
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := list.Append(item); err != nil {
			return err
		}
	}
	return nil
}

// uniteWith is |=: a dict takes in another in place.
func uniteWith(t *starlark.Thread, x, y starlark.Value) (starlark.Value, error) {
	dict, ok := x.(*starlark.Dict)
	more, ok2 := y.(*starlark.Dict)
	if !ok || !ok2 {
		return operate(syntax.PIPE)(t, x, y)
	}
	if err := spend(t, shallow(more)); err != nil {
		return nil, err
	}
	for _, pair := range more.Items() {
		if err := dict.SetKey(pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return dict, nil
}

// collect is what an iterable yields, counted.
func collect(t *starlark.Thread, from starlark.Value, cost int) ([]starlark.Value, error) {
	it := starlark.Iterate(from)
	if it == nil {
		return nil, fmt.Errorf("a %s has no items", from.Type())
	}
	defer it.Done()
	var out []starlark.Value
	if n := starlark.Len(from); n >= 0 {
		if n > maxItems {
			return nil, errLong
		}
		if err := errors.Join(work(t, n), spend(t, n*cost)); err != nil {
			return nil, err
		}
		out = make([]starlark.Value, 0, n)
	}
	known := out != nil
	for v := starlark.Value(nil); it.Next(&v); {
		if out = append(out, v); known {
			continue
		}
		if len(out) > maxItems {
			return nil, errLong
		}
		if err := errors.Join(work(t, 1), spend(t, cost)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
