package pimcore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// field is a field of a stream: where it stands, what is asked for it, and how the answer becomes a value.
type field struct {
	name string
	path path
	typ  value.Type
	sels []*selection // what is asked for at the object's top
	read *shape       // takes the whole object
	// relation is set where the path begins with a relation whose end may be hidden.
	relation *relation
	// system marks the columns that every object has; they are no fields of the class.
	system bool
	// write is how the field is written, nil where it is not: fixed says why.
	write *writer
	fixed string
}

// relation is what filters know of a relation field.
type relation struct {
	name string // in GraphQL, which is the column's
	lang string // of a localized one
	many bool
}

// selection is a field that is asked for, with what is asked for inside.
type selection struct {
	key  string // in the answer
	name string
	lang string
	on   string // only where the object is of this type
	sub  []*selection
}

// deriver makes selections and shapes of paths.
type deriver struct {
	types *types
	zone  *time.Location
	langs []string
}

// maxDefault bounds how deep a value is read of which nobody said what to read.
const maxDefault = 3

// fieldOf is a path in objects of a type. Where a type is not known yet it is noted in types, and the error does not
// matter.
func (d *deriver) fieldOf(root string, f fieldConf) (*field, error) {
	if len(f.path.steps) == 0 {
		return nil, fmt.Errorf("the path is empty")
	}
	if f.path.steps[0].list && f.path.steps[0].name == "" {
		return nil, fmt.Errorf("the path is empty")
	}
	typ := &f.typ
	if !f.typed {
		typ = nil
	}
	out := &field{name: f.alias, path: f.path}
	var err error
	if out.sels, out.read, out.typ, err = d.step(root, f.path.steps, f.path.members, typ); err != nil {
		return nil, err
	}
	out.relation = d.relationOf(root, f.path.steps[0])
	return out, nil
}

// relationOf tells whether a field is a relation whose end may be hidden.
func (d *deriver) relationOf(root string, s step) *relation {
	rel := &relation{name: s.name, lang: s.lang, many: s.list}
	info := d.types.get(root)
	if info == nil {
		if d.types.offline && len(s.on) > 0 && !strings.HasPrefix(s.on[0], "cs") && !strings.HasPrefix(s.on[0], "fieldcollection_") && s.name != "parent" {
			return rel
		}
		return nil
	}
	g := info.field(s.name)
	if g == nil || s.name == "parent" || s.name == "children" || s.name == "_siblings" {
		return nil
	}
	rel.many = g.typ.list
	target := d.types.get(g.typ.name)
	if target == nil {
		return nil
	}
	if target.kind == "UNION" && !isCollection(target) || target.field("element") != nil && target.field("metadata") != nil {
		return rel
	}
	if strings.HasPrefix(g.typ.name, objectPrefix) && target.field("modificationDate") != nil {
		return rel
	}
	return nil
}

// isCollection tells the union behind a field collection, or a classification store, from one of a relation.
func isCollection(t *typeInfo) bool {
	return slices.ContainsFunc(t.possible, func(name string) bool {
		return strings.HasPrefix(name, "fieldcollection_") || strings.HasPrefix(name, "cs")
	})
}

// step reads the first step of a path in objects of a type, and what follows in what it finds there.
func (d *deriver) step(in string, steps []step, members []member, want *value.Type) ([]*selection, *shape, value.Type, error) {
	s := steps[0]
	info := d.types.get(in)
	if info == nil && !d.types.offline {
		return nil, nil, value.Type{}, errUnknown
	}
	if info != nil && info.kind == "UNION" {
		return d.union(info, s, steps, members, want)
	}
	g := graphField{name: s.name, localized: s.lang != "", typ: graphType{list: s.list}}
	if len(s.on) == 1 {
		g.typ.name = s.on[0]
	}
	if info != nil {
		found := info.field(s.name)
		switch {
		case found == nil:
			return nil, nil, value.Type{}, fmt.Errorf("%s has no field %q in the endpoint's schema", strings.TrimPrefix(in, objectPrefix), s.name)
		case found.demanding:
			return nil, nil, value.Type{}, fmt.Errorf("%s needs an argument", s.name)
		case s.lang != "" && !found.localized:
			return nil, nil, value.Type{}, fmt.Errorf("%s is not localized: it has no language", s.name)
		}
		g = *found
	}
	if !isName(s.name) {
		return nil, nil, value.Type{}, fmt.Errorf("%q is no name of a field", s.name)
	}
	sel := &selection{key: s.name, name: s.name, lang: s.lang}
	if s.lang != "" {
		if sel.key += "_" + s.lang; info != nil && info.field(sel.key) != nil {
			sel.key = "in_" + s.lang + "_" + s.name
		}
	}
	sub, inner, typ, err := d.value(g.typ, s, steps[1:], members, want)
	if err != nil {
		return nil, nil, value.Type{}, err
	}
	sel.sub = sub
	return []*selection{sel}, &shape{op: opMember, keys: []string{sel.key}, subs: []*shape{inner}}, typ, nil
}

