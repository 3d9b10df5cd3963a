package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep/value"
)

// exprShape is an expression. Whether it is right is checked where expressions are compiled, not here; here its place
// is kept.
type exprShape struct{}

func (exprShape) absent(*decoder) *Expr { return nil }

func (exprShape) describe() *doc {
	return &doc{word: "an expression", schema: map[string]any{"type": "string", "pattern": `\S`}}
}

func (exprShape) decode(d *decoder, n *yaml.Node, at path) (*Expr, bool) {
	text, expanded, ok := d.scalar(n, at, "an expression")
	if !ok {
		return nil, false
	}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if strings.TrimSpace(text) == "" {
		d.report(n, at, "", "%s is empty", at)
		return nil, false
	}
	e := &Expr{Text: text, Pos: d.pos(n)}
	if !expanded {
		e.first, e.lines = d.src.inside(n)
	}
	return e, true
}

// inside is where the first character of a scalar's text stands, and whether its other lines go on below it, in the
// same column. It is zero where the text is not in the file as it is: folded, with escapes, with a tag.
func (s *source) inside(n *yaml.Node) (first place, lines bool) {
	if s.odd || n.Line < 1 || n.Line > len(s.lines) {
		return place{}, false
	}
	if n.Style&yaml.LiteralStyle != 0 {
		for i := n.Line; i < len(s.lines); i++ {
			body := strings.TrimLeft(s.lines[i], " ")
			text, _, _ := strings.Cut(n.Value, "\n")
			if body != "" && body == text {
				return place{i + 1, len(s.lines[i]) - len(body) + 1}, true
			}
			if body != "" {
				break
			}
		}
		return place{}, false
	}
	col := n.Column
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		col++
	}
	line := []rune(s.lines[n.Line-1])
	if col-1 <= len(line) && strings.HasPrefix(string(line[col-1:]), n.Value) {
		return place{n.Line, col}, false
	}
	return place{}, false
}

// rulesShape is the mapping: what each field of the target gets.
type rulesShape struct{}

func (rulesShape) absent(*decoder) []Rule { return nil }

func (rulesShape) describe() *doc {
	return &doc{word: "fields of the target with their rules", table: true, least: 1, item: ruleDoc()}
}

func (rulesShape) decode(d *decoder, n *yaml.Node, at path) ([]Rule, bool) {
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return []Rule{}, false
	}
	defer leave()
	if len(pairs) == 0 {
		d.report(n, at, "", "%s has no fields; leave it out to carry every field as it is", at)
		return []Rule{}, false
	}
	rules := make([]Rule, 0, len(pairs))
	for _, p := range pairs {
		d.marks[string(at.sub(p.name))] = p.key
		r, good := d.rule(p.val, at.sub(p.name))
		r.Target, r.Pos = p.name, d.pos(p.key)
		if strings.TrimSpace(p.name) == "" {
			d.report(p.key, at, "", "%s: a field has a name", at)
			good = false
		}
		rules, ok = append(rules, r), ok && good
	}
	return rules, ok
}

// ruleForm is a rule that is written out.
type ruleForm struct {
	expr  *Expr
	konst *value.Value
	null  NullPolicy
}

var ruleShape = object[ruleForm]{
	fields: []field[ruleForm]{
		at("expr", shape[*Expr](exprShape{}), func(r *ruleForm) **Expr { return &r.expr }, "an expression over the source's record"),
		at("const", shape[*value.Value](constShape{}), func(r *ruleForm) **value.Value { return &r.konst }, "or a value as it is"),
		at("null", nullPolicy, func(r *ruleForm) *NullPolicy { return &r.null }, "what a null does to this field; by default as the flow's `nulls` says"),
	},
	also: map[string]any{"oneOf": []any{needs("expr"), needs("const")}},
	check: func(d *decoder, n *yaml.Node, at path, r *ruleForm) {
		if (r.expr == nil) == (r.konst == nil) {
			d.report(n, at, "", "%s needs `expr` or `const`: one of them", at)
		}
	},
}

func ruleDoc() *doc {
	plain := &doc{word: "an expression, or a number, true, false or null as it is", schema: map[string]any{"type": []string{"string", "number", "boolean", "null"}}}
	return &doc{word: plain.word + ", or settings", variants: []*doc{plain, ruleShape.describe()}}
}

// rule reads one rule: a text is an expression, another scalar is a constant, a mapping says more.
func (d *decoder) rule(n *yaml.Node, at path) (r Rule, ok bool) {
	n, ok = d.enter(n, at)
	if !ok {
		return r, false
	}
	switch {
	case n.Kind == yaml.MappingNode:
		form, ok := ruleShape.decode(d, n, at)
		r.Expr, r.Null = form.expr, form.null
		if form.konst != nil {
			r.Const = *form.konst
		}
		return r, ok
	case n.Kind == yaml.SequenceNode:
		d.report(n, at, "write {const: [...]}, or an expression in quotes", "%s takes an expression, not a list", at)
		return r, false
	case n.Tag == "!!timestamp":
		d.report(n, at, "", "%s: %s is a date to YAML and a subtraction as an expression; write {const: %s} for the date as a text", at, quote(n), n.Value)
		return r, false
	case slices.Contains([]string{"!!null", "!!bool", "!!int", "!!float"}, n.Tag):
		r.Const, ok = d.simpleConstant(n, at)
		return r, ok
	}
	r.Expr, ok = exprShape{}.decode(d, n, at)
	return r, ok
}

// constShape is a single constant; nil where it is not there.
type constShape struct{}

func (constShape) absent(*decoder) *value.Value { return nil }
func (constShape) describe() *doc               { return &doc{word: "a value", schema: map[string]any{}} }

func (constShape) decode(d *decoder, n *yaml.Node, at path) (*value.Value, bool) {
	v, ok := d.constant(n, at)
	return &v, ok
}

// tolerancesShape is numbers by field.
type tolerancesShape struct{}

func (tolerancesShape) absent(*decoder) map[string]value.Decimal { return nil }

func (tolerancesShape) describe() *doc {
	return &doc{word: "fields with numbers", table: true, item: decimal.describe()}
}

func (tolerancesShape) decode(d *decoder, n *yaml.Node, at path) (map[string]value.Decimal, bool) {
	members, ok := table[value.Decimal]{what: "a field", item: decimal}.decode(d, n, at)
	out := make(map[string]value.Decimal, len(members))
	for _, m := range members {
		out[m.name] = m.v
	}
	return out, ok
}

// builtShape is what records are made from, by flow.
type builtShape struct{}

func (builtShape) absent(*decoder) []BuiltFrom { return nil }

func (builtShape) describe() *doc {
	return &doc{word: "flows with expressions", table: true, names: namePattern, item: exprShape{}.describe()}
}

func (builtShape) decode(d *decoder, n *yaml.Node, at path) ([]BuiltFrom, bool) {
	members, ok := table[*Expr]{what: "a flow", item: exprShape{}}.decode(d, n, at)
	out := make([]BuiltFrom, 0, len(members))
	for _, m := range members {
		if m.v != nil {
			out = append(out, BuiltFrom{m.name, d.pos(m.key), m.v})
		}
	}
	return out, ok
}
