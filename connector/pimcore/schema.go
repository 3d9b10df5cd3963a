package pimcore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// graphType is a type as a field has it, without its "non-null".
type graphType struct {
	name string
	list bool
}

// graphField is a field of an object type, or of an input.
type graphField struct {
	name      string
	typ       graphType
	localized bool // it takes an argument "language"
	demanding bool // it has an argument that must be given
}

// typeInfo is a type of the endpoint's schema.
type typeInfo struct {
	kind     string // OBJECT, UNION, INTERFACE, INPUT_OBJECT, SCALAR, ENUM; "" where there is no such type
	fields   []graphField
	possible []string // of a union
}

func (t *typeInfo) field(name string) *graphField {
	for i := range t.fields {
		if t.fields[i].name == name {
			return &t.fields[i]
		}
	}
	return nil
}

// types are what has been asked of the endpoint's schema, by name. What is not there yet is noted, to be asked next.
type types struct {
	known   map[string]*typeInfo
	wanted  map[string]bool
	offline bool // introspection is off
}

// get is a type, or nil where it is not known yet, or at all (offline).
func (t *types) get(name string) *typeInfo {
	if isScalar(name) {
		return &scalarInfo
	}
	info := t.known[name]
	if info == nil && !t.offline {
		t.wanted[name] = true
	}
	return info
}

var scalarInfo = typeInfo{kind: "SCALAR"}

func isScalar(name string) bool {
	switch name {
	case "ID", "String", "Int", "Float", "Boolean", "JSON":
		return true
	}
	return false
}

const (
	queryType    = "Query"
	mutationType = "Mutations"
	objectPrefix = "object_"
	typesPerAsk  = 40
	maxTypes     = 5000
)

func inputType(class string) string { return "Update" + upper(class) + "Input" }

// upper is a class's name as queries and mutations have it: a class "item" is asked for by getItemListing.
func upper(class string) string { return strings.ToUpper(class[:1]) + class[1:] }

// schema is what the endpoint offers, as far as lockstep has asked.
type schema struct {
	types   *types
	classes map[string]*class
	// plans are kept, so that all pages of a read share their names; filterable is which relations the endpoint filters
	// by.
	plans, filterable sync.Map
}

// class is a class of the endpoint: a stream.
type class struct {
	name   string
	conf   classConf
	fields []*field
	byName map[string]*field
	// root is the class's fields in GraphQL; nil where introspection is off.
	root *typeInfo
	// input is what create and update take, nil where nothing can be written or it cannot be known. can are the
	// mutations that exist.
	input *typeInfo
	can   struct{ create, update, delete bool }
	grace time.Duration // how long a write that nobody heard of may still take effect
}

// byID tells that the key is the object's id, and not a field of the class.
func (c *class) byID() bool {
	f := c.field(c.conf.key)
	return f != nil && f.path.String() == idField
}

func (c *class) field(name string) *field { return c.byName[name] }

// holder keeps the schema until it is known to be old. What is in the channel is the schema, nil at first.
type holder chan *schema

func newHolder() holder {
	h := make(holder, 1)
	h <- nil
	return h
}

// schema is the endpoint's, asked for where it is not known.
func (s *System) schema(ctx context.Context) (*schema, error) {
	var now *schema
	select {
	case now = <-s.held:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { s.held <- now }()
	if now != nil {
		return now, ctx.Err()
	}
	made, err := s.learn(ctx)
	if err == nil {
		now = made
	}
	return made, err
}

// forget makes the next use ask again.
func (s *System) forget() {
	<-s.held
	s.held <- nil
}

// class is a stream's class.
func (k *schema) class(stream string) (*class, error) {
	c := k.classes[stream]
	if c == nil {
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "the endpoint has no class %q", stream).On(lockstep.About{Stream: stream})
	}
	return c, nil
}

// learn asks the endpoint for its classes and their fields. Types are asked for as paths come to need them.
func (s *System) learn(ctx context.Context) (*schema, error) {
	t := &types{known: map[string]*typeInfo{}, wanted: map[string]bool{queryType: true, mutationType: true}}
	if err := s.fill(ctx, t); err != nil {
		return nil, err
	}
	if t.offline {
		return s.offline(ctx, t)
	}
	names := classNames(t.known[queryType])
	for _, name := range names {
		t.get(objectPrefix + name)
		if offers(t.known[mutationType], "create"+upper(name)) || offers(t.known[mutationType], "update"+upper(name)) {
			t.get(inputType(name))
		}
	}
	out := &schema{types: t, classes: map[string]*class{}}
	for {
		if err := s.fill(ctx, t); err != nil {
			return nil, err
		}
		var broken error
		for _, name := range names {
			c, err := s.makeClass(t, name)
			if err != nil && broken == nil {
				broken = fmt.Errorf("classes.%s: %w", name, err)
			}
			out.classes[name] = c
		}
		if len(t.wanted) > 0 {
			continue
		}
		if broken != nil {
			return nil, lockstep.NewFault(lockstep.CodeConfig, broken)
		}
		for name := range s.conf.classes {
			if out.classes[name] == nil {
				return nil, lockstep.Faultf(lockstep.CodeNoStream, "the endpoint has no class %q", name).On(lockstep.About{Stream: name})
			}
		}
		return out, nil
	}
}

