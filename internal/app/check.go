package app

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/mapping"
)

// Check finds what is wrong with a configuration without connecting to anything: expressions that cannot be read,
// functions and value maps that are not there, fields that are given twice, link() to flows that are not there. What
// fields and types there are, only the systems know: see Doctor and Connect. The error is a fault of CodeConfig that
// holds *config.Errors, or nil. The notes are not errors: cycles of references, flows that nobody looks for deletes of.
func Check(cfg *config.Config) (notes []string, err error) {
	var problems []config.Problem
	links := map[string][]string{}
	for _, f := range cfg.Flows {
		m, err := mapping.Compile(guessed(f))
		for _, p := range mappingProblems(cfg, f, err) {
			if p.Code != lockstep.CodeNoField { // which fields there are is not known here
				problems = append(problems, p)
			}
		}
		if m == nil {
			continue
		}
		links[f.Name] = m.Waits()
		problems = append(problems, linkProblems(cfg, f, m)...)
	}
	notes = append(cycles(cfg, links), unpairedNotes(cfg)...)
	calling, silent := callingProblems(cfg)
	return slices.Concat(notes, apiNotes(cfg), silent, netNotes(cfg)), cfg.Fault(append(problems, calling...))
}

// apiNotes are what is no mistake of `api`, but should be known.
func apiNotes(cfg *config.Config) (notes []string) {
	if cfg.API == nil {
		return nil
	}
	if cfg.API.Open() && cfg.API.TLS == nil {
		notes = append(notes, "the HTTP API listens on "+cfg.API.Listen+" without TLS, as `insecure` has it: tokens and records travel in clear up to a proxy that speaks TLS")
	}
	if len(cfg.API.Tokens) == 0 && !slices.ContainsFunc(cfg.Flows, func(f *config.Flow) bool { return f.Hook != nil }) {
		notes = append(notes, "nobody may come in by `api`: it has no `tokens`, and no flow has a `hook`")
	}
	return notes
}

var (
	word    = regexp.MustCompile(`[\pL_$][\pL\pN_$]*`)
	quoted  = regexp.MustCompile(`"([^"\\]*)"|'([^'\\]*)'`)
	letName = regexp.MustCompile(`\blet\s+([\pL_$][\pL\pN_$]*)`)
	simple  = regexp.MustCompile(`^[\pL\pN_$ .-]+$`)
)

// guessed is a flow's mapping over a source that has every field its expressions can mean, of any type.
func guessed(f *config.Flow) mapping.Spec {
	var texts []string
	for _, r := range f.Map {
		if r.Expr != nil {
			texts = append(texts, r.Expr.Text)
		}
	}
	if f.Where != nil {
		texts = append(texts, f.Where.Text)
	}
	for _, from := range f.BuiltFrom {
		texts = append(texts, from.Expr.Text)
	}
	seen := map[string]bool{}
	for _, text := range texts {
		for _, m := range letName.FindAllStringSubmatch(text, -1) {
			seen[m[1]] = true // a variable's name must not be a field's
		}
	}
	source := lockstep.Stream{Name: f.From.Stream}
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			source.Fields = append(source.Fields, lockstep.Field{Name: name, Nullable: true})
		}
	}
	for _, text := range texts {
		if text = strings.TrimSpace(text); simple.MatchString(text) {
			add(text) // a field's name may have blanks in it
		}
		for _, name := range word.FindAllString(text, -1) {
			add(name)
		}
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			add(m[1] + m[2]) // $env["name"]
		}
	}
	if len(source.Fields) == 0 {
		add("id")
	}
	return specOf(f, source, nil)
}

// linkProblems reports link() and built_from that name flows that are not there.
func linkProblems(cfg *config.Config, f *config.Flow, m *mapping.Mapping) []config.Problem {
	var out []config.Problem
	for _, name := range m.Links() {
		if cfg.Flow(name) != nil {
			continue
		}
		path, at := linkPlace(cfg, f, name)
		text := fmt.Sprintf("link() names the flow %q, which is not there", name)
		out = append(out, cfg.Problem(lockstep.CodeNoFlow, at, path, text, nearest(name, flowNames(cfg))))
	}
	for _, from := range f.BuiltFrom {
		if cfg.Flow(from.Flow) != nil {
			continue
		}
		text := fmt.Sprintf("built_from names the flow %q, which is not there", from.Flow)
		out = append(out, cfg.Problem(lockstep.CodeNoFlow, from.Pos, "flows."+f.Name+".built_from."+from.Flow, text, nearest(from.Flow, flowNames(cfg))))
	}
	return out
}

// linkPlace is where a flow's mapping names another flow.
func linkPlace(cfg *config.Config, f *config.Flow, name string) (path string, at config.Pos) {
	path = "flows." + f.Name + ".map"
	find := func(e *config.Expr) (config.Pos, bool) {
		if e == nil {
			return config.Pos{}, false
		}
		for line, text := range strings.Split(e.Text, "\n") {
			for _, m := range quoted.FindAllStringSubmatchIndex(text, -1) {
				if text[m[0]+1:m[1]-1] == name {
					return e.At(line+1, len([]rune(text[:m[0]]))+1), true
				}
			}
		}
		return config.Pos{}, false
	}
	for _, r := range f.Map {
		if pos, ok := find(r.Expr); ok {
			return path + "." + r.Target, pos
		}
	}
	if pos, ok := find(f.Where); ok {
		return "flows." + f.Name + ".where", pos
	}
	return path, cfg.At(path)
}

func flowNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Flows))
	for i, f := range cfg.Flows {
		names[i] = f.Name
	}
	return names
}

// cycles names the rings of flows that refer to each other. They are no mistake as long as no records do: an empty
// reference waits for nobody. A flow that refers to itself (a tree) is none.
func cycles(cfg *config.Config, links map[string][]string) []string {
	var out []string
	names := flowNames(cfg)
	for i, start := range names {
		later := func(name string) bool { return slices.Contains(names[i:], name) } // each ring is told by its first flow
		if ring := ringOf(start, links, later); len(ring) > 2 {
			out = append(out, fmt.Sprintf("flows refer to each other in a ring (%s): records that do the same wait for ever; write `later(link(…))` in one of them", strings.Join(ring, " -> ")))
		}
	}
	return out
}

// ringOf is the shortest way from start back to it over flows that may be used; nil for none.
func ringOf(start string, links map[string][]string, may func(string) bool) []string {
	from := map[string]string{}
	for todo := []string{start}; len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		for _, to := range links[at] {
			if to == start && at != start {
				ring := []string{start}
				for ; at != start; at = from[at] {
					ring = append(ring, at)
				}
				ring = append(ring, start)
				slices.Reverse(ring)
				return ring
			}
			if _, seen := from[to]; !seen && to != start && may(to) {
				from[to] = at
				todo = append(todo, to)
			}
		}
	}
	return nil
}
