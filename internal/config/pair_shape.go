package config

import (
	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
)

// Pair is two flows face to face: two-way sync.
type Pair struct {
	Name string
	Pos  Pos
	A, B string // flows; side a is what A reads and B writes
	Wins Wins
}

// Wins says what stands where both sides have changed.
type Wins string

// What can stand.
const (
	NewestWins Wins = "newest"
	AWins      Wins = "a"
	BWins      Wins = "b"
)

var pairShape = object[Pair]{fields: []field[Pair]{
	at("a", text, func(p *Pair) *string { return &p.A }, "a flow; what it reads is side a", required),
	at("b", text, func(p *Pair) *string { return &p.B }, "the flow face to face with it: it reads what `a` writes, and writes what `a` reads", required),
	at("wins", choice[Wins]{NewestWins, AWins, BWins}, func(p *Pair) *Wins { return &p.Wins },
		"what stands where both sides changed a record since they were last level: the `newest`, or always side `a` or `b`", standard("newest")),
}}

// pairsShape is the table of pairs.
type pairsShape struct{}

func (pairsShape) absent(*decoder) []*Pair { return nil }

func (pairsShape) table() table[Pair] {
	return table[Pair]{what: "a pair", check: checkName, item: pairShape}
}

func (s pairsShape) describe() *doc { return s.table().describe() }

func (s pairsShape) decode(d *decoder, n *yaml.Node, at path) ([]*Pair, bool) {
	members, ok := s.table().decode(d, n, at)
	pairs := make([]*Pair, 0, len(members))
	for _, m := range members {
		m.v.Name, m.v.Pos = m.name, d.pos(m.key)
		pairs = append(pairs, &m.v)
	}
	return pairs, ok
}

// checkPairs checks what a pair names against the flows.
func (d *decoder) checkPairs(c *Config) {
	names := make([]string, len(c.Flows))
	for i, f := range c.Flows {
		names[i] = f.Name
	}
	used := map[string]string{}
	for _, p := range c.Pairs {
		at := path("pairs").sub(p.Name)
		sides := [2]*Flow{}
		for i, side := range []struct{ setting, flow string }{{"a", p.A}, {"b", p.B}} {
			n := d.marks[string(at.sub(side.setting))]
			if n == nil || side.flow == "" {
				continue
			}
			if sides[i] = c.Flow(side.flow); sides[i] == nil {
				d.report(n, at.sub(side.setting), didYouMean(n.Value, names), "there is no flow %s", quote(n))
				continue
			}
			if other := used[side.flow]; other != "" {
				d.report(n, at.sub(side.setting), "", "the flow %s belongs to the pair %s already", quote(n), other)
			}
			used[side.flow] = p.Name
		}
		if a, b := sides[0], sides[1]; a != nil && b != nil && a != b && !faces(a, b) {
			d.report(d.marks[string(at.sub("b"))], at.sub("b"), "", "the flows do not face each other: %s goes from %s/%s to %s/%s, so %s must go from %s/%s to %s/%s",
				a.Name, a.From.System, a.From.Stream, a.To.System, a.To.Stream, b.Name, a.To.System, a.To.Stream, a.From.System, a.From.Stream)
		}
	}
}

// faces tells whether each of two flows reads what the other writes. It is true where a name is missing, which is
// reported elsewhere.
func faces(a, b *Flow) bool {
	for _, ends := range [][2]string{
		{a.From.System, b.To.System}, {a.From.Stream, b.To.Stream}, {a.To.System, b.From.System}, {a.To.Stream, b.From.Stream},
	} {
		if ends[0] != ends[1] && ends[0] != "" && ends[1] != "" {
			return false
		}
	}
	return true
}

// Pair is the pair that a flow belongs to, with the flow face to face and the side that the flow reads; nil for none.
func (c *Config) Pair(flow string) (p *Pair, face *Flow, side lockstep.Side) {
	for _, p := range c.Pairs {
		switch flow {
		case p.A:
			return p, c.Flow(p.B), lockstep.A
		case p.B:
			return p, c.Flow(p.A), lockstep.B
		}
	}
	return nil, nil, lockstep.A
}

// Unpaired are flows that face each other and that no pair names: each would take the other's writes for news.
func (c *Config) Unpaired() (out [][2]*Flow) {
	for i, a := range c.Flows {
		for _, b := range c.Flows[i+1:] {
			if p, face, _ := c.Pair(a.Name); faces(a, b) && (p == nil || face != b) {
				out = append(out, [2]*Flow{a, b})
			}
		}
	}
	return out
}
