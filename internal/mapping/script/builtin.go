package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/value"
)

type builtin = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

// predeclared are all names that a script finds: ours, and Starlark's own with our bounds.
func predeclared(library []string) starlark.StringDict {
	names := starlark.StringDict{}
	for _, name := range library {
		if _, own := starlark.Universe[name]; !own {
			names[name] = starlark.NewBuiltin(name, fromHouse)
		}
	}
	for name, op := range operators {
		names[name] = starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
			return op(t, args[0], args[1])
		})
	}
	names["."] = starlark.NewBuiltin(".", member)
	names["[:]"], names["*args"] = starlark.NewBuiltin("[:]", counting), starlark.NewBuiltin("*args", counting)
	for name, run := range map[string]builtin{"range": ranged, "sorted": sorted, "min": least, "max": least, "int": fromHouse, "float": fromHouse, "abs": absolute,
		"str": textOf, "repr": textOf, "any": counted(0), "all": counted(0), "list": counted(itemCost), "tuple": counted(itemCost), "reversed": counted(itemCost),
		"enumerate": counted(entryCost), "zip": counted(entryCost), "set": counted(entryCost), "dict": counted(entryCost), "bytes": counted(1)} {
		names[name] = starlark.NewBuiltin(name, run)
	}
	return names
}

// fromHouse calls a function of the house, the one that expressions have.
func fromHouse(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	if len(named) > 0 {
		return nil, fmt.Errorf("%s takes no arguments by name", b.Name())
	}
	given := make([]value.Value, len(args))
	for i, arg := range args {
		var err error
		if given[i], err = (&outward{thread: t}).value(arg, 0); err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name(), err)
		}
	}
	if err := work(t, 1); err != nil {
		return nil, err
	}
	v, err := envOf(t).Library(b.Name(), given)
	if err != nil {
		return nil, err
	}
	return in(t, v, 0)
}

// counted is Starlark's own function of that name, when what it makes has been counted.
func counted(cost int) builtin {
	return func(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
		for i, arg := range args {
			if _, ok := arg.(starlark.Iterable); ok {
				n := starlark.Len(arg)
				if n < 0 { // not known before it was read
					items, err := collect(t, arg, cost)
					if err != nil {
						return nil, err
					}
					args[i] = starlark.NewList(items)
					continue
				}
				if n > maxItems {
					return nil, errLong
				}
				if err := errors.Join(work(t, n), spend(t, n*cost)); err != nil {
					return nil, err
				}
			} else if s, ok := arg.(starlark.String); ok {
				if err := spend(t, len(s)); err != nil {
					return nil, err
				}
			}
		}
		return starlark.Call(t, starlark.Universe[b.Name()], args, named)
	}
}

// ranged is range, of a bounded length.
func ranged(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	v, err := starlark.Call(t, starlark.Universe["range"], args, named)
	if err == nil && starlark.Len(v) > maxItems {
		return nil, fmt.Errorf("%s: more than %d numbers", b.Name(), maxItems)
	}
	return v, err
}

func textOf(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	for _, arg := range args {
		n, err := weigh(t, arg)
		if err == nil {
			err = spend(t, n)
		}
		if err != nil {
			return nil, err
		}
	}
	return starlark.Call(t, starlark.Universe[b.Name()], args, named)
}

func absolute(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 1 {
		if d, ok := args[0].(decimalValue); ok {
			return decimalValue{decimal.Abs(d.d)}, nil
		}
	}
	return starlark.Call(t, starlark.Universe["abs"], args, named)
}

// keyed is a value with what it is compared by.
type keyed struct{ by, item starlark.Value }

func keysOf(t *starlark.Thread, items []starlark.Value, key starlark.Value) ([]keyed, error) {
	out := make([]keyed, len(items))
	for i, item := range items {
		by := item
		if key != nil && key != starlark.None {
			var err error
			if by, err = starlark.Call(t, key, starlark.Tuple{item}, nil); err != nil {
				return nil, err
			}
		}
		out[i] = keyed{by, item}
	}
	return out, nil
}

// sorted is Starlark's, with numbers in the order of what they are worth.
func sorted(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	var from, key starlark.Value
	down := false
	if err := starlark.UnpackArgs(b.Name(), args, named, "iterable", &from, "key?", &key, "reverse?", &down); err != nil {
		return nil, err
	}
	items, err := collect(t, from, itemCost+entryCost)
	if err != nil {
		return nil, err
	}
	pairs, err := keysOf(t, items, key)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(pairs, func(p, q keyed) int {
		c, e := order(p.by, q.by)
		if e != nil {
			err = e
		}
		if down {
			c = -c
		}
		return c
	})
	if err != nil {
		return nil, err
	}
	for i, p := range pairs {
		items[i] = p.item
	}
	return starlark.NewList(items), work(t, 16*len(items))
}

