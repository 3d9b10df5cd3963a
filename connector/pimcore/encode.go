package pimcore

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// encode is a value as a mutation's variables take it.
func (f *field) encode(v value.Value, zone *time.Location) (any, error) {
	w := f.write
	if v.IsNull() {
		if why := w.noNull(); why != "" {
			return nil, badWrite(f, "%s", why)
		}
		return nil, nil
	}
	switch w.as {
	case inTexts:
		return f.texts(v)
	case inQuantity:
		return f.scalar(v, zone)
	case inRelation:
		return f.end(v)
	case inRelations:
		return f.list(v, f.end)
	case inImage:
		return f.image(v)
	case inGallery:
		images, err := f.list(v, f.image)
		return map[string]any{"replace": true, "images": images}, err
	case inLink:
		return f.link(v)
	case inCollection:
		return f.entries(v)
	}
	return f.scalar(v, zone)
}

// scalar writes a single value as the input's type has it.
func (f *field) scalar(v value.Value, zone *time.Location) (any, error) {
	switch v.Kind() {
	case value.KindTime:
		return f.timeText(v.Time(), zone), nil
	case value.KindBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes()), nil
	case value.KindBool:
		if f.write.gql == "String" {
			return map[bool]string{true: "1", false: "0"}[v.Bool()], nil
		}
		return v.Bool(), nil
	}
	text, ok := textOf(v)
	if !ok {
		return nil, badWrite(f, "a %s where a single value is written", v.Kind())
	}
	if f.typ.Kind == value.ClockType && strings.Count(text, ":") == 2 {
		text = text[:strings.LastIndexByte(text, ':')] // Pimcore keeps hours and minutes
	}
	if f.isNumber() {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return nil, badWrite(f, "a text that is no number where a number is written")
		}
		return json.Number(text), nil
	}
	return text, nil
}

// isNumber tells whether the input takes a number. A quantity's value is one where the field is.
func (f *field) isNumber() bool {
	if f.write.as == inQuantity && f.write.part == "value" || f.write.gql == "" && f.write.as == inScalar {
		return f.typ.Kind == value.IntType || f.typ.Kind == value.DecimalType || f.typ.Kind == value.FloatType
	}
	return f.write.gql == "Int" || f.write.gql == "Float"
}

// timeText is a time as Pimcore takes it. What is declared a date and is a String to GraphQL may be a plain text to
// Pimcore: it gets the time of the server's wall, which strtotime understands too. Everything else gets seconds, which
// are one moment also in the hour that comes twice.
func (f *field) timeText(t time.Time, zone *time.Location) string {
	if f.write.gql != "" && f.write.gql != "String" {
		return strconv.FormatInt(f.unix(t, zone), 10)
	}
	form := "2006-01-02 15:04:05"
	switch f.typ.Kind {
	case value.DateType:
		form = "2006-01-02"
	case value.InstantType:
		t = t.In(zone)
	}
	return t.Format(form)
}

// unix is a time in seconds. A date and a time of the wall are those of the server's zone.
func (f *field) unix(t time.Time, zone *time.Location) int64 {
	if f.typ.Kind == value.DateType || f.typ.Kind == value.WallType {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
	}
	return t.Unix()
}

func (f *field) texts(v value.Value) (any, error) {
	return f.list(v, func(item value.Value) (any, error) {
		text, ok := textOf(item)
		if !ok {
			return nil, badWrite(f, "a %s where texts are written", item.Kind())
		}
		return text, nil
	})
}

