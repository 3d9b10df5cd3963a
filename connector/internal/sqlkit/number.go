package sqlkit

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// A version tracker reads rows by a number that counts the changes of the whole table: each write gives its rows a number
// above all that were given before, as a sequence does. What makes it hard is that a number is drawn before it is
// committed: a row with a lower number can come to light after one with a higher.
//
// Each poll reads, in this order: the highest number V that is to be seen; the open transactions; then the rows. A
// transaction that is seen open for the first time at poll k began after the list of poll k-1 was taken, so it drew its
// numbers after V of poll k-1 was read, and all of them lie above that V. When it has ended, the next poll reads from
// there. A transaction that began after the list of poll k, and ended before that of poll k+1, was never seen: its
// numbers lie above V of poll k, where poll k+1 begins anyway. One that ended between V and the list of poll k either was
// in the list before, or drew above V of poll k-1; the rows of poll k are read after the list, and from there at the
// latest. So none is missed, and a long transaction holds up nobody.
//
// Of the transactions that are open when the first position is taken, nothing is known: what they commit may have any
// number. The sweep after the end of one of them reads all rows; where rows tell which transaction wrote them, only
// those that were not committed when the position was taken.
//
// Where the open transactions cannot be seen, the highest numbers of the polls of the last BlindOverlap are kept, and
// each poll reads from the oldest: a transaction that is open for longer may be missed.
//
// Gaps and numbers that are rolled back do no harm. A number must not be given twice: where the highest row is deleted
// and "max + 1" gives its number again before the next poll, that row is not seen.

// NoNumber is below all numbers: the highest one of an empty table.
const NoNumber = math.MinInt64

// Numbers say up to where the changes of a stream are read.
type Numbers struct {
	Last  int64        `json:"last"`  // the highest number that was to be seen
	Clock time.Time    `json:"clock"` // the database's, at that time
	Open  []OpenNumber `json:"open,omitempty"`
	Blind bool         `json:"blind,omitempty"`
	// Seen are the highest numbers of earlier polls, oldest first, where that counts.
	Seen []NumberSeen `json:"seen,omitempty"`
	// Start is the oldest transaction that was open when the first position was taken, in the database's words.
	Start string `json:"start,omitempty"`
	// Counter is what the database says that it has given out, where it can be asked.
	Counter *int64 `json:"counter,omitempty"`
	// Top are the rows with the highest numbers: they tell a counter that was set back from a row that was deleted.
	Top []TopRow `json:"top,omitempty"`
}

// OpenNumber is an open transaction.
type OpenNumber struct {
	ID    string `json:"id"`
	Above int64  `json:"above"` // its numbers are above this one; NoNumber: it was open from the start
	Late  bool   `json:"-"`     // it may have begun before it was first seen
}

// NumberSeen is the highest number at a time.
type NumberSeen struct {
	At   time.Time `json:"at"`
	Last int64     `json:"last"`
}

// TopRow is a row with its number.
type TopRow struct {
	Number int64    `json:"n"`
	Key    []string `json:"key"`
}

// TopRows is how many rows are remembered.
const TopRows = 8

// Counted is the position of a version tracker.
type Counted struct {
	By lockstep.Tracker `json:"by"`
	Numbers
	Sweep *NumberSweep `json:"sweep,omitempty"`
}

// NumberSweep is the place in a sweep.
type NumberSweep struct {
	Above int64    `json:"above"`           // the rows with a higher number are read
	Since string   `json:"since,omitempty"` // and those that this transaction or a later one wrote
	After []string `json:"after,omitempty"` // number and key of the last row read
	Next  Numbers  `json:"next"`
}

// Position is c as text.
func (c Counted) Position() lockstep.Position {
	c.By = lockstep.Version
	return encode(c)
}

// ReadCounted reads the position of a version tracker; n is how many key fields there are.
func ReadCounted(from lockstep.Position, n int) (Counted, error) {
	var c Counted
	err := json.Unmarshal(from, &c)
	if err != nil || c.By != lockstep.Version || (c.Sweep != nil && len(c.Sweep.After) != 0 && len(c.Sweep.After) != n+1) {
		return c, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a version tracker of this stream")
	}
	return c, nil
}

// Begin says from where a sweep reads, after n; now is what was read just before it, in order. It is completed.
func (n *Numbers) Begin(now *Numbers, overlap time.Duration) *NumberSweep {
	above, whole := n.Last, false
	for _, o := range n.Open {
		if !slices.ContainsFunc(now.Open, func(still OpenNumber) bool { return still.ID == o.ID }) {
			above = min(above, o.Above)
		}
	}
	for i := range now.Open {
		o := &now.Open[i]
		if o.Above = n.Last; o.Late {
			o.Above = above
		}
		if j := slices.IndexFunc(n.Open, func(before OpenNumber) bool { return before.ID == o.ID }); j >= 0 {
			o.Above = n.Open[j].Above
		}
		if o.Above == NoNumber {
			now.Start = n.Start
		}
	}
	if n.Blind || now.Blind {
		overlap = max(overlap, BlindOverlap)
		now.Seen = n.seen(now.Clock, overlap)
		above = min(above, now.Seen[0].Last)
		if now.Clock.Sub(now.Seen[0].At) < overlap && n.Start != "" { // it goes back to the first position only
			now.Start, whole = n.Start, true
		}
	}
	sweep := &NumberSweep{Above: above, Next: *now}
	if n.Start != "" && n.Last != NoNumber && (whole || above == NoNumber) {
		sweep.Since = n.Start
		if above == NoNumber {
			sweep.Above = n.Last
		}
	}
	return sweep
}

// seen are the numbers seen, with that of n itself, which are not older than the overlap, and one that is.
func (n *Numbers) seen(now time.Time, overlap time.Duration) []NumberSeen {
	all := n.Seen
	if len(all) == 0 || n.Clock.Sub(all[len(all)-1].At) >= overlap/20 { // not each, where polls are frequent
		all = append(slices.Clone(all), NumberSeen{n.Clock, n.Last})
	}
	for len(all) > 1 && now.Sub(all[1].At) >= overlap {
		all = all[1:]
	}
	return all
}

// SetBack holds what is known of the highest rows against what they are now: numbers by key, as the position writes
// keys. The highest number may fall because rows were deleted. That a row has a lower number than before, or that all
// of the highest rows are gone, shows that the counter was set back, or the table restored; and so does the counter
// itself, if it was not behind before.
func (n *Numbers) SetBack(now *Numbers, found map[string]int64) error {
	if n.Counter != nil && now.Counter != nil && *n.Counter >= n.Last && *now.Counter < n.Last {
		return behind(n.Last)
	}
	if now.Last >= n.Last || len(n.Top) == 0 {
		return nil
	}
	gone := 0
	for _, t := range n.Top {
		number, there := found[TopKey(t.Key)]
		switch {
		case !there:
			gone++
		case number < t.Number:
			return behind(n.Last)
		}
	}
	if gone == TopRows {
		return behind(n.Last)
	}
	return nil
}

func behind(last int64) error {
	return lockstep.Faultf(lockstep.CodePosition, "the counter stands behind the position, at which it was %d: it was set back, or the database was restored from a backup", last)
}

// TopKey is a key as SetBack looks it up.
func TopKey(parts []string) string { return string(lockstep.MakeKey(parts...)) }
