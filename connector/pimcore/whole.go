package pimcore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep/value"
)

// errUnknown says that a type has to be asked for first.
var errUnknown = errors.New("a type of the endpoint's schema is not known")

// whole reads a value of which the path says no more: a scalar, or what is usual of a value of its type.
func (d *deriver) whole(g graphType, on []string, want *value.Type, depth int) ([]*selection, *shape, value.Type, error) {
	info := d.types.get(g.name)
	if len(on) > 0 {
		info = &typeInfo{kind: "UNION", possible: typeNames(on)}
	}
	switch {
	case info == nil && d.types.offline:
		return d.leaf("", want)
	case info == nil:
		return nil, nil, value.Type{}, errUnknown
	case info.kind == "SCALAR" || info.kind == "ENUM":
		return d.leaf(g.name, want)
	case info.kind == "":
		return nil, nil, value.Type{}, fmt.Errorf("its type %q is not in the endpoint's schema", g.name)
	case g.name == "asset":
		return d.picked(g, info, "id", "fullpath", "filename", "mimetype", "filesize", "modificationDate")
	case g.name == "hotspotimage":
		return d.one(g, nil, []step{{name: "image"}}, nil, want, depth)
	case info.field("element") != nil && info.field("metadata") != nil:
		return d.advanced(g)
	case info.kind == "UNION" && !isCollection(info), info.kind == "OBJECT" && strings.HasPrefix(g.name, objectPrefix) && info.field("modificationDate") != nil:
		return d.one(graphType{name: g.name}, on, nil, []member{{name: "id", path: path{steps: []step{{name: "id"}}}}}, nil, depth)
	case info.kind == "UNION":
		return d.collection(info, depth)
	}
	return d.scalars(g, info, depth)
}

// picked are those of the members that the type has.
func (d *deriver) picked(g graphType, info *typeInfo, names ...string) ([]*selection, *shape, value.Type, error) {
	var members []member
	for _, name := range names {
		if f := info.field(name); f != nil && !f.demanding {
			members = append(members, member{name: name, path: path{steps: []step{{name: name}}}})
		}
	}
	return d.one(g, nil, nil, members, nil, 0)
}

// advanced is an end of an advanced relation: its id, and its metadata by name.
func (d *deriver) advanced(g graphType) ([]*selection, *shape, value.Type, error) {
	obj := newObject()
	sub, shp, typ, err := d.step(g.name, []step{{name: "element"}, {name: "id"}}, nil, nil)
	if err != nil {
		return nil, nil, value.Type{}, err
	}
	obj.add("id", sub, shp, typ)
	sub, inner := metadataSels(), &shape{op: opKeyed, by: "name", subs: []*shape{leafMember("value", value.TextType)}}
	obj.add("metadata", []*selection{{key: "metadata", name: "metadata", sub: sub}}, &shape{op: opMember, keys: []string{"metadata"}, subs: []*shape{inner}}, typ)
	return obj.done()
}

func metadataSels() []*selection {
	return []*selection{{key: "name", name: "name"}, {key: "value", name: "value"}}
}

// metadata is one entry of an advanced relation's metadata.
func (d *deriver) metadata(name string, want *value.Type) ([]*selection, *shape, value.Type, error) {
	typ := value.Type{Kind: value.TextType}
	if want != nil {
		typ = *want
	}
	leaf := &shape{op: opLeaf, typ: typ, zone: d.zone}
	return metadataSels(), &shape{op: opFind, by: "name", find: name, subs: []*shape{{op: opMember, keys: []string{"value"}, subs: []*shape{leaf}}}}, typ, nil
}

func leafMember(name string, kind value.TypeKind) *shape {
	return &shape{op: opMember, keys: []string{name}, subs: []*shape{{op: opLeaf, typ: value.Type{Kind: kind}}}}
}

// scalars is an object of everything simple that a type has, and what is usual of the rest.
func (d *deriver) scalars(g graphType, info *typeInfo, depth int) ([]*selection, *shape, value.Type, error) {
	obj := newObject()
	for i := range info.fields {
		if err := d.addUsual(obj, g.name, &info.fields[i], depth); err != nil {
			return nil, nil, value.Type{}, err
		}
	}
	return obj.done()
}

