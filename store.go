package lockstep

import (
	"context"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// Side is one end of a link. A one-way flow reads side A and writes side B.
type Side uint8

// The two sides.
const (
	A Side = iota
	B
)

// Other is the side across.
func (s Side) Other() Side { return 1 - s }

// Digest is law 7's hash of an image, its version first; empty where nothing is known. See internal/image.
type Digest string

// End is one side of a link.
type End struct {
	Key Key
	// Digest is of the image that the flow which writes this side would have written when both were last level: of
	// what the other side said then, in the words of this one. A one-way flow keeps B's only.
	Digest  Digest
	Version string // of the record then, "" where unknown
}

// Link says which record of A is which record of B, and how they were when last level.
type Link struct {
	ID  int64  // given by the store; never used again
	Set string // the flow, or the pair of flows, that the link belongs to
	A   End
	B   End
	Run int64     // the run that last brought it level, 0 for a delivery outside of one
	At  time.Time // when that was
}

// End is the link's end on side s.
func (l *Link) End(s Side) *End {
	if s == A {
		return &l.A
	}
	return &l.B
}

// Priority orders a flow's queue. Low is late, never starved: an entry's rank is its age plus a handicap by priority.
type Priority int8

// The priorities, and how much longer an entry of each waits than one of High that came at the same moment.
const (
	High Priority = iota - 1
	Normal
	Low
)

// Handicap is how far behind its age an entry of this priority stands.
func (p Priority) Handicap() time.Duration { return time.Duration(p-High) * 5 * time.Minute }

// FlowDef is what a store needs to know of a flow.
type FlowDef struct {
	Name   string
	Feed   string // the feed that fills its queue; "" for none
	Set    string // of its links
	Side   Side   // the side it reads
	Create Priority
	Update Priority
	Delete Priority
}

// Seq is a moment in the life of a store: it grows with every append, lease and settle.
type Seq int64

// Delivery is a queue entry on its way. A store never has two of one flow and key at a time (laws 2 and 3).
type Delivery struct {
	ID         int64 // of the entry
	Flow       string
	Generation int64 // of the entry when it was leased
	Change     Change
	Captured   time.Time // when the oldest state not yet delivered was captured
	Attempts   int       // that counted, before this one
	Tried      bool      // an earlier try may have taken effect: look before writing (law 5)
	TriedAt    time.Time // when that was
	Clash      *Clash    // the last conflict on the entry's story, nil for none
	Prior      []Change  // what such tries were to bring, also of generations that were overtaken: in a pair, else of records without a link
	Operation  *Operation
}

// Operation is what the target has accepted and does later (Confirmer). A record has one at a time.
type Operation struct {
	Receipt string
	At      time.Time // when it was accepted
	Then    []byte    // what it comes to once it is done: the engine's own text
	Holds   []string  // names of what nobody else is to write until it ends (law 3)
}

// MaxPrior is how many of them a store keeps: the newest.
const MaxPrior = 16

// Clash is a conflict of two flows face to face as the timeline keeps it: both sides had changed since they were last
// level, one won, and what the other held in the fields that are written over stays known.
type Clash struct {
	Won Side
	Why string
	// Lost is in the words of the side that lost, Kept what takes its place; empty where the record was gone, or goes.
	Lost, Kept value.Fields
}

// Verdict is how a lease is closed.
type Verdict uint8

// The verdicts.
const (
	Done   Verdict = iota // leaves the queue, unless a newer generation came
	Retry                 // ready again at Outcome.RetryAt
	Wait                  // ready again when the link Outcome.For appears, at the latest at RetryAt
	Park                  // waits for a person; with Outcome.For also for that link
	Accept                // the target has accepted it, as Outcome.Operation; it is asked about at RetryAt
)

// Outcome closes one lease, or ends one operation: that of Delivery.Operation. With Accept the operation stays open.
type Outcome struct {
	Delivery Delivery
	Verdict  Verdict
	RetryAt  time.Time // with Retry, Wait and Accept
	Attempt  bool      // counts as an attempt
	Tried    bool      // the outcome is unknown: of Delivery.Change as it was tried
	For      *Ref      // with Wait, and with Park where a link mends it, too
	Fault    *Fault
	Link     *Link  // to save; its ID is 0 for a new one
	Unlink   *Link  // to forget
	Did      string // what happened: "created", "updated", "deleted", "level", "filtered", …
	Run      int64
	Clash    *Clash      // a conflict that was met, for the story
	Hint     Key         // a record of the target that the flow face to face (same Set, other Side) is to look at; "" for none
	Refs     []Reference // what the record was made with, as a whole; nil leaves what is known; with Accept beside what it was made with before
	News     Use         // have the records looked at that refer to this one in these ways
	Since    Seq         // it was read after this mark, 0 for none, -1 for nobody knows: where one of Refs that is new has changed since, it is looked at again
	Note     string      // a word more for the story

	Operation *Operation // with Accept
}

// Queue carries changes from capture to delivery. Append and Settle are two of the three atomic steps.
type Queue interface {
	// Append puts the changes into the queue of every flow of the feed and moves the feed's checkpoint to next: both
	// or neither. It is refused (CodeMovedCursor) unless the checkpoint is from. A change of a key that is open
	// already takes the entry over: a new generation, ready at once, also where it was parked or backing off. A
	// delete or a hint without an image leaves the image that the entry had: after an unknown outcome it tells where
	// to look (law 5). A change with a Fault is parked. Behind an open operation the new generation waits until that
	// has ended. upTo, unless zero, becomes the feed's "captured up to".
	Append(ctx context.Context, feed string, from Position, changes []Change, next Position, upTo time.Time) error
	// Hint asks the flow to look at these keys; no checkpoint moves. After an error some of them may be asked for: asking
	// again does no harm.
	Hint(ctx context.Context, flow string, keys []Key) error
	// Lease hands out up to max ready deliveries until ttl has passed, by rank. It returns at once.
	Lease(ctx context.Context, flow string, max int, ttl time.Duration) ([]Delivery, error)
	// Keep saves the records of leased deliveries in their entries, each by itself: what is about to be created from a
	// hint is told by nothing else, and has to be found after an unknown outcome (law 5). A newer change that brings a
	// record of its own is left as it is; so is an entry whose lease was given to another. There, and in a pair, it goes
	// to what the entry tells of tries (Prior), and out again where the outcome says that nothing was sent.
	Keep(ctx context.Context, deliveries ...Delivery) error
	// Settle closes leases, saves links and writes the timeline: both or neither. An outcome whose lease has run out
	// and was given to another is ignored. Where the entry has a newer generation, link and timeline are saved and
	// the entry stays, ready. A Wait whose link is there by now is ready at once. An Outcome.Hint is an entry of the
	// flow face to face, as Hint would make it. Accept opens an operation; the entry is not leased until it has ended. An
	// outcome of an operation that is not open any more is ignored, and so is all but its verdict where a lease was
	// accepted while another operation of the record is open: it is retried then, as tried.
	Settle(ctx context.Context, outcomes ...Outcome) error
	// Confirming lists up to max of the flow's open operations that are to be asked about now, the longest due first, and
	// says when the next one is: zero where none is open. The change is the entry's newest, the generation the accepted one.
	Confirming(ctx context.Context, flow string, max int) (due []Delivery, next time.Time, err error)
	// Held says since when an open operation, of whatever flow, holds each name; zero for none.
	Held(ctx context.Context, names []string) ([]time.Time, error)
	// Wait returns when the flow may have something to lease, or with ctx's error.
	Wait(ctx context.Context, flow string) error
}

// Feeds remember how far each feed is captured.
type Feeds interface {
	// Attach tells the store which flows there are. Flows that it knew and that are not named keep what they have, but
	// are not filled. Where one misses something by that (its feed took changes meanwhile, or it reads another feed
	// when it comes back), the store adds an interrupted full run to its runs, so that a full sync is due (law 1).
	Attach(ctx context.Context, flows []FlowDef) error
	// Checkpoint is the feed's position and its "captured up to"; nil and zero before the first.
	Checkpoint(ctx context.Context, feed string) (Position, time.Time, error)
	// Reset sets the checkpoint whatever it was: before the first capture (at nil), and after a full sync that made
	// good for a lost position.
	Reset(ctx context.Context, feed string, to Position, upTo time.Time) error
}

// LinkState is a link together with what the queue holds for its record.
type LinkState struct {
	Link Link // ID 0: there is none
	Open bool // the flow has an entry for this key, in whatever state
	// Version is of the change that this entry holds, "" where it has none.
	Version string
}

// Links remember which record of one side is which of the other.
type Links interface {
	// Links finds the flow's links by the keys of its source, in their order, in one look.
	Links(ctx context.Context, flow string, keys []Key) ([]LinkState, error)
	// LinksTo finds the flow's links by the keys of its target, in their order; ID 0 where there is none.
	LinksTo(ctx context.Context, flow string, keys []Key) ([]Link, error)
	// ScanLinks pages through a flow's links in the order of their source keys, after the key given.
	ScanLinks(ctx context.Context, flow string, after Key, max int) ([]Link, error)
	// CountLinks is how many links the flow has, and the greatest ID given so far.
	CountLinks(ctx context.Context, flow string) (n, maxID int64, err error)
}

// RunKind is what a run does.
type RunKind string

// The kinds of runs.
const (
	FullRun   RunKind = "full"
	DeltaRun  RunKind = "delta"
	VerifyRun RunKind = "verify"
	RepairRun RunKind = "repair"
	PlanRun   RunKind = "plan"
	ApplyRun  RunKind = "apply"
	PilotRun  RunKind = "pilot"
	SchemaRun RunKind = "schema" // notes both sides' fields as a flow is built on them; Place holds them
)

// RunState is where a run stands.
type RunState string

// The states of a run.
const (
	Running     RunState = "running" // also where the process died: a full run is resumed
	Finished    RunState = "finished"
	Stopped     RunState = "stopped"     // asks a person: Fault says what
	Interrupted RunState = "interrupted" // ended in good order before it was done: a full run is resumed
	Failed      RunState = "failed"
)

// Counts are what a run has done so far, in records.
type Counts struct {
	Read, Created, Updated, Deleted, Level, Filtered, Queued, Failed int64
	Accepted                                                         int64 // by the target, to be done later; counted again once done
	Missing, Extra, Different, InFlight                              int64 // verify
}

// Run is one bounded execution, with its counts.
type Run struct {
	ID      int64
	Flow    string
	Kind    RunKind
	State   RunState
	Started time.Time
	Ended   time.Time
	Counts  Counts
	Place   Position // how far a full run has come: the engine's own text
	Fault   *Fault   // only its texts survive the store
	Note    string
}

// RunQuery asks for runs; zero parts are any.
type RunQuery struct {
	Flow string
	Kind RunKind
	ID   int64
	Max  int // 0 is 100
}

// Chunk is a piece of a run's bitmap over link IDs: those that the scan has seen (law 9).
type Chunk struct {
	No   int64
	Bits []byte
}

// PageEnd is what a page of a full run comes to.
type PageEnd struct {
	Run    Run     // counts and place as they are after this page
	Seen   []Chunk // the chunks that changed
	Links  []Link  // brought level; ID 0 for new ones
	Unlink []Link
	Failed []Outcome // records that become queue entries: Delivery.Change and the verdict count
	Queue  []Change  // changes that go by the queue: deletes, mostly
	Ahead  bool      // the page behind was begun already: what was begun last stays in flight
	Refs   []Refers  // what records were made with
	Since  Seq       // they were read after this mark, 0 for none: what has changed since is looked at again
	News   []News
}

// PageWrite is a record that a page of a full run wants to write.
type PageWrite struct {
	Change Change
	Target Key    // "" where the target chooses it
	Digest Digest // of what is written, where InFlight is to tell it
}

// InFlight is a record that a full run began to write and did not settle.
type InFlight struct {
	Key, Target Key
	Image       value.Fields // of the source, where Target is not known: it tells where to look
	Digest      Digest
}

// Runs remember every run, and carry a full run's pages: the third atomic step.
type Runs interface {
	StartRun(ctx context.Context, r Run) (Run, error) // gives it an ID
	SaveRun(ctx context.Context, r Run) error
	// Runs lists the newest first.
	Runs(ctx context.Context, q RunQuery) ([]Run, error)
	// DeleteRuns forgets ended runs older than before, with what is left of their pages. Those of SchemaRun stay.
	DeleteRuns(ctx context.Context, before time.Time) error
}

// Pages carry a full run: begin a page before its records are written, settle it afterwards.
type Pages interface {
	// Mark is the moment before a page is read.
	Mark(ctx context.Context) (Seq, error)
	// BeginPage is called under the locks of the page's target records. Of the records that the page wants to write,
	// it says which to send. One whose key was appended, leased or settled since the mark becomes a hint in the
	// queue instead; one with an older entry gives that entry its image as a new generation. The keys to send are
	// saved as in flight, with their target keys, so that a resumed run knows what it may have written (law 5).
	BeginPage(ctx context.Context, run int64, flow string, since Seq, writes []PageWrite) (send []bool, err error)
	// SettlePage saves links, entries, bitmap and place, and clears what was in flight: all or nothing. Pages are begun
	// and settled in their order; one may be begun before the page before it is settled (PageEnd.Ahead).
	SettlePage(ctx context.Context, flow string, end PageEnd) error
	// Resume is what an unfinished run left: the records in flight and its bitmap.
	Resume(ctx context.Context, run int64) (inFlight []InFlight, seen []Chunk, err error)
}

// EntryState is where an open entry stands.
type EntryState string

// The states of an entry.
const (
	Ready      EntryState = "ready"
	Delayed    EntryState = "delayed" // backing off until NotBefore
	Waits      EntryState = "waiting" // for the link For
	Leased     EntryState = "leased"
	Parked     EntryState = "parked"
	Confirming EntryState = "confirming" // the target has accepted it and is not done: Delivery.Operation
)

// Entry is an open queue entry as people look at it.
type Entry struct {
	Delivery
	State     EntryState
	Priority  Priority
	NotBefore time.Time
	For       *Ref
	Fault     *Fault
	Coalesced int64 // how many changes it stands for beyond the first
	Changed   time.Time
}

// Event is one line of a record's story.
type Event struct {
	At    time.Time
	Flow  string
	Key   Key
	Other Key    // its key on the target, where it differs
	Did   string // "captured", "coalesced", "sent", "created", "retry", "parked", …
	Fault *Fault
	Run   int64
	Note  string
	Clash *Clash
}

// FlowStatus is a flow at a glance.
type FlowStatus struct {
	Ready, Delayed, Waiting, Leased, Parked int64
	Confirming                              int64
	Accepted                                time.Time // when the target accepted the oldest of these
	Links                                   int64
	Oldest                                  time.Time // captured time of the oldest open entry that is not parked; zero for none
	CapturedUpTo                            time.Time
	LastSettled                             time.Time
	Spreading                               int64 // records, of all flows, whose news have not reached all that refer to them
}

// Desk is where people look and decide.
type Desk interface {
	// Entries lists a flow's open entries in one state ("" is any), oldest first, behind the entry ID after.
	Entries(ctx context.Context, flow string, state EntryState, after int64, max int) ([]Entry, error)
	// Requeue makes parked or delayed entries ready; Discard closes them for good, with a reason on the timeline. Both give
	// up on an operation that is open: what becomes of it is not known then (law 5).
	Requeue(ctx context.Context, ids ...int64) (int, error)
	Discard(ctx context.Context, reason string, ids ...int64) (int, error)
	Status(ctx context.Context, flow string) (FlowStatus, error)
	// Story is all that is known of a source key, oldest first: settled entries from the timeline (Prune drops
	// days older than a moment), the open entry's steps, and its link.
	Story(ctx context.Context, flow string, key Key) ([]Event, *Entry, *Link, error)
}

// Store is all that lockstep remembers. connector/../storetest holds its contract.
type Store interface {
	Queue
	Feeds
	Links
	Runs
	Pages
	References
	Desk
	// Prune drops the timeline's days that ended before the moment.
	Prune(ctx context.Context, before time.Time) error
	Close() error
}
