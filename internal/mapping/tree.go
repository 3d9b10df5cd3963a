package mapping

import (
	"fmt"

	"github.com/lockstep-sync/lockstep/value"
)

// branch is a place in the target record: a leaf takes a rule's value, the others gather their children.
type branch struct {
	rule     int // the leaf's rule, -1 for none
	names    []string
	children []*branch // by names for an object, by index for a list
	list     bool
	selector []selector // members that tell this item from others: they stand first
}

type selector struct{ member, is string }

func newBranch() *branch { return &branch{rule: -1} }

// grow finds or makes the place of a path below b and makes it the leaf of a rule.
func (b *branch) grow(p Path, rule int) error {
	for i, step := range p {
		if b.rule >= 0 {
			return fmt.Errorf("%q is given a value already, nothing can be put inside it", p[:i])
		}
		if len(b.children) > 0 && b.list != step.IsItem {
			return fmt.Errorf("%q is used both as a list and as an object", p[:i])
		}
		b.list = step.IsItem
		b = b.child(step)
	}
	if b.rule >= 0 {
		return fmt.Errorf("%q is given a value twice", p)
	}
	if len(b.children) > 0 {
		return fmt.Errorf("%q is built from its parts already", p)
	}
	b.rule = rule
	return nil
}

func (b *branch) child(step Step) *branch {
	switch {
	case step.Member != "":
		want := selector{step.Member, step.Is}
		for _, c := range b.children {
			if len(c.selector) == 1 && c.selector[0] == want {
				return c
			}
		}
		c := newBranch()
		c.selector = []selector{want}
		b.children = append(b.children, c)
		return c
	case step.IsItem:
		for len(b.children) <= step.Index {
			b.children = append(b.children, newBranch())
		}
		return b.children[step.Index]
	}
	for i, name := range b.names {
		if name == step.Name {
			return b.children[i]
		}
	}
	c := newBranch()
	b.names, b.children = append(b.names, step.Name), append(b.children, c)
	return c
}

// build makes the value at this place from the rules' values. present is false where nothing is to be sent: a rule
// was skipped, and so were all its neighbours. A selector alone sends nothing.
func (b *branch) build(out []value.Value, skipped []bool) (v value.Value, present bool) {
	if b.rule >= 0 {
		return out[b.rule], !skipped[b.rule]
	}
	if b.list {
		var items []value.Value
		for _, c := range b.children {
			item, ok := c.build(out, skipped)
			if ok || len(c.selector) == 0 { // an item before others keeps its place as null
				items, present = append(items, item), present || ok
			}
		}
		return value.List(items...), present
	}
	names := make([]string, 0, len(b.children)+len(b.selector))
	values := make([]value.Value, 0, cap(names))
	for _, s := range b.selector {
		names, values = append(names, s.member), append(values, value.Text(s.is))
	}
	for i, c := range b.children {
		if item, ok := c.build(out, skipped); ok {
			names, values, present = append(names, b.names[i]), append(values, item), true
		}
	}
	if !present {
		return value.Null, false
	}
	return value.Object(value.NewNames(names...).Fields(values)), true
}