// union reads a step in whatever types of a union have it.
func (d *deriver) union(info *typeInfo, s step, steps []step, members []member, want *value.Type) ([]*selection, *shape, value.Type, error) {
	out := &shape{op: opMember}
	var sels []*selection
	var typ value.Type
	var problem error
	names := info.possible
	kinds := map[graphType]bool{}
	for _, name := range names {
		if t := d.types.get(name); t != nil && t.field(s.name) != nil {
			kinds[t.field(s.name).typ] = true
		}
	}
	for _, name := range names {
		sub, inner, t, err := d.step(name, steps, members, want)
		if err != nil {
			problem = err
			continue
		}
		typ = t
		for i := range sub {
			one := *sub[i]
			if len(kinds) > 1 { // equal keys of unequal types are no valid document
				one.key = name + "_" + one.key
				inner = &shape{op: opMember, keys: []string{one.key}, subs: inner.subs}
			}
			one.on = name
			sels = append(sels, &one)
		}
		out.keys, out.subs = append(out.keys, inner.keys...), append(out.subs, inner.subs...)
	}
	if len(sels) == 0 {
		if problem == nil {
			problem = fmt.Errorf("nothing that can stand there is in the endpoint's schema")
		}
		return nil, nil, value.Type{}, problem
	}
	out.dedupe()
	return sels, out, typ, nil
}

// value reads the rest of a path in the value of a field.
func (d *deriver) value(g graphType, s step, rest []step, members []member, want *value.Type) ([]*selection, *shape, value.Type, error) {
	elem := graphType{name: g.name}
	known := g.name != "" && (d.types.get(g.name) != nil)
	if g.name != "" && !known && !d.types.offline {
		return nil, nil, value.Type{}, errUnknown
	}
	if known && s.list && !g.list {
		return nil, nil, value.Type{}, fmt.Errorf("%s is no list", s.name)
	}
	if g.name == "csGroup" {
		return d.classification(s, rest, want)
	}
	if (g.list && !s.list || d.types.offline) && s.name == "metadata" && len(rest) == 1 && members == nil {
		return d.metadata(rest[0].name, want)
	}
	if known && g.list && !s.list && (len(rest) > 0 || members != nil) {
		return nil, nil, value.Type{}, fmt.Errorf("%s is a list: write %s[]", s.name, s.name)
	}
	if !g.list {
		return d.one(elem, s.on, rest, members, want, 0)
	}
	inner := want
	if want != nil && want.Kind == value.ListType {
		inner = want.Elem
	}
	sub, shp, typ, err := d.one(elem, s.on, rest, members, inner, 0)
	if err != nil {
		return nil, nil, value.Type{}, err
	}
	list := value.Type{Kind: value.ListType, Elem: &typ}
	if want != nil && want.Kind == value.ListType {
		list = *want
	}
	if typ.Kind == value.ListType {
		list = typ // a list in a list is one
	}
	return sub, &shape{op: opList, subs: []*shape{shp}}, list, nil
}

// one reads the rest of a path in a single value.
func (d *deriver) one(g graphType, on []string, rest []step, members []member, want *value.Type, depth int) ([]*selection, *shape, value.Type, error) {
	if len(rest) == 0 && members == nil {
		return d.whole(g, on, want, depth)
	}
	read := func(steps []step, in []member, want *value.Type) ([]*selection, *shape, value.Type, error) {
		if len(on) == 0 {
			return d.step(g.name, steps, in, want)
		}
		return d.union(&typeInfo{kind: "UNION", possible: typeNames(on)}, steps[0], steps, in, want)
	}
	if len(rest) > 0 {
		return read(rest, members, want)
	}
	obj := newObject()
	for _, m := range members {
		sub, shp, typ, err := read(m.path.steps, m.path.members, nil)
		if err != nil {
			return nil, nil, value.Type{}, err
		}
		obj.add(m.name, sub, shp, typ)
	}
	return obj.done()
}

// typeNames are classes, as paths write them, as types.
func typeNames(on []string) []string {
	out := make([]string, len(on))
	for i, name := range on {
		out[i] = name
		if !strings.Contains(name, "_") && name != "asset" && !strings.HasPrefix(name, "cs") {
			out[i] = objectPrefix + name
		}
	}
	return out
}

// object gathers the members of an object that is made.
type object struct {
	names []string
	sels  []*selection
	shape *shape
}

func newObject() *object { return &object{shape: &shape{op: opObject}} }

func (o *object) add(name string, sels []*selection, read *shape, _ value.Type) {
	o.names, o.sels = append(o.names, name), append(o.sels, sels...)
	for i, key := range read.keys {
		o.shape.keys, o.shape.subs, o.shape.slots = append(o.shape.keys, key), append(o.shape.subs, read.subs[i]), append(o.shape.slots, len(o.names)-1)
	}
}

func (o *object) done() ([]*selection, *shape, value.Type, error) {
	if len(o.names) == 0 {
		return nil, nil, value.Type{}, fmt.Errorf("it has nothing in it that can be read")
	}
	o.shape.names = value.NewNames(o.names...)
	return o.sels, o.shape, value.Type{Kind: value.ObjectType}, nil
}
