// Package conflict decides between two records that both changed since they were last level. A policy is pure and
// even-handed: seen from the other side it ends in the same record, so that two flows face to face agree without a
// word.
package conflict

import (
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Version is how one side has the record.
type Version struct {
	Gone   bool
	At     time.Time    // when it was changed, zero where nobody knows
	Fields value.Fields // in the words of the side that would be written
}

// Conflict is one disagreement, as the flow that reads Side sees it.
type Conflict struct {
	Side   lockstep.Side // that Ours comes from
	Base   *Version      // how both were when last level, nil where that is not kept
	Ours   Version
	Theirs Version
}

// of is the version of a side.
func (c *Conflict) of(s lockstep.Side) *Version {
	if s == c.Side {
		return &c.Ours
	}
	return &c.Theirs
}

// Decision is the side whose record stands, and why.
type Decision struct {
	Won lockstep.Side
	Why string
}

// Policy decides a conflict.
type Policy func(Conflict) Decision

// Newest lets the record win that was changed last. Nobody knows when a record was deleted, so an edit wins over a
// delete. Where the times are equal, or one is not known, side A wins.
func Newest(c Conflict) Decision {
	a, b := c.of(lockstep.A), c.of(lockstep.B)
	switch {
	case a.Gone != b.Gone && a.Gone:
		return Decision{lockstep.B, "it was edited there and deleted here: the edit stands"}
	case a.Gone != b.Gone:
		return Decision{lockstep.A, "it was edited there and deleted here: the edit stands"}
	case a.At.IsZero() || b.At.IsZero():
		return Decision{lockstep.A, "nobody knows which is newer: side a wins"}
	case a.At.Equal(b.At):
		return Decision{lockstep.A, "both were changed at " + stamp(a.At) + ": side a wins"}
	case b.At.After(a.At):
		return Decision{lockstep.B, newer(b.At, a.At)}
	}
	return Decision{lockstep.A, newer(a.At, b.At)}
}

// Wins lets a side win always, with its deletes, too.
func Wins(s lockstep.Side) Policy {
	why := "side a wins"
	if s == lockstep.B {
		why = "side b wins"
	}
	return func(Conflict) Decision { return Decision{s, why} }
}

func newer(at, other time.Time) string {
	return "it is newer: " + stamp(at) + " against " + stamp(other)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999Z") }
