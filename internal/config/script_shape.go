package config

import (
	"errors"
	"path/filepath"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxScript bounds a script in a file (law 11).
const maxScript = 256 << 10

// Script is the functions that a flow's expressions may call.
type Script struct {
	Text  string
	Steps int
	Pos   Pos
	expr  *Expr // where it stands in this file; nil: in a file of its own
	file  string
}

// At is the place of a character of the script, line and column counting from 1.
func (s *Script) At(line, col int) Pos {
	if s.expr != nil {
		return s.expr.At(line, col)
	}
	return Pos{s.file, line, col}
}

// scriptForm is a script that is written out.
type scriptForm struct {
	file, text *Expr
	steps      int
}

var scriptFormShape = object[scriptForm]{
	fields: []field[scriptForm]{
		at("file", shape[*Expr](exprShape{}), func(s *scriptForm) **Expr { return &s.file }, "a file, relative to the configuration's folder"),
		at("text", shape[*Expr](exprShape{}), func(s *scriptForm) **Expr { return &s.text }, "or the script itself"),
		at("steps", within(1_000, 1_000_000_000), func(s *scriptForm) *int { return &s.steps },
			"how many steps the calls for one record may take together; a record that needs more is parked", standard("1000000")),
	},
	also: map[string]any{"oneOf": []any{needs("file"), needs("text")}},
	check: func(d *decoder, n *yaml.Node, at path, s *scriptForm) {
		if (s.file == nil) == (s.text == nil) {
			d.report(n, at, "", "%s needs `file` or `text`: one of them", at)
		}
	},
}

// scriptShape is a script: the text itself, or settings.
type scriptShape struct{}

func (scriptShape) absent(*decoder) *Script { return nil }

func (scriptShape) describe() *doc {
	plain := exprShape{}.describe()
	plain.word = "a script in Starlark"
	return &doc{word: plain.word + ", or settings", variants: []*doc{plain, scriptFormShape.describe()}}
}

func (scriptShape) decode(d *decoder, n *yaml.Node, at path) (*Script, bool) {
	inner := n
	for inner.Kind == yaml.AliasNode {
		inner = inner.Alias
	}
	if inner.Kind != yaml.MappingNode {
		e, ok := exprShape{}.decode(d, n, at)
		if !ok {
			return nil, false
		}
		return &Script{Text: e.Text, Pos: e.Pos, Steps: scriptFormShape.absent(d).steps, expr: e}, true
	}
	form, ok := scriptFormShape.decode(d, n, at)
	switch {
	case !ok:
		return nil, false
	case form.text != nil:
		return &Script{Text: form.text.Text, Pos: form.text.Pos, Steps: form.steps, expr: form.text}, true
	}
	name := form.file.Text
	data, err := d.file(name, maxScript)
	if err == nil && !utf8.Valid(data) {
		err = errors.New("it is not UTF-8")
	}
	if err != nil {
		d.report(d.marks[string(at.sub("file"))], at.sub("file"), "", "%s: the script cannot be read: %s", at, err)
		return nil, false
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(d.dir, name)
	}
	return &Script{Text: string(data), Pos: form.file.Pos, Steps: form.steps, file: name}, true
}
