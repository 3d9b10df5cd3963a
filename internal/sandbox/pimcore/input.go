package pimcore

import (
	"fmt"
	"strings"
	"time"
)

// input puts what a mutation's input names into an object: localized fields in the request's language.
func (r *request) input(o *object, f *planned) error {
	in, _ := f.args["input"].(map[string]any)
	if key, ok := in["key"].(string); ok {
		o.key = key
	}
	if on, ok := in["published"].(bool); ok {
		o.published = on
	}
	if strings.Contains(o.key, "/") || o.key == "" {
		return told(fmt.Sprintf("Invalid key for object with id [ %d ], key is: [ %s ]", o.id, o.key))
	}
	if list, ok := in["tags"].([]any); ok {
		o.tags = nil
		for _, t := range list {
			m, _ := t.(map[string]any)
			if name, ok := m["name"].(string); ok {
				o.tags = append(o.tags, name)
			}
		}
	}
	for _, cf := range o.class.order {
		v, given := in[cf.Name]
		if !given || cf.Name == "tags" || cf.Name == "key" || cf.Name == "published" {
			continue
		}
		if err := r.write(o, cf, v); err != nil {
			return err
		}
	}
	return nil
}

// write is one field. What null does differs by kind: it clears, is ignored without a word, or breaks the call.
func (r *request) write(o *object, cf *field, v any) error {
	key := cf.at(r.filterLanguage())
	if v == nil {
		switch cf.Kind {
		case QuantityValue, FieldCollection:
			return nil // success: true, and nothing happened
		case Image, ImageGallery, HotspotImage:
			return errInternal
		}
		if _, had := o.values[key]; had && cf.isRelation() {
			o.values[key] = cf.noEnds()
		} else {
			delete(o.values, key)
		}
		return nil
	}
	own, err := r.inputValue(cf, v, o.values[key])
	if err != nil {
		return err
	}
	o.values[key] = own
	return nil
}

func (f *field) isRelation() bool {
	return f.Kind == ManyToMany || f.Kind == ManyToManyObj || f.Kind == AdvancedObj
}

// noEnds is a relation that was written empty.
func (f *field) noEnds() any {
	if f.Kind == AdvancedObj {
		return []Meta{}
	}
	return []Ref{}
}

func (r *request) inputValue(cf *field, v, old any) (any, error) {
	switch cf.Kind {
	case Numeric:
		return number(v), nil
	case Integer:
		return int64(number(v)), nil
	case Checkbox, BooleanSelect:
		return v, nil
	case Date, Datetime:
		return r.date(cf, v)
	case Multiselect:
		return texts(v), nil
	case ManyToOne:
		return r.descriptor(v)
	case ManyToMany, ManyToManyObj:
		return r.descriptors(v)
	case AdvancedObj:
		return r.metaDescriptors(v)
	}
	m, isMap := v.(map[string]any)
	if !isMap {
		return v, nil
	}
	switch cf.Kind {
	case QuantityValue:
		return r.quantityInput(m), nil
	case Image, HotspotImage:
		return r.imageInput(m)
	case ImageGallery:
		return r.galleryInput(m, old)
	case LinkField:
		l := Link{}
		l.Text, _ = m["text"].(string)
		l.Path, _ = m["path"].(string)
		l.Target, _ = m["target"].(string)
		l.Title, _ = m["title"].(string)
		return l, nil
	case FieldCollection:
		return entriesInput(cf, m, old), nil
	}
	return nil, errInternal
}

func number(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// date takes unix seconds, as number or text, or what strtotime takes, in the server's zone.
func (r *request) date(cf *field, v any) (any, error) {
	text, ok := v.(string)
	if !ok {
		return r.day(cf, int64(number(v))), nil
	}
	if n := leadingNumber(text); text != "" && strings.Trim(text, "-0123456789") == "" && !strings.Contains(text[1:], "-") {
		return r.day(cf, int64(n)), nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.RFC3339, "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, r.s.conf().Zone); err == nil {
			return r.day(cf, t.Unix()), nil
		}
	}
	return nil, errInternal
}

