package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/internal/mapping/script"
	"github.com/lockstep-sync/lockstep/value"
)

// code is a compiled expression.
type code func(w *Worker) value.Value

// compiler turns one expression's tree into code. It goes on behind an error, so that all are reported at once.
type compiler struct {
	flow     string
	fields   map[string]int
	types    []static
	used     []bool // source fields that something reads
	maps     map[string]map[string]value.Value
	links    map[string]bool
	waits    map[string]bool           // those that are waited for
	linked   int                       // link() so far
	inLater  int                       // how many later() are around
	laters   int                       // of this expression
	literals map[float64]value.Decimal // the expression's number literals with a point, exactly
	lets     []let
	maxLets  int
	frames   []scope
	problems []problem
	script   *script.Program // nil where there is none, or it has mistakes
	scriptOf *Script
}

type let struct {
	name string
	static
}

// scope is what # means inside a map(), filter(), …
type scope struct {
	item   static
	acc    static
	hasAcc bool
}

// problem is an error at a place of the expression.
type problem struct {
	at   int // in characters
	code lockstep.Code
	text string
}

func (c *compiler) fail(n ast.Node, format string, args ...any) (code, static) {
	return c.failAs(lockstep.CodeConfig, n, format, args...)
}

func (c *compiler) failAs(kind lockstep.Code, n ast.Node, format string, args ...any) (code, static) {
	c.problems = append(c.problems, problem{n.Location().From, kind, fmt.Sprintf(format, args...)})
	return func(*Worker) value.Value { return value.Null }, of(isAny)
}

func constant(v value.Value) code { return func(*Worker) value.Value { return v } }

