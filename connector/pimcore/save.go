package pimcore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// saved are the values of a write, as mutations take them.
type saved struct {
	fields []*field // what is written, in the order of the write
	values []value.Value
	langs  []string // the first is the one in which what is not localized is written
	inputs map[string]map[string]any
	key    string // "" where the write does not say
	parent string // an id or a full path
	public *bool
	zone   *time.Location
	// inherits: what is empty shows the parent's value.
	inherits bool
}

// prepare makes a write's values.
func (a *applier) prepare(w *lockstep.Write) (*saved, error) {
	lead := ""
	if len(a.sys.conf.languages) > 0 {
		lead = a.sys.conf.languages[0]
	}
	out := &saved{zone: a.sys.conf.zone, inherits: a.class.conf.inherits, langs: []string{lead}, inputs: map[string]map[string]any{lead: {}}}
	quantities := map[string]map[string]any{}
	for name, v := range w.Fields.All() {
		f := a.class.field(name)
		if f == nil {
			return nil, lockstep.Faultf(lockstep.CodeNoField, "class %s has no field %q", a.class.name, name).On(lockstep.About{Field: name})
		}
		if f.write == nil {
			if f.name == a.class.conf.key {
				continue // the key itself
			}
			return nil, noWrite(f)
		}
		out.fields, out.values = append(out.fields, f), append(out.values, v)
		if done, err := out.system(f, v); done || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		lang := f.write.lang
		if lang == "" {
			lang = lead
		}
		if out.inputs[lang] == nil {
			out.inputs[lang] = map[string]any{}
			out.langs = append(out.langs, lang)
		}
		made, err := f.encode(v, a.sys.conf.zone)
		if err != nil {
			return nil, err
		}
		if f.write.as == inQuantity {
			q := quantities[f.write.input]
			if q == nil {
				q = map[string]any{}
				quantities[f.write.input], out.inputs[lang][f.write.input] = q, q
			}
			q[f.write.part] = made
			continue
		}
		out.inputs[lang][f.write.input] = made
	}
	for name, q := range quantities {
		if len(q) < 2 {
			return nil, lockstep.Faultf(lockstep.CodeValue, "a quantity is written with its value and its unit, and the mapping gives one of them for %q", name).On(lockstep.About{Field: name})
		}
	}
	return out, nil
}

// system takes what mutations take as arguments of their own.
func (s *saved) system(f *field, v value.Value) (bool, error) {
	switch f.write.as {
	case inKey:
		text, ok := textOf(v)
		if !ok || text == "" {
			return true, badWrite(f, "%s", f.write.noNull())
		}
		s.key = validKey(text)
		return true, nil
	case inPublished:
		on := v.Kind() == value.KindBool && v.Bool()
		s.public = &on
		return true, nil
	case inParent:
		text, ok := textOf(v)
		if !ok || !isID(text) {
			return true, badWrite(f, "a parent is named by its id")
		}
		s.parent = text
		return true, nil
	}
	return false, nil
}

// mutation writes one operation: its arguments and variables.
type mutation struct {
	heads []string
	vars  []variable
	body  strings.Builder
}

func (m *mutation) arg(typ string, v any) string {
	name := "v" + strconv.Itoa(len(m.vars))
	m.heads, m.vars = append(m.heads, "$"+name+":"+typ), append(m.vars, variable{name, v})
	return "$" + name
}

func (m *mutation) document(name string) document {
	head := "mutation"
	if len(m.heads) > 0 {
		head += "(" + strings.Join(m.heads, ",") + ")"
	}
	return document{name: name, query: head + "{" + m.body.String() + "}", vars: m.vars, write: true}
}

// userID is the argument that says whose write it is: so a listener inside Pimcore, and a reader of its database, can
// tell an echo.
func (a *applier) userID(m *mutation) string {
	if a.sys.conf.userID == 0 {
		return ""
	}
	return ",userId:" + m.arg("Int", a.sys.conf.userID)
}

// update writes an object's fields: one mutation for each language, in one document. They run in order, each is a save
// of its own, and the last one answers with what there is then.
func (a *applier) update(ctx context.Context, w *lockstep.Write, id string) lockstep.Result {
	s, err := a.prepare(w)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	return a.updatePrepared(ctx, s, id, s.langs)
}

func (a *applier) updatePrepared(ctx context.Context, s *saved, id string, langs []string) lockstep.Result {
	if !a.class.can.update {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeCannot, "the endpoint's configuration does not let class %s be updated", a.class.name)}
	}
	p, err := a.readBack(ctx, s)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	m := &mutation{}
	oid := m.arg("Int", mustInt(id))
	for i, lang := range langs {
		last := i == len(langs)-1
		input := s.inputs[lang]
		if i == 0 {
			if input, err = a.withSystem(s, input); err != nil {
				return lockstep.Result{Err: err}
			}
		}
		fmt.Fprintf(&m.body, "m%d:update%s(id:%s", i, upper(a.class.name), oid)
		if lang != "" {
			m.body.WriteString(",defaultLanguage:" + m.arg("String", lang))
		}
		if i == 0 && s.parent != "" {
			m.body.WriteString(",parentId:" + m.arg("Int", mustInt(s.parent)))
		}
		if !last { // what is mandatory in other languages comes with them
			m.body.WriteString(",omitMandatoryCheck:true")
		}
		m.body.WriteString(a.userID(m) + ",input:" + m.arg(inputType(a.class.name), input) + "){success message")
		if last {
			m.body.WriteString(" output" + p.ask)
		}
		m.body.WriteString("}\n")
	}
	res, _ := a.send(ctx, m.document("update"), p, s)
	return res
}

