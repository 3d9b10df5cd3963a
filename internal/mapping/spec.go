// Package mapping turns a source record into the fields of a target record. A mapping is compiled once from
// expressions and then run by workers, one goroutine each. Pure: the same record and links give the same fields; no
// clock, no I/O, no chance. The language is that of expr-lang, read by its parser; types, exact numbers, nulls and
// bounds are ours (docs/mapping.md).
package mapping

import (
	"fmt"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// NullPolicy says what becomes of a field whose value is null.
type NullPolicy uint8

// The policies.
const (
	SendNull  NullPolicy = iota // the target's field becomes null
	SkipNull                    // the target's field stays as it is
	ClearNull                   // the target's field becomes empty: "", [] or {} by its type, null for all others
)

func (p NullPolicy) String() string { return [...]string{"send", "skip", "clear"}[p] }

// ParseNullPolicy reads "send", "skip" or "clear"; "" is send.
func ParseNullPolicy(s string) (NullPolicy, error) {
	for _, p := range []NullPolicy{SendNull, SkipNull, ClearNull} {
		if s == p.String() || s == "" {
			return p, nil
		}
	}
	return SendNull, fmt.Errorf("%q is no null policy: send, skip or clear", s)
}

// Pos is where a rule's expression begins. Line and Col count from 1; the zero Pos is unknown.
type Pos struct {
	File      string
	Line, Col int
}

func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Col)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Rule gives one target field its value: by an expression over the source's fields, or by a constant.
type Rule struct {
	Name     string // path of the target field: price, address.city, images[0].url, attributes[code=color].value
	Expr     string
	Const    value.Value
	HasConst bool
	Null     NullPolicy
	Pos      Pos
}

// Spec is a mapping as it is written down.
type Spec struct {
	Flow   string
	Source lockstep.Stream
	Target *lockstep.Stream // nil while it is not known: names and types are then not checked
	// Identity copies every source field that the target has under the same name (every field, where the target is
	// not known) unless a rule of its own gives it.
	Identity bool
	Fields   []Rule
	Filter   *Rule // a truth: records for which it is false are not sent
	// Built are records of other flows' sources that a record is made from without needing a link: Name is the flow,
	// Expr gives a key, a list of keys, or null. A key of several parts is a list in a list.
	Built []Rule
	// Maps are value maps by name, for lookup(): a key's text to a value.
	Maps map[string]map[string]value.Value
	// Script defines further functions; nil for none.
	Script *Script
}

// BuiltField is how mistakes of a rule of Spec.Built are reported: as the field of this name.
func BuiltField(flow string) string { return "built_from." + flow }

// Resolver finds the target's key of a record that another flow has linked; false while it has not.
type Resolver func(lockstep.Ref) (lockstep.Key, bool)
