package lockstep

import (
	"context"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// Connector is one kind of system that lockstep can speak to. A connector classifies errors (Fault) and decides
// nothing: it never retries, sleeps or logs a failure.
type Connector interface {
	Spec() Spec
	// Open makes a System from checked settings. It need not connect yet: Streams is the connection check.
	Open(ctx context.Context, s Settings) (System, error)
}

// System is an open system. What else it can do is told by the interfaces it implements: Source, Target, or both.
type System interface {
	// Streams lists what can be read and written, with types and keys. It is the connection check, too.
	Streams(ctx context.Context) ([]Stream, error)
	Close() error
}

// Field is a field of a stream.
type Field struct {
	Name     string
	Type     value.Type
	Nullable bool
	Default  bool // the system fills it in where a create leaves it out
	ReadOnly bool // it cannot be written: the system computes it, or Why
	Why      string
	// Inherits is the field whose value this one has while it has none of its own, such as a shop's default text: null
	// and that value are equal (law 7), and a record that is read may say either.
	Inherits string
	// WriteOnly says that it goes in and never comes back, such as where to take bytes from: it is no part of equality.
	WriteOnly bool
}

// Stream describes a collection of like records. What a system can optionally do is data here.
type Stream struct {
	Name         string
	Fields       []Field
	Key          []string      // the fields that make the key, in order
	SeesDeletes  bool          // Changes reports deletes
	ServerKeys   bool          // the system chooses the key of a created record
	FoldKeys     bool          // keys differ by more than letter case only
	ReadOnly     bool          // cannot be a target
	MaxBatch     int           // most writes in one Apply; 0 is any number
	Grace        time.Duration // how long a write with an unknown outcome may still take effect (law 5)
	About        int64         // about how many records there are, for progress; -1 is unknown
	DependsOn    []string      // streams that this one refers to (foreign keys)
	TrackFields  []string      // fields that look like a "last modified" time, best first: what init proposes
	CaseFoldText bool          // texts are compared without regard to letter case: match by Find folds, too
	Bulk         bool          // Write.Transfer says how writes go over
	Pulled       bool          // the system takes its writes itself: nothing is applied to it, and nothing is looked up in it
}

// Field is the field of that name, or nil.
func (s *Stream) Field(name string) *Field {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i]
		}
	}
	return nil
}

// Tracker is a way to find changes.
type Tracker string

// The trackers (docs/concepts.md). Snapshot, and Version per record, need nothing of a connector but a Scan: the
// engine compares what it reads with the links.
const (
	Timestamp Tracker = "timestamp" // rows with a later "last modified" time
	Version   Tracker = "version"   // rows with a higher number
	Flag      Tracker = "flag"      // rows that are marked as changed; Ack takes the mark away
	Trigger   Tracker = "trigger"   // a change table that triggers fill; Ack empties it
	Log       Tracker = "log"       // the database's own log; Ack lets go of it
	Snapshot  Tracker = "snapshot"  // a full read
	Push      Tracker = "push"      // the source sends its records itself; it cannot be read
)

// Track says how the changes of a stream are found.
type Track struct {
	By    Tracker
	Field string // Timestamp: the "last modified" field; Version: the number; Flag: the mark
	// PerRecord says that Version counts each record's own changes: then only a comparison of all versions tells.
	PerRecord bool
	// Name tells apart several that track one stream by Trigger or Log, each with a change table or a slot of its
	// own; "" is "lockstep".
	Name string
	// Deleted is a field that is true, or not null, on records that count as gone (soft delete); "" for none.
	Deleted string
	// Overlap is how far behind its position a timestamp tracker reads again: against clocks that step, and
	// applications that set the time before they commit. Negative asks for the connector's default.
	Overlap time.Duration
}

// Read says what to read of a stream.
type Read struct {
	Stream string
	// Fields are the fields wanted, in order. Nil asks for the light read: key and version only.
	Fields []string
	Track  Track
}

// Fetcher reads records by key.
type Fetcher interface {
	// Fetch reads the records of keys, in any order. A key that is not there is left out; a record that is there
	// and cannot be read is an error. Soft-deleted records (Read.Track.Deleted) are left out.
	Fetch(ctx context.Context, r Read, keys []Key) ([]Record, error)
}

// Scanner reads a stream whole.
type Scanner interface {
	Fetcher
	// Scan reads the page after from; nil begins. Every record that is there during the whole scan comes at least
	// once, whatever is written meanwhile. Page.Next is a place to go on from, in this process or another.
	Scan(ctx context.Context, r Read, from Position, l Limit) (Page, error)
}

