package mapping

import (
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/lockstep-sync/lockstep/value"
)

func (c *compiler) binary(n *ast.BinaryNode) (code, static) {
	if n.Operator == "matches" {
		return c.matches(n)
	}
	look := c.compile
	if n.Operator == "in" {
		look = c.open
	}
	left, l := look(n.Left)
	right, r := look(n.Right)
	mismatch := func(what string) (code, static) {
		return c.fail(n, "%s %s: %s on the left, %s on the right", n.Operator, what, l.class, r.class)
	}
	a, b, op := describe(n.Left), describe(n.Right), n.Operator
	switch op {
	case "==", "!=":
		if widen(l.class)&widen(r.class) == 0 && l.class != isNull && r.class != isNull {
			return mismatch("compares what can never be equal")
		}
		want := op == "=="
		return func(w *Worker) value.Value {
			x := left(w)
			return value.Bool(same(x, right(w)) == want)
		}, of(isBool)
	case "and", "&&", "or", "||":
		if l.class&isBool == 0 || r.class&isBool == 0 {
			return mismatch("needs two truths")
		}
		stop := op == "or" || op == "||"
		return func(w *Worker) value.Value {
			if w.truth(left(w), a) == stop {
				return value.Bool(stop)
			}
			return value.Bool(w.truth(right(w), b))
		}, of(isBool)
	case "<", "<=", ">", ">=":
		if l.class&isNumber == 0 || r.class&isNumber == 0 {
			if l.class&r.class&(isText|isTime) == 0 {
				return mismatch("needs two numbers, two texts or two times")
			}
		}
		return func(w *Worker) value.Value {
			x := left(w)
			return value.Bool(w.ordered(op, x, right(w), a, b))
		}, of(isBool)
	case "in":
		if r.class&(isList|isObject|isText) == 0 {
			return mismatch("looks into a list, an object or a text")
		}
		return func(w *Worker) value.Value {
			x := left(w)
			return value.Bool(w.in(x, right(w)))
		}, of(isBool)
	case "contains", "startsWith", "endsWith":
		if l.class&isText == 0 || r.class&isText == 0 {
			return mismatch("needs two texts")
		}
		test := map[string]func(s, t string) bool{"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix}[op]
		return func(w *Worker) value.Value {
			x := left(w)
			return value.Bool(w.textTest(op, test, x, right(w)))
		}, of(isBool)
	case "??":
		return func(w *Worker) value.Value {
			if v, there := w.there(left); there && !v.IsNull() {
				return v
			}
			return right(w)
		}, join(l, r)
	case "..":
		if l.class&isInt == 0 || r.class&isInt == 0 {
			return mismatch("needs two whole numbers")
		}
		return func(w *Worker) value.Value {
			x := left(w)
			return w.span(x, right(w))
		}, listOf(of(isInt))
	}
	return c.arithmetic(n, left, right, l, r)
}

func widen(k class) class {
	if k&isNumber != 0 {
		k |= isNumber
	}
	return k
}

func (c *compiler) arithmetic(n *ast.BinaryNode, left, right code, l, r static) (code, static) {
	op := n.Operator
	texts := op == "+" && l.class&isText != 0 && r.class&isText != 0
	numbers := l.class&isNumber != 0 && r.class&isNumber != 0
	if !texts && !numbers {
		advice := ""
		switch {
		case l.class&isTime != 0 || r.class&isTime != 0:
			advice = "; see add() and diff()"
		case op == "+" && (l.class == isText || r.class == isText):
			advice = "; see text() and decimal()"
		case l.class == isText || r.class == isText:
			advice = "; see decimal() and int()"
		}
		return c.fail(n, "%s cannot be done with a %s and a %s%s", op, l.class, r.class, advice)
	}
	result := of(0)
	if texts {
		result.class = isText
	}
	if numbers {
		result.class |= numeric(op, l.class&isNumber, r.class&isNumber)
	}
	a, b := describe(n.Left), describe(n.Right)
	return func(w *Worker) value.Value {
		x := left(w)
		return w.calculate(op, x, right(w), a, b)
	}, result
}

// numeric is what comes of an operation on numbers: a float where there is one, exact otherwise.
func numeric(op string, l, r class) class {
	out := class(0)
	if (l|r)&isFloat != 0 {
		out |= isFloat
	}
	if l&isExact != 0 && r&isExact != 0 {
		if op == "/" || l == isDecimal || r == isDecimal {
			out |= isDecimal
		} else {
			out |= isExact // whole numbers that outgrow 64 bits become decimals
		}
	}
	return out
}

func (c *compiler) matches(n *ast.BinaryNode) (code, static) {
	left, l := c.compile(n.Left)
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		return c.fail(n, "the pattern of matches must be a literal text")
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return c.fail(n, "%v", err)
	}
	if l.class&isText == 0 {
		return c.fail(n, "matches needs a text on the left, not a %s", l.class)
	}
	return func(w *Worker) value.Value {
		v := left(w)
		if v.IsNull() {
			return value.Bool(false)
		}
		if v.Kind() != value.KindText {
			w.fail("matches needs a text on the left, not a %s", classOf(v))
		}
		return value.Bool(re.MatchString(v.Text()))
	}, of(isBool)
}
