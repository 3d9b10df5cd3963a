package app

import (
	"encoding/json"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/api"
)

// EventKind is which part of an Event is set.
type EventKind string

// The closed set of events.
const (
	ProgressEvent EventKind = "progress"
	RunEvent      EventKind = "run"
	DriftEvent    EventKind = "drift"
	PlanItemEvent EventKind = "plan_item"
	StatusEvent   EventKind = "status"
	EntryEvent    EventKind = "entry"
	StoryEvent    EventKind = "story"
	FindingEvent  EventKind = "finding"
	TrackEvent    EventKind = "track"
	FaultEvent    EventKind = "fault" // of one flow or system, while the others go on
	TextEvent     EventKind = "text"  // a sentence for people
)

// Event is one line of an answer, and one line of --json: exactly the part that Event names is set.
type Event struct {
	Event    EventKind `json:"event"`
	Progress *Progress `json:"progress,omitempty"`
	Run      *Run      `json:"run,omitempty"`
	Drift    *Drift    `json:"drift,omitempty"`
	PlanItem *PlanItem `json:"plan_item,omitempty"`
	Status   *Status   `json:"status,omitempty"`
	Entry    *Entry    `json:"entry,omitempty"`
	Story    *Story    `json:"story,omitempty"`
	Finding  *Finding  `json:"finding,omitempty"`
	Track    *Tracking `json:"track,omitempty"`
	Fault    *Fault    `json:"fault,omitempty"`
	Text     string    `json:"text,omitempty"`
}

// FieldDiff is one field in which two images differ. The values are plain JSON.
type FieldDiff struct {
	Field  string          `json:"field"`
	Ours   json.RawMessage `json:"ours"`   // as the mapping would have it
	Theirs json.RawMessage `json:"theirs"` // as the target has it; null where it is absent
}

// Drift is one record in which the sides do not agree.
type Drift struct {
	Flow      string       `json:"flow"`
	What      string       `json:"what"`             // "missing", "extra", "different", "in flight"
	Key       lockstep.Key `json:"key,omitempty"`    // in the source, absent for an extra record that was never linked
	TargetKey lockstep.Key `json:"target,omitempty"` // in the target, where it is known
	Edited    bool         `json:"edited,omitempty"` // the target's record is not as we left it
	Fields    []FieldDiff  `json:"fields,omitempty"`
	Later     []Ref        `json:"later,omitempty"` // in flight: the records without whose keys it was sent
	Done      string       `json:"done,omitempty"`  // with repair: what was made of it
}

// PlanItem is what a sync would do with one record. The digests say how both sides were when the plan was made: a
// saved plan is applied only while they are still true.
type PlanItem struct {
	Flow      string       `json:"flow"`
	Action    string       `json:"action"` // "create", "update", "delete", "disable", "park", "wait"
	Key       lockstep.Key `json:"key,omitempty"`
	TargetKey lockstep.Key `json:"target,omitempty"` // absent where the target will choose it
	Fields    []FieldDiff  `json:"fields,omitempty"`
	Ours      string       `json:"ours,omitempty"`   // digest of the image that would be sent
	Was       string       `json:"was,omitempty"`    // digest when both sides were last level
	Theirs    string       `json:"theirs,omitempty"` // digest of the target's record
	Fault     *Fault       `json:"fault,omitempty"`  // why it would be parked, or what it would wait for
	Later     []Ref        `json:"later,omitempty"`  // the records without whose keys it would be sent, and sent again once they are there
}

// Finding is one remark of doctor.
type Finding struct {
	Level  string `json:"level"` // "ok", "note", "warning", "error"
	System string `json:"system,omitempty"`
	Flow   string `json:"flow,omitempty"`
	What   string `json:"what"`
	Next   string `json:"next,omitempty"`
}

// Tracking is what a tracker needs inside a source.
type Tracking struct {
	Flows  []string `json:"flows"` // that share it
	System string   `json:"system"`
	Stream string   `json:"stream"`
	By     string   `json:"by"`
	State  string   `json:"state"`            // "installed", "not installed", "incomplete", "nothing to install"
	Script string   `json:"script,omitempty"` // what was done, or would be
	Done   bool     `json:"done,omitempty"`   // it was done
}

// What is told of flows, runs and records is the same here and over HTTP.

type (
	// Counts are what a run has done.
	Counts = api.Counts
	// Progress is where a run stands.
	Progress = api.Progress
	// Run is one bounded execution.
	Run = api.Run
	// Status is a flow at a glance.
	Status = api.Status
	// Ref names a record of a source.
	Ref = api.Ref
	// Entry is an open queue entry.
	Entry = api.Entry
	// Story is all that is known of a record.
	Story = api.Story
	// Link says which record is which.
	Link = api.Link
	// Refers names a record that another one was made with.
	Refers = api.Refers
	// WaitsFor names what an entry waits for.
	WaitsFor = api.WaitsFor
	// Step is one line of a story.
	Step = api.Step
	// Conflict says which side of a pair won.
	Conflict = api.Conflict
	// LostDiff is a field that was written over.
	LostDiff = api.LostDiff
	// Fault is an error as it is told.
	Fault = api.Fault
	// SchemaChange is one way in which a schema has changed.
	SchemaChange = api.SchemaChange
)
