package mapping

import (
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// function is one function of the library. The table of docs/mapping.md is printed from it.
type function struct {
	name, group, usage, doc string
	example, gives          string // an expression and what it gives, as JSON: checked by a test
	params                  []param
	result                  func(args []static) static
	// nulls says that the function looks at nulls itself; without it a null as first argument gives null.
	nulls bool
	run   func(w *Worker, args []value.Value) value.Value // nil: a special form, compiled by name
}

// param is an argument: what it may be. Of an optional one, or one that may come many times, all behind are, too.
type param struct {
	name string
	class
	optional, many bool
}

func gives(c class) func([]static) static { return func([]static) static { return of(c) } }

func givesFirst(args []static) static { return args[0] }

var functions = func() map[string]*function {
	out := map[string]*function{}
	for _, group := range [][]function{textFunctions, numberFunctions, timeFunctions, listFunctions, valueFunctions} {
		for i := range group {
			out[group[i].name] = &group[i]
		}
	}
	return out
}()

// impure are the functions that people look for and that a mapping cannot have.
var impure = map[string]string{
	"now":    "a mapping has no clock: the same record must give the same fields, or every comparison would find a difference",
	"random": "a mapping has no chance: the same record must give the same fields", "rand": "a mapping has no chance: the same record must give the same fields",
	"uuid": "a mapping has no chance: the same record must give the same fields", "today": "a mapping has no clock: the same record must give the same fields",
	"env": "a mapping sees the record only; use a value map",
}

func (c *compiler) call(n *ast.CallNode) (code, static) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.fail(n, "values have no methods; the functions are listed in docs/mapping.md")
	}
	f := functions[id.Value]
	if f == nil {
		if c.script != nil && c.script.Function(id.Value) != nil {
			return c.scriptCall(n, c.script.Function(id.Value))
		}
		if c.scriptOf != nil && c.script == nil { // it has mistakes of its own, which are reported
			return constant(value.Null), of(isAny)
		}
		if why, ok := impure[id.Value]; ok {
			return c.fail(n, "there is no function %s: %s", id.Value, why)
		}
		names := append(slices.Collect(maps.Keys(functions)), slices.Collect(maps.Keys(loops))...)
		if c.script != nil {
			for _, own := range c.script.Functions() {
				names = append(names, own.Name)
			}
		}
		return c.fail(n, "there is no function %s%s", id.Value, hint(id.Value, names))
	}
	linked := c.linked
	if f.name == "later" {
		c.inLater++
		c.laters++
		defer func() { c.inLater-- }()
	}
	args, types := make([]code, len(n.Arguments)), make([]static, len(n.Arguments))
	for i, arg := range n.Arguments {
		if p := f.param(i); p != nil && p.class != isAny && p.class&(isList|isObject) != 0 {
			args[i], types[i] = c.open(arg)
		} else {
			args[i], types[i] = c.compile(arg)
		}
	}
	if !c.checkArguments(n, f, types) {
		return constant(value.Null), of(isAny)
	}
	switch f.name {
	case "coalesce":
		return coalesce(args, types)
	case "iif":
		return c.iif(n, args, types)
	case "lookup":
		return c.lookup(n, args)
	case "link":
		return c.link(n, args)
	case "later":
		if c.linked == linked {
			return c.fail(n, "later() has a link() in it that may come later: later(link(\"flow\", key))")
		}
		return later(args[0]), types[0]
	}
	return plainCall(f, args), f.result(types)
}

func (c *compiler) isFunction(name string) bool {
	_, ok := functions[name]
	return ok || c.script != nil && c.script.Function(name) != nil
}

func (f *function) param(i int) *param {
	if i < len(f.params) {
		return &f.params[i]
	}
	if k := len(f.params); k > 0 && f.params[k-1].many {
		return &f.params[k-1]
	}
	return nil
}

func (c *compiler) checkArguments(n *ast.CallNode, f *function, types []static) bool {
	need := 0
	for need < len(f.params) && !f.params[need].optional {
		need++
	}
	if len(types) < need {
		c.fail(n, "%s needs %d arguments: %s", f.name, need, f.usage)
		return false
	}
	for i, s := range types {
		p := f.param(i)
		if p == nil {
			c.fail(n.Arguments[i], "%s has too many arguments: %s", f.name, f.usage)
			return false
		}
		if s.class&(p.class|isNull) == 0 {
			c.fail(n.Arguments[i], "%s: %s must be a %s, not a %s: %s", f.name, p.name, p.class, s.class, f.usage)
			return false
		}
	}
	return true
}

