package pimcore

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// source is something that fields are asked of: an object, an asset, a connection, a type of the schema.
type source interface {
	typeName() string
	field(r *request, f *planned) (any, error)
}

// planned is one field of an answer: what GraphQL merges under one name.
type planned struct {
	key  string // as JSON, with the colon
	name string // the answer's name, for error paths
	node *ast.Field
	args map[string]any
	sets []ast.SelectionSet
}

func (f *planned) text(arg string) string {
	s, _ := f.args[arg].(string)
	return s
}

// number is an Int argument; ok is false where it was not given or null.
func (f *planned) number(arg string) (n int, ok bool) {
	switch v := f.args[arg].(type) {
	case int64:
		return int(v), true
	case int:
		return v, true
	}
	return 0, false
}

func (f *planned) flag(arg string) (on, given bool) {
	v, ok := f.args[arg].(bool)
	return v, ok
}

// request is the execution of one operation. The answer is written as it is found: every field of this schema may be
// null, so a field that fails is null and what was written before stands.
type request struct {
	s        *Server
	w        *world
	schema   *ast.Schema
	doc      *ast.QueryDocument
	vars     map[string]any
	language string // the request's locale: an argument defaultLanguage changes it for all that follows
	out      []byte
	errs     []gqlError
	path     []any
	plans    map[planKey][]*planned
}

type planKey struct {
	of  *planned
	typ string
}

// object writes what of's selections ask of src.
func (r *request) object(of *planned, src source) {
	r.out = append(r.out, '{')
	for i, f := range r.plan(of, src.typeName()) {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.out = append(r.out, f.key...)
		if f.node.Name == "__typename" {
			r.out = phpString(r.out, src.typeName())
			continue
		}
		r.path = append(r.path, f.name)
		v, err := src.field(r, f)
		if err != nil {
			r.fail(err, f)
			v = nil
		}
		r.value(v, f)
		r.path = r.path[:len(r.path)-1]
	}
	r.out = append(r.out, '}')
}

func (r *request) value(v any, f *planned) {
	switch v := v.(type) {
	case nil:
		r.out = append(r.out, "null"...)
	case string:
		r.out = phpString(r.out, v)
	case int:
		r.out = strconv.AppendInt(r.out, int64(v), 10)
	case int64:
		r.out = strconv.AppendInt(r.out, v, 10)
	case float64:
		r.out = phpFloat(r.out, v)
	case bool:
		r.out = strconv.AppendBool(r.out, v)
	case source:
		r.object(f, v)
	case []source:
		r.list(len(v), func(i int) { r.object(f, v[i]) })
	case []string:
		r.list(len(v), func(i int) { r.out = phpString(r.out, v[i]) })
	case []any:
		r.list(len(v), func(i int) { r.value(v[i], f) })
	default:
		r.out = append(r.out, "null"...)
	}
}

func (r *request) list(n int, write func(int)) {
	r.out = append(r.out, '[')
	for i := range n {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		r.path = append(r.path, i)
		write(i)
		r.path = r.path[:len(r.path)-1]
	}
	r.out = append(r.out, ']')
}

// plan is the fields asked of a type, merged by name, in the order in which they are first asked for.
func (r *request) plan(of *planned, typ string) []*planned {
	key := planKey{of, typ}
	if fields, ok := r.plans[key]; ok {
		return fields
	}
	p := planner{r: r, typ: typ, at: map[string]*planned{}}
	for _, set := range of.sets {
		p.add(set)
	}
	r.plans[key] = p.fields
	return p.fields
}

type planner struct {
	r      *request
	typ    string
	fields []*planned
	at     map[string]*planned
}

func (p *planner) add(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if !p.wanted(sel.Directives) {
				continue
			}
			f := p.at[sel.Alias]
			if f == nil {
				f = &planned{name: sel.Alias, node: sel, key: string(phpString(nil, sel.Alias)) + ":", args: sel.ArgumentMap(p.r.vars)}
				p.at[sel.Alias], p.fields = f, append(p.fields, f)
			}
			if sel.SelectionSet != nil {
				f.sets = append(f.sets, sel.SelectionSet)
			}
		case *ast.InlineFragment:
			if p.wanted(sel.Directives) && p.fits(sel.TypeCondition) {
				p.add(sel.SelectionSet)
			}
		case *ast.FragmentSpread:
			if d := p.r.doc.Fragments.ForName(sel.Name); d != nil && p.wanted(sel.Directives) && p.fits(d.TypeCondition) {
				p.add(d.SelectionSet)
			}
		}
	}
}

func (p *planner) wanted(ds ast.DirectiveList) bool {
	for _, d := range ds {
		on, _ := d.ArgumentMap(p.r.vars)["if"].(bool)
		if d.Name == "skip" && on || d.Name == "include" && !on {
			return false
		}
	}
	return true
}

func (p *planner) fits(condition string) bool {
	if condition == "" || condition == p.typ {
		return true
	}
	def := p.r.schema.Types[condition]
	if def == nil || !def.IsAbstractType() {
		return false
	}
	for _, t := range p.r.schema.GetPossibleTypes(def) {
		if t.Name == p.typ {
			return true
		}
	}
	return false
}
