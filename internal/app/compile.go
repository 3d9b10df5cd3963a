package app

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// inExpr is the place that mappings are told their expressions begin at, so that the places they report are within
// the expression; config.Expr knows where in the file that is.
var inExpr = mapping.Pos{Line: 1, Col: 1}

// specOf is a flow's mapping as it is written down. target nil: it is not known.
func specOf(f *config.Flow, source lockstep.Stream, target *lockstep.Stream) mapping.Spec {
	source.Fields = slices.DeleteFunc(slices.Clone(source.Fields), func(field lockstep.Field) bool { return field.WriteOnly })
	s := mapping.Spec{Flow: f.Name, Source: source, Target: target, Identity: f.Identity(), Maps: map[string]map[string]value.Value{}}
	for _, r := range f.Map {
		rule := mapping.Rule{Name: r.Target, Pos: inExpr, Null: nullPolicy(r.Null)}
		if r.Expr != nil {
			rule.Expr = r.Expr.Text
		} else {
			rule.Const, rule.HasConst = r.Const, true
		}
		s.Fields = append(s.Fields, rule)
	}
	if f.Where != nil {
		s.Filter = &mapping.Rule{Name: "where", Expr: f.Where.Text, Pos: inExpr}
	}
	for _, from := range f.BuiltFrom {
		s.Built = append(s.Built, mapping.Rule{Name: from.Flow, Expr: from.Expr.Text, Pos: inExpr})
	}
	if sc := f.Script; sc != nil {
		s.Script = &mapping.Script{Text: sc.Text, Steps: sc.Steps, Place: func(line, col int) string { return sc.At(line, col).String() }}
	}
	for _, m := range f.Values {
		s.Maps[m.Name] = m.Values
	}
	return s
}

// written is a hash of a flow's mapping as it stands in the configuration. What is left out of comparisons counts.
func written(f *config.Flow) string {
	ignore := slices.Sorted(slices.Values(f.Ignore))
	return strings.Join(append([]string{specOf(f, lockstep.Stream{}, nil).Written(), string(f.Nulls)}, ignore...), ",")
}

func nullPolicy(p config.NullPolicy) mapping.NullPolicy {
	policy, err := mapping.ParseNullPolicy(string(p))
	if err != nil {
		panic(err) // the two lists of policies are one
	}
	return policy
}

// withIdentityNulls gives the fields that identity copies a rule of their own where the flow's null policy is not the
// usual one: identity itself always sends nulls.
func withIdentityNulls(f *config.Flow, s mapping.Spec) mapping.Spec {
	if !s.Identity || f.Nulls == config.SendNull || f.Nulls == "" {
		return s
	}
	for _, field := range s.Source.Fields {
		if s.Target != nil && len(s.Target.Fields) > 0 {
			if t := s.Target.Field(field.Name); t == nil || t.ReadOnly {
				continue
			}
		}
		name := mapping.Path{{Name: field.Name}}.String()
		s.Fields = append(s.Fields, mapping.Rule{Name: name, Expr: field.Name, Null: nullPolicy(f.Nulls)})
	}
	return s
}

var placed = regexp.MustCompile(`^(\d+):(\d+): `)

// mappingProblems puts the errors of a mapping at their places in the file.
func mappingProblems(cfg *config.Config, f *config.Flow, err error) []config.Problem {
	var out []config.Problem
	for _, one := range split(err) {
		fault := lockstep.FaultOf(one)
		text, _, snippet := strings.Cut(fault.Err.Error(), "\n | ")
		line, col := 1, 1
		if m := placed.FindStringSubmatch(text); m != nil {
			line, _ = strconv.Atoi(m[1])
			col, _ = strconv.Atoi(m[2])
			text = text[len(m[0]):]
		}
		path := "flows." + f.Name + ".map"
		at := cfg.At(path)
		name := fault.About.Field
		if rule := ruleOf(f, name); rule != nil {
			path, at = path+"."+name, rule.Pos
			if rule.Expr != nil && snippet {
				at = rule.Expr.At(line, col)
			}
		} else if name == "where" && f.Where != nil {
			path, at = "flows."+f.Name+".where", f.Where.At(line, col)
		}
		for _, from := range f.BuiltFrom {
			if name == mapping.BuiltField(from.Flow) {
				path, at = "flows."+f.Name+"."+name, from.Expr.At(line, col)
			}
		}
		if name == "(script)" && f.Script != nil {
			path, at = "flows."+f.Name+".script", f.Script.At(line, col)
		}
		text = strings.TrimPrefix(text, name+": ")
		problem := cfg.Problem(fault.Code, at, path, text, "")
		if strings.Contains(text, "ends too early") && strings.HasSuffix(strings.TrimSpace(problem.Source), ",") {
			problem.Hint = "in YAML a # behind a blank begins a comment: put an expression with one into quotes"
		}
		if f.Script != nil && at.File != cfg.File {
			problem.Source, problem.Caret = lineOf(f.Script.Text, at.Line), at.Col
		}
		out = append(out, problem)
	}
	return out
}

// lineOf is a line of a text, short enough to be shown.
func lineOf(text string, line int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) || len(lines[line-1]) > 160 {
		return ""
	}
	return strings.ReplaceAll(lines[line-1], "\t", " ")
}

func ruleOf(f *config.Flow, target string) *config.Rule {
	for i := range f.Map {
		if f.Map[i].Target == target {
			return &f.Map[i]
		}
	}
	return nil
}

// nearest is a hint that names what comes nearest to name; "" where nothing is near.
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean `" + best + "`?"
}

// distance is how many characters must be added, dropped or changed; long names are cut.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	x, y = x[:min(len(x), 64)], y[:min(len(y), 64)]
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(y)]
}
