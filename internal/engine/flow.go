// Package engine moves changes: source to queue (capture), queue to target (deliver), whole streams (full), and tells
// whether both sides agree (verify) and what a sync would do (plan). It is the only floor that starts goroutines.
package engine

import (
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	"github.com/lockstep-sync/lockstep/value"
)

// OnDelete says what a delete in the source does to the target record.
type OnDelete string

// The ways of a delete.
const (
	DeleteRecord  OnDelete = "delete"
	DisableRecord OnDelete = "disable" // set Flow.Disable and keep the record
	IgnoreDelete  OnDelete = "ignore"
)

// OnTargetEdit says what repair and a deep full sync do with a record that somebody edited in the target.
type OnTargetEdit string

// The ways of a target edit.
const (
	OverwriteEdit OnTargetEdit = "overwrite"
	KeepEdit      OnTargetEdit = "keep"
	ParkEdit      OnTargetEdit = "park"
)

// Retry bounds how often and how long a delivery is tried.
type Retry struct {
	Attempts int
	From, To time.Duration // the first and the longest pause
}

// Brake stops a full run that would delete more than this of what is linked (law 9).
type Brake struct {
	Share float64 // 0.1 is 10 %
	Max   int64
}

// Flow carries one stream one way. All fields are set before New and not changed afterwards.
type Flow struct {
	lockstep.FlowDef

	SourceSystem, TargetSystem string // their names in the configuration
	Source                     lockstep.Scanner
	Target                     lockstep.Target
	Read                       lockstep.Read   // of the source: the fields the mapping reads, and the tracker
	From, To                   lockstep.Stream // what both sides say of themselves

	Mapping *mapping.Mapping
	Shape   *image.Shape
	Written string        // a hash of the mapping as it stands in the configuration, which can be told without the systems
	Compare image.Options // that Shape was made with
	Match   []string      // target fields by which a record is found before it is linked; empty is the target's key

	OnDelete     OnDelete
	Disable      value.Fields
	OnTargetEdit OnTargetEdit
	Deletes      Brake

	Batch       int
	Transfer    lockstep.Transfer
	MostOpen    int // of what the target accepts and does later; 0 is the constant
	Concurrency int
	Rate        *rate.Limiter // writes a second; nil is unlimited
	Retry       Retry
	Page        lockstep.Limit // of reads

	// Held is why the flow must not write until a person says so; what changes is captured meanwhile. Nil: it may.
	Held *lockstep.Fault

	Every time.Duration // pause between polls of the tracker, at most
	Full  schedule.Schedule
	// Light is when the source's versions are compared with the links: a full sync that reads key and version only, and
	// fetches what has another version. It is how Track.PerRecord finds changes, and beside a feed the net below it: a
	// sweep. Nil for none.
	Light   schedule.Schedule
	FullNow bool            // run a full sync when the daemon starts
	Window  schedule.Window // deliveries only within

	// Set by Pair: the flow face to face, what decides a conflict, the target's fields that only this flow decides, and
	// those that both carry; nil for none.
	Back   *Flow
	Policy conflict.Policy
	Own    *image.Shape
	Shared *image.Shape

	state flowState
	pulls pulls // of a target that pulls
}

// delta tells whether the flow has a tracker that a feed follows.
func (f *Flow) delta() bool { return f.Feed != "" }

// pushed tells whether the flow's source sends its records itself. It cannot be read.
func (f *Flow) pushed() bool { return f.Read.Track.By == lockstep.Push }

// about is what faults of this flow are about.
func (f *Flow) about(key lockstep.Key) lockstep.About {
	return lockstep.About{Flow: f.Name, Key: key}
}

// look is how the target is read: the fields that the mapping writes, in a pair as the flow back reads them.
func (f *Flow) look() lockstep.Read {
	if f.Back != nil {
		return f.Back.Read
	}
	return lockstep.Read{Stream: f.To.Name, Fields: slices.DeleteFunc(slices.Clone(f.Mapping.Writes()), func(name string) bool {
		field := f.To.Field(name)
		return field != nil && field.WriteOnly
	})}
}
