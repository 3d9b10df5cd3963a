package lockstep

import "context"

// Use says how a record needs another one that its mapping declares. Uses add up.
type Use uint8

// The uses.
const (
	Built   Use = 1 << iota // it is made from what that record holds: a change there may change it
	Linked                  // it holds that record's key on the target
	Pending                 // it was sent without that key, for there is no link yet
)

// Reference is a record of a flow's source that another record was made with.
type Reference struct {
	Ref
	Use Use
}

// MaxReferences is how many of them one record may have.
const MaxReferences = 10_000

// Refers is all that a record was made with.
type Refers struct {
	Key Key
	To  []Reference
}

// News has the records that refer to a key in one of these ways looked at again.
type News struct {
	Key Key
	For Use
}

// Referrer is a record that refers to another, with what the queue holds for it.
type Referrer struct {
	Reference            // Ref is the record that refers
	Asked     int64      // the entry whose News had it looked at last, 0 for none
	Entry     int64      // its open entry, 0 for none
	State     EntryState // of that entry
	Code      Code       // of that entry's fault
}

// ReferrerQuery asks who refers to a key; a record that refers to itself is left out.
type ReferrerQuery struct {
	Key Key
	For Use
	// Busy, unless 0, asks only for those that the entry with this ID did not ask yet, and those that the queue is to
	// deliver yet: their entry is open and not parked.
	Busy int64
	Max  int
}

// References remember what records were made with, where their mapping declares it (ADR 20261125-references). They are
// saved with Settle and SettlePage, as a whole for each record. A change, a hint or a delete that comes into a flow's
// queue has the records looked at that were made from it (Built); a link that appears, those that were sent without it
// (Pending); Outcome.News and PageEnd.News, those that they name. That is remembered in the same transaction and
// worked off in pages by the leases that follow, so that a record that all others are made from is no giant step.
type References interface {
	// Refers is what a record was made with, in the order of flows and keys.
	Refers(ctx context.Context, flow string, key Key) ([]Reference, error)
	// Referrers finds those who refer to keys of the flow's source, one list for each query.
	Referrers(ctx context.Context, flow string, queries []ReferrerQuery) ([][]Referrer, error)
	// Open are the open entries of keys, in their order and without images; nil where there is none.
	Open(ctx context.Context, flow string, keys []Key) ([]*Entry, error)
}
