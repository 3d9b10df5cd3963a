package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// What people and programs are told of flows, runs and records: the HTTP API's answers, and what `--json` prints.

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
	Accepted  int64 `json:"accepted" doc:"By the target, to be done later; counted again once done"`
	Missing   int64 `json:"missing" doc:"By verify: in the source only"`
	Extra     int64 `json:"extra" doc:"By verify: in the target only"`
	Different int64 `json:"different" doc:"By verify: not the same on both sides"`
	InFlight  int64 `json:"in_flight" doc:"By verify: different, but on its way"`
}

// Progress is where a run under way stands. It comes at most a few times a second and flow.
type Progress struct {
	Flow   string `json:"flow"`
	Kind   string `json:"kind" doc:"Of the run: 'full', 'delta', 'verify', …"`
	Phase  string `json:"phase" doc:"'scan', 'deletes', 'deliver', 'source', 'target', 'compare'"`
	Counts Counts `json:"counts"`
	Total  int64  `json:"total" doc:"About how many records there are to read (with 'deliver': entries left); -1 is unknown"`
}

// Run is one bounded execution.
type Run struct {
	ID      int64      `json:"id"`
	Flow    string     `json:"flow"`
	Kind    string     `json:"kind"`
	State   string     `json:"state" doc:"'running', 'finished', 'stopped', 'interrupted', 'failed'"`
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended,omitempty"`
	Counts  Counts     `json:"counts"`
	Fault   *Fault     `json:"fault,omitempty"`
	Note    string     `json:"note,omitempty"`
	Sweep   bool       `json:"sweep,omitempty" doc:"With kind 'full': keys and versions were compared only"`
	// Progress is told over HTTP only.
	Progress *Progress `json:"progress,omitempty" doc:"Where a run that was started over HTTP stands, while it is under way"`
}

// Status is a flow at a glance.
type Status struct {
	Flow         string         `json:"flow"`
	From         string         `json:"from" doc:"'system/stream'"`
	To           string         `json:"to" doc:"'system/stream'"`
	Pair         string         `json:"pair,omitempty"`
	Face         string         `json:"face,omitempty" doc:"The flow face to face with it"`
	State        string         `json:"state" doc:"'running' (a daemon carries it), 'idle' (no daemon), 'stopped' (waits for a person)"`
	Fault        *Fault         `json:"fault,omitempty"`
	Ready        int64          `json:"ready"`
	Delayed      int64          `json:"delayed"`
	Waiting      int64          `json:"waiting"`
	Leased       int64          `json:"leased"`
	Parked       int64          `json:"parked"`
	Confirming   int64          `json:"confirming" doc:"The target has accepted them and is not done"`
	Accepted     *time.Time     `json:"accepted,omitempty" doc:"When the target accepted the oldest of these"`
	MostOpen     int64          `json:"most_open,omitempty" doc:"So many of these are open that no more are sent for now: at most so many"`
	Links        int64          `json:"links"`
	Spreading    int64          `json:"spreading,omitempty" doc:"Records, of all flows, whose news have not reached all that are made with them"`
	CapturedUpTo *time.Time     `json:"captured_up_to,omitempty" doc:"What is in the queue"`
	LevelUpTo    *time.Time     `json:"level_up_to,omitempty" doc:"What the target has acknowledged; absent while news are spread to records of this flow"`
	Oldest       *time.Time     `json:"oldest,omitempty" doc:"Captured time of the oldest open entry"`
	LastSettled  *time.Time     `json:"last_settled,omitempty"`
	API          string         `json:"api,omitempty" doc:"Where the HTTP API answers, while it does"`
	LastFull     *Run           `json:"last_full,omitempty"`
	LastVerify   *Run           `json:"last_verify,omitempty"`
	NextFull     *time.Time     `json:"next_full,omitempty"`
	LastSweep    *Run           `json:"last_sweep,omitempty" doc:"Where it is newer than the last full sync"`
	NextSweep    *time.Time     `json:"next_sweep,omitempty"`
	Missing      string         `json:"missing,omitempty" doc:"What the flow of a source that pushes has not seen, and how it comes"`
	Pushed       bool           `json:"pushed,omitempty" doc:"The source pushes: it cannot be read"`
	Pulled       bool           `json:"pulled,omitempty" doc:"The target pulls: what is ready goes out when it asks"`
	FullDue      string         `json:"full_due,omitempty" doc:"Why a full sync is due before its time"`
	Schema       []SchemaChange `json:"schema,omitempty" nullable:"false" doc:"How both sides are not as they were when the flow's schema was accepted, as far as the systems were asked."`
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
	Op         string          `json:"op" doc:"'upsert', 'delete'"`
	State      string          `json:"state" doc:"'ready', 'delayed', 'waiting', 'leased', 'parked', 'confirming'"`
	Priority   string          `json:"priority"`
	Generation int64           `json:"generation"`
	Coalesced  int64           `json:"coalesced,omitempty" doc:"How many changes it stands for beyond the first"`
	Attempts   int             `json:"attempts"`
	Captured   time.Time       `json:"captured"`
	Changed    *time.Time      `json:"changed,omitempty"`
	NotBefore  *time.Time      `json:"not_before,omitempty"`
	For        *Ref            `json:"for,omitempty" doc:"What it waits for"`
	Tried      bool            `json:"tried,omitempty" doc:"An earlier try may have taken effect"`
	Receipt    string          `json:"receipt,omitempty" doc:"Of what the target has accepted and is not done with"`
	Accepted   *time.Time      `json:"accepted,omitempty" doc:"When that was"`
	Fields     json.RawMessage `json:"fields,omitempty" doc:"The source's record; only with parked and IDs or Keys, and in a story"`
	Fault      *Fault          `json:"fault,omitempty"`
}

