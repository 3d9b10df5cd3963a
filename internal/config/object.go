package config

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// object is a mapping with known names.
type object[T any] struct {
	fields []field[T]
	also   map[string]any                                // what else the JSON schema says of it: what check looks at
	check  func(d *decoder, n *yaml.Node, at path, v *T) // of the whole, when its parts are right
}

// field is one setting of an object.
type field[T any] struct {
	fieldDoc
	describe func() *doc // not yet when the shapes are made: they hold each other
	read     func(d *decoder, n *yaml.Node, at path, into *T) bool
	preset   func(d *decoder, into *T)
}

// trait is a property of a field beyond name, shape and help.
type trait func(*fieldDoc)

func required(f *fieldDoc) { f.required = true }

// standard is the default, as it would stand in the file.
func standard(text string) trait { return func(f *fieldDoc) { f.standard = text } }

// at is the setting name of a T, kept where slot says.
func at[T, V any](name string, s shape[V], slot func(*T) *V, help string, traits ...trait) field[T] {
	f := field[T]{fieldDoc: fieldDoc{name: name, help: help}, describe: s.describe}
	for _, t := range traits {
		t(&f.fieldDoc)
	}
	f.read = func(d *decoder, n *yaml.Node, at path, into *T) bool {
		v, ok := s.decode(d, n, at)
		*slot(into) = v // also where a part is wrong: the rest can be checked on
		return ok
	}
	f.preset = func(d *decoder, into *T) {
		if f.standard == "" {
			*slot(into) = s.absent(d)
			return
		}
		v, ok := s.decode(d, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.standard}, path(name))
		if !ok {
			panic("config: the default of " + name + " is wrong: " + f.standard)
		}
		*slot(into) = v
	}
	return f
}

func (o object[T]) decode(d *decoder, n *yaml.Node, at path) (T, bool) {
	v := o.absent(d)
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return v, false
	}
	defer leave()
	there := map[string]bool{}
	for _, p := range pairs {
		if at == "" && strings.HasPrefix(p.name, "x-") {
			continue // a place for anchors
		}
		there[p.name] = true
		f := o.field(p.name)
		if f == nil {
			d.unknown(p, at, o.names())
			ok = false
			continue
		}
		d.marks[string(at.sub(p.name))] = p.val
		ok = f.read(d, p.val, at.sub(p.name), &v) && ok
	}
	for _, f := range o.fields {
		if f.required && !there[f.name] {
			d.report(n, at, "", "%s needs `%s`: %s", at, f.name, clause(f.help))
			ok = false
		}
	}
	if ok && o.check != nil {
		before := len(d.problems)
		o.check(d, n, at, &v)
		ok = len(d.problems) == before
	}
	return v, ok
}

// unknown reports a name that nobody knows. Its value may be a secret under a misspelt name: mask it (law 12).
func (d *decoder) unknown(p pair, at path, names []string) {
	d.src.hide(p.val)
	for n := p.val; n.Kind == yaml.AliasNode; {
		n = n.Alias
		d.src.hide(n)
	}
	if len(d.problems) >= maxFound {
		return
	}
	where := ""
	if at != "" {
		where = " in " + at.String()
	}
	d.report(p.key, at.sub(p.name), didYouMean(p.name, names), "unknown key `%s`%s", p.name, where)
}

func (o object[T]) field(name string) *field[T] {
	for i := range o.fields {
		if o.fields[i].name == name {
			return &o.fields[i]
		}
	}
	return nil
}

func (o object[T]) names() []string {
	names := make([]string, len(o.fields))
	for i, f := range o.fields {
		names[i] = f.name
	}
	return names
}

func (o object[T]) absent(d *decoder) (v T) {
	for _, f := range o.fields {
		f.preset(d, &v)
	}
	return v
}

func (o object[T]) describe() *doc {
	out := &doc{word: "settings", also: o.also}
	for _, f := range o.fields {
		f.doc = f.describe()
		out.fields = append(out.fields, f.fieldDoc)
	}
	return out
}

// optional is an object that is nil where it is not there.
type optional[T any] struct{ object[T] }

func (o optional[T]) decode(d *decoder, n *yaml.Node, at path) (*T, bool) {
	v, ok := o.object.decode(d, n, at)
	return &v, ok
}

func (o optional[T]) absent(*decoder) *T { return nil }