// Source is a system whose changes can be captured.
type Source interface {
	Scanner
	// Changes reads what changed after from, by r.Track. From nil it reads nothing and only says where now is. The
	// same position gives the same page, or more, until it is acknowledged. A position that is gone, or lies ahead
	// of the source's clock, is a Fault of kind Lost.
	Changes(ctx context.Context, r Read, from Position, l Limit) (Page, error)
}

// Target is a system that changes can be delivered to.
type Target interface {
	Fetcher
	// Find reads the records whose fields named in by equal each of the given value tuples: one list for each tuple.
	Find(ctx context.Context, r Read, by []string, values [][]value.Value) ([][]Record, error)
	// Apply makes the writes and answers each, in order. A write applied twice leaves what it left once. An error of
	// Apply itself says that nothing was written; if that is not certain, it is a Fault with Unknown set.
	Apply(ctx context.Context, stream string, writes []Write) ([]Result, error)
}

// Write is one record to be written.
type Write struct {
	ID  string // equal on every try of one delivery
	Op  Op
	Key Key // which record; "" lets the target choose it (Stream.ServerKeys)
	// Fields are the fields to set; others stay as they are. Key fields in it that differ from Key move the record
	// to its new key (or, where there is no record at Key, make it there).
	Fields value.Fields
	// IfVersion refuses with kind Conflict unless the record is at this version; "" is any.
	IfVersion string
	Transfer  Transfer // where Stream.Bulk
}

// Transfer is how a write goes over, where a target knows more than one way.
type Transfer string

// The ways of a write.
const (
	AutoTransfer   Transfer = ""       // as the connector sees fit
	SingleTransfer Transfer = "single" // by itself, and answered once it is done
	BulkTransfer   Transfer = "bulk"   // with others, done later (Confirmer)
)

// Result answers one Write.
type Result struct {
	Key     Key    // the target's key
	Version string // its version afterwards, "" where unknown
	Receipt string // set where the target accepted the write and does it later (Confirmer)
	Note    string // what people should know of it all the same: a value that was left out
	Err     error  // a Fault: this write alone failed
}

// The rest is optional; no more without an ADR.

// Acker is a Source that keeps its log, or its flags, until told that they may go (law 1).
type Acker interface {
	Ack(ctx context.Context, r Read, upTo Position) error
}

// Waiter is a Source that can tell when there may be something new. Where it cannot for this Read it answers with a
// Fault of CodeCannot at once, and is polled.
type Waiter interface {
	Wait(ctx context.Context, r Read, from Position) error
}

// Confirmer is a Target that accepts now and is done later.
type Confirmer interface {
	// Confirm asks what became of operations and answers each, in order. The same receipt and no Err: not done yet;
	// another receipt takes its place. None: done, with Key and Version as of a write, or it has failed with Err: of kind
	// Conflict where more is to be sent, or nobody can believe its end, and with Unknown where it may take effect yet.
	// A receipt with an Err could not be asked about, and stays open. So do all after an error of Confirm itself. When an
	// operation takes too long is the connector's to say.
	Confirm(ctx context.Context, stream string, receipts []string) ([]Result, error)
}

// Installer makes, and takes away, what a tracker needs inside the source: triggers, change tables, slots. The script
// is what it does, or with dry would do; "" where there is nothing to do, so that both are safe to repeat, and a dry
// run of both tells whether all is there, or none.
type Installer interface {
	Install(ctx context.Context, r Read, dry bool) (script string, err error)
	Remove(ctx context.Context, r Read, dry bool) (script string, err error)
}

// Creator makes a target stream on request. dry only returns the script.
type Creator interface {
	Create(ctx context.Context, s Stream, dry bool) (script string, err error)
}

// Examiner says what doctor should know: rights, clocks, and what a tracker cannot see (ADR 20261123-examiner).
type Examiner interface {
	Examine(ctx context.Context, r Read) ([]Finding, error)
}

// Hinter is a Source that understands what its system says of itself: the body of a webhook (ADR 20261124-hinter).
type Hinter interface {
	// Hints are the keys of r's stream that a notice tells to look at, also those that it touches without naming
	// them (the records below a folder that moved). A notice about other streams has none. One that cannot be
	// understood is a Fault of CodeNotice; any other Fault says that it must be sent again later. Keys that come with
	// it are looked at all the same: those that the notice names, where the rest could not be asked for.
	Hints(ctx context.Context, r Read, notice []byte) ([]Key, error)
}

// Finding is one remark of an examination.
type Finding struct {
	Level string // "ok", "note", "warning" or "error"
	What  string
	Next  string // what to do, "" where nothing
}
