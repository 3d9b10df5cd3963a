package pimcore

import (
	"slices"
	"strconv"
	"time"
)

// node is an object in an answer. Without an object it is the output of a refused mutation: all its fields are null.
type node struct{ o *object }

func (n node) typeName() string {
	if n.o.class == nil {
		return "object_folder"
	}
	return "object_" + n.o.class.Name
}

func (n node) field(r *request, f *planned) (any, error) {
	name := f.node.Name
	if n.o.class != nil {
		if cf := n.o.class.fields[name]; cf != nil && !r.hidden(cf) {
			return r.classField(n.o, cf, f)
		}
	}
	o := n.o
	switch name {
	case "id":
		return strconv.Itoa(o.id), nil
	case "creationDate":
		return o.created, nil
	case "modificationDate":
		return o.modified, nil
	case "version":
		return o.versionRow(), nil
	case "objectType":
		return o.kind, nil
	case "index":
		return o.index, nil
	case "classname":
		return o.class.Name, nil
	case "key":
		return o.key, nil
	case "fullpath":
		return o.fullpath(), nil
	case "published":
		return o.published, nil
	case "tags":
		return tagSources(o, f), nil
	case "properties":
		return []source{}, nil
	case "parent":
		if p := r.w.objects[o.parent]; p != nil && r.w.may(mayRead, p.fullpath(), false) {
			return node{p}, nil
		}
		return nil, nil
	case "children":
		return r.nodes(r.w.kids(o.id), f, 0), nil
	case "_siblings":
		return r.nodes(r.w.kids(o.parent), f, o.id), nil
	}
	return nil, nil
}

// hidden tells whether a class's field is not in the schema: a built-in one of its name is then.
func (r *request) hidden(f *field) bool {
	hide := r.s.conf().HideFields
	return len(hide) > 0 && slices.Contains(hide, f.class.Name+"."+f.Name)
}

// versionRow is the id of the row in versions whose date is the object's.
func (o *object) versionRow() any {
	for i := len(o.versions) - 1; i >= 0; i-- {
		if o.versions[i].date == o.modified {
			return o.versions[i].id
		}
	}
	return nil
}

// nodes are published objects of some types, default object and folder, without the one named.
func (r *request) nodes(list []*object, f *planned, without int) []source {
	types := texts(f.args["objectTypes"])
	if types == nil {
		types = []string{"object", "folder"}
	}
	out := []source{}
	for _, o := range list {
		if o.id != without && o.published && slices.Contains(types, o.kind) && r.w.may(mayRead, o.fullpath(), false) {
			out = append(out, node{o})
		}
	}
	return out
}

func tagSources(o *object, f *planned) []source {
	out := []source{}
	for i, t := range o.tags {
		if want, ok := f.args["name"].(string); !ok || want == t {
			out = append(out, rec{typ: "element_tag", names: []string{"id", "name", "path"}, values: []any{i + 1, t, "/" + t}})
		}
	}
	return out
}

// rec is a small thing of an answer: names and values.
type rec struct {
	typ    string
	names  []string
	values []any
}

func (v rec) typeName() string { return v.typ }

func (v rec) field(_ *request, f *planned) (any, error) {
	for i, n := range v.names {
		if n == f.node.Name {
			return v.values[i], nil
		}
	}
	return nil, nil
}

// classField reads a field of the class in the language of its argument, else of the request.
func (r *request) classField(o *object, cf *field, f *planned) (any, error) {
	language := r.language
	if l := f.text("language"); l != "" {
		language = l
	}
	if cf.Kind == ReverseObj {
		return r.reverse(o, cf), nil
	}
	if cf.Kind == ClassStore {
		return r.present(cf, o.values[cf.own]) // inherited values are missing there
	}
	return r.present(cf, r.w.read(o, cf, language))
}