// offline makes classes of the configuration alone.
func (s *System) offline(_ context.Context, t *types) (*schema, error) {
	out := &schema{types: t, classes: map[string]*class{}}
	for name := range s.conf.classes {
		c, err := s.makeClass(t, name)
		if err != nil {
			return nil, lockstep.Faultf(lockstep.CodeConfig, "classes.%s: %w", name, err)
		}
		out.classes[name] = c
	}
	if len(out.classes) == 0 {
		f := lockstep.Faultf(lockstep.CodeConfig, "the endpoint does not allow introspection, so its classes are not known")
		f.Next = "Allow introspection in the endpoint's DataHub configuration, or name the classes with their fields under `classes:`."
		return nil, f
	}
	return out, nil
}

// classNames are the classes that have a listing of objects, and a single get, of which the type tells the class.
func classNames(query *typeInfo) []string {
	var out []string
	for _, f := range query.fields {
		name, listing := strings.CutSuffix(f.name, "Listing")
		if one := query.field(name); listing && one != nil {
			if class, object := strings.CutPrefix(one.typ.name, objectPrefix); object && isName(class) && class != "folder" {
				out = append(out, class)
			}
		}
	}
	slices.Sort(out)
	return out
}

func offers(t *typeInfo, field string) bool { return t != nil && t.field(field) != nil }

// fill asks for all types that are wanted.
func (s *System) fill(ctx context.Context, t *types) error {
	for len(t.wanted) > 0 {
		var names []string
		for name := range t.wanted {
			names = append(names, name)
		}
		slices.Sort(names)
		names = names[:min(len(names), typesPerAsk)]
		if len(t.known)+len(names) > maxTypes {
			return lockstep.Faultf(lockstep.CodeTooLarge, "the endpoint's schema has more than %d types", maxTypes)
		}
		off, err := s.client.introspect(ctx, names, t.known)
		if err != nil {
			return err
		}
		if off {
			t.offline = true
			clear(t.wanted)
			return nil
		}
		for _, name := range names {
			delete(t.wanted, name)
		}
	}
	return nil
}

const typeRef = `type{kind name ofType{kind name ofType{kind name ofType{kind name}}}}`

// introspect reads types into known; off tells that the endpoint does not allow it.
func (c *client) introspect(ctx context.Context, names []string, known map[string]*typeInfo) (off bool, err error) {
	var q strings.Builder
	q.WriteString("{")
	for i, name := range names {
		fmt.Fprintf(&q, "t%d:__type(name:%q){kind fields{name args{name type{kind}} %s} inputFields{name %s} possibleTypes{name}}\n", i, name, typeRef, typeRef)
	}
	q.WriteString("}")
	d := document{name: "introspection", query: q.String()}
	a, err := c.post(ctx, d)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(a.errors, func(e graphError) bool { return strings.Contains(e.Message, saysNoIntro) }) {
		return true, nil
	}
	if len(a.errors) > 0 {
		return false, graphFault(d, a.errors)
	}
	var found map[string]*introspected
	if err := json.Unmarshal([]byte(a.data), &found); err != nil {
		return false, lockstep.Faultf(lockstep.CodeServer, "the answer to the introspection cannot be understood").On(lockstep.About{Request: d.name})
	}
	for i, name := range names {
		known[name] = found["t"+strconv.Itoa(i)].info()
	}
	return false, nil
}

// introspected is a __Type as it is answered.
type introspected struct {
	Kind   string
	Fields []struct {
		Name string
		Args []struct {
			Name string
			Type struct{ Kind string }
		}
		Type introspectedRef
	}
	InputFields []struct {
		Name string
		Type introspectedRef
	}
	PossibleTypes []struct{ Name string }
}

type introspectedRef struct {
	Kind   string
	Name   string
	OfType *introspectedRef
}

func (r *introspectedRef) plain() graphType {
	var t graphType
	for ; r != nil; r = r.OfType {
		t.list = t.list || r.Kind == "LIST"
		t.name = r.Name
	}
	return t
}

func (x *introspected) info() *typeInfo {
	if x == nil {
		return &typeInfo{}
	}
	t := &typeInfo{kind: x.Kind}
	for _, f := range x.Fields {
		g := graphField{name: f.Name, typ: f.Type.plain()}
		for _, a := range f.Args {
			g.localized = g.localized || a.Name == "language"
			g.demanding = g.demanding || a.Type.Kind == "NON_NULL"
		}
		t.fields = append(t.fields, g)
	}
	for _, f := range x.InputFields {
		t.fields = append(t.fields, graphField{name: f.Name, typ: f.Type.plain(), demanding: f.Type.Kind == "NON_NULL"})
	}
	for _, p := range x.PossibleTypes {
		t.possible = append(t.possible, p.Name)
	}
	return t
}
