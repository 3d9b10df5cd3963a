package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/mapping/script"
	"github.com/lockstep-sync/lockstep/value"
)

// DefaultScriptSteps is how many steps a script may take for one record where its mapping says nothing.
const DefaultScriptSteps = 1_000_000

// Script holds functions that the expressions of a mapping may call, in Starlark. They get values and give values:
// which fields go in, the expressions say.
type Script struct {
	Text  string
	Steps int                        // that the calls for one record may take together; 0 is DefaultScriptSteps
	Place func(line, col int) string // where a place of the text stands, for messages; nil: line and column
}

func (s *Script) place(line, col int) string {
	if s.Place == nil {
		return fmt.Sprintf("script:%d:%d", line, col)
	}
	return s.Place(line, col)
}

// scriptField is the name under which mistakes of a script are reported.
const scriptField = "(script)"

// houseFunctions are the functions that a script may call: those that need nothing but their arguments.
func houseFunctions() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		if functions[name].run != nil {
			names = append(names, name)
		}
	}
	return names
}

// compileScript reads the script of a mapping. Its mistakes are faults with line and column of the script.
func (c *compiler) compileScript(s *Script) error {
	if s == nil {
		return nil
	}
	c.scriptOf = s
	w := &Worker{scriptSteps: s.steps()}
	prog, problems := script.Compile(s.Text, houseFunctions(), w.env())
	if len(problems) == 0 {
		for _, f := range prog.Functions() {
			_, taken := functions[f.Name]
			_, loop := loops[f.Name]
			if taken || loop {
				problems = append(problems, script.Problem{Line: f.Line, Col: f.Col, Text: f.Name + " is a function of the house; give yours another name"})
			}
		}
	}
	if len(problems) == 0 {
		c.script = prog
		return nil
	}
	var errs []error
	for _, p := range problems {
		fault := lockstep.Faultf(lockstep.CodeConfig, "%d:%d: %s: %s", p.Line, p.Col, scriptField, p.Text)
		errs = append(errs, fault.On(lockstep.About{Flow: c.flow, Field: scriptField}))
	}
	return errors.Join(errs...)
}

func (s *Script) steps() int {
	if s.Steps > 0 {
		return s.Steps
	}
	return DefaultScriptSteps
}

// scriptCall calls a function of the script.
func (c *compiler) scriptCall(n *ast.CallNode, f *script.Function) (code, static) {
	if len(n.Arguments) < f.Least || f.Most >= 0 && len(n.Arguments) > f.Most {
		return c.fail(n, "%s of the script takes %s, not %d", f.Name, arity(f), len(n.Arguments))
	}
	args := make([]code, len(n.Arguments))
	for i, arg := range n.Arguments {
		args[i], _ = c.open(arg)
	}
	prog, own := c.script, c.scriptOf
	return func(w *Worker) value.Value {
		w.step()
		base := len(w.stack)
		for _, arg := range args {
			v := arg(w)
			w.stack = append(w.stack, v)
		}
		out, err := prog.Call(w.env(), f.Name, w.stack[base:])
		w.stack = w.stack[:base]
		if err != nil {
			w.scriptFailed(own, err)
		}
		return out
	}, of(isAny)
}

func arity(f *script.Function) string {
	switch {
	case f.Most < 0:
		return fmt.Sprintf("%d arguments or more", f.Least)
	case f.Least == f.Most && f.Least == 1:
		return "1 argument"
	case f.Least == f.Most:
		return fmt.Sprintf("%d arguments", f.Least)
	}
	return fmt.Sprintf("%d to %d arguments", f.Least, f.Most)
}

func (w *Worker) scriptFailed(own *Script, err error) {
	e, ok := errors.AsType[*script.Error](err)
	switch {
	case !ok:
		w.fail("the script: %v", err)
	case e.Line == 0:
		w.fail("%s of the script: %s", e.Func, e.Text)
	}
	w.fail("%s: %s of the script: %s", own.place(e.Line, e.Col), e.Func, e.Text)
}

// env is what a script may use of this worker: its budgets, and the functions of the house.
func (w *Worker) env() script.Env {
	return script.Env{Library: w.library, Steps: &w.scriptSteps, Spend: func(n int) (err error) {
		defer caught(&err)
		w.spend(n)
		return nil
	}}
}

// caught makes an error of a failure, so that the script says where it was.
func caught(err *error) {
	switch p := recover().(type) {
	case nil:
	case failure:
		*err = errors.New(p.text)
	default:
		panic(p)
	}
}

// library calls a function of the house for a script.
func (w *Worker) library(name string, args []value.Value) (out value.Value, err error) {
	defer caught(&err)
	f := functions[name]
	need := 0
	for need < len(f.params) && !f.params[need].optional {
		need++
	}
	if len(args) < need {
		return out, fmt.Errorf("%s needs %d arguments: %s", name, need, f.usage)
	}
	for i, v := range args {
		p := f.param(i)
		if p == nil {
			return out, fmt.Errorf("%s has too many arguments: %s", name, f.usage)
		}
		if i == 0 && v.IsNull() && !f.nulls {
			return v, nil
		}
		if classOf(v)&p.class == 0 {
			return out, fmt.Errorf("%s: %s is %s where a %s is needed", name, p.name, a(v), p.class)
		}
	}
	return f.run(w, args), nil
}