// present is a stored value as GraphQL shows it.
func (r *request) present(cf *field, v any) (any, error) {
	switch cf.Kind {
	case Checkbox, BooleanSelect, Input, Textarea, Wysiwyg, Select, Numeric, Integer:
		return v, nil
	case Date, Datetime:
		if n, ok := v.(int64); ok {
			return time.Unix(n, 0).In(r.s.conf().Zone).Format(time.DateTime), nil
		}
		return nil, nil
	case Multiselect:
		if list, ok := v.([]string); ok && len(list) > 0 {
			return list, nil
		}
		return nil, nil
	case QuantityValue:
		return r.quantity(v), nil
	case ManyToOne, Image:
		if ref, ok := v.(Ref); ok {
			return r.end(ref)
		}
		return nil, nil
	case ManyToMany, ManyToManyObj:
		return r.ends(v)
	case AdvancedObj:
		return r.advanced(cf, v)
	case HotspotImage:
		if ref, ok := v.(Ref); ok {
			return r.hotspot(ref)
		}
		return nil, nil
	case ImageGallery:
		return r.gallery(v)
	case LinkField:
		if l, ok := v.(Link); ok {
			return rec{"Link", []string{"text", "path", "target", "title"}, []any{l.Text, l.Path, orNull(l.Target), orNull(l.Title)}}, nil
		}
		return nil, nil
	case URLSlug:
		if s, ok := v.(string); ok {
			return []source{rec{"UrlSlug", []string{"slug", "siteId"}, []any{s, 0}}}, nil
		}
		return nil, nil
	case FieldCollection, Block:
		return r.entries(cf, v), nil
	case ClassStore:
		return r.groups(v), nil
	}
	return nil, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (r *request) quantity(v any) any {
	q, ok := v.(Quantity)
	if !ok {
		return nil
	}
	var unit any
	for _, u := range r.s.conf().Units {
		if u.ID == q.Unit {
			unit = rec{"QuantityValueUnit", []string{"id", "abbreviation", "longname"}, []any{u.ID, u.Abbreviation, u.Longname}}
		}
	}
	return rec{"QuantityValue", []string{"value", "unit"}, []any{q.Value, unit}}
}

// end is the other end of a relation, or null: gone, unpublished and not permitted look the same.
func (r *request) end(ref Ref) (any, error) {
	o, a, permitted := r.w.end(ref)
	switch {
	case !permitted && r.s.conf().NotAllowedFails:
		return nil, told("permission denied. check your workspace settings")
	case o != nil:
		return node{o}, nil
	case a != nil:
		return file{a}, nil
	}
	return nil, nil
}

// ends leaves out what cannot be seen, without a word. A relation that was never set is an empty list, one that was
// written empty is null.
func (r *request) ends(v any) (any, error) {
	list, ok := v.([]Ref)
	if ok && len(list) == 0 {
		return nil, nil
	}
	out := []source{}
	for _, ref := range list {
		end, err := r.end(ref)
		if err != nil {
			return nil, err
		}
		if s, ok := end.(source); ok {
			out = append(out, s)
		}
	}
	return out, nil
}

func (r *request) advanced(cf *field, v any) (any, error) {
	list, ok := v.([]Meta)
	if ok && len(list) == 0 {
		return nil, nil
	}
	typ, out := "object_"+cf.class.Name+"_"+cf.Name, []source{}
	for _, m := range list {
		end, err := r.end(m.Ref)
		if err != nil {
			return nil, err
		}
		if end == nil {
			continue
		}
		data := []source{}
		for _, column := range cf.Metadata {
			data = append(data, rec{"element_metadata_item", []string{"name", "value"}, []any{column, orNull(m.Data[column])}})
		}
		out = append(out, rec{typ, []string{"element", "metadata"}, []any{end, data}})
	}
	return out, nil
}

// reverse are the objects that point here.
func (r *request) reverse(o *object, cf *field) []source {
	out := []source{}
	for _, from := range r.w.inOrder(r.w.classes[cf.Ends[0]], nil, "") {
		refs, _ := from.values[cf.Reverse].([]Ref)
		if from.published && slices.Contains(refs, Ref{ID: o.id}) && r.w.may(mayRead, from.fullpath(), false) {
			out = append(out, node{from})
		}
	}
	return out
}

func (r *request) hotspot(ref Ref) (any, error) {
	image, err := r.end(ref)
	if err != nil || image == nil {
		return nil, err
	}
	return rec{"hotspotimage", []string{"image"}, []any{image}}, nil
}

func (r *request) gallery(v any) (any, error) {
	refs, _ := v.([]Ref)
	if len(refs) == 0 {
		return nil, nil
	}
	out := []source{}
	for _, ref := range refs {
		h, err := r.hotspot(ref)
		if err != nil {
			return nil, err
		}
		if s, ok := h.(source); ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// entries are a field collection's items, or a block's.
func (r *request) entries(cf *field, v any) any {
	list, _ := v.([]Entry)
	if len(list) == 0 {
		return nil
	}
	out := make([]source, 0, len(list))
	for _, e := range list {
		typ := "fieldcollection_" + e.Type
		if cf.Kind == Block {
			typ = "block_" + cf.class.Name + "_" + cf.Name + "_entry"
		}
		item := rec{typ: typ}
		for name, v := range e.Values {
			item.names, item.values = append(item.names, name), append(item.values, v)
		}
		out = append(out, item)
	}
	return out
}

// groups are the classification store's groups with the features that are set.
func (r *request) groups(v any) any {
	list, _ := v.([]Feature)
	out := []source{}
	for _, g := range r.s.conf().Groups {
		features := []source{}
		for _, key := range g.Features {
			for _, have := range list {
				if have.Group == g.ID && have.Key == key.ID {
					features = append(features, feature(key, have.Value))
				}
			}
		}
		if len(features) > 0 {
			out = append(out, rec{"csGroup", []string{"id", "name", "features"}, []any{g.ID, g.Name, features}})
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func feature(key FeatureKey, v any) rec {
	typ, column := "csFeatureInput", "text"
	switch key.Kind {
	case Numeric:
		typ, column = "csFeatureNumeric", "number"
		if n, ok := v.(float64); ok {
			v = string(phpFloat(nil, n)) // a text here
		}
	case Select:
		typ, column = "csFeatureSelect", "selection"
	case Checkbox:
		typ, column = "csFeatureCheckbox", "checked"
	}
	return rec{typ, []string{"id", "name", "type", column}, []any{key.ID, key.Name, string(key.Kind), v}}
}
