package script

import (
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/lockstep-sync/lockstep/value"
)

// rewriter turns operators and members into calls of ours, before names are resolved: only so can numbers be exact
// and what one operator makes be bounded. The calls have names that no script can write, such as "+", and stand at
// the places of what they replace.
type rewriter struct {
	names    starlark.StringDict
	problems []Problem
}

func (r *rewriter) wrong(at syntax.Position, text string) {
	r.problems = append(r.problems, Problem{int(at.Line), int(at.Col), text})
}

func (r *rewriter) stmts(list []syntax.Stmt) {
	for _, s := range list {
		r.stmt(s)
	}
}

func (r *rewriter) stmt(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.AssignStmt:
		r.assign(s)
	case *syntax.DefStmt:
		r.params(s.Params)
		r.stmts(s.Body)
	case *syntax.ExprStmt:
		s.X = r.expr(s.X)
	case *syntax.ForStmt:
		r.target(s.Vars)
		s.X = r.expr(s.X)
		r.stmts(s.Body)
	case *syntax.IfStmt:
		s.Cond = r.expr(s.Cond)
		r.stmts(s.True)
		r.stmts(s.False)
	case *syntax.LoadStmt:
		r.wrong(s.Load, "a script cannot load another")
	case *syntax.ReturnStmt:
		if s.Result != nil {
			s.Result = r.expr(s.Result)
		}
	}
}

// assign makes x op= y into x = op=(x, y).
func (r *rewriter) assign(s *syntax.AssignStmt) {
	if s.Op != syntax.EQ {
		r.twice(s.LHS)
		read := r.expr(copied(s.LHS))
		s.RHS = r.call(s.Op.String(), s.OpPos, read, r.expr(s.RHS))
		s.Op = syntax.EQ
	} else {
		s.RHS = r.expr(s.RHS)
	}
	r.target(s.LHS)
}

// twice sees that a place can be evaluated twice.
func (r *rewriter) twice(e syntax.Expr) {
	syntax.Walk(e, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok {
			r.wrong(c.Lparen, "give the result of this call a name first: an assignment such as += evaluates its left side twice")
		}
		return true
	})
}

// copied is a copy of an expression that can be assigned to.
func copied(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.Ident:
		return &syntax.Ident{NamePos: e.NamePos, Name: e.Name}
	case *syntax.ParenExpr:
		return &syntax.ParenExpr{Lparen: e.Lparen, X: copied(e.X), Rparen: e.Rparen}
	case *syntax.IndexExpr:
		return &syntax.IndexExpr{X: copied(e.X), Lbrack: e.Lbrack, Y: copied(e.Y), Rbrack: e.Rbrack}
	case *syntax.DotExpr:
		return &syntax.DotExpr{X: copied(e.X), Dot: e.Dot, NamePos: e.NamePos, Name: e.Name}
	case *syntax.BinaryExpr:
		return &syntax.BinaryExpr{X: copied(e.X), OpPos: e.OpPos, Op: e.Op, Y: copied(e.Y)}
	case *syntax.UnaryExpr:
		return &syntax.UnaryExpr{OpPos: e.OpPos, Op: e.Op, X: copied(e.X)}
	}
	return e // literals are not changed, and what else there is cannot stand there
}

// target rewrites what is inside of something that is assigned to.
func (r *rewriter) target(e syntax.Expr) {
	switch e := e.(type) {
	case *syntax.ParenExpr:
		r.target(e.X)
	case *syntax.IndexExpr:
		e.X, e.Y = r.expr(e.X), r.expr(e.Y)
	case *syntax.DotExpr:
		r.wrong(e.Dot, "values have no members that can be set")
	case *syntax.TupleExpr:
		for _, x := range e.List {
			r.target(x)
		}
	case *syntax.ListExpr:
		for _, x := range e.List {
			r.target(x)
		}
	}
}

// params are name, name=default, * and **.
func (r *rewriter) params(list []syntax.Expr) {
	for _, p := range list {
		if b, ok := p.(*syntax.BinaryExpr); ok {
			b.Y = r.expr(b.Y)
		}
	}
}

func (r *rewriter) list(list []syntax.Expr) {
	for i := range list {
		list[i] = r.expr(list[i])
	}
}

func (r *rewriter) maybe(e syntax.Expr) syntax.Expr {
	if e == nil {
		return nil
	}
	return r.expr(e)
}

