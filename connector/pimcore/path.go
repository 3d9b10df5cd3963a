package pimcore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
)

// A field path says where in an object a value stands:
//
//	name@de                      a localized field in a language
//	weight.unit.id               inside
//	categories[].code            of each item: a list
//	categories[]{id code name@de}    of each item, several: a list of objects
//	crossSell[].metadata.sort    metadata of an advanced relation, by its name
//	attributes.Apparel.material  classification store: group, then key; `in backticks` where they hold signs or blanks
//	TechSpec~power               of a brick, as the endpoint's configuration writes it
//	manufacturer(Manufacturer).code   only where the end is of this class; needed where introspection is off
//
// {…} is last. A member may have a name before it: {code: element.sku}.
type path struct {
	steps   []step
	members []member
}

type step struct {
	name   string
	lang   string   // "@de"
	list   bool     // "[]"
	on     []string // "(Category|Product)"
	quoted bool
}

type member struct {
	name string
	path path
}

// Bounds of paths.
const (
	maxPath    = 2000
	maxSteps   = 8
	maxMembers = 64
	maxNested  = 3
)

var errPathLong = errors.New("the path is too long")

// readField reads a configured field: a path, and a type behind it where GraphQL does not tell.
func readField(alias, text string) (fieldConf, error) {
	f := fieldConf{alias: alias}
	if alias == "" {
		return f, errors.New("a field needs a name")
	}
	p, rest, err := cutPath(text)
	if err != nil {
		return f, err
	}
	f.path = p
	if rest != "" {
		f.typed = true
		f.typ, err = typetext.Parse(rest)
	}
	return f, err
}

// parsePath reads a path and nothing behind it.
func parsePath(text string) (path, error) {
	p, rest, err := cutPath(text)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q stands behind the path", rest)
	}
	return p, err
}

// cutPath reads a path; the rest begins behind the blank that ends it.
func cutPath(text string) (path, string, error) {
	if len(text) > maxPath {
		return path{}, "", errPathLong
	}
	r := pathReader{text: strings.TrimSpace(text)}
	p, err := r.path(0)
	if err == nil && r.at < len(r.text) && r.text[r.at] != ' ' {
		err = r.wrong("a path does not go on")
	}
	if err != nil {
		return path{}, "", err
	}
	return p, strings.TrimSpace(r.text[r.at:]), nil
}

type pathReader struct {
	text string
	at   int
}

func (r *pathReader) wrong(what string) error {
	return fmt.Errorf("%s like this at place %d of %q", what, r.at+1, r.text)
}

// next takes c if it stands here.
func (r *pathReader) next(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *pathReader) path(nested int) (path, error) {
	var p path
	for {
		s, err := r.step()
		if err != nil {
			return p, err
		}
		if p.steps = append(p.steps, s); len(p.steps) > maxSteps {
			return p, errPathLong
		}
		if !r.next('.') {
			break
		}
	}
	if r.next('{') {
		if nested == maxNested {
			return p, errPathLong
		}
		return r.braces(p, nested+1)
	}
	return p, nil
}

func (r *pathReader) step() (step, error) {
	var s step
	var err error
	if s.name, s.quoted, err = r.name(); err != nil {
		return s, err
	}
	if r.next('@') {
		from := r.at
		for r.at < len(r.text) && isWord(r.text[r.at]) {
			r.at++
		}
		if s.lang = r.text[from:r.at]; !isLanguage(s.lang) {
			return s, r.wrong("a language is not written")
		}
	}
	if r.next('[') {
		if s.list = r.next(']'); !s.list {
			return s, r.wrong("[] is not written")
		}
	}
	if !r.next('(') {
		return s, nil
	}
	for {
		from := r.at
		for r.at < len(r.text) && isWord(r.text[r.at]) {
			r.at++
		}
		typ := r.text[from:r.at]
		if !isName(typ) {
			return s, r.wrong("a class is not written")
		}
		s.on = append(s.on, typ)
		switch {
		case len(s.on) > maxMembers:
			return s, errPathLong
		case r.next(')'):
			return s, nil
		case !r.next('|'):
			return s, r.wrong("classes are not written")
		}
	}
}

// name is a name, or anything in backticks. A brick's name before ~ does not count: DataHub leaves it out, too.
func (r *pathReader) name() (string, bool, error) {
	if r.next('`') {
		end := strings.IndexByte(r.text[r.at:], '`')
		if end <= 0 {
			return "", false, r.wrong("a name in backticks is not written")
		}
		name := r.text[r.at : r.at+end]
		r.at += end + 1
		return name, true, nil
	}
	from := r.at
	for r.at < len(r.text) && !strings.ContainsRune(" .[]@(){}|,:`\"\\", rune(r.text[r.at])) && r.text[r.at] >= ' ' {
		r.at++
	}
	name := r.text[from:r.at]
	if i := strings.LastIndexByte(name, '~'); i >= 0 {
		name = name[i+1:]
	}
	if name == "" {
		return "", false, r.wrong("a name is not written")
	}
	return name, false, nil
}

// braces reads the members of {…}.
func (r *pathReader) braces(p path, nested int) (path, error) {
	seen := map[string]bool{}
	for {
		for r.next(' ') || r.next(',') {
		}
		if r.next('}') {
			break
		}
		sub, err := r.path(nested)
		if err != nil {
			return p, err
		}
		m := member{name: sub.name(), path: sub}
		if r.next(':') {
			if len(sub.steps) > 1 || sub.members != nil {
				return p, r.wrong("a member's name is not written")
			}
			m.name = sub.steps[0].name
			for r.next(' ') {
			}
			if m.path, err = r.path(nested); err != nil {
				return p, err
			}
		}
		if seen[m.name] || len(p.members) == maxMembers {
			return p, r.wrong("members are not doubled or so many")
		}
		seen[m.name] = true
		p.members = append(p.members, m)
	}
	if len(p.members) == 0 {
		return p, r.wrong("{} is not empty")
	}
	return p, nil
}

// name is what the value at the end of a path is called by default.
func (p path) name() string {
	var parts []string
	for _, s := range p.steps {
		parts = append(parts, s.name)
		if s.lang != "" {
			parts = append(parts, s.lang)
		}
	}
	return strings.Join(parts, "_")
}

// String is the path as the settings write it.
func (p path) String() string {
	var b strings.Builder
	for i, s := range p.steps {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.String())
	}
	if p.members == nil {
		return b.String()
	}
	b.WriteByte('{')
	for i, m := range p.members {
		if i > 0 {
			b.WriteByte(' ')
		}
		if m.name != m.path.name() {
			b.WriteString(quoteStep(m.name, !isName(m.name)) + ":")
		}
		b.WriteString(m.path.String())
	}
	return b.String() + "}"
}

func (s step) String() string {
	text := quoteStep(s.name, s.quoted)
	if s.lang != "" {
		text += "@" + s.lang
	}
	if s.list {
		text += "[]"
	}
	if s.on != nil {
		text += "(" + strings.Join(s.on, "|") + ")"
	}
	return text
}

func quoteStep(name string, quoted bool) string {
	if quoted {
		return "`" + name + "`"
	}
	return name
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// isName tells a name of GraphQL.
func isName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		if !isWord(s[i]) {
			return false
		}
	}
	return true
}

// isLanguage tells a language as Pimcore names them: de, de_AT, zh_Hans.
func isLanguage(s string) bool {
	head, _, _ := strings.Cut(s, "_")
	return isName(s) && len(s) <= 16 && s[0] != '_' && (len(head) == 2 || len(head) == 3)
}
