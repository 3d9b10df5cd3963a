package app

import (
	"encoding/json"
	"time"

	"github.com/lockstep-sync/lockstep"
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

// Counts are what a run has done so far, in records.
type Counts struct {
	Read      int64 `json:"read"`
	Created   int64 `json:"created"`
	Updated   int64 `json:"updated"`
	Deleted   int64 `json:"deleted"`
	Level     int64 `json:"level"`
	Filtered  int64 `json:"filtered"`
	Queued    int64 `json:"queued"`
	Failed    int64 `json:"failed"`
	Missing   int64 `json:"missing"` // these four by verify
	Extra     int64 `json:"extra"`
	Different int64 `json:"different"`
	InFlight  int64 `json:"in_flight"`
}

// Progress is where a run under way stands. It comes at most a few times a second and flow.
type Progress struct {
	Flow   string `json:"flow"`
	Kind   string `json:"kind"`  // of the run: "full", "delta", "verify", …
	Phase  string `json:"phase"` // "scan", "deletes", "deliver", "source", "target", "compare"
	Counts Counts `json:"counts"`
	Total  int64  `json:"total"` // about how many records there are to read (with "deliver": entries left); -1 is unknown
}

// Run is one bounded execution.
type Run struct {
	ID      int64      `json:"id"`
	Flow    string     `json:"flow"`
	Kind    string     `json:"kind"`
	State   string     `json:"state"` // "running", "finished", "stopped", "interrupted", "failed"
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended,omitempty"`
	Counts  Counts     `json:"counts"`
	Fault   *Fault     `json:"fault,omitempty"`
	Note    string     `json:"note,omitempty"`
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
	Done      string       `json:"done,omitempty"` // with repair: what was made of it
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
}

// Status is a flow at a glance.
type Status struct {
	Flow         string     `json:"flow"`
	From         string     `json:"from"` // "system/stream"
	To           string     `json:"to"`   // "system/stream"
	Pair         string     `json:"pair,omitempty"`
	Face         string     `json:"face,omitempty"` // the flow face to face with it
	State        string     `json:"state"`          // "running" (a daemon carries it), "idle" (no daemon), "stopped" (waits for a person)
	Fault        *Fault     `json:"fault,omitempty"`
	Ready        int64      `json:"ready"`
	Delayed      int64      `json:"delayed"`
	Waiting      int64      `json:"waiting"`
	Leased       int64      `json:"leased"`
	Parked       int64      `json:"parked"`
	Links        int64      `json:"links"`
	CapturedUpTo *time.Time `json:"captured_up_to,omitempty"` // what is in the queue
	LevelUpTo    *time.Time `json:"level_up_to,omitempty"`    // what the target has acknowledged
	Oldest       *time.Time `json:"oldest,omitempty"`         // captured time of the oldest open entry
	LastSettled  *time.Time `json:"last_settled,omitempty"`
	LastFull     *Run       `json:"last_full,omitempty"`
	LastVerify   *Run       `json:"last_verify,omitempty"`
	NextFull     *time.Time `json:"next_full,omitempty"`
	FullDue      string     `json:"full_due,omitempty"` // why a full sync is due before its time
	// Schema is how both sides are not as they were when the flow's schema was accepted, as far as the systems were asked.
	Schema []SchemaChange `json:"schema,omitempty"`
}

// Ref names a record of a flow's source.
type Ref struct {
	Flow string       `json:"flow"`
	Key  lockstep.Key `json:"key"`
}

// Entry is an open queue entry.
type Entry struct {
	ID         int64           `json:"id"`
	Flow       string          `json:"flow"`
	Key        lockstep.Key    `json:"key"`
	Op         string          `json:"op"`    // "upsert", "delete"
	State      string          `json:"state"` // "ready", "delayed", "waiting", "leased", "parked"
	Priority   string          `json:"priority"`
	Generation int64           `json:"generation"`
	Coalesced  int64           `json:"coalesced,omitempty"` // how many changes it stands for beyond the first
	Attempts   int             `json:"attempts"`
	Captured   time.Time       `json:"captured"`
	Changed    *time.Time      `json:"changed,omitempty"`
	NotBefore  *time.Time      `json:"not_before,omitempty"`
	For        *Ref            `json:"for,omitempty"`    // what it waits for
	Tried      bool            `json:"tried,omitempty"`  // an earlier try may have taken effect
	Fields     json.RawMessage `json:"fields,omitempty"` // the source's record; only with parked and IDs or Keys, and in a story
	Fault      *Fault          `json:"fault,omitempty"`
}

// Story is all that is known of one record of a flow.
type Story struct {
	Flow      string       `json:"flow"`
	Key       lockstep.Key `json:"key"`              // in the source
	TargetKey lockstep.Key `json:"target,omitempty"` // in the target, where it is known
	Asked     string       `json:"asked"`            // which side's key was asked for: "source", "target"
	Why       string       `json:"why"`              // one sentence: where it stands, or why it is not there yet
	Next      string       `json:"next,omitempty"`   // what to do, where something is to be done
	Link      *Link        `json:"link,omitempty"`
	Entry     *Entry       `json:"entry,omitempty"`
	Waits     *WaitsFor    `json:"waits_for,omitempty"`
	Steps     []Step       `json:"steps"` // oldest first
	Runs      []Run        `json:"runs"`  // those that touched it
}

// Link says which record of the source is which of the target, and since when they are level.
type Link struct {
	ID  int64        `json:"id"`
	Key lockstep.Key `json:"key"`
	To  lockstep.Key `json:"target"`
	At  *time.Time   `json:"at,omitempty"`  // when it was last level
	Run int64        `json:"run,omitempty"` // the run that brought it level
	// State is "level", "unsent" (linked, but not known to be level), "gone" (from the source, and kept in the target) or
	// "outside" (of a pair: the flow's filter leaves it out).
	State string `json:"state"`
}

// WaitsFor names both ends of what an entry waits for.
type WaitsFor struct {
	Ref
	From  string `json:"from"`            // "system/stream" of the flow that will bring it
	To    string `json:"to"`              // "system/stream" in which it will be
	State string `json:"state,omitempty"` // of its own entry; absent where it has none
	Fault *Fault `json:"fault,omitempty"` // of its own entry
}

// Step is one line of a record's story.
type Step struct {
	At    time.Time    `json:"at"`
	Did   string       `json:"did"` // "captured", "coalesced", "sent", "created", "retry", "parked", …
	Other lockstep.Key `json:"target,omitempty"`
	Run   int64        `json:"run,omitempty"`
	Note  string       `json:"note,omitempty"`
	Fault *Fault       `json:"fault,omitempty"`
	// Conflict is set where both sides of a pair had changed the record.
	Conflict *Conflict `json:"conflict,omitempty"`
}

// Conflict says which side of a pair won, and what the other held in the fields that were written over.
type Conflict struct {
	Won    string     `json:"won"` // "a" or "b"
	System string     `json:"system"`
	Why    string     `json:"why"`
	Fields []LostDiff `json:"fields"`
}

// LostDiff is a field that was written over. The values are plain JSON; null where the record was, or is, gone.
type LostDiff struct {
	Field string          `json:"field"`
	Lost  json.RawMessage `json:"lost"`
	Kept  json.RawMessage `json:"kept"`
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

// Fault is an error with its kind, code and next step, as people and programs see it.
type Fault struct {
	Code    lockstep.Code `json:"code"`
	Kind    string        `json:"kind"`
	Message string        `json:"message"`
	Flow    string        `json:"flow,omitempty"`
	System  string        `json:"system,omitempty"`
	Stream  string        `json:"stream,omitempty"`
	Key     lockstep.Key  `json:"key,omitempty"`
	Field   string        `json:"field,omitempty"`
	In      string        `json:"in,omitempty"` // the statement, call or file that failed, without values
	Next    string        `json:"next,omitempty"`
	Unknown bool          `json:"unknown,omitempty"` // the write may have taken effect all the same
}