// least is min and max.
func least(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	var key starlark.Value
	if err := starlark.UnpackArgs(b.Name(), nil, named, "key?", &key); err != nil {
		return nil, err
	}
	items := []starlark.Value(args)
	if len(args) == 1 {
		var err error
		if items, err = collect(t, args[0], itemCost); err != nil {
			return nil, err
		}
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s: there is nothing to choose from", b.Name())
	}
	pairs, err := keysOf(t, items, key)
	if err != nil {
		return nil, err
	}
	best := pairs[0]
	for _, p := range pairs[1:] {
		c, err := order(p.by, best.by)
		if err != nil {
			return nil, err
		}
		if (c < 0) == (b.Name() == "min") && c != 0 {
			best = p
		}
	}
	return best.item, nil
}

// member is x.name. The methods of texts are counted by the text, those that can make much of little by what they make.
func member(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	x, name := args[0], string(args[1].(starlark.String))
	holder, ok := x.(starlark.HasAttrs)
	if !ok {
		return nil, fmt.Errorf("a %s has no members", x.Type())
	}
	v, err := holder.Attr(name)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, fmt.Errorf("a %s has no .%s", x.Type(), name)
	}
	if s, ok := x.(starlark.String); ok {
		if err := errors.Join(work(t, len(s)>>6), spend(t, len(s))); err != nil {
			return nil, err
		}
	}
	price := prices[name]
	if price == nil {
		return v, nil
	}
	return starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
		if len(args) == 1 && starlark.Len(args[0]) < 0 {
			if _, lazy := args[0].(starlark.Iterable); lazy {
				items, err := collect(t, args[0], itemCost)
				if err != nil {
					return nil, err
				}
				args = starlark.Tuple{starlark.NewList(items)}
			}
		}
		n, err := price(t, x, args, named)
		if err == nil {
			err = errors.Join(work(t, n>>6), spend(t, n))
		}
		if err != nil {
			return nil, err
		}
		return starlark.Call(t, v, args, named)
	}), nil
}

// counting counts what is about to be copied, and gives it on: a piece of something, or arguments that a list holds.
func counting(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	n := shallow(args[0])
	return args[0], errors.Join(work(t, n>>6), spend(t, n))
}

// prices are the bytes that the methods make which can make much of little.
var prices = map[string]func(t *starlark.Thread, x starlark.Value, args starlark.Tuple, named []starlark.Tuple) (int, error){
	"join": func(t *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) (int, error) {
		if len(args) == 0 {
			return 0, nil
		}
		n, err := weigh(t, args[0])
		return n + max(starlark.Len(args[0]), 0)*max(starlark.Len(x), 0), err
	},
	"replace": func(_ *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) (int, error) {
		if len(args) < 2 {
			return 0, nil
		}
		s, _ := x.(starlark.String)
		old, _ := args[0].(starlark.String)
		by, _ := args[1].(starlark.String)
		return len(s) + strings.Count(string(s), string(old))*len(by), nil
	},
	"format": func(t *starlark.Thread, x starlark.Value, args starlark.Tuple, named []starlark.Tuple) (int, error) {
		s, _ := x.(starlark.String)
		most, err := weigh(t, args)
		for _, pair := range named {
			n, e := weigh(t, pair[1])
			most, err = most+n, errors.Join(err, e)
		}
		return len(s) + most*strings.Count(string(s), "{"), err
	},
	"split": pieces, "rsplit": pieces, "splitlines": pieces,
	"keys": whole, "values": whole, "items": whole, "union": both, "extend": both, "update": both,
	"insert": moving, "pop": moving, "remove": moving, "index": moving,
	"difference": both, "intersection": both, "symmetric_difference": both,
}

func pieces(_ *starlark.Thread, x starlark.Value, _ starlark.Tuple, _ []starlark.Tuple) (int, error) {
	return max(starlark.Len(x), 0) * itemCost, nil
}

func whole(_ *starlark.Thread, x starlark.Value, _ starlark.Tuple, _ []starlark.Tuple) (int, error) {
	return shallow(x), nil
}

// moving makes nothing, but moves or looks at all there is.
func moving(t *starlark.Thread, x starlark.Value, _ starlark.Tuple, _ []starlark.Tuple) (int, error) {
	return 0, work(t, shallow(x)>>8)
}

func both(_ *starlark.Thread, x starlark.Value, args starlark.Tuple, _ []starlark.Tuple) (int, error) {
	n := shallow(x)
	for _, arg := range args {
		n += max(starlark.Len(arg), 0) * entryCost
	}
	return n, nil
}
