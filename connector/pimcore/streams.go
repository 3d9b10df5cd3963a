package pimcore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
	"github.com/lockstep-sync/lockstep/value"
)

// System is an endpoint.
type System struct {
	conf   *conf
	client *client
	held   holder
	speaks dialectHolder
	db     *database // nil without a dsn
}

func newSystem(c *conf, o httpkit.Options, key string) *System {
	return &System{conf: c, client: newClient(c.url, key, o, rand.Text()[:8]), held: newHolder(), speaks: newDialectHolder()}
}

// Close lets go of the connections.
func (s *System) Close() error {
	s.client.http.Close()
	return s.db.close()
}

// The fields that every object has, by the names that a stream gives them.
const (
	idField       = "id"
	modifiedField = "modificationDate"
	publishedPath = "published"
)

// Streams lists the classes. The endpoint is asked anew: an operator may have changed its schema.
func (s *System) Streams(ctx context.Context) ([]lockstep.Stream, error) {
	s.forget()
	known, err := s.schema(ctx)
	if err != nil {
		return nil, err
	}
	if known.types.offline { // nothing has shown yet that the key is right and the classes are there
		if err := s.probe(ctx, known); err != nil {
			return nil, err
		}
	}
	out := make([]lockstep.Stream, 0, len(known.classes))
	for _, name := range slices.Sorted(maps.Keys(known.classes)) {
		out = append(out, known.classes[name].stream())
	}
	return out, nil
}

// probe asks for the first object's id of each class.
func (s *System) probe(ctx context.Context, known *schema) error {
	var q strings.Builder
	q.WriteString("{")
	for i, name := range slices.Sorted(maps.Keys(known.classes)) {
		fmt.Fprintf(&q, "c%d:get%sListing(first:1,published:false){edges{node{id}}}\n", i, upper(name))
	}
	q.WriteString("}")
	_, err := s.client.ask(ctx, document{name: "probe", query: q.String()})
	return err
}

// maxWrites is how many writes one Apply takes: each is a document of its own, of some 100 ms in Pimcore.
const maxWrites = 100

func (c *class) stream() lockstep.Stream {
	out := lockstep.Stream{
		Name: c.name, Key: []string{c.conf.key}, ServerKeys: c.byID(), FoldKeys: !c.byID(),
		ReadOnly: !c.can.create && !c.can.update, MaxBatch: maxWrites, Grace: c.grace, CaseFoldText: true, About: -1, TrackFields: []string{modifiedField},
	}
	for _, f := range c.fields {
		named := f.name == c.conf.objectKey && f.write != nil // what a new object's key is made of
		out.Fields = append(out.Fields, lockstep.Field{Name: f.name, Type: f.typ, Nullable: f.name != c.conf.key && !named, ReadOnly: f.write == nil, Why: f.fixed})
	}
	return out
}

// makeClass derives a class's fields: what introspection found, and what the settings name. The error does not count
// while types are wanted.
func (s *System) makeClass(t *types, name string) (*class, error) {
	c := &class{name: name, conf: s.conf.class(name), grace: s.conf.grace, byName: map[string]*field{}}
	d := &deriver{types: t, zone: s.conf.zone, langs: s.conf.languages}
	root := objectPrefix + name
	if c.root = t.get(root); c.root == nil && !t.offline {
		return c, errUnknown
	}
	if t.offline { // nothing tells what is permitted: the endpoint's refusals do
		c.root = nil
		c.can.create, c.can.update, c.can.delete = true, true, true
	} else {
		c.input = t.get(inputType(name))
		m := t.known[mutationType]
		c.can.create, c.can.update, c.can.delete = offers(m, "create"+upper(name)), offers(m, "update"+upper(name)), offers(m, "delete"+upper(name))
		if !c.can.create && !c.can.update {
			delete(t.wanted, inputType(name))
			c.input = nil
		}
	}
	var broken error
	for _, f := range c.conf.fields {
		made, err := d.fieldOf(root, f)
		if err != nil {
			broken = errors.Join(broken, fmt.Errorf("fields.%s: %w", f.alias, err))
			continue
		}
		c.add(made)
	}
	if err := c.addFound(d, root); err != nil {
		return c, err
	}
	c.markWritable(d)
	if broken == nil && c.field(c.conf.key) == nil {
		broken = fmt.Errorf("key: there is no field %q", c.conf.key)
	}
	return c, broken
}

// add adds a field, unless there is one of its name: what the settings say comes first.
func (c *class) add(f *field) {
	if c.byName[f.name] == nil {
		c.byName[f.name] = f
		c.fields = append(c.fields, f)
	}
}

// systemFields are the columns of every object: the stream's name, the path, the type.
var systemFields = [...]struct {
	name, path string
	kind       value.TypeKind
	always     bool // whatever the endpoint's schema holds
}{
	{idField, "id", value.TextType, true},
	{"key", "key", value.TextType, false},
	{"fullpath", "fullpath", value.TextType, false},
	{"path", "path", value.TextType, false},
	{"published", "published", value.BoolType, false},
	{"type", "objectType", value.TextType, true},
	{"creationDate", "creationDate", value.InstantType, true},
	{modifiedField, "modificationDate", value.InstantType, true},
	{"parentId", "parent.id", value.TextType, false},
}

// addFound adds the system fields, and the class's fields that introspection found.
func (c *class) addFound(d *deriver, root string) error {
	own := map[string]bool{}
	for _, f := range systemFields {
		own[f.path] = true
		if f.name == "type" && c.root != nil && c.root.field("type") != nil {
			continue // the class has a field of its own by this name
		}
		p, err := parsePath(f.path)
		if err != nil {
			return err
		}
		if !f.always && (c.root == nil || c.root.field(p.steps[0].name) == nil) {
			continue
		}
		typ := value.Type{Kind: f.kind}
		if f.kind == value.InstantType {
			typ.Unit = time.Second
		}
		made, err := d.fieldOf(root, fieldConf{alias: f.name, path: p, typed: true, typ: typ})
		if errors.Is(err, errUnknown) {
			return err
		}
		if err == nil {
			made.system = true
			c.add(made)
		}
	}
	if c.root == nil {
		return nil
	}
	var unknown error
	for i := range c.root.fields {
		f := &c.root.fields[i]
		if own[f.name] || f.demanding || isBuiltIn(f) || f.name == "index" && f.typ.name == "Int" {
			continue
		}
		for _, s := range d.spoken(f) {
			if err := c.addUsual(d, root, s, f); err != nil {
				unknown = err
			}
		}
	}
	return unknown
}

// addUsual adds a field of the class as it usually is read. What cannot be read at all is left out.
func (c *class) addUsual(d *deriver, root string, s step, f *graphField) error {
	name := path{steps: []step{s}}.name()
	if c.byName[name] != nil {
		return nil
	}
	add := func(name string, p path) error {
		made, err := d.fieldOf(root, fieldConf{alias: name, path: p})
		if err == nil {
			c.add(made)
		}
		if errors.Is(err, errUnknown) {
			return err
		}
		return nil
	}
	if f.typ.name == "QuantityValue" || f.typ.name == "InputQuantityValue" {
		if err := add(name, path{steps: []step{s, {name: "value"}}}); err != nil {
			return err
		}
		return add(name+"_unit", path{steps: []step{s, {name: "unit"}, {name: "id"}}})
	}
	if f.typ.list && f.typ.name != "csGroup" {
		s.list = true
	}
	return add(name, path{steps: []step{s}})
}