// plainCall evaluates the arguments onto the worker's stack and calls.
func plainCall(f *function, args []code) code {
	return func(w *Worker) value.Value {
		w.step()
		base := len(w.stack)
		for i, arg := range args {
			v := arg(w)
			if i == 0 && v.IsNull() && !f.nulls {
				w.stack = w.stack[:base]
				return v
			}
			if p := f.param(i); classOf(v)&p.class == 0 {
				w.fail("%s: %s is %s where a %s is needed", f.name, p.name, a(v), p.class)
			}
			w.stack = append(w.stack, v)
		}
		out := f.run(w, w.stack[base:])
		w.stack = w.stack[:base]
		return out
	}
}

func coalesce(args []code, types []static) (code, static) {
	s := types[0]
	for _, t := range types[1:] {
		s = join(s, t)
	}
	return func(w *Worker) value.Value {
		for _, arg := range args {
			if v, there := w.there(arg); there && !v.IsNull() {
				return v
			}
		}
		return value.Null
	}, s
}

func (c *compiler) iif(n *ast.CallNode, args []code, types []static) (code, static) {
	text := describe(n.Arguments[0])
	otherwise, s := constant(value.Null), types[1]
	if len(args) > 2 {
		otherwise, s = args[2], join(types[1], types[2])
	}
	return func(w *Worker) value.Value {
		if w.truth(args[0](w), text) {
			return args[1](w)
		}
		return otherwise(w)
	}, s
}

// lookup finds a key's text in a value map.
func (c *compiler) lookup(n *ast.CallNode, args []code) (code, static) {
	name, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		return c.fail(n.Arguments[0], "the value map's name must be a literal text")
	}
	table, ok := c.maps[name.Value]
	if !ok {
		return c.fail(n.Arguments[0], "there is no value map %q%s", name.Value, hint(name.Value, slices.Collect(maps.Keys(c.maps))))
	}
	s := static{}
	for _, v := range table {
		s.class |= classOf(v)
	}
	if len(args) > 2 {
		s = of(isAny)
	}
	return func(w *Worker) value.Value {
		w.step()
		key := args[1](w)
		if key.IsNull() && len(args) < 3 {
			return key
		}
		if !key.IsNull() {
			text, _ := key.KeyText() // 7, 7.00 and "7" are one key
			if v, ok := table[text]; ok {
				return v
			}
		}
		if len(args) < 3 {
			w.fail("the value map %q has no such key, and lookup no default", name.Value)
		}
		return args[2](w)
	}, s
}

// link gives the target's key of the record that another flow has brought there.
func (c *compiler) link(n *ast.CallNode, args []code) (code, static) {
	flow, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		return c.fail(n.Arguments[0], "the flow's name must be a literal text")
	}
	c.links[flow.Value] = true
	c.linked++
	if c.inLater == 0 {
		c.waits[flow.Value] = true
	}
	return func(w *Worker) value.Value {
		w.step()
		parts := make([]string, len(args)-1)
		for i, arg := range args[1:] {
			v := arg(w)
			if v.IsNull() {
				return v // no reference
			}
			parts[i], _ = v.KeyText()
		}
		ref := lockstep.Ref{Flow: flow.Value, Key: lockstep.MakeKey(parts...)}
		if w.resolve != nil {
			if key, ok := w.resolve(ref); ok {
				w.refer(ref, lockstep.Linked)
				return value.Text(string(key))
			}
		}
		if w.laters > 0 {
			w.refer(ref, lockstep.Linked|lockstep.Pending)
			w.late = true
			return value.Null
		}
		fault := lockstep.Faultf(lockstep.CodeReference, "the record %s of flow %s is not on the target yet", ref.Key, ref.Flow)
		fault.For = &ref
		panic(fault)
	}, of(isText)
}

// later lets a link that is not there yet go by.
func later(inner code) code {
	return func(w *Worker) value.Value {
		w.laters++
		v := inner(w)
		w.laters--
		return v
	}
}
