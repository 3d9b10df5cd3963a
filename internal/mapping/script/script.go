// Package script runs the scripts of a mapping: functions in Starlark, for what an expression cannot say. A script is
// pure: it has no clock, no chance, no file, no other script. Numbers are exact, as in expressions, and what one
// record may cost is bounded: steps, and bytes of what is made (law 11). It knows values only; internal/mapping says
// which functions of the house a script may call.
package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/lockstep-sync/lockstep/value"
)

// Bounds of a script.
const (
	MaxText  = 256 << 10 // bytes of its text
	maxItems = 1_000_000 // of one list
	maxBits  = 4_096     // of a whole number: about 1,200 digits
	maxDepth = value.MaxDepth
)

// Problem is a mistake in a script; line and column count from 1.
type Problem struct {
	Line, Col int
	Text      string
}

// Program is a compiled script. It does not change and may be shared.
type Program struct {
	functions []Function
	globals   starlark.StringDict
}

// Function is a function that a script defines.
type Function struct {
	Name        string
	Least, Most int // how many arguments it takes; Most -1 is any number
	Line, Col   int
}

// Env is what a call may use. Its budgets are the caller's and go down with every call.
type Env struct {
	Library func(name string, args []value.Value) (value.Value, error) // calls a function of the house
	Steps   *int                                                       // steps left
	Spend   func(bytes int) error                                      // counts what is made
}

// Error is why a call failed, without values (law 12). Func and the place are the script's own; Line 0 is unknown.
type Error struct {
	Text      string
	Func      string
	Line, Col int
}

func (e *Error) Error() string { return e.Text }

// Compile reads a script and runs its top level once, within env. library names the functions of the house.
func Compile(text string, library []string, env Env) (*Program, []Problem) {
	switch {
	case len(text) > MaxText:
		return nil, []Problem{{1, 1, fmt.Sprintf("the script is longer than %d kB", MaxText>>10)}}
	case !utf8.ValidString(text):
		return nil, []Problem{{1, 1, "the script is not valid UTF-8"}}
	}
	file, err := (&syntax.FileOptions{Set: true}).Parse("script", text, 0)
	if err != nil {
		return nil, problemsOf(err)
	}
	r := &rewriter{names: predeclared(library)}
	r.stmts(file.Stmts)
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	prog, err := starlark.FileProgram(file, r.names.Has)
	if err != nil {
		return nil, problemsOf(err)
	}
	thread := newThread(env)
	globals, err := prog.Init(thread, r.names)
	if err != nil {
		e := errorOf(err)
		return nil, []Problem{{max(e.Line, 1), max(e.Col, 1), e.Text}}
	}
	globals.Freeze()
	return newProgram(globals, r.names)
}

// newProgram gathers the functions that expressions may call: those whose name does not begin with _.
func newProgram(globals, names starlark.StringDict) (*Program, []Problem) {
	p := &Program{globals: globals}
	var problems []Problem
	for _, name := range globals.Keys() {
		fn, ok := globals[name].(*starlark.Function)
		if !ok || strings.HasPrefix(name, "_") {
			continue
		}
		at := fn.Position()
		f := Function{Name: name, Line: int(at.Line), Col: int(at.Col)}
		if names.Has(name) {
			problems = append(problems, Problem{f.Line, f.Col, fmt.Sprintf("%s is a function of the house; give yours another name", name)})
		}
		positional := fn.NumParams() - fn.NumKwonlyParams()
		if fn.HasVarargs() {
			positional--
		}
		if fn.HasKwargs() {
			positional--
		}
		for i := range fn.NumParams() {
			if fn.ParamDefault(i) != nil {
				continue
			}
			if i < positional {
				f.Least++
			}
		}
		if f.Most = positional; fn.HasVarargs() {
			f.Most = -1
		}
		p.functions = append(p.functions, f)
	}
	return p, problems
}

// Functions are the functions that expressions may call, by name.
func (p *Program) Functions() []Function { return p.functions }

// Function is the function of that name, or nil.
func (p *Program) Function(name string) *Function {
	i := slices.IndexFunc(p.functions, func(f Function) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &p.functions[i]
}

// Call calls a function. The same arguments give the same result. An error is an *Error.
func (p *Program) Call(env Env, name string, args []value.Value) (value.Value, error) {
	given := make(starlark.Tuple, len(args))
	thread := newThread(env)
	for i, arg := range args {
		v, err := in(thread, arg, 0)
		if err != nil {
			return value.Null, &Error{Text: err.Error(), Func: name}
		}
		given[i] = v
	}
	result, err := starlark.Call(thread, p.globals[name], given, nil)
	*env.Steps -= int(min(thread.Steps, uint64(max(*env.Steps, 0))))
	if err != nil {
		e := errorOf(err)
		if e.Func == "" {
			e.Func = name
		}
		return value.Null, e
	}
	out, err := (&outward{thread: thread}).value(result, 0)
	if err != nil {
		return value.Null, &Error{Text: "the result: " + err.Error(), Func: name}
	}
	return out, nil
}

const envKey = "env"

func newThread(env Env) *starlark.Thread {
	t := &starlark.Thread{Name: "script"}
	t.SetLocal(envKey, env)
	limit := uint64(max(*env.Steps, 1))
	t.SetMaxExecutionSteps(limit)
	t.OnMaxSteps = func(t *starlark.Thread) { t.Cancel(tooManySteps) }
	return t
}

const tooManySteps = "the script takes more steps than `steps` allows for one record"

func envOf(t *starlark.Thread) Env { return t.Local(envKey).(Env) }

// spend counts n bytes that are about to be made.
func spend(t *starlark.Thread, n int) error { return envOf(t).Spend(n) }

// work counts n turns of a loop that runs outside of the script. The thread stops at its next step.
func work(t *starlark.Thread, n int) error {
	t.Steps += uint64(max(n, 0))
	if t.Steps >= uint64(max(*envOf(t).Steps, 1)) {
		return errors.New(tooManySteps)
	}
	return nil
}

// problemsOf are the places of an error of parser or resolver.
func problemsOf(err error) []Problem {
	var out []Problem
	if list, ok := errors.AsType[resolve.ErrorList](err); ok {
		for _, e := range list {
			out = append(out, Problem{int(e.Pos.Line), int(e.Pos.Col), e.Msg})
		}
		return out
	}
	if e, ok := errors.AsType[syntax.Error](err); ok {
		return []Problem{{int(e.Pos.Line), int(e.Pos.Col), e.Msg}}
	}
	return []Problem{{1, 1, err.Error()}}
}