// Story is all that is known of one record of a flow.
type Story struct {
	Flow      string       `json:"flow"`
	Key       lockstep.Key `json:"key" doc:"In the source"`
	TargetKey lockstep.Key `json:"target,omitempty" doc:"In the target, where it is known"`
	Asked     string       `json:"asked" doc:"Which side's key was asked for: 'source', 'target'"`
	Why       string       `json:"why" doc:"One sentence: where it stands, or why it is not there yet"`
	Next      string       `json:"next,omitempty" doc:"What to do, where something is to be done"`
	Link      *Link        `json:"link,omitempty"`
	Entry     *Entry       `json:"entry,omitempty"`
	Waits     *WaitsFor    `json:"waits_for,omitempty"`
	Refers    []Refers     `json:"refers,omitempty" doc:"The records that it was made with, where its mapping declares them; the first hundred"`
	Referrers []Refers     `json:"referrers,omitempty" doc:"The records that were made with it; the first twenty"`
	Steps     []Step       `json:"steps" nullable:"false" doc:"Oldest first"`
	Runs      []Run        `json:"runs" nullable:"false" doc:"Those that touched it"`
}

// Refers names a record that another one was made with, and how.
type Refers struct {
	Ref
	Built   bool `json:"built,omitempty" doc:"It is made from what that record holds"`
	Linked  bool `json:"linked,omitempty" doc:"It holds that record's key on the target"`
	Pending bool `json:"pending,omitempty" doc:"It was sent without that key, and is sent again once it is there"`
}

// Link says which record of the source is which of the target, and since when they are level.
type Link struct {
	ID    int64        `json:"id"`
	Key   lockstep.Key `json:"key"`
	To    lockstep.Key `json:"target"`
	At    *time.Time   `json:"at,omitempty" doc:"When it was last level"`
	Run   int64        `json:"run,omitempty" doc:"The run that brought it level"`
	State string       `json:"state" doc:"'level', 'unsent' (linked, but not known to be level), 'gone' (from the source, and kept in the target) or 'outside' (of a pair: the flow's filter leaves it out)."`
}

// WaitsFor names both ends of what an entry waits for.
type WaitsFor struct {
	Ref
	From  string `json:"from" doc:"'system/stream' of the flow that will bring it"`
	To    string `json:"to" doc:"'system/stream' in which it will be"`
	State string `json:"state,omitempty" doc:"Of its own entry; absent where it has none"`
	Fault *Fault `json:"fault,omitempty" doc:"Of its own entry"`
}

// Step is one line of a record's story.
type Step struct {
	At       time.Time    `json:"at"`
	Did      string       `json:"did" doc:"'captured', 'coalesced', 'sent', 'created', 'retry', 'parked', …"`
	Other    lockstep.Key `json:"target,omitempty"`
	Run      int64        `json:"run,omitempty"`
	Note     string       `json:"note,omitempty"`
	Fault    *Fault       `json:"fault,omitempty"`
	Conflict *Conflict    `json:"conflict,omitempty" doc:"Set where both sides of a pair had changed the record"`
}

// Conflict says which side of a pair won, and what the other held in the fields that were written over.
type Conflict struct {
	Won    string     `json:"won" doc:"'a' or 'b'"`
	System string     `json:"system"`
	Why    string     `json:"why"`
	Fields []LostDiff `json:"fields" nullable:"false"`
}

// LostDiff is a field that was written over. The values are plain JSON; null where the record was, or is, gone.
type LostDiff struct {
	Field string          `json:"field"`
	Lost  json.RawMessage `json:"lost"`
	Kept  json.RawMessage `json:"kept"`
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
	In      string        `json:"in,omitempty" doc:"The statement, call or file that failed, without values"`
	Next    string        `json:"next,omitempty"`
	Unknown bool          `json:"unknown,omitempty" doc:"The write may have taken effect all the same"`
}

// SchemaChange is one way in which a side of a flow is not as it was when the flow's schema was accepted.
type SchemaChange struct {
	Side  string `json:"side" doc:"'source', 'target'"`
	What  string `json:"what" doc:"'added', 'dropped', 'retyped', 'key' (another key), 'gone' (the whole stream)"`
	Field string `json:"field,omitempty"`
	Was   string `json:"was,omitempty"`
	Is    string `json:"is,omitempty"`
}

func (c SchemaChange) String() string {
	switch c.What {
	case "added":
		return fmt.Sprintf("%s: %s (%s) was added", c.Side, c.Field, c.Is)
	case "dropped":
		return fmt.Sprintf("%s: %s (%s) was dropped", c.Side, c.Field, c.Was)
	case "retyped":
		return fmt.Sprintf("%s: %s is %s now, it was %s", c.Side, c.Field, c.Is, c.Was)
	case "key":
		return fmt.Sprintf("%s: the key is (%s) now, it was (%s)", c.Side, c.Is, c.Was)
	}
	return c.Side + ": the stream is gone"
}
