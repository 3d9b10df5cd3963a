package mapping

import (
	"github.com/expr-lang/expr/ast"

	"github.com/lockstep-sync/lockstep/value"
)

// chain is a run of members, items and pieces. Where ?. meets a null, all that follows of the chain is null.
func (c *compiler) chain(n ast.Node) (code, static) {
	inner, s, optional := c.postfix(n)
	if !optional {
		return inner, s
	}
	return func(w *Worker) value.Value {
		v := inner(w)
		w.short = false
		return v
	}, s
}

// postfix is chain without its end.
func (c *compiler) postfix(n ast.Node) (out code, s static, optional bool) {
	switch n := n.(type) {
	case *ast.ChainNode:
		out, s, _ = c.postfix(n.Node)
		return out, s, true
	case *ast.MemberNode:
		return c.member(n)
	case *ast.SliceNode:
		return c.slice(n)
	}
	out, s = c.open(n)
	return out, s, false
}

// member is x.name, x?.name, x["name"] and x[0].
func (c *compiler) member(n *ast.MemberNode) (code, static, bool) {
	fail := func(at ast.Node, format string, args ...any) (code, static, bool) {
		out, s := c.fail(at, format, args...)
		return out, s, false
	}
	if id, ok := n.Node.(*ast.IdentifierNode); ok && id.Value == "$env" {
		if name, ok := n.Property.(*ast.StringNode); ok {
			out, s := c.field(n, name.Value)
			return out, s, false
		}
		return fail(n, `$env is used as $env["name of a field"]`)
	}
	base, s, chained := c.postfix(n.Node)
	if s.class&(isObject|isList) == 0 {
		return fail(n.Property, "there is nothing inside a %s to look at%s", s.class, memberHint(s.class))
	}
	property, p := c.compile(n.Property)
	if p.class&(isText|isInt) == 0 {
		return fail(n.Property, "a member's name or an item's number is needed, not a %s", p.class)
	}
	text, optional := describe(n.Node), n.Optional
	return func(w *Worker) value.Value {
		v := base(w)
		if w.short {
			return value.Null
		}
		if v.IsNull() && optional {
			w.short = true
			return value.Null
		}
		return w.inside(v, property(w), text)
	}, s.item(), chained || optional
}

func memberHint(k class) string {
	switch k {
	case isTime:
		return "; see format(), year(), add() and diff()"
	case isText:
		return "; see substr(), split() and json()"
	}
	return ""
}

func (c *compiler) slice(n *ast.SliceNode) (code, static, bool) {
	base, s, chained := c.postfix(n.Node)
	if s.class&(isText|isList) == 0 {
		out, s := c.fail(n, "a piece can be taken of a text or a list only, not of a %s", s.class)
		return out, s, false
	}
	bound := func(n ast.Node) code {
		if n == nil {
			return nil
		}
		out, s := c.compile(n)
		if s.class&isInt == 0 {
			c.fail(n, "a whole number is needed, not a %s", s.class)
		}
		return out
	}
	from, to, text := bound(n.From), bound(n.To), describe(n.Node)
	return func(w *Worker) value.Value {
		v := base(w)
		if w.short {
			return value.Null
		}
		return w.piece(v, from, to, text)
	}, static{s.class & (isText | isList), s.elem}, chained
}
