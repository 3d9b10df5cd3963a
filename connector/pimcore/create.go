package pimcore

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// create makes an object. Its key in the folder is made of the record alone, so that a create that is tried again
// meets the object that the first try may have made: Pimcore has no other handle for that.
func (a *applier) create(ctx context.Context, w *lockstep.Write) lockstep.Result {
	if !a.class.can.create {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeCannot, "the endpoint's configuration does not let objects of class %s be created", a.class.name)}
	}
	s, err := a.prepare(w)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	if s.key == "" {
		if s.key, err = a.objectKey(w); err != nil {
			return lockstep.Result{Err: err}
		}
	}
	p, err := a.readBack(ctx, s)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	m := &mutation{}
	fmt.Fprintf(&m.body, "m0:create%s(key:%s", upper(a.class.name), m.arg("String!", s.key))
	switch {
	case s.parent != "":
		m.body.WriteString(",parentId:" + m.arg("Int", mustInt(s.parent)))
	case a.class.conf.parent != "":
		m.body.WriteString(",path:" + m.arg("String", a.class.conf.parent))
	default:
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeConfig, "nothing says in which folder objects of class %s are made: set `parent` of the class, or map parentId", a.class.name)}
	}
	if s.public != nil {
		m.body.WriteString(",published:" + m.arg("Boolean", *s.public))
	}
	if lang := s.langs[0]; lang != "" {
		m.body.WriteString(",defaultLanguage:" + m.arg("String", lang))
	}
	if len(s.langs) > 1 { // what is mandatory in other languages comes with them
		m.body.WriteString(",omitMandatoryCheck:true")
	}
	m.body.WriteString(a.userID(m) + ",input:" + m.arg(inputType(a.class.name), s.inputs[s.langs[0]]) + "){success message output" + p.ask + "}")
	first := s
	if len(s.langs) > 1 {
		first = s.part(s.langs[0])
	}
	made, id := a.send(ctx, m.document("create"), p, first)
	if made.Err != nil || len(s.langs) == 1 {
		return a.met(ctx, made, w, s)
	}
	res := a.updatePrepared(ctx, s, id, s.langs[1:])
	if res.Err != nil { // the object is there
		res.Err = lockstep.FaultOf(res.Err).Maybe()
	}
	return res
}

// part is what is written in one language.
func (s *saved) part(lang string) *saved {
	out := &saved{zone: s.zone, inherits: s.inherits}
	for i, f := range s.fields {
		if f.write.lang == "" || f.write.lang == lang {
			out.fields, out.values = append(out.fields, f), append(out.values, s.values[i])
		}
	}
	return out
}

// met says what a taken key means. An object whose naming field has this record's value may be what an earlier try
// made: it has to be looked for before it is tried again (law 5), by the flow's match, which also sees whose it is (law
// 3). One with another value is somebody else's.
func (a *applier) met(ctx context.Context, res lockstep.Result, w *lockstep.Write, s *saved) lockstep.Result {
	f := lockstep.FaultOf(res.Err)
	if f == nil || f.Code != lockstep.CodeUnique {
		return res
	}
	byKey := strings.Contains(f.Error(), keyTaken)
	path := strings.TrimSuffix(a.class.conf.parent, "/") + "/" + s.key
	if s.parent != "" || a.class.conf.parent == "" {
		return res
	}
	id, theirs, err := a.at(ctx, path)
	if err != nil {
		return lockstep.Result{Err: err}
	}
	if id == "" && !byKey {
		return res // the value is another object's
	}
	if id == "" {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeUnique, "an object of another class, or one that the endpoint may not show, has the key %s in its folder", s.key)}
	}
	ours, _ := w.Fields.Get(a.class.conf.objectKey)
	text, _ := textOf(ours)
	if a.class.conf.objectKey != "key" && theirs != text && !byKey {
		return res
	}
	if a.class.conf.objectKey != "key" && theirs != text {
		return lockstep.Result{Err: lockstep.Faultf(lockstep.CodeUnique, "object %s has the key %s in its folder, and belongs to another record", id, s.key)}
	}
	again := lockstep.Faultf(lockstep.CodeVersionMoved, "object %s is there already: an earlier try, or somebody else, made it", id)
	return lockstep.Result{Err: again.Maybe()}
}

// at is the object at a full path, with the text of the field that its key is made of; "" where there is none of the
// class.
func (a *applier) at(ctx context.Context, path string) (id, text string, err error) {
	read := lockstep.Read{Stream: a.class.name}
	name := a.class.conf.objectKey
	if a.class.field(name) != nil {
		read.Fields = []string{name}
	}
	p, err := a.sys.plan(ctx, read)
	if err != nil {
		return "", "", err
	}
	m := &mutation{}
	root := "get" + upper(a.class.name)
	where := m.arg("String", path)
	d := document{name: "who has the key", query: "query(" + m.heads[0] + "){" + root + "(fullpath:" + where + ")" + p.ask + "}", vars: m.vars}
	ans, err := a.sys.client.post(ctx, d)
	if err != nil {
		return "", "", err
	}
	for _, e := range ans.errors {
		if !e.isMissing() && !e.isDenied() {
			return "", "", graphFault(d, ans.errors)
		}
	}
	c := &cursor{text: ans.data}
	if ans.data == "" {
		return "", "", nil
	}
	var found *row
	err = c.members(func(member string) error {
		if member != root || c.space() != '{' {
			return c.skip()
		}
		r, err := p.row(c, make([]value.Value, len(p.fields)))
		found = &r
		return err
	})
	if err != nil {
		return "", "", lockstep.Faultf(lockstep.CodeServer, "half an answer").On(lockstep.About{Request: d.name})
	}
	if found == nil {
		return "", "", nil
	}
	if v, ok := found.change.Record.Fields.Get(name); ok {
		text, _ = textOf(v)
	}
	return found.id, text, nil
}

// objectKey is the key of a new object in its folder.
func (a *applier) objectKey(w *lockstep.Write) (string, error) {
	name := a.class.conf.objectKey
	v, ok := w.Fields.Get(name)
	text, isText := textOf(v)
	if !ok || !isText || strings.TrimSpace(text) == "" {
		f := lockstep.Faultf(lockstep.CodeConstraint, "a new object of class %s needs a value for %q: its key is made of it", a.class.name, name).On(lockstep.About{Field: name})
		f.Next = "Map the field, or name another with `object_key` of the class."
		return "", f
	}
	return validKey(text), nil
}

// maxKey is how long a key may be. Source: Pimcore's column `key`, varchar(255).
const maxKey = 255

// validKey is text as a key can be: without slashes, control characters and blanks at its ends. What had to be changed
// gets a mark of its own, so that two texts never become one key.
func validKey(text string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return '-'
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			return -1
		case r > 0xffff: // the column is utf8mb3
			return -1
		}
		return r
	}, text)
	clean = strings.Trim(clean, " .\u00a0")
	if clean == text && len(text) <= maxKey && text != "" {
		return text
	}
	sum := xxh3.Hash128([]byte(text)).Bytes()
	mark := "~" + hex.EncodeToString(sum[:6])
	for len(clean) > maxKey-len(mark) {
		_, size := utf8.DecodeLastRuneInString(clean)
		clean = clean[:len(clean)-size]
	}
	return clean + mark
}
