package image

import (
	"errors"
	"fmt"

	"github.com/lockstep-sync/lockstep/value"
)

func toList(t *value.Type, v value.Value) (value.Value, bool, error) {
	if v.Kind() != value.KindList {
		return v, false, cannot(v, "a list")
	}
	_, raw := v.RawText()
	items, err := itemsOf(v)
	if err != nil {
		return v, false, err
	}
	if t.Elem == nil || t.Elem.Kind == value.AnyType {
		return value.List(items...), raw, nil
	}
	var out []value.Value
	if raw {
		out = append(make([]value.Value, 0, len(items)), items...)
	}
	for i, item := range items {
		w, changed, err := coerce(t.Elem, item)
		if err != nil {
			return v, false, fmt.Errorf("item %d: %w", i+1, err)
		}
		if changed && out == nil {
			out = append(make([]value.Value, 0, len(items)), items...)
		}
		if out != nil {
			out[i] = w
		}
	}
	if out == nil {
		return v, false, nil
	}
	return value.List(out...), true, nil
}

// itemsOf looks inside a list. One that is still JSON text, and turns out to be no JSON, hurts its record alone (law 4).
func itemsOf(v value.Value) (items []value.Value, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the list is not valid JSON")
		}
	}()
	return v.List(), nil
}

// toObject brings an object to its declared members, in their order: what is absent or null is its default, and what is not
// declared is a fault.
func toObject(t *value.Type, v value.Value) (value.Value, bool, error) {
	if v.Kind() != value.KindObject {
		return v, false, cannot(v, "an object")
	}
	if t.Members == nil {
		return v, false, nil
	}
	given, err := membersOf(v)
	if err != nil {
		return v, false, err
	}
	names, values := make([]string, len(t.Members)), make([]value.Value, len(t.Members))
	taken := 0
	for i := range t.Members {
		m := &t.Members[i]
		names[i], values[i] = m.Name, m.Default
		one, ok := given.Get(m.Name)
		if ok {
			taken++
		}
		if one.IsNull() {
			continue
		}
		if values[i], _, err = coerce(&m.Type, one); err != nil {
			return v, false, fmt.Errorf("member %q: %w", m.Name, err)
		}
	}
	if taken < given.Len() {
		return v, false, fmt.Errorf("the object has a member that is none of %q", names)
	}
	return value.Object(value.NewNames(names...).Fields(values)), true, nil
}

// membersOf looks inside an object, as itemsOf does inside a list.
func membersOf(v value.Value) (members value.Fields, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the object is not valid JSON")
		}
	}()
	return v.Object(), nil
}