// withSystem adds what the input takes of the system's columns.
func (a *applier) withSystem(s *saved, input map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for k, v := range input {
		out[k] = v
	}
	takes := func(name string) bool { return a.class.input == nil || a.class.input.field(name) != nil }
	if s.public != nil {
		if !takes(publishedPath) {
			return nil, lockstep.Faultf(lockstep.CodeCannot, "the endpoint's configuration does not offer `published` for writing").On(lockstep.About{Field: publishedPath})
		}
		out[publishedPath] = *s.public
	}
	if s.key != "" && takes("key") { // without it, a key is given once, when the object is made
		out["key"] = s.key
	}
	return out, nil
}

func mustInt(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readBack is the plan of what a write reads to see that it took effect.
func (a *applier) readBack(ctx context.Context, s *saved) (*plan, error) {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return a.sys.plan(ctx, lockstep.Read{Stream: a.class.name, Fields: names})
}

// send sends mutations of one object and reads the answer of the last: the object's id is in it. Any that is refused is
// the write's fault.
func (a *applier) send(ctx context.Context, d document, p *plan, s *saved) (res lockstep.Result, id string) {
	ans, err := a.sys.client.ask(ctx, d)
	if err != nil {
		return lockstep.Result{Err: a.sys.checked(err)}, ""
	}
	row, err := a.answer(ans, p, d)
	if err != nil {
		return lockstep.Result{Err: err}, ""
	}
	if row.change.Fault != nil {
		return lockstep.Result{Err: row.change.Fault.Maybe()}, row.id
	}
	res = lockstep.Result{Key: row.change.Record.Key, Version: row.change.Record.Version}
	res.Err = s.compare(row.change.Record.Fields)
	return res, row.id
}

var errNoOutput = errors.New("the mutation's answer has no output")

// answer reads what mutations answered: each says whether it was carried out, and the last shows the object, by p; nil
// where there is none to show.
func (a *applier) answer(ans *answer, p *plan, d document) (*row, error) {
	var out *row
	var refused error
	answered := false
	c := &cursor{text: ans.data}
	err := c.members(func(string) error {
		if c.space() != '{' {
			return errNoOutput
		}
		success, message := false, ""
		err := c.members(func(name string) (err error) {
			switch {
			case name == "success" && !c.null():
				word, err := c.word()
				success = word == "true"
				return err
			case name == "message":
				message, err = c.scalar()
				return err
			case name == "output" && p != nil && c.space() == '{':
				start := c.at
				if r, err := p.row(c, make([]value.Value, len(p.fields))); err == nil {
					out = &r
					return nil
				}
				c.at = start
				out = nil
			}
			return c.skip()
		})
		answered = true
		if err == nil && !success && refused == nil {
			refused = a.refusal(message, d)
		}
		return err
	})
	switch {
	case refused != nil:
		return nil, refused
	case err != nil || !answered || p != nil && out == nil:
		return nil, lockstep.Faultf(lockstep.CodeServer, "half an answer").On(lockstep.About{Request: d.name}).Maybe()
	}
	return out, nil
}

// What Pimcore says where it refuses a mutation. Source: examples of a running Pimcore 11.4.
const (
	saysDuplicate  = "Duplicate full path"
	saysUnique     = "unique constraint violation"
	saysInvalid    = "Validation failed"
	saysMandatory  = "fieldname="
	saysUnknownID  = "Unknown id or fullpath"
	saysNoElement  = "Element with id"
	saysNotAllowed = "not allowed to"
	saysInvalidKey = "Invalid key"
	saysNoParent   = "unable to resolve parent"
)

// keyTaken is what we say of a key that another object has.
const keyTaken = "another object has this key in the folder"

// refusal is the fault of a mutation that was not carried out: nothing was saved by it.
func (a *applier) refusal(message string, d document) error {
	has := func(text string) bool { return strings.Contains(message, text) }
	var f *lockstep.Fault
	switch {
	case has(saysDuplicate):
		f = lockstep.Faultf(lockstep.CodeUnique, keyTaken)
	case has(saysUnique):
		f = lockstep.Faultf(lockstep.CodeUnique, "another object has the value of a field that must be unique")
	case has(saysInvalid):
		f = lockstep.Faultf(lockstep.CodeConstraint, "Pimcore's check of the object failed")
		if _, after, ok := strings.Cut(message, saysMandatory); ok {
			name := strings.FieldsFunc(after, func(r rune) bool { return r == ' ' || r == ',' || r == '|' || r == '[' })
			if len(name) > 0 && isName(name[0]) {
				f = lockstep.Faultf(lockstep.CodeConstraint, "Pimcore's check of the object failed: the mandatory field %s is empty", name[0]).On(lockstep.About{Field: name[0]})
			}
		}
	case has(saysUnknownID):
		f = lockstep.Faultf(lockstep.CodeGone, "the object is not there")
	case has(saysNoElement):
		f = lockstep.Faultf(lockstep.CodeReference, "what a relation refers to is not there")
	case has(saysNotAllowed), has(saysDenied):
		f = lockstep.Faultf(lockstep.CodeRights, "the endpoint's configuration does not permit this: %s", short(message))
	case has(saysInvalidKey):
		f = lockstep.Faultf(lockstep.CodeValue, "Pimcore refuses the object's key")
	case has(saysNoParent):
		f = lockstep.Faultf(lockstep.CodeReference, "the folder in which the object is to be made is not there")
	default:
		f = lockstep.Faultf(lockstep.CodeUnclassified, "Pimcore refused: %q", short(message))
	}
	return f.On(lockstep.About{Request: d.name})
}
