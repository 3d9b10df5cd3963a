package pimcore

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// plan is a read of a class: what is asked for, and what becomes of the answer.
type plan struct {
	class  *class
	names  *value.Names
	fields []*field
	ask    string           // the selection of an object
	at     map[string][]int // which fields a member of the answered object is read for
	key    *field           // nil: the id
	gone   *field           // Track.Deleted
	// relations are what the fields read of relations whose ends may be hidden, and of which fields; none where the
	// settings take them as they read.
	relations []readRelation
	dialect   dialect
	subsets   sync.Map // names of records that lack what hides, by the names
}

// readRelation is a relation that a plan reads.
type readRelation struct {
	relation
	key    string // its member of the answered object
	fields []int
}

// newPlan is the plan of r.
func (s *System) newPlan(c *class, d dialect, r lockstep.Read) (*plan, error) {
	p := &plan{class: c, names: value.NewNames(r.Fields...), at: map[string][]int{}, dialect: d}
	about := func(name string) error {
		return lockstep.Faultf(lockstep.CodeNoField, "class %s has no field %q", c.name, name).On(lockstep.About{Stream: c.name, Field: name})
	}
	sels := []*selection{{key: idField, name: idField}, {key: modifiedField, name: modifiedField}}
	for i, name := range r.Fields {
		f := c.field(name)
		if f == nil {
			return nil, about(name)
		}
		p.fields = append(p.fields, f)
		sels = append(sels, f.sels...)
		for _, key := range f.read.keys {
			p.at[key] = append(p.at[key], i)
		}
		p.addRelation(f, i)
	}
	for _, extra := range []struct {
		name string
		into **field
	}{{c.conf.key, &p.key}, {r.Track.Deleted, &p.gone}} {
		if extra.name == "" || extra.into == &p.key && c.byID() {
			continue
		}
		f := c.field(extra.name)
		if f == nil {
			return nil, about(extra.name)
		}
		*extra.into = f
		sels = append(sels, f.sels...)
	}
	var b strings.Builder
	writeSelections(&b, sels)
	p.ask = b.String()
	return p, nil
}

func (p *plan) addRelation(f *field, at int) {
	if f.relation == nil || p.class.conf.relations == clearHidden {
		return
	}
	for i := range p.relations {
		if p.relations[i].key == f.sels[0].key {
			p.relations[i].fields = append(p.relations[i].fields, at)
			return
		}
	}
	p.relations = append(p.relations, readRelation{relation: *f.relation, key: f.sels[0].key, fields: []int{at}})
}

// writeSelections writes what is asked for: what is asked for twice is asked for once, with all that is asked inside.
func writeSelections(b *strings.Builder, sels []*selection) {
	type group struct {
		on   string
		sels []*selection
	}
	var groups []*group
	for _, s := range sels {
		var g *group
		for _, one := range groups {
			if one.on == s.on {
				g = one
			}
		}
		if g == nil {
			g = &group{on: s.on}
			groups = append(groups, g)
		}
		same := false
		for i, have := range g.sels {
			if have.key == s.key {
				both := *have
				both.sub = append(append([]*selection{}, have.sub...), s.sub...)
				g.sels[i], same = &both, true
			}
		}
		if !same {
			g.sels = append(g.sels, s)
		}
	}
	b.WriteByte('{')
	for _, g := range groups {
		if g.on != "" {
			b.WriteString("... on " + g.on + "{")
		}
		for _, s := range g.sels {
			s.write(b)
		}
		if g.on != "" {
			b.WriteString("}")
		}
	}
	b.WriteByte('}')
}

func (s *selection) write(b *strings.Builder) {
	if s.key != s.name {
		b.WriteString(s.key + ":")
	}
	b.WriteString(s.name)
	if s.lang != "" {
		fmt.Fprintf(b, "(language:%q)", s.lang)
	}
	if len(s.sub) > 0 {
		writeSelections(b, s.sub)
	}
	b.WriteByte(' ')
}

// listing is a page of a class's objects.
type listing struct {
	where  condition
	order  []string // columns, ascending; it is never empty but where ids are
	ids    []string
	first  int
	offset int
	total  bool // ask for the count of all that the conditions let through, too
}

// document is the query of a listing. Unpublished objects are always among them: an object that is unpublished has
// changed, and is not gone.
func (p *plan) document(name string, l listing) document {
	d := document{name: name}
	var heads, args []string
	add := func(arg, typ string, v any) {
		heads, args = append(heads, "$"+arg+":"+typ), append(args, arg+":$"+arg)
		d.vars = append(d.vars, variable{arg, v})
	}
	if f := p.dialect.filter(p.counted(l.where)); f != "" {
		add("filter", "String", f)
	}
	if l.ids != nil {
		add("ids", "String", strings.Join(l.ids, ","))
	}
	if l.first > 0 {
		add("first", "Int", l.first)
	}
	if l.offset > 0 {
		add("after", "Int", l.offset)
	}
	head := ""
	if len(heads) > 0 {
		head = "query(" + strings.Join(heads, ",") + ")"
	}
	order := ""
	if len(l.order) > 0 {
		order = ",sortBy:" + texts(p.dialect.order(l.order...)) + ",sortOrder:" + texts(repeat("ASC", len(l.order)))
	}
	args = append([]string{"published:false"}, args...)
	total := ""
	if l.total {
		total = "totalCount "
	}
	d.query = head + "{get" + upper(p.class.name) + "Listing(" + strings.Join(args, ",") + order + "){" + total + "edges{node" + p.ask + "}}}"
	return d
}

// counted is a condition for the objects of the stream alone.
func (p *plan) counted(c condition) condition {
	if p.class.conf.variants {
		return c
	}
	return allOf(compare("type", equal, "object"), c)
}

func texts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}
