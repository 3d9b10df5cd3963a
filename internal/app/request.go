// Package app builds the house from a configuration: it is the only room that knows every part. Commands ask for work
// through one entry, Runner.Do, which the house answers itself or, where a daemon owns the store, over its local socket.
package app

import (
	"context"

	"github.com/lockstep-sync/lockstep"
)

// Do says what a Request asks for.
type Do string

// All that can be asked for. "connects" marks those that need the systems; the others look into the store alone, so
// they answer also while a system is away.
const (
	DoStatus  Do = "status"  // one status event for each flow
	DoSync    Do = "sync"    // connects; progress, then one run event for each flow
	DoPlan    Do = "plan"    // connects; plan_item events, then one run event for each flow
	DoApply   Do = "apply"   // connects; progress, then one run event for each flow of the plan
	DoVerify  Do = "verify"  // connects; drift events, then one run event for each flow
	DoExplain Do = "explain" // one story event
	DoQueue   Do = "queue"   // entry events
	DoParked  Do = "parked"  // entry events of parked entries
	DoRetry   Do = "retry"   // parked or delayed entries are made ready; one text event
	DoDiscard Do = "discard" // entries are closed for good; one text event
	DoRuns    Do = "runs"    // run events, newest first
	DoResume  Do = "resume"  // flows that stopped for a person start again; one text event
	DoDoctor  Do = "doctor"  // connects; finding events
	DoTrack   Do = "track"   // connects; track events
	DoStop    Do = "stop"    // the daemon ends in good order
)

// Changes tells whether the request may change a system or the store; the others only look.
func (r Request) Changes() bool {
	switch r.Do {
	case DoStatus, DoPlan, DoExplain, DoQueue, DoParked, DoRuns, DoDoctor:
		return false
	case DoVerify:
		return r.Repair
	case DoTrack:
		return r.Track != TrackStatus && !r.Dry
	}
	return true
}

// Request asks the house for one thing. It is plain JSON. Parts that Do does not name are not looked at.
type Request struct {
	Do Do `json:"do"`
	// Flows are the flows it is about; none is all of them. Explain needs exactly one.
	Flows []string `json:"flows,omitempty"`

	// Keys are of the source. Sync and plan: only these records (a pilot, which moves no checkpoint). Explain: the
	// one key, of either side. Queue, parked, retry, discard: only the entries of these keys.
	Keys []lockstep.Key `json:"keys,omitempty"`
	// Sample is how many records a pilot or a plan takes, from the beginning of the stream; 0 is all.
	Sample int `json:"sample,omitempty"`

	Full         bool `json:"full,omitempty"`          // sync: everything, even where a delta would do
	Sweep        bool `json:"sweep,omitempty"`         // sync: compare keys and versions with the links, of flows that have sweeps
	AllowDeletes bool `json:"allow_deletes,omitempty"` // sync: past the brake; makes it a full one
	Deep         bool `json:"deep,omitempty"`          // sync: read the target, too; makes it a full one
	Fresh        bool `json:"fresh,omitempty"`         // sync: do not resume an unfinished full run; makes it a full one
	Repair       bool `json:"repair,omitempty"`        // verify: have what differs delivered again

	Track string `json:"track,omitempty"` // track: "install", "remove" or "status"
	Dry   bool   `json:"dry,omitempty"`   // track: only say what would be done

	// PlanFile is an absolute path. Plan writes the plan there, if it is given; apply reads it.
	PlanFile string `json:"plan_file,omitempty"`

	IDs    []int64 `json:"ids,omitempty"`    // retry, discard, parked: only these entries
	All    bool    `json:"all,omitempty"`    // retry, discard: all parked entries of the flows; without it, IDs or Keys are needed
	Reason string  `json:"reason,omitempty"` // discard: kept on the timeline
	State  string  `json:"state,omitempty"`  // queue: "" is any; ready, delayed, waiting, leased, parked
	Kind   string  `json:"kind,omitempty"`   // runs: "" is any; full, delta, verify, repair, plan, apply, pilot
	Run    int64   `json:"run,omitempty"`    // runs: this one only
	After  int64   `json:"after,omitempty"`  // queue, parked: entries behind this ID, for paging
	Max    int     `json:"max,omitempty"`    // queue, parked, runs: most of each flow; 0 is 100
}

// Runner does requests: the house itself, or the daemon that owns its store.
type Runner interface {
	// Do answers with events, in order, from one goroutine at a time; it returns when the request is done. An error
	// of emit ends it. The error is a *lockstep.Fault (or joins some); faults that are events of a request are
	// not its error. What ctx cuts short ends in good order: a full sync is resumed by the next one.
	Do(ctx context.Context, req Request, emit func(Event) error) error
	Close() error
}
