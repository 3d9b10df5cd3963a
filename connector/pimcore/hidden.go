package pimcore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// A relation to an object that is unpublished, or that the endpoint may not show, is left out without a word: it reads
// empty, or shorter than it is. The filters see what is stored: a listing of the same objects, filtered by "has more
// ends than it showed", tells which records must not be believed.

var noNames = value.NewNames()

const checksPerAsk = 30

// check asks which of some objects store more ends of a relation than they showed.
type check struct {
	relation int // of the plan
	where    condition
	ids      []string
}

// unhide finds what relations hide on a page, and does with it as the settings say.
func (s *System) unhide(ctx context.Context, p *plan, rows []row) error {
	checks := p.checks(rows)
	for len(checks) > 0 {
		some := checks[:min(len(checks), checksPerAsk)]
		checks = checks[len(some):]
		hidden, err := s.check(ctx, p, some)
		if err != nil {
			return err
		}
		for i := range rows {
			for _, at := range hidden[rows[i].id] {
				p.hide(&rows[i], at)
			}
		}
	}
	return nil
}

// checks are what has to be asked for a page: for each relation and number of ends that were shown, once.
func (p *plan) checks(rows []row) []check {
	var out []check
	for at := range p.relations {
		rel := &p.relations[at]
		byEnds := map[int]int{} // to its place in out
		for i := range rows {
			r := &rows[i]
			if r.change.Fault != nil || r.ends == nil || !rel.many && r.ends[at] > 0 {
				continue
			}
			n := r.ends[at]
			if _, there := byEnds[n]; !there {
				byEnds[n] = len(out)
				out = append(out, check{relation: at, where: rel.hasMore(n)})
			}
			out[byEnds[n]].ids = append(out[byEnds[n]].ids, r.id)
		}
	}
	return out
}

// hasMore is the condition that more than n ends are stored. Several are stored as ",5,6,": one comma more than ends.
func (r *relation) hasMore(n int) condition {
	if !r.many {
		return compare(r.name+"__id", notNull, "")
	}
	return compare(r.name, like, strings.Repeat("%,", n+2)+"%")
}

func (s *System) check(ctx context.Context, p *plan, checks []check) (map[string][]int, error) {
	a, err := s.client.ask(ctx, p.checkDocument(checks))
	if err != nil {
		return nil, s.checked(err)
	}
	out := map[string][]int{}
	c := &cursor{text: a.data}
	err = c.members(func(name string) error {
		n, err := strconv.Atoi(strings.TrimPrefix(name, "r"))
		if err != nil || n < 0 || n >= len(checks) {
			return c.skip()
		}
		ids, err := c.listedIDs()
		for _, id := range ids {
			out[id] = append(out[id], checks[n].relation)
		}
		return err
	})
	if err != nil {
		return nil, lockstep.Faultf(lockstep.CodeServer, "half an answer: %w", err).On(lockstep.About{Stream: p.class.name, Request: "relations"})
	}
	return out, nil
}

func (p *plan) checkDocument(checks []check) document {
	d := document{name: "relations"}
	var heads []string
	var body strings.Builder
	for i, c := range checks {
		rel := &p.relations[c.relation]
		heads = append(heads, fmt.Sprintf("$f%d:String,$i%d:String", i, i))
		d.vars = append(d.vars, variable{fmt.Sprint("f", i), p.dialect.filter(c.where)}, variable{fmt.Sprint("i", i), strings.Join(c.ids, ",")})
		lang := ""
		if rel.lang != "" {
			lang = fmt.Sprintf(",defaultLanguage:%q", rel.lang)
		}
		fmt.Fprintf(&body, "r%d:get%sListing(published:false,ids:$i%d,filter:$f%d%s){totalCount edges{node{id}}}\n", i, upper(p.class.name), i, i, lang)
	}
	d.query = "query(" + strings.Join(heads, ",") + "){" + body.String() + "}"
	return d
}

// listedIDs are the ids of a listing, which must be as many as it counts.
func (c *cursor) listedIDs() ([]string, error) {
	var ids []string
	total := ""
	err := c.members(func(name string) (err error) {
		switch name {
		case "totalCount":
			total, err = c.scalar()
			return err
		case "edges":
		default:
			return c.skip()
		}
		return c.items(func() error {
			return c.members(func(name string) error {
				if name != "node" {
					return c.skip()
				}
				return c.members(func(name string) error {
					if name != idField {
						return c.skip()
					}
					id, err := c.scalar()
					ids = append(ids, id)
					return err
				})
			})
		})
	})
	if err == nil && total != strconv.Itoa(len(ids)) {
		err = errHalf
	}
	return ids, err
}

// hide does with a record whose relation hides something as the settings say: its fields are left out, so that the
// target keeps what it has, or the record is parked.
func (p *plan) hide(r *row, at int) {
	rel := &p.relations[at]
	rec := &r.change.Record
	if p.class.conf.relations == parkHidden {
		if r.change.Fault == nil {
			r.change.Fault = lockstep.Faultf(lockstep.CodeHidden, "%s refers to an object that is unpublished, or that the endpoint may not show", rel.name).
				On(lockstep.About{Stream: p.class.name, Key: rec.Key, Field: rel.name})
			rec.Fields = value.Fields{}
		}
		return
	}
	if rec.Fields.Names() == nil {
		return
	}
	var names []string
	var values []value.Value
	left := map[string]bool{}
	for _, i := range rel.fields {
		left[p.fields[i].name] = true
	}
	for name, v := range rec.Fields.All() {
		if !left[name] {
			names, values = append(names, name), append(values, v)
		}
	}
	rec.Fields = p.subset(names).Fields(values)
}

// subset are names that the records of a page share.
func (p *plan) subset(names []string) *value.Names {
	id := strings.Join(names, "\x00")
	if n, ok := p.subsets.Load(id); ok {
		return n.(*value.Names)
	}
	n, _ := p.subsets.LoadOrStore(id, value.NewNames(names...))
	return n.(*value.Names)
}

// probeRelations leaves out the relations whose column no filter takes (a brick's, a calculated one, the other side of
// a relation): what they hide cannot be known. Each is asked for once.
func (s *System) probeRelations(ctx context.Context, known *schema, p *plan) error {
	var left []readRelation
	for _, rel := range p.relations {
		ok, err := s.filters(ctx, known, p, &rel.relation)
		if err != nil {
			return err
		}
		if ok {
			left = append(left, rel)
		}
	}
	p.relations = left
	return nil
}

// filters tells whether the endpoint filters by a relation.
func (s *System) filters(ctx context.Context, schema *schema, p *plan, rel *relation) (bool, error) {
	id := p.class.name + "/" + rel.name + "/" + rel.lang
	if known, ok := schema.filterable.Load(id); ok {
		return known.(bool), nil
	}
	lang := ""
	if rel.lang != "" {
		lang = fmt.Sprintf(",defaultLanguage:%q", rel.lang)
	}
	d := document{name: "probe of a relation"}
	d.query = fmt.Sprintf("query($f:String){a:get%[1]sListing(published:false,first:1){edges{node{id}}} b:get%[1]sListing(published:false,first:1,filter:$f%[2]s){edges{node{id}}}}", upper(p.class.name), lang)
	d.vars = []variable{{"f", p.dialect.filter(rel.hasMore(0))}}
	a, err := s.client.post(ctx, d)
	if err != nil {
		return false, err
	}
	ok := true
	for _, e := range a.errors {
		if e.root() != "b" {
			return false, s.checked(graphFault(d, a.errors))
		}
		ok = false
	}
	schema.filterable.Store(id, ok)
	return ok, nil
}
