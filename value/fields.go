package value

import (
	"iter"
	"slices"
)

// Names is an ordered list of field names. The records of a page share one.
type Names struct {
	list  []string
	index map[string]int
}

// NewNames is a list of names in their order. A doubled name panics: it is a bug of the caller.
func NewNames(names ...string) *Names {
	n := &Names{list: names, index: make(map[string]int, len(names))}
	for i, name := range names {
		if _, doubled := n.index[name]; doubled {
			panic("value: doubled field name " + name)
		}
		n.index[name] = i
	}
	return n
}

// Len is how many names there are.
func (n *Names) Len() int { return len(n.list) }

// List is the names in order. It must not be written to.
func (n *Names) List() []string { return n.list }

// Index is where name stands, or -1.
func (n *Names) Index(name string) int {
	if i, ok := n.index[name]; ok {
		return i
	}
	return -1
}

// Fields are a record's values by name, in order. The zero Fields is empty. Fields are immutable.
type Fields struct {
	names  *Names
	values []Value
}

// Fields puts values under the names. It takes values over; there must be as many as names.
func (n *Names) Fields(values []Value) Fields {
	if len(values) != len(n.list) {
		panic("value: as many values as names are needed")
	}
	return Fields{n, values}
}

// F makes Fields of names and values in turn: F("sku", "a", "price", 12). It is meant for tests and small objects;
// it panics where From cannot take a value.
func F(pairs ...any) Fields {
	names, values := make([]string, 0, len(pairs)/2), make([]Value, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		v, err := From(pairs[i+1])
		if err != nil {
			panic(err)
		}
		names, values = append(names, pairs[i].(string)), append(values, v)
	}
	return NewNames(names...).Fields(values)
}

// Len is how many fields there are.
func (f Fields) Len() int { return len(f.values) }

// Names are the names, nil for the zero Fields.
func (f Fields) Names() *Names { return f.names }

// At is the ith field.
func (f Fields) At(i int) (string, Value) { return f.names.list[i], f.values[i] }

// Values are the values in order. They must not be written to.
func (f Fields) Values() []Value { return f.values }

// Get is the value of name; false where there is no such field.
func (f Fields) Get(name string) (Value, bool) {
	if f.names == nil {
		return Null, false
	}
	i, ok := f.names.index[name]
	if !ok {
		return Null, false
	}
	return f.values[i], true
}

// All yields the fields in order.
func (f Fields) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i, v := range f.values {
			if !yield(f.names.list[i], v) {
				return
			}
		}
	}
}

// With is a copy in which name is v; a new name goes to the end.
func (f Fields) With(name string, v Value) Fields {
	if f.names == nil {
		return NewNames(name).Fields([]Value{v})
	}
	values := slices.Clone(f.values)
	if i, ok := f.names.index[name]; ok {
		values[i] = v
		return Fields{f.names, values}
	}
	return NewNames(append(slices.Clone(f.names.list), name)...).Fields(append(values, v))
}

// Equal tells whether f and g have the same names with Equal values, in any order.
func (f Fields) Equal(g Fields) bool {
	if len(f.values) != len(g.values) {
		return false
	}
	for name, v := range f.All() {
		w, ok := g.Get(name)
		if !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}

// Size is about how many bytes f takes in memory: what Limit.Bytes counts.
func (f Fields) Size() int {
	n := 24 * len(f.values)
	for _, v := range f.values {
		n += v.size()
	}
	return n
}

func (v Value) size() int {
	switch r := v.ref.(type) {
	case textRef, bytesRef, decimalRef, jsonRef:
		return int(v.num)
	case listRef:
		n := 24 * int(v.num)
		for _, item := range v.List() {
			n += item.size()
		}
		return n
	case objectRef:
		return (*Fields)(r).Size()
	}
	return 0
}