func (r *rewriter) expr(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.Literal:
		return r.literal(e)
	case *syntax.Ident:
		if why, refused := refusedNames[e.Name]; refused {
			r.wrong(e.NamePos, why)
		}
	case *syntax.ParenExpr:
		e.X = r.expr(e.X)
	case *syntax.CallExpr:
		r.callExpr(e)
	case *syntax.DotExpr:
		name := &syntax.Literal{Token: syntax.STRING, TokenPos: e.NamePos, Raw: `"` + e.Name.Name + `"`, Value: e.Name.Name}
		return r.call(".", e.Dot, r.expr(e.X), name)
	case *syntax.Comprehension:
		r.comprehension(e)
	case *syntax.DictExpr:
		r.list(e.List)
	case *syntax.DictEntry:
		e.Key, e.Value = r.expr(e.Key), r.expr(e.Value)
	case *syntax.LambdaExpr:
		r.params(e.Params)
		e.Body = r.expr(e.Body)
	case *syntax.ListExpr:
		r.list(e.List)
	case *syntax.TupleExpr:
		r.list(e.List)
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = r.expr(e.Cond), r.expr(e.True), r.expr(e.False)
	case *syntax.UnaryExpr:
		e.X = r.maybe(e.X)
	case *syntax.BinaryExpr:
		x, y := r.expr(e.X), r.expr(e.Y)
		if e.Op != syntax.AND && e.Op != syntax.OR {
			return r.call(e.Op.String(), e.OpPos, x, y)
		}
		e.X, e.Y = x, y
	case *syntax.SliceExpr:
		e.X, e.Lo, e.Hi, e.Step = r.call("[:]", e.Lbrack, r.expr(e.X)), r.maybe(e.Lo), r.maybe(e.Hi), r.maybe(e.Step)
	case *syntax.IndexExpr:
		e.X, e.Y = r.expr(e.X), r.expr(e.Y)
	}
	return e
}

func (r *rewriter) callExpr(e *syntax.CallExpr) {
	if id, ok := e.Fn.(*syntax.Ident); ok && id.Name == "fail" {
		if len(e.Args) != 1 || !isText(e.Args[0]) {
			r.wrong(e.Lparen, `fail takes one literal text, such as fail("the code is unknown"): no value of a record belongs in a message`)
		}
		return
	}
	e.Fn = r.expr(e.Fn)
	for i, arg := range e.Args {
		if b, ok := arg.(*syntax.BinaryExpr); ok && b.Op == syntax.EQ { // name=value
			b.Y = r.expr(b.Y)
			continue
		}
		if u, ok := arg.(*syntax.UnaryExpr); ok && (u.Op == syntax.STAR || u.Op == syntax.STARSTAR) && u.X != nil {
			u.X = r.call("*args", u.OpPos, r.expr(u.X))
			continue
		}
		e.Args[i] = r.expr(arg)
	}
}

func isText(e syntax.Expr) bool {
	l, ok := e.(*syntax.Literal)
	return ok && l.Token == syntax.STRING
}

func (r *rewriter) comprehension(e *syntax.Comprehension) {
	e.Body = r.expr(e.Body)
	for _, c := range e.Clauses {
		switch c := c.(type) {
		case *syntax.ForClause:
			r.target(c.Vars)
			c.X = r.expr(c.X)
		case *syntax.IfClause:
			c.Cond = r.expr(c.Cond)
		}
	}
}

// call is a call of one of ours, at a place.
func (r *rewriter) call(name string, at syntax.Position, args ...syntax.Expr) syntax.Expr {
	_, end := args[len(args)-1].Span()
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: name}, Lparen: at, Args: args, Rparen: end}
}

// literal makes a number with a point or an exponent a decimal, exactly as it is written.
func (r *rewriter) literal(l *syntax.Literal) syntax.Expr {
	if l.Token != syntax.FLOAT {
		if l.Token == syntax.INT && len(l.Raw) > maxBits/4 {
			r.wrong(l.TokenPos, errTooLong.Error())
		}
		return l
	}
	text := strings.Replace(strings.ToLower(l.Raw), ".e", ".0e", 1)
	if strings.HasPrefix(text, ".") {
		text = "0" + text
	}
	d, err := value.ParseDecimal(strings.TrimSuffix(text, "."))
	if err != nil {
		r.wrong(l.TokenPos, "the number cannot be held")
		return l
	}
	r.names[l.Raw] = decimalValue{d}
	return &syntax.Ident{NamePos: l.TokenPos, Name: l.Raw}
}

// refusedNames are the functions of Starlark that a script does not have.
var refusedNames = map[string]string{
	"print":   "a script prints nothing",
	"getattr": "write x.name",
	"fail":    `fail is called with one literal text, such as fail("the code is unknown")`,
}