// day cuts a date to its midnight in the server's zone.
func (r *request) day(cf *field, seconds int64) int64 {
	if cf.Kind == Datetime {
		return seconds
	}
	y, m, d := time.Unix(seconds, 0).In(r.s.conf().Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, r.s.conf().Zone).Unix()
}

// descriptor finds a relation's end by id or full path; the type must be told.
func (r *request) descriptor(v any) (Ref, error) {
	m, _ := v.(map[string]any)
	id := int(number(m["id"]))
	path, _ := m["fullpath"].(string)
	found := 0
	switch m["type"] {
	case "object":
		if found = id; id == 0 {
			found = r.w.paths[path]
		}
		if r.w.objects[found] != nil && found != 0 {
			return Ref{ID: found}, nil
		}
	case "asset":
		if found = id; id == 0 {
			found = r.w.files[path]
		}
		if r.w.assets[found] != nil && found != 0 {
			return Ref{ID: found, Asset: true}, nil
		}
	}
	shown := ""
	if id != 0 {
		shown = fmt.Sprint(id)
	}
	return Ref{}, told(fmt.Sprintf("Element with id %s or fullpath %s not found", shown, path))
}

// descriptors replace the whole list.
func (r *request) descriptors(v any) ([]Ref, error) {
	list := listOf(v)
	refs := make([]Ref, 0, len(list))
	for _, e := range list {
		ref, err := r.descriptor(e)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// listOf: a lone value is a list of one.
func listOf(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

func (r *request) metaDescriptors(v any) ([]Meta, error) {
	list := listOf(v)
	metas := make([]Meta, 0, len(list))
	for _, e := range list {
		ref, err := r.descriptor(e)
		if err != nil {
			return nil, err
		}
		meta := Meta{Ref: ref, Data: map[string]string{}}
		m, _ := e.(map[string]any)
		for _, item := range listOf(m["metadata"]) {
			pair, _ := item.(map[string]any)
			name, _ := pair["name"].(string)
			meta.Data[name], _ = pair["value"].(string)
		}
		metas = append(metas, meta)
	}
	return metas, nil
}

func (r *request) quantityInput(m map[string]any) Quantity {
	q := Quantity{Value: number(m["value"])}
	q.Unit, _ = m["unitId"].(string)
	if short, ok := m["unit"].(string); ok && q.Unit == "" {
		for _, u := range r.s.conf().Units {
			if u.Abbreviation == short {
				q.Unit = u.ID
			}
		}
	}
	return q
}

func (r *request) imageInput(m map[string]any) (any, error) {
	id := int(number(m["id"]))
	if a := r.w.assets[id]; a == nil || a.kind == "folder" {
		return nil, errInternal
	}
	return Ref{ID: id, Asset: true}, nil
}

func (r *request) galleryInput(m map[string]any, old any) (any, error) {
	var refs []Ref
	if replace, _ := m["replace"].(bool); !replace {
		refs, _ = old.([]Ref)
		refs = refs[:len(refs):len(refs)]
	}
	for _, e := range listOf(m["images"]) {
		one, _ := e.(map[string]any)
		ref, err := r.imageInput(one)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref.(Ref))
	}
	return refs, nil
}

func entriesInput(cf *field, m map[string]any, old any) []Entry {
	var out []Entry
	if replace, _ := m["replace"].(bool); !replace {
		out, _ = old.([]Entry)
		out = out[:len(out):len(out)]
	}
	items, _ := m["items"].(map[string]any)
	for _, p := range cf.Types {
		for _, e := range listOf(items[p.Name]) {
			values, _ := e.(map[string]any)
			out = append(out, Entry{Type: p.Name, Values: values})
		}
	}
	return out
}
