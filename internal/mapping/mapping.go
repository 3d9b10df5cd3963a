package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Mapping is a compiled Spec. It does not change and may be shared; each goroutine takes a Worker of its own.
type Mapping struct {
	flow   string
	source lockstep.Stream
	fields []string // of the source, in order
	rules  []rule
	filter *rule
	top    []output // the target's fields
	names  *value.Names
	reads  []string
	links  []string // flows that it refers to by link()
	waits  []string // those of them that it waits for: not all of its link() are in later()
	built  []built
	lets   int
	frames int
	steps  int // of the script
	hash   string
	flat   bool // every target field is given by one rule
}

// rule is a compiled Rule.
type rule struct {
	Rule
	run   code   // nil for a plain copy or a constant
	later bool   // it has a later() in it
	copy  int    // the source field to copy, -1 for none
	uses  []bool // the source fields that it reads
	empty value.Value
	static
}

// built is a compiled rule of Spec.Built.
type built struct {
	rule
	flow string
}

// output is a field of the target: one rule, or a tree of them.
type output struct {
	name string
	rule int
	tree *branch // nil for one rule
}

// Compile checks and compiles a mapping. Its error joins a fault for every mistake, each with file, line, column, the
// line of source and, where there is one, the nearest valid name.
func Compile(s Spec) (*Mapping, error) {
	m := &Mapping{flow: s.Flow, source: s.Source}
	c := newCompiler(s)
	for _, f := range s.Source.Fields {
		m.fields = append(m.fields, f.Name)
	}
	var errs []error
	keep := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	keep(c.compileScript(s.Script))
	rule := func(r Rule) (rule, error) {
		all := c.used
		c.used = make([]bool, len(all))
		compiled, err := c.rule(r)
		compiled.uses = c.used
		for i, used := range compiled.uses {
			all[i] = all[i] || used
		}
		c.used = all
		return compiled, err
	}
	for _, r := range withIdentity(s) {
		compiled, err := rule(r)
		keep(err)
		keep(m.place(s, compiled))
	}
	for _, r := range s.Built {
		flow := r.Name
		r.Name = BuiltField(flow)
		compiled, err := rule(r)
		keep(err)
		m.built = append(m.built, built{compiled, flow})
	}
	if s.Filter != nil {
		f := *s.Filter
		f.Name = "where"
		compiled, err := rule(f)
		keep(err)
		if compiled.later {
			keep(report(f, []problem{{0, lockstep.CodeConfig, "the filter decides now or waits: it cannot have later()"}}, s.Flow))
		}
		if err == nil && compiled.class&isBool == 0 {
			keep(report(f, []problem{{0, lockstep.CodeConfig, "the filter must be a truth, not a " + compiled.class.String()}}, s.Flow))
		}
		m.filter = &compiled
	}
	if len(m.rules) == 0 {
		keep(lockstep.Faultf(lockstep.CodeConfig, "the mapping gives no target field a value").On(lockstep.About{Flow: s.Flow}))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.finish(c, s)
	return m, nil
}

// withIdentity is the rules with those that identity adds, in the source's order, behind them.
func withIdentity(s Spec) []Rule {
	rules := slices.Clone(s.Fields)
	if !s.Identity {
		return rules
	}
	given := map[string]bool{}
	for _, r := range s.Fields {
		if p, err := ParsePath(r.Name); err == nil {
			given[p[0].Name] = true
		}
		given[r.Name] = true
	}
	for _, f := range s.Source.Fields {
		if s.Target != nil && len(s.Target.Fields) > 0 {
			if t := s.Target.Field(f.Name); t == nil || t.ReadOnly {
				continue
			}
		}
		if !given[f.Name] {
			rules = append(rules, Rule{Name: Path{{Name: f.Name}}.String(), Expr: f.Name})
		}
	}
	return rules
}

// place puts a rule at its place in the target's record.
func (m *Mapping) place(s Spec, r rule) error {
	at := len(m.rules)
	wrong := func(code lockstep.Code, format string, args ...any) error {
		f := lockstep.Faultf(code, "%s%s", position(r.Pos), fmt.Sprintf(format, args...))
		return f.On(lockstep.About{Flow: s.Flow, Field: r.Name})
	}
	path, err := ParsePath(r.Name)
	if err != nil {
		return wrong(lockstep.CodeConfig, "%v", err)
	}
	if s.Target != nil && s.Target.Field(r.Name) != nil {
		path = Path{{Name: r.Name}} // a column whose name looks like a path
	}
	name := path[0].Name
	if s.Target != nil && len(s.Target.Fields) > 0 {
		f := s.Target.Field(name)
		switch {
		case f == nil:
			var names []string
			for _, f := range s.Target.Fields {
				names = append(names, f.Name)
			}
			return wrong(lockstep.CodeNoField, "there is no target field %q%s", name, hint(name, names))
		case f.ReadOnly && f.Why != "":
			return wrong(lockstep.CodeConfig, "%q cannot be written: %s", name, f.Why)
		case r.later && len(path) == 1 && slices.Contains(s.Target.Key, name):
			return wrong(lockstep.CodeConfig, "%q is the target's key: it cannot come later", name)
		case f.ReadOnly:
			return wrong(lockstep.CodeConfig, "the target computes %q itself, it cannot be written", name)
		case len(path) == 1 && !r.HasConst && !r.class.fits(f.Type):
			return wrong(lockstep.CodeConfig, "a %s can never be held as %s, which is what %q is", r.class, typeName(f.Type), name)
		case len(path) > 1 && !nests(f.Type, path[1]):
			return wrong(lockstep.CodeConfig, "%q is %s: nothing can be put inside it", name, typeName(f.Type))
		}
		if len(path) == 1 && r.Null == ClearNull {
			r.empty = emptyOf(f.Type)
		}
	}
	m.rules = append(m.rules, r)
	for i := range m.top {
		if o := &m.top[i]; o.name == name {
			if o.tree == nil || len(path) == 1 {
				return wrong(lockstep.CodeConfig, "%q is given a value twice", name)
			}
			if err := o.tree.grow(path[1:], at); err != nil {
				return wrong(lockstep.CodeConfig, "%v", err)
			}
			return nil
		}
	}
	o := output{name: name, rule: at}
	if len(path) > 1 {
		o.tree = newBranch()
		if err := o.tree.grow(path[1:], at); err != nil {
			return wrong(lockstep.CodeConfig, "%v", err)
		}
	}
	m.top = append(m.top, o)
	return nil
}

func typeName(t value.Type) string {
	if t.Native != "" {
		return t.Native
	}
	return t.Kind.String()
}

func nests(t value.Type, next Step) bool {
	switch t.Kind {
	case value.ListType:
		return next.IsItem
	case value.ObjectType:
		return !next.IsItem
	}
	return t.Kind == value.JSONType || t.Kind == value.AnyType || t.Kind == value.TextType
}

func emptyOf(t value.Type) value.Value {
	switch t.Kind {
	case value.TextType:
		return value.Text("")
	case value.ListType:
		return value.List()
	case value.ObjectType:
		return value.Object(value.Fields{})
	}
	return value.Null
}

func (m *Mapping) finish(c *compiler, s Spec) {
	names := make([]string, len(m.top))
	for i, o := range m.top {
		names[i] = o.name
	}
	m.names = value.NewNames(names...)
	for i, name := range m.fields {
		if c.used[i] {
			m.reads = append(m.reads, name)
		}
	}
	m.links, m.waits = slices.Sorted(maps.Keys(c.links)), slices.Sorted(maps.Keys(c.waits))
	m.lets, m.frames = c.maxLets, maxNesting
	if s.Script != nil {
		m.steps = s.Script.steps()
	}
	m.flat = !slices.ContainsFunc(m.top, func(o output) bool { return o.tree != nil })
	m.hash = m.sum(s)
}

// Reads are the source fields that the mapping and its filter need, in the source's order.
func (m *Mapping) Reads() []string { return slices.Clone(m.reads) }

// Inputs are the source fields that the target field is made of.
func (m *Mapping) Inputs(target string) []string {
	var out []string
	for _, o := range m.top {
		if o.name != target {
			continue
		}
		for i := range m.rules {
			if path, err := ParsePath(m.rules[i].Name); i != o.rule && (o.tree == nil || err != nil || path[0].Name != target) {
				continue
			}
			for slot, used := range m.rules[i].uses {
				if name := m.fields[slot]; used && !slices.Contains(out, name) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

// Writes are the target fields that the mapping gives a value, in its order.
func (m *Mapping) Writes() []string { return slices.Clone(m.names.List()) }

// Absent are the target fields that the mapping may leave out of a record: their nulls are skipped, or they come later.
func (m *Mapping) Absent() []string {
	var out []string
	for _, o := range m.top {
		skips := func(r rule) bool { return r.Null == SkipNull || r.later }
		if o.tree == nil && skips(m.rules[o.rule]) || o.tree != nil && slices.ContainsFunc(m.rules, skips) {
			out = append(out, o.name)
		}
	}
	return out
}

// Links are the flows that link() refers to, sorted.
func (m *Mapping) Links() []string { return slices.Clone(m.links) }

// Waits are the flows that a record waits for: Links without those that come later.
func (m *Mapping) Waits() []string { return slices.Clone(m.waits) }

// Built are the flows whose records a record is made from without a link, in the order of Spec.Built.
func (m *Mapping) Built() []string {
	var out []string
	for _, b := range m.built {
		out = append(out, b.flow)
	}
	return out
}

// Refers tells whether records are made with others at all.
func (m *Mapping) Refers() bool { return len(m.links)+len(m.built) > 0 }

// Filtered tells whether there is a filter.
func (m *Mapping) Filtered() bool { return m.filter != nil }

// Hash changes whenever the mapping would give another result: a saved plan is stale by it.
func (m *Mapping) Hash() string { return m.hash }

// CopyOf is the source field that the target field is a plain copy of; false where it is computed. The engine looks
// up target keys by it without running the mapping.
func (m *Mapping) CopyOf(target string) (source string, ok bool) {
	for _, o := range m.top {
		if o.name == target && o.tree == nil && m.rules[o.rule].copy >= 0 {
			return m.fields[m.rules[o.rule].copy], true
		}
	}
	return "", false
}

// Output proposes the fields of a target that is created on request: a copied field as the source declares it, a
// computed one by what its expression can be.
func (m *Mapping) Output() []lockstep.Field {
	out := make([]lockstep.Field, len(m.top))
	for i, o := range m.top {
		r := m.rules[o.rule]
		f := lockstep.Field{Name: o.name, Nullable: true, Type: value.Type{Kind: value.JSONType}}
		switch {
		case o.tree != nil:
		case r.copy >= 0:
			f.Type, f.Nullable = m.source.Fields[r.copy].Type, m.source.Fields[r.copy].Nullable
		case r.HasConst:
			f.Type = typeFor(of(classOf(r.Const)))
		default:
			f.Type = typeFor(r.static)
		}
		out[i] = f
	}
	return out
}