func (f *field) list(v value.Value, one func(value.Value) (any, error)) ([]any, error) {
	if v.Kind() != value.KindList {
		return nil, badWrite(f, "a %s where a list is written", v.Kind())
	}
	out := make([]any, 0, len(v.List()))
	for _, item := range v.List() {
		made, err := one(item)
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

// end is one end of a relation: an id, a full path, or an object with one of them.
func (f *field) end(v value.Value) (any, error) {
	out := map[string]any{"type": f.write.ends}
	if v.Kind() == value.KindObject {
		if given, ok := v.Object().Get("type"); ok && given.Kind() == value.KindText && f.write.ends == "" {
			out["type"] = given.Text()
		}
		if meta, ok := v.Object().Get("metadata"); ok && meta.Kind() == value.KindObject {
			out["metadata"] = metadataOf(meta.Object())
		}
		members := v.Object()
		if v, _ = members.Get("id"); v.IsNull() {
			v, _ = members.Get("fullpath")
		}
	}
	text, ok := textOf(v)
	switch {
	case out["type"] == "":
		return nil, badWrite(f, "an end does not say its type: object, asset or document")
	case ok && isID(text):
		out["id"] = json.Number(text)
	case ok && strings.HasPrefix(text, "/"):
		out["fullpath"] = text
	default:
		return nil, badWrite(f, "an end is neither an id nor a full path")
	}
	return out, nil
}

// metadataOf is an advanced relation's metadata; its values are texts.
func metadataOf(fields value.Fields) []any {
	var out []any
	for name, v := range fields.All() {
		text, ok := textOf(v)
		if !ok {
			text = v.String()
		}
		if v.IsNull() {
			text = ""
		}
		out = append(out, map[string]any{"name": name, "value": text})
	}
	return out
}

// idIn is the id that a value is, or holds.
func idIn(v value.Value) (string, bool) {
	for _, name := range []string{"image", "element", "id"} {
		if v.Kind() != value.KindObject {
			break
		}
		if inner, ok := v.Object().Get(name); ok {
			v = inner
		}
	}
	text, ok := textOf(v)
	return text, ok && isID(text)
}

func (f *field) image(v value.Value) (any, error) {
	id, ok := idIn(v)
	if !ok {
		return nil, badWrite(f, "an image is named by its asset's id")
	}
	return map[string]any{"id": json.Number(id)}, nil
}

func (f *field) link(v value.Value) (any, error) {
	if v.Kind() != value.KindObject {
		return nil, badWrite(f, "a %s where a link is written", v.Kind())
	}
	return plainJSON(v), nil
}

// entries are a field collection's: by their types, in their order.
func (f *field) entries(v value.Value) (any, error) {
	if v.Kind() != value.KindList {
		return nil, badWrite(f, "a %s where a field collection is written", v.Kind())
	}
	items := map[string][]any{}
	for _, item := range v.List() {
		if item.Kind() != value.KindObject {
			return nil, badWrite(f, "an entry of a field collection is an object")
		}
		typ, _ := item.Object().Get("type")
		name := ""
		if typ.Kind() == value.KindText {
			name = typ.Text()
		} else if len(f.write.items) == 1 {
			name = f.write.items[0]
		}
		known := false
		for _, one := range f.write.items {
			known = known || one == name
		}
		if !known {
			return nil, badWrite(f, "an entry is of none of the types %s", strings.Join(f.write.items, ", "))
		}
		entry := map[string]any{}
		for member, inner := range item.Object().All() {
			if member != "type" {
				entry[member] = plainJSON(inner)
			}
		}
		items[name] = append(items[name], entry)
	}
	return map[string]any{"replace": true, "items": items}, nil
}

// plainJSON is a value as encoding/json takes it.
func plainJSON(v value.Value) any {
	switch v.Kind() {
	case value.KindBool:
		return v.Bool()
	case value.KindText:
		return v.Text()
	case value.KindInt, value.KindDecimal, value.KindFloat:
		return json.Number(v.String())
	case value.KindTime:
		return v.Time().Unix()
	case value.KindList:
		out := []any{}
		for _, item := range v.List() {
			out = append(out, plainJSON(item))
		}
		return out
	case value.KindObject:
		out := map[string]any{}
		for name, inner := range v.Object().All() {
			out[name] = plainJSON(inner)
		}
		return out
	}
	return nil
}
