package magento

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// param is a parameter of an operation: a member of the body's outermost object.
type param struct {
	name     string // as the operation declares it: "product", "sourceItems"
	typ      typ
	optional bool
}

type kind uint8

const (
	anyKind kind = iota
	textKind
	intKind
	floatKind
	boolKind
	objectKind
	customKind // a list of {attribute_code, value}, checked by the attributes of shape.entity
)

// typ is what a value must be. shape is called when it is needed, for shapes may contain themselves.
type typ struct {
	kind  kind
	list  bool
	shape func() *shape
}

// shape is the members that an object may have.
type shape struct {
	class  string // its PHP interface: the limit of lists names it
	fields map[string]typ
	entity int // whose attributes custom_attributes are
}

func text() typ                      { return typ{kind: textKind} }
func integer() typ                   { return typ{kind: intKind} }
func number() typ                    { return typ{kind: floatKind} }
func flag() typ                      { return typ{kind: boolKind} }
func anything() typ                  { return typ{kind: anyKind} }
func custom() typ                    { return typ{kind: customKind} }
func object1(s func() *shape) typ    { return typ{kind: objectKind, shape: s} }
func listOf(t typ) typ               { t.list = true; return t }
func req(name string, t typ) param   { return param{name: name, typ: t} }
func opt(name string, t typ) param   { return param{name: name, typ: t, optional: true} }
func fields(f map[string]typ) *shape { return &shape{fields: f} }

func (k kind) String() string {
	return [...]string{"mixed", "string", "int", "float", "bool", "object", "array"}[k]
}

// input checks a body against what the route takes and turns it into what its function reads: numbers as int and
// float64, names in snake_case. /async/bulk checks each item by it when it is handed in.
func (w *world) input(rt *route, body object, path map[string]string) (object, error) {
	in := object{}
	for k, v := range body {
		in[snake(k)] = v
	}
	for k, v := range path {
		in[snake(k)] = v
	}
	out := object{}
	var absent []*fault
	for _, p := range rt.params {
		name := snake(p.name)
		v, ok := in[name]
		if !ok || v == nil {
			if !p.optional {
				absent = append(absent, missing(p.name))
			}
			continue
		}
		got, err := w.convert(v, p.typ, 0)
		if err != nil {
			return nil, err
		}
		if o, ok := got.(object); ok && rt.method == http.MethodPut {
			if err := w.fromPath(o, p.typ.shape(), path); err != nil {
				return nil, err
			}
		}
		out[name] = got
	}
	if len(absent) > 0 {
		return nil, several(absent)
	}
	return out, nil
}

// fromPath lets the path of a PUT win over the same member of the body.
func (w *world) fromPath(o object, s *shape, path map[string]string) error {
	for k, v := range path {
		t, ok := s.fields[snake(k)]
		if !ok {
			continue
		}
		got, err := w.convert(v, t, 0)
		if err != nil {
			return err
		}
		o[snake(k)] = got
	}
	return nil
}

const maxDepth = 30

func (w *world) convert(v any, t typ, depth int) (any, error) {
	if v == nil {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fail(http.StatusBadRequest, "Decoding error.")
	}
	if !t.list {
		return w.convertOne(v, t, depth)
	}
	list, ok := v.([]any)
	if o, isObject := v.(object); isObject {
		list, ok = slices.Collect(maps.Values(o)), true // PHP knows one kind of array
	}
	if !ok {
		if t.kind == objectKind {
			return nil, typeError()
		}
		return nil, wrongType(v, t.kind.String()+"[]")
	}
	if w.limits.On && t.kind == objectKind && len(list) > w.limits.MaxList {
		return nil, failNamed(http.StatusBadRequest, `Maximum items of type "%type" is %max`,
			"type", t.shape().class, "max", w.limits.MaxList)
	}
	out := make([]any, len(list))
	for i, e := range list {
		got, err := w.convertOne(e, t, depth+1)
		if err != nil {
			return nil, err
		}
		out[i] = got
	}
	return out, nil
}