func (c *compiler) compile(n ast.Node) (code, static) {
	switch n := n.(type) {
	case *ast.NilNode:
		return constant(value.Null), of(isNull)
	case *ast.BoolNode:
		return constant(value.Bool(n.Value)), of(isBool)
	case *ast.IntegerNode:
		return constant(value.Int(int64(n.Value))), of(isInt)
	case *ast.FloatNode:
		return c.number(n)
	case *ast.StringNode:
		return constant(value.Text(n.Value)), of(isText)
	case *ast.BytesNode:
		return constant(value.Bytes(n.Value)), of(isBytes)
	case *ast.IdentifierNode:
		return c.identifier(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ChainNode, *ast.MemberNode, *ast.SliceNode:
		return c.chain(n)
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return c.builtin(n)
	case *ast.PointerNode:
		return c.pointer(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.VariableDeclaratorNode:
		return c.declare(n)
	case *ast.SequenceNode:
		out, s := constant(value.Null), of(isNull)
		for _, part := range n.Nodes {
			out, s = c.compile(part)
		}
		return out, s
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.MapNode:
		return c.object(n)
	}
	return c.fail(n, "this cannot stand here")
}

// number is a literal with a point or an exponent: a decimal, exactly as it is written.
func (c *compiler) number(n *ast.FloatNode) (code, static) {
	d, ok := c.literals[n.Value]
	if !ok {
		if d, ok = decimal.FromFloat(n.Value); !ok {
			return c.fail(n, "the number is too large")
		}
	}
	return constant(value.FromDecimal(d)), of(isDecimal)
}

func (c *compiler) identifier(n *ast.IdentifierNode) (code, static) {
	for i := len(c.lets) - 1; i >= 0; i-- {
		if c.lets[i].name == n.Value {
			return func(w *Worker) value.Value { return w.lets[i] }, c.lets[i].static
		}
	}
	if n.Value == "$env" {
		return c.fail(n, `$env is used as $env["name of a field"]`)
	}
	return c.field(n, n.Value)
}

// field reads a source field.
func (c *compiler) field(n ast.Node, name string) (code, static) {
	slot, ok := c.fields[name]
	if !ok {
		if c.isFunction(name) {
			return c.fail(n, "%s is a function: write %s(…)", name, name)
		}
		return c.failAs(lockstep.CodeNoField, n, "there is no source field %q%s", name, hint(name, slices.Collect(maps.Keys(c.fields))))
	}
	c.used[slot] = true
	return func(w *Worker) value.Value { return w.load(slot) }, c.types[slot]
}

// open is compile for somebody who looks inside: a field that is still JSON text is parsed, once per record.
func (c *compiler) open(n ast.Node) (code, static) {
	id, ok := n.(*ast.IdentifierNode)
	out, s := c.compile(n)
	if slot, isField := -1, false; ok && s.class&(isList|isObject) != 0 {
		if slot, isField = c.fields[id.Value]; isField && !slices.ContainsFunc(c.lets, func(l let) bool { return l.name == id.Value }) {
			return func(w *Worker) value.Value { return w.open(slot) }, s
		}
	}
	return out, s
}

func (c *compiler) unary(n *ast.UnaryNode) (code, static) {
	inner, s := c.compile(n.Node)
	text := describe(n.Node)
	switch n.Operator {
	case "!", "not":
		if s.class&isBool == 0 {
			return c.fail(n, "%s needs a truth, not a %s", n.Operator, s.class)
		}
		return func(w *Worker) value.Value { return value.Bool(!w.truth(inner(w), text)) }, of(isBool)
	case "-", "+":
		if s.class&isNumber == 0 {
			return c.fail(n, "%s needs a number, not a %s", n.Operator, s.class)
		}
		if n.Operator == "+" {
			return func(w *Worker) value.Value { return w.number(inner(w), "+", text) }, s
		}
		return func(w *Worker) value.Value { return w.negate(w.number(inner(w), "-", text)) }, s
	}
	return c.fail(n, "unknown operator %s", n.Operator)
}

func (c *compiler) conditional(n *ast.ConditionalNode) (code, static) {
	cond, s := c.compile(n.Cond)
	yes, a := c.compile(n.Exp1)
	no, b := c.compile(n.Exp2)
	if s.class&isBool == 0 {
		return c.fail(n.Cond, "the condition must be a truth, not a %s", s.class)
	}
	text := describe(n.Cond)
	return func(w *Worker) value.Value {
		if w.truth(cond(w), text) {
			return yes(w)
		}
		return no(w)
	}, join(a, b)
}

func (c *compiler) declare(n *ast.VariableDeclaratorNode) (code, static) {
	init, s := c.compile(n.Value)
	if _, taken := c.fields[n.Name]; taken {
		return c.fail(n, "%q is a source field; give the variable another name", n.Name)
	}
	slot := len(c.lets)
	c.lets = append(c.lets, let{n.Name, s})
	c.maxLets = max(c.maxLets, len(c.lets))
	body, t := c.compile(n.Expr)
	c.lets = c.lets[:slot]
	return func(w *Worker) value.Value {
		w.lets[slot] = init(w)
		return body(w)
	}, t
}

func (c *compiler) array(n *ast.ArrayNode) (code, static) {
	items, elem := make([]code, len(n.Nodes)), static{}
	for i, node := range n.Nodes {
		var s static
		if items[i], s = c.compile(node); i == 0 {
			elem = s
		} else {
			elem = join(elem, s)
		}
	}
	if len(items) == 0 {
		elem = of(isAny)
	}
	return func(w *Worker) value.Value {
		w.spend(24 * len(items))
		out := make([]value.Value, 0, len(items))
		for _, item := range items {
			if v, there := w.there(item); there {
				out = append(out, v)
			}
		}
		return value.List(out...)
	}, listOf(elem)
}

func (c *compiler) object(n *ast.MapNode) (code, static) {
	names, values := make([]code, len(n.Pairs)), make([]code, len(n.Pairs))
	for i, p := range n.Pairs {
		pair := p.(*ast.PairNode)
		var s static
		if names[i], s = c.compile(pair.Key); s.class&isText == 0 {
			c.fail(pair.Key, "a member's name must be text, not a %s", s.class)
		}
		values[i], _ = c.compile(pair.Value)
	}
	return func(w *Worker) value.Value {
		w.spend(64 * len(names))
		b := newObject(len(names))
		for i := range names {
			name := names[i](w)
			if name.Kind() != value.KindText {
				w.fail("a member's name must be text, not a %s", classOf(name))
			}
			b.set(name.Text(), values[i](w))
		}
		return b.value()
	}, of(isObject)
}

func (c *compiler) pointer(n *ast.PointerNode) (code, static) {
	depth := len(c.frames) - 1
	if depth < 0 {
		return c.fail(n, "# stands inside map(), filter() and their like only")
	}
	switch n.Name {
	case "":
		return func(w *Worker) value.Value { return w.frames[depth].item }, c.frames[depth].item
	case "index":
		return func(w *Worker) value.Value { return value.Int(int64(w.frames[depth].index)) }, of(isInt)
	case "acc":
		if c.frames[depth].hasAcc {
			return func(w *Worker) value.Value { return w.frames[depth].acc }, c.frames[depth].acc
		}
	}
	return c.fail(n, "#%s is unknown here", n.Name)
}

// describe is a node's source, short enough for a message.
func describe(n ast.Node) string {
	text := n.String()
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:57], "") + "…"
	}
	return text
}
