package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

func newCompiler(s Spec) *compiler {
	c := &compiler{flow: s.Flow, fields: map[string]int{}, used: make([]bool, len(s.Source.Fields)), maps: s.Maps, links: map[string]bool{}, waits: map[string]bool{}}
	for i, f := range s.Source.Fields {
		c.fields[f.Name] = i
		c.types = append(c.types, staticOf(f.Type))
	}
	return c
}

// rule compiles one rule.
func (c *compiler) rule(r Rule) (rule, error) {
	out := rule{Rule: r, copy: -1, static: of(isAny)}
	if r.HasConst {
		out.static = of(classOf(r.Const))
		return out, nil
	}
	expr := strings.TrimSpace(r.Expr)
	if slot, ok := c.fields[expr]; ok { // exactly a field's name, whatever characters it has
		c.used[slot] = true
		out.copy, out.static = slot, c.types[slot]
		return out, nil
	}
	c.problems, c.lets, c.frames, c.laters = nil, nil, nil, 0
	if err := c.expression(r.Expr, &out); err != nil {
		return out, report(r, []problem{*err}, c.flow)
	}
	if len(c.problems) > 0 {
		return out, report(r, c.problems, c.flow)
	}
	return out, nil
}

func (c *compiler) expression(src string, out *rule) *problem {
	switch {
	case strings.TrimSpace(src) == "":
		return &problem{0, lockstep.CodeConfig, "the expression is empty"}
	case len(src) > maxSource:
		return &problem{0, lockstep.CodeConfig, fmt.Sprintf("the expression is longer than %d bytes", maxSource)}
	case !utf8.ValidString(src):
		return &problem{0, lockstep.CodeConfig, "the expression is not valid UTF-8"}
	}
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	for name := range config.Builtins {
		config.Disabled[name] = true // all functions are ours; what takes a predicate is parsed all the same
	}
	tree, err := parser.ParseWithConfig(src, config)
	if err != nil {
		if f, ok := errors.AsType[*file.Error](err); ok {
			return &problem{f.From, lockstep.CodeConfig, f.Message}
		}
		return &problem{0, lockstep.CodeConfig, err.Error()}
	}
	if c.literals, err = literals(src); err != nil {
		return &problem{0, lockstep.CodeConfig, err.Error()}
	}
	out.run, out.static = c.compile(tree.Node)
	out.later = c.laters > 0
	return nil
}

// literals are the numbers with a point or an exponent in an expression, exactly: the parser keeps a double only.
func literals(src string) (map[float64]value.Decimal, error) {
	tokens, err := lexer.Lex(file.NewSource(src))
	if err != nil {
		return nil, err
	}
	out := map[float64]value.Decimal{}
	for _, t := range tokens {
		text := strings.ReplaceAll(t.Value, "_", "")
		if !t.Is(lexer.Number) || !strings.ContainsAny(text, ".eE") || strings.HasPrefix(strings.ToLower(text), "0x") {
			continue
		}
		if strings.HasPrefix(text, ".") {
			text = "0" + text
		}
		d, err := value.ParseDecimal(text)
		if err != nil {
			return nil, fmt.Errorf("the number %s cannot be held", text)
		}
		f := 0.0
		if _, err := fmt.Sscan(text, &f); err != nil {
			return nil, fmt.Errorf("the number %s cannot be held", text)
		}
		if other, taken := out[f]; taken && other.Trim() != d.Trim() {
			return nil, fmt.Errorf(`the numbers %s and %s are too close to tell apart; write decimal("%s")`, other, d, d)
		}
		out[f] = d
	}
	return out, nil
}

func position(p Pos) string {
	if p == (Pos{}) {
		return ""
	}
	return p.String() + ": "
}

// report makes a fault of each problem: position, message, the source line and a caret.
func report(r Rule, problems []problem, flow string) error {
	var errs []error
	for i, p := range problems {
		if slices.Contains(problems[:i], p) {
			continue
		}
		line, col, text := locate(r.Expr, p.at)
		pos := r.Pos
		if pos.Line > 0 {
			if line > 0 {
				pos.Line, pos.Col = pos.Line+line, col+1
			} else {
				pos.Col += col
			}
		}
		dots := strings.Repeat(".", col)
		fault := lockstep.Faultf(p.code, "%s%s: %s\n | %s\n | %s^", position(pos), r.Name, plainWords(p.text), text, dots)
		errs = append(errs, fault.On(lockstep.About{Flow: flow, Field: r.Name}))
	}
	return errors.Join(errs...)
}

// locate is line and column (from 0) of a character of src, and the text of that line.
func locate(src string, at int) (line, col int, text string) {
	lines := strings.Split(src, "\n")
	for line, text = range lines {
		n := utf8.RuneCountInString(text)
		if at <= n || line == len(lines)-1 {
			return line, min(at, n), strings.ReplaceAll(text, "\t", " ")
		}
		at -= n + 1
	}
	return 0, 0, ""
}

var tokenWord = regexp.MustCompile(`unexpected token (\w+)\("(.*)"\)`)

// plainWords puts the parser's words into ours.
func plainWords(s string) string {
	s = tokenWord.ReplaceAllString(s, `unexpected "$2"`)
	switch {
	case strings.HasPrefix(s, "invalid integer literal"):
		return `the whole number is too large; write it as decimal("…")`
	case s == `unexpected "="`:
		return s + "; two values are compared with =="
	}
	s = strings.ReplaceAll(s, "unexpected end of expression", "the expression ends too early")
	return strings.ReplaceAll(s, "unexpected token EOF", "the expression ends too early")
}

// hint is "; did you mean …?" with the nearest of the names, or nothing where none is near.
func hint(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range slices.Sorted(slices.Values(names)) { // a copy: the names are the caller's
		d := distance(strings.ToLower(name), strings.ToLower(n))
		if d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is how many letters must be added, dropped, changed or swapped with their neighbour.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 1 << 20
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
