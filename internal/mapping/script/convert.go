package script

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"github.com/lockstep-sync/lockstep/value"
)

// in is a value as a script sees it: a copy that is the script's own.
func in(t *starlark.Thread, v value.Value, depth int) (starlark.Value, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	switch v.Kind() {
	case value.KindBool:
		return starlark.Bool(v.Bool()), nil
	case value.KindInt:
		return starlark.MakeInt64(v.Int()), nil
	case value.KindFloat:
		return starlark.Float(v.Float()), nil
	case value.KindDecimal:
		return decimalValue{v.Decimal()}, nil
	case value.KindText:
		return starlark.String(v.Text()), nil
	case value.KindBytes:
		return starlark.Bytes(v.Bytes()), spend(t, len(v.Bytes()))
	case value.KindTime:
		return timeValue{v.Time()}, nil
	case value.KindList:
		list := v.List()
		if err := spend(t, itemCost*len(list)); err != nil {
			return nil, err
		}
		items := make([]starlark.Value, len(list))
		for i, item := range list {
			var err error
			if items[i], err = in(t, item, depth+1); err != nil {
				return nil, err
			}
		}
		return starlark.NewList(items), nil
	case value.KindObject:
		fields := v.Object()
		if err := spend(t, entryCost*fields.Len()); err != nil {
			return nil, err
		}
		dict := starlark.NewDict(fields.Len())
		for name, member := range fields.All() {
			item, err := in(t, member, depth+1)
			if err == nil {
				err = dict.SetKey(starlark.String(name), item)
			}
			if err != nil {
				return nil, err
			}
		}
		return dict, nil
	}
	return starlark.None, nil
}

// outward turns what a script gives into values.
type outward struct{ thread *starlark.Thread }

var errUTF8 = errors.New("a text that is not valid UTF-8: a piece was cut in the middle of a character; see substr(), left() and right()")

func (o *outward) value(v starlark.Value, depth int) (value.Value, error) {
	if depth > maxDepth {
		return value.Null, errDeep
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return value.Null, nil
	case starlark.Bool:
		return value.Bool(bool(v)), nil
	case starlark.Int:
		if n, ok := v.Int64(); ok {
			return value.Int(n), nil
		}
		return value.FromDecimal(exactOf(v)), nil
	case starlark.Float:
		return value.Float(float64(v)), nil
	case decimalValue:
		return value.FromDecimal(v.d), nil
	case starlark.String:
		if !utf8.ValidString(string(v)) {
			return value.Null, errUTF8
		}
		return value.Text(string(v)), nil
	case starlark.Bytes:
		return value.Bytes([]byte(v)), spend(o.thread, len(v))
	case timeValue:
		return value.Time(v.t), nil
	case *starlark.Dict:
		return o.object(v, depth)
	case *starlark.List, starlark.Tuple, *starlark.Set:
		return o.list(v, depth)
	}
	return value.Null, fmt.Errorf("a %s is no value that a record can hold", v.Type())
}

func (o *outward) list(v starlark.Value, depth int) (value.Value, error) {
	n := starlark.Len(v)
	if err := errors.Join(work(o.thread, n), spend(o.thread, 24*n)); err != nil {
		return value.Null, err
	}
	items := make([]value.Value, 0, n)
	for item := range starlark.Elements(v.(starlark.Iterable)) {
		out, err := o.value(item, depth+1)
		if err != nil {
			return value.Null, err
		}
		items = append(items, out)
	}
	return value.List(items...), nil
}

func (o *outward) object(v *starlark.Dict, depth int) (value.Value, error) {
	if err := errors.Join(work(o.thread, v.Len()), spend(o.thread, entryCost*v.Len())); err != nil {
		return value.Null, err
	}
	names, values := make([]string, 0, v.Len()), make([]value.Value, 0, v.Len())
	for k, item := range v.Entries() {
		name, ok := k.(starlark.String)
		if !ok {
			return value.Null, fmt.Errorf("the members of a dict must have names that are texts, not a %s", k.Type())
		}
		if !utf8.ValidString(string(name)) {
			return value.Null, errUTF8
		}
		out, err := o.value(item, depth+1)
		if err != nil {
			return value.Null, err
		}
		names, values = append(names, string(name)), append(values, out)
	}
	return value.Object(value.NewNames(names...).Fields(values)), nil
}
