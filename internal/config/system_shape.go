package config

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
)

var limitsShape = object[Limits]{fields: []field[Limits]{
	at("rate", rate, func(l *Limits) *Rate { return &l.Rate }, "most reads (pages and fetches); absent is no limit"),
	at("concurrency", within(1, 256), func(l *Limits) *int { return &l.Concurrency }, "most reads at the same time", standard("4")),
	at("rows", within(1, 1_000_000), func(l *Limits) *int { return &l.Rows }, "most rows of a page, whatever a flow asks for; absent is no limit"),
	at("bytes", upTo(1<<10, 1<<30), func(l *Limits) *int { return &l.Bytes }, "most bytes of a page, whatever a flow asks for; absent is no limit"),
}}

var allowShape = table[[]string]{what: "a stream", item: list[string]{item: text, lone: true}}

// commonShape is what all systems have, beside the settings of their connector.
var commonShape = object[System]{fields: []field[System]{
	at("type", text, func(s *System) *string { return &s.Type }, "the kind of system: which connector speaks to it", required),
	at("allow", shape[[]named[[]string]](allowShape), func(*System) *[]named[[]string] { return new([]named[[]string]) },
		"the fields of each stream that a mapping may read (`\"*\"` is all); with this, streams that are not named cannot be read"),
	at("limits", limitsShape, func(s *System) *Limits { return &s.Limits }, "limits on reading, which protect the system"),
}}

// systemsShape is the table of systems. What a system may say depends on its type.
type systemsShape struct{}

func (systemsShape) absent(*decoder) []*System { return nil }

func (systemsShape) describe() *doc {
	return &doc{word: "by name: settings", table: true, names: namePattern, item: &doc{word: "a system"}}
}

func (systemsShape) decode(d *decoder, n *yaml.Node, at path) ([]*System, bool) {
	members, ok := table[*System]{what: "a system", check: checkName, item: systemShape{}}.decode(d, n, at)
	systems := make([]*System, 0, len(members))
	for _, m := range members {
		m.v.Name, m.v.Pos = m.name, d.pos(m.key)
		systems = append(systems, m.v)
	}
	return systems, ok
}

type systemShape struct{}

func (systemShape) absent(*decoder) *System { return &System{} }
func (systemShape) describe() *doc          { return &doc{word: "a system"} }

func (systemShape) decode(d *decoder, n *yaml.Node, at path) (*System, bool) {
	common := commonShape.absent(d)
	s := &common
	s.settings = func() lockstep.Settings { return nil }
	pairs, leave, ok := d.pairs(n, at)
	if !ok {
		return s, false
	}
	defer leave()
	i := slices.IndexFunc(pairs, func(p pair) bool { return p.name == "type" })
	if i < 0 {
		d.report(n, at, "", "%s needs `type`: one of %s", at, join(d.kinds()))
		for _, p := range pairs {
			d.src.hide(p.val)
		}
		return s, false
	}
	ok = d.systemType(pairs[i].val, at.sub("type"), s)
	var own []pair
	for _, p := range pairs {
		switch f := commonShape.field(p.name); {
		case p.name == "type":
		case f == nil:
			own = append(own, p)
		case p.name == "allow":
			d.marks[string(at.sub(p.name))] = p.val
			ok = d.allow(p.val, at.sub(p.name), s) && ok
		default:
			d.marks[string(at.sub(p.name))] = p.val
			ok = f.read(d, p.val, at.sub(p.name), s) && ok
		}
	}
	if s.Connector == nil { // its settings are not known: any may be secret
		for _, p := range own {
			d.src.hide(p.val)
		}
		return s, false
	}
	settings, good := d.settings(n, own, at, s.Connector.Spec().Settings, commonShape.names())
	s.settings = func() lockstep.Settings { return settings }
	return s, ok && good
}

func (d *decoder) kinds() []string {
	kinds := make([]string, len(d.specs))
	for i, c := range d.specs {
		kinds[i] = c.Spec().Kind
	}
	return kinds
}

func (d *decoder) systemType(n *yaml.Node, at path, s *System) bool {
	kind, ok := text.decode(d, n, at)
	if !ok {
		return false
	}
	s.Type = kind
	d.marks[string(at)] = n
	for _, c := range d.specs {
		if c.Spec().Kind == kind {
			s.Connector = c
			return true
		}
	}
	d.report(n, at, didYouMean(n.Value, d.kinds()), "there is no connector for %s %s", at, quote(n))
	return false
}

func (d *decoder) allow(n *yaml.Node, at path, s *System) bool {
	streams, ok := allowShape.decode(d, n, at)
	s.Allow = []Allowed{}
	for _, m := range streams {
		s.Allow = append(s.Allow, Allowed{m.name, m.v})
	}
	return ok
}
