package config

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// A shape is what a value of the file must look like. The decoder, the JSON schema and the reference are made from
// the same shapes, so that they cannot drift apart.
type shape[V any] interface {
	// decode reads n; it is false where it reported a problem.
	decode(d *decoder, n *yaml.Node, at path) (V, bool)
	// absent is the value where the setting is not there.
	absent(d *decoder) V
	// describe is for schema and reference.
	describe() *doc
}

// doc describes a shape.
type doc struct {
	word     string         // "duration", for the reference
	schema   map[string]any // of a leaf
	fields   []fieldDoc     // of an object
	item     *doc           // of a list, or of each value of a table
	table    bool           // item is under a name
	names    string         // of a table: the pattern of the names
	least    int            // of a table: how many there must be
	also     map[string]any // of an object: further keywords of its schema
	variants []*doc         // one of these
}

type fieldDoc struct {
	name, help, standard string
	required             bool
	doc                  *doc
}

// scalar is a single value, read from its text whatever YAML thinks it is: 0777, 1_000 and 2026-01-01 are no traps.
type scalar[V any] struct {
	word   string // "a duration such as 10s"
	schema map[string]any
	parse  func(text string) (V, error) // its error goes on from the text: "is not a duration"
}

func (s scalar[V]) decode(d *decoder, n *yaml.Node, at path) (v V, ok bool) {
	text, expanded, ok := d.scalar(n, at, s.word)
	if !ok {
		return v, false
	}
	v, err := s.parse(text)
	switch {
	case err == nil:
		return v, true
	case expanded: // the parser's words may hold the value (law 12)
		d.report(n, at, "", "%s: what stands in %s is not %s", at, quote(n), s.word)
	default:
		d.report(n, at, "", "%s: %s %s", at, quote(n), err)
	}
	return v, false
}

func (s scalar[V]) absent(*decoder) (v V) { return v }

func (s scalar[V]) describe() *doc { return &doc{word: s.word, schema: s.schema} }

// checked is s with a further condition.
func (s scalar[V]) checked(word string, check func(V) error) scalar[V] {
	parse := s.parse
	s.word = word
	s.parse = func(text string) (V, error) {
		v, err := parse(text)
		if err == nil {
			err = check(v)
		}
		return v, err
	}
	return s
}

// choice is one of a few words.
type choice[V ~string] []V

func (c choice[V]) decode(d *decoder, n *yaml.Node, at path) (v V, ok bool) {
	text, _, ok := d.scalar(n, at, c.word())
	if !ok {
		return v, false
	}
	if !slices.Contains(c, V(text)) {
		d.report(n, at, didYouMean(n.Value, c.names()), "%s cannot be %s", at, quote(n))
		return v, false
	}
	return V(text), true
}

func (c choice[V]) names() []string {
	names := make([]string, len(c))
	for i, v := range c {
		names[i] = string(v)
	}
	return names
}

func (c choice[V]) word() string          { return "one of " + join(c.names()) }
func (c choice[V]) absent(*decoder) (v V) { return v }
func (c choice[V]) describe() *doc {
	return &doc{word: c.word(), schema: map[string]any{"enum": c.names()}}
}

// list is several of a kind; one of them may stand alone, without brackets, where lone is set.
type list[V any] struct {
	item shape[V]
	lone bool
	max  int
}

func (l list[V]) decode(d *decoder, n *yaml.Node, at path) ([]V, bool) {
	n, ok := d.enter(n, at)
	switch {
	case !ok:
		return nil, false
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null" && l.lone:
		v, ok := l.item.decode(d, n, at)
		return []V{v}, ok
	case n.Kind != yaml.SequenceNode:
		d.wrongKind(n, at, "a list")
		return nil, false
	case l.max > 0 && len(n.Content) > l.max:
		d.report(n, at, "", "%s has %d items, more than %d", at, len(n.Content), l.max)
		return nil, false
	}
	d.open[n] = true
	defer delete(d.open, n)
	items, all := make([]V, 0, len(n.Content)), true
	for i, c := range n.Content {
		v, ok := l.item.decode(d, c, at.item(i))
		items, all = append(items, v), all && ok
	}
	return items, all
}

func (l list[V]) absent(*decoder) []V { return nil }

func (l list[V]) describe() *doc {
	many := &doc{word: "a list, each " + l.item.describe().word, item: l.item.describe()}
	if l.lone {
		return &doc{word: l.item.describe().word + ", or a list of them", variants: []*doc{l.item.describe(), many}}
	}
	return many
}

// named is a member of a table, with its name.
type named[V any] struct {
	name string
	key  *yaml.Node
	v    V
}

// table is values under free names, in the order of the file.
type table[V any] struct {
	what  string // of what, for errors: "a system"
	check func(name string) string
	item  shape[V]
}

func (t table[V]) decode(d *decoder, n *yaml.Node, at path) ([]named[V], bool) {
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return nil, false
	}
	defer leave()
	members := make([]named[V], 0, len(pairs))
	for _, p := range pairs {
		d.marks[string(at.sub(p.name))] = p.key
		if t.check != nil {
			if wrong := t.check(p.name); wrong != "" {
				d.report(p.key, at.sub(p.name), "", "%s cannot be called %s: %s", t.what, quote(p.key), wrong)
				ok = false
			}
		}
		v, good := t.item.decode(d, p.val, at.sub(p.name))
		members, ok = append(members, named[V]{p.name, p.key, v}), ok && good
	}
	return members, ok
}

func (t table[V]) absent(*decoder) []named[V] { return nil }

func (t table[V]) describe() *doc {
	out := &doc{word: "by name: " + t.item.describe().word, item: t.item.describe(), table: true}
	if t.check != nil {
		out.names = namePattern
	}
	return out
}
