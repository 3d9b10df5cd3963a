package config

import (
	"regexp"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep/value"
)

var decimalForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?$`)

// constant is a value as it stands: null, true, false, a number, a text, a list or an object. Numbers are exact: a
// whole one is an int, another a decimal. What YAML would quietly take for something else is refused.
func (d *decoder) constant(n *yaml.Node, at path) (value.Value, bool) {
	n, ok := d.enter(n, at)
	if !ok {
		return value.Null, false
	}
	switch n.Kind {
	case yaml.SequenceNode:
		d.open[n] = true
		defer delete(d.open, n)
		items := make([]value.Value, len(n.Content))
		for i, c := range n.Content {
			v, good := d.constant(c, at.item(i))
			items[i], ok = v, ok && good
		}
		return value.List(items...), ok
	case yaml.MappingNode:
		pairs, leave, ok := d.pairs(n, at)
		if !ok {
			return value.Null, false
		}
		defer leave()
		names, values := make([]string, len(pairs)), make([]value.Value, len(pairs))
		for i, p := range pairs {
			v, good := d.constant(p.val, at.sub(p.name))
			names[i], values[i], ok = p.name, v, ok && good
		}
		return value.Object(value.NewNames(names...).Fields(values)), ok
	}
	return d.simpleConstant(n, at)
}

func (d *decoder) simpleConstant(n *yaml.Node, at path) (value.Value, bool) {
	switch n.Tag {
	case "!!null":
		if n.Value == "" {
			d.report(n, at, "", "%s has no value; write null for no value, '' for an empty text", at)
			return value.Null, false
		}
		return value.Null, true
	case "!!bool":
		b, err := parseBool(n.Value)
		return value.Bool(b), err == nil
	case "!!int", "!!float":
		return d.numberConstant(n, at)
	case "!!timestamp":
		return value.Text(n.Value), true // a date is a text: what it becomes is the target field's business
	}
	text, _, ok := d.expand(n, at)
	return value.Text(text), ok
}

func (d *decoder) numberConstant(n *yaml.Node, at path) (value.Value, bool) {
	if !decimalForm.MatchString(n.Value) {
		d.report(n, at, "", "%s: %s is a number in a form that is read in more than one way; write it in plain digits, or in quotes for a text", at, quote(n))
		return value.Null, false
	}
	if i, err := parseInt(n.Value); err == nil {
		return value.Int(i), true
	}
	dec, err := value.ParseDecimal(n.Value)
	if err != nil {
		d.report(n, at, "", "%s: %s is not a number", at, quote(n))
		return value.Null, false
	}
	return value.FromDecimal(dec), true
}

// constsShape is fields with constant values.
type constsShape struct{}

func (constsShape) absent(*decoder) []Const { return nil }

func (constsShape) describe() *doc {
	return &doc{word: "fields with their values", table: true, least: 1, item: &doc{word: "a value", schema: map[string]any{}}}
}

func (constsShape) decode(d *decoder, n *yaml.Node, at path) ([]Const, bool) {
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return []Const{}, false
	}
	defer leave()
	consts := make([]Const, 0, len(pairs))
	for _, p := range pairs {
		d.marks[string(at.sub(p.name))] = p.key
		v, good := d.constant(p.val, at.sub(p.name))
		consts, ok = append(consts, Const{p.name, v}), ok && good
	}
	return consts, ok
}