func (w *world) convertOne(v any, t typ, depth int) (any, error) {
	switch t.kind {
	case anyKind:
		return v, nil
	case objectKind:
		o, ok := v.(object)
		if !ok {
			o = object{} // PHP takes what is no array as an empty object
		}
		return w.convertObject(o, t.shape(), depth+1)
	}
	return scalar(v, t.kind)
}

func (w *world) convertObject(in object, s *shape, depth int) (any, error) {
	out := make(object, len(in))
	for _, k := range slices.Sorted(maps.Keys(in)) {
		name := snake(k)
		t, ok := s.fields[name]
		if !ok {
			return nil, unsupported(camel(name))
		}
		var got any
		var err error
		if t.kind == customKind {
			got, err = w.convertCustom(in[k], s.entity)
		} else {
			got, err = w.convert(in[k], t, depth)
		}
		if err != nil {
			return nil, inField(name, err)
		}
		out[name] = got
	}
	return out, nil
}

// inField names the member whose value has the wrong type; the objects around it name themselves before it.
func inField(name string, err error) error {
	if f, ok := err.(*fault); ok && f.value {
		return &fault{status: http.StatusBadRequest, value: true, message: `Error occurred during "` + name + `" processing. ` + f.message}
	}
	return err
}

func wrongType(v any, want string) error {
	said := "array"
	switch v := v.(type) {
	case string:
		said = v
	case json.Number:
		said = v.String()
	case bool:
		said = ""
		if v {
			said = "1"
		}
	}
	return &fault{status: http.StatusBadRequest, value: true,
		message: fmt.Sprintf(`The "%s" value's type is invalid. The "%s" type was expected. Verify and try again.`, said, want)}
}

// scalar takes a value as PHP's settype does, after its check that a number is one.
func scalar(v any, k kind) (any, error) {
	s, number := "", false
	switch v := v.(type) {
	case string:
		s, number = v, numeric(v)
	case json.Number:
		s, number = v.String(), true
	case bool:
		if v {
			s = "1"
		}
	default:
		return nil, wrongType(v, k.String())
	}
	switch k {
	case textKind:
		return s, nil
	case boolKind:
		return s != "" && s != "0" && !strings.EqualFold(s, "false"), nil
	case intKind, floatKind:
		if !number {
			return nil, wrongType(v, k.String())
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil && f == 0 {
			return nil, wrongType(v, k.String())
		}
		if k == intKind {
			return int(f), nil
		}
		return f, nil
	}
	return v, nil
}

// numeric is PHP's is_numeric.
func numeric(s string) bool {
	t := strings.TrimRight(strings.TrimLeft(s, " \t\n\r\v\f"), " \t\n\r\v\f")
	if t == "" || strings.ContainsAny(t, "xXpP_nNiI") {
		return false
	}
	_, err := strconv.ParseFloat(t, 64)
	return err == nil || strings.Contains(err.Error(), "range")
}

// snake is a name in snake_case: both spellings are taken.
func snake(s string) string {
	if !strings.ContainsFunc(s, unicode.IsUpper) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) {
			if i > 0 && s[i-1] != '_' {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// camel is a name as errors spell it: "BogusField".
func camel(s string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(s, "_") {
		if p != "" {
			b.WriteString(strings.ToUpper(p[:1]) + p[1:])
		}
	}
	return b.String()
}

// decode reads a body; nothing at all is an empty object.
func decode(raw []byte) (any, error) {
	if len(raw) == 0 {
		return object{}, nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return nil, fail(http.StatusBadRequest, "Decoding error.")
	}
	return plainObjects(v), nil
}

func plainObjects(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := make(object, len(v))
		for k, e := range v {
			o[k] = plainObjects(e)
		}
		return o
	case []any:
		for i := range v {
			v[i] = plainObjects(v[i])
		}
	}
	return v
}