// addUsual adds a field of a nested type; a localized one once for each language.
func (d *deriver) addUsual(obj *object, in string, f *graphField, depth int) error {
	if f.demanding || depth >= maxDefault || isBuiltIn(f) {
		return nil
	}
	for _, s := range d.spoken(f) {
		sels, shp, typ, err := d.usual(in, s, f, depth)
		if errors.Is(err, errUnknown) {
			return err
		}
		if err == nil {
			obj.add(path{steps: []step{s}}.name(), sels, shp, typ)
		}
	}
	return nil
}

// spoken are the steps for a field: one for each language of a localized one.
func (d *deriver) spoken(f *graphField) []step {
	if !f.localized || len(d.langs) == 0 {
		return []step{{name: f.name}}
	}
	var out []step
	for _, l := range d.langs {
		out = append(out, step{name: f.name, lang: l})
	}
	return out
}

// usual reads a nested field whole, deeper by one.
func (d *deriver) usual(in string, s step, f *graphField, depth int) ([]*selection, *shape, value.Type, error) {
	if f.typ.name == "csGroup" {
		return d.step(in, []step{s}, nil, nil)
	}
	sub, shp, typ, err := d.whole(graphType{name: f.typ.name}, nil, nil, depth+1)
	if err != nil {
		return nil, nil, typ, err
	}
	if f.typ.list {
		elem := typ
		shp, typ = &shape{op: opList, subs: []*shape{shp}}, value.Type{Kind: value.ListType, Elem: &elem}
	}
	sel := &selection{key: path{steps: []step{s}}.name(), name: s.name, lang: s.lang, sub: sub}
	return []*selection{sel}, &shape{op: opMember, keys: []string{sel.key}, subs: []*shape{shp}}, typ, nil
}

// collection is an item of a field collection: its type, and what each type has.
func (d *deriver) collection(info *typeInfo, depth int) ([]*selection, *shape, value.Type, error) {
	obj := newObject()
	kind := &shape{op: opLeaf, typ: value.Type{Kind: value.TextType}, cut: "fieldcollection_"}
	obj.add("type", []*selection{{key: "__typename", name: "__typename"}}, &shape{op: opMember, keys: []string{"__typename"}, subs: []*shape{kind}}, value.Type{})
	type found struct {
		step step
		typ  graphType
	}
	var names []string
	fields := map[string][]found{}
	for _, name := range info.possible {
		t := d.types.get(name)
		if t == nil {
			continue
		}
		for i := range t.fields {
			f := &t.fields[i]
			if f.demanding || isBuiltIn(f) {
				continue
			}
			for _, s := range d.spoken(f) {
				n := path{steps: []step{s}}.name()
				if fields[n] == nil {
					names = append(names, n)
				}
				fields[n] = append(fields[n], found{s, f.typ})
			}
		}
	}
	for _, name := range names {
		if name == "type" {
			continue
		}
		sels, shp, typ, err := d.unionWhole(info, fields[name][0].step, depth)
		if errors.Is(err, errUnknown) {
			return nil, nil, value.Type{}, err
		}
		if err == nil {
			obj.add(name, sels, shp, typ)
		}
	}
	if len(d.types.wanted) > 0 {
		return nil, nil, value.Type{}, errUnknown
	}
	return obj.done()
}

func (d *deriver) unionWhole(info *typeInfo, s step, depth int) ([]*selection, *shape, value.Type, error) {
	if depth+1 >= maxDefault {
		return nil, nil, value.Type{}, errors.New("too deep")
	}
	for _, name := range info.possible {
		t := d.types.get(name)
		if t == nil || t.field(s.name) == nil {
			continue
		}
		s.list = s.list || t.field(s.name).typ.list
	}
	return d.union(info, s, []step{s}, nil, nil)
}

// isBuiltIn tells what every element has, and lists of elements around it that nobody asked for.
func isBuiltIn(f *graphField) bool {
	switch f.name {
	case "parent", "children", "_siblings", "properties", "childrenSortBy", "classname", "version":
		return true
	case "tags":
		return f.typ.name == "element_tag"
	}
	return false
}

// leaf is a scalar. GraphQL says less than Pimcore knows: a date is a text to it, and a decimal a double.
func (d *deriver) leaf(name string, want *value.Type) ([]*selection, *shape, value.Type, error) {
	var typ value.Type
	switch {
	case want != nil:
		typ = *want
	case name == "Int":
		typ = value.Type{Kind: value.IntType, Native: name}
	case name == "Float":
		typ = value.Type{Kind: value.DecimalType, Native: name}
	case name == "Boolean":
		typ = value.Type{Kind: value.BoolType, Native: name}
	case name == "ID" || name == "String":
		typ = value.Type{Kind: value.TextType, Native: name}
	case name == "JSON":
		typ = value.Type{Kind: value.JSONType, Native: name}
	case name == "":
		typ = value.Type{}
	default:
		typ = value.Type{Kind: value.TextType, Native: name}
	}
	if typ.Kind == value.ListType && name != "" {
		return nil, nil, value.Type{}, fmt.Errorf("a %s is no list", name)
	}
	return nil, &shape{op: opLeaf, typ: typ, zone: d.zone}, typ, nil
}

// classification reads a classification store: of one key of a group, or all by group and key.
func (d *deriver) classification(s step, rest []step, want *value.Type) ([]*selection, *shape, value.Type, error) {
	sels, val, err := d.features(want)
	if err != nil {
		return nil, nil, value.Type{}, err
	}
	ask := []*selection{{key: "name", name: "name"}, {key: "features", name: "features", sub: sels}}
	switch len(rest) {
	case 0:
		keys := &shape{op: opKeyed, by: "name", subs: []*shape{val}}
		groups := &shape{op: opKeyed, by: "name", subs: []*shape{{op: opMember, keys: []string{"features"}, subs: []*shape{keys}}}}
		return ask, groups, value.Type{Kind: value.ObjectType, Native: "csGroup"}, nil
	case 2:
		typ := value.Type{}
		if want != nil {
			typ = *want
		}
		key := &shape{op: opFind, by: "name", find: rest[1].name, subs: []*shape{val}}
		group := &shape{op: opFind, by: "name", find: rest[0].name, subs: []*shape{{op: opMember, keys: []string{"features"}, subs: []*shape{key}}}}
		return ask, group, typ, nil
	}
	return nil, nil, value.Type{}, fmt.Errorf("a value of a classification store is %s.GROUP.KEY", s.name)
}

// notValues are what a feature has beside its value.
var notValues = map[string]bool{"id": true, "name": true, "type": true, "title": true, "description": true, "parentId": true, "sorter": true}

// features asks for the values of all types of features: 20 in Pimcore, each with its value under a name of its own.
func (d *deriver) features(want *value.Type) ([]*selection, *shape, error) {
	val := &shape{op: opMember}
	names := []string{"csFeatureInput", "csFeatureNumeric"}
	have := map[string][]string{"csFeatureInput": {"text"}, "csFeatureNumeric": {"number"}}
	if !d.types.offline {
		union := d.types.get("csFeature")
		if union == nil {
			return nil, nil, errUnknown
		}
		if names, have = union.possible, map[string][]string{}; union.kind != "UNION" {
			names = []string{"csFeature"}
		}
		for _, name := range names {
			t := d.types.get(name)
			if t == nil {
				continue
			}
			for _, f := range t.fields {
				if !notValues[f.name] && !f.demanding && !f.localized {
					have[name] = append(have[name], f.name)
				}
			}
		}
		if len(d.types.wanted) > 0 {
			return nil, nil, errUnknown
		}
	}
	var sels []*selection
	for _, name := range names {
		sels = append(sels, &selection{key: "name", name: "name", on: name})
		for _, f := range have[name] {
			sub, shp, _, err := d.featureValue(name, f, want)
			if errors.Is(err, errUnknown) {
				return nil, nil, err
			}
			if err != nil {
				continue
			}
			key := name + "_" + f
			sels = append(sels, &selection{key: key, name: f, on: name, sub: sub})
			val.keys, val.subs = append(val.keys, key), append(val.subs, shp)
		}
	}
	return sels, val, nil
}

func (d *deriver) featureValue(in, f string, want *value.Type) ([]*selection, *shape, value.Type, error) {
	info := d.types.get(in)
	if d.types.offline {
		typ := "String"
		return d.leaf(typ, want)
	}
	g := info.field(f)
	if g.typ.name == "QuantityValue" || g.typ.name == "InputQuantityValue" {
		return d.whole(graphType{name: g.typ.name}, nil, nil, 1)
	}
	if g.typ.list {
		sub, shp, typ, err := d.whole(graphType{name: g.typ.name}, nil, nil, 1)
		return sub, &shape{op: opList, subs: []*shape{shp}}, typ, err
	}
	if in == "csFeatureNumeric" && want == nil { // it comes as a text
		want = &value.Type{Kind: value.DecimalType}
	}
	return d.whole(graphType{name: g.typ.name}, nil, want, 1)
}
