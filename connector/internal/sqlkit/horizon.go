package sqlkit

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// The overlaps of the timestamp tracker: what it reads again behind its position.
const (
	// Overlap is the default. A transaction takes its time a moment before anybody can see that it is open, and
	// clocks are corrected in small steps.
	Overlap = time.Second
	// BlindOverlap is the least where open transactions cannot be seen: one that is open for longer is missed, until
	// the next full sync.
	BlindOverlap = 120 * time.Second
)

// Horizon says up to where the changes of a stream are read (law 8). Whatever was stamped before Clock is read, but
// for what the transactions of Open stamped: they were open at Clock, and commit their older times later.
type Horizon struct {
	Clock time.Time `json:"clock"`          // the database's, taken before Open was
	Open  []Open    `json:"open,omitempty"` // all transactions that may still write
	Blind bool      `json:"blind,omitempty"`
	// Boot and Since are our own clock, which is never set: the process, and how long it had been running. With them,
	// a clock of the database that was set back shows even if it has overtaken the position since.
	Boot  string        `json:"boot,omitempty"`
	Since time.Duration `json:"since,omitempty"` // nanoseconds
}

var (
	started = time.Now()
	boot    = rand.Text()[:8]
)

// NewHorizon is a horizon at a clock just read.
func NewHorizon(clock time.Time) Horizon {
	return Horizon{Clock: clock, Boot: boot, Since: time.Since(started)}
}

// setBack is how far the database's clock was set back between h and now, as far as we can tell.
func (h Horizon) setBack(now *Horizon) time.Duration {
	if h.Boot == "" || h.Boot != now.Boot {
		return 0
	}
	return max(0, now.Since-h.Since-now.Clock.Sub(h.Clock))
}

// Open is an open transaction.
type Open struct {
	ID    string    `json:"id"`    // never used again for another one
	Since time.Time `json:"since"` // no time that it stamps is older
}

// Feed is the position of a timestamp tracker.
type Feed struct {
	Horizon
	// Sweep is set in the middle of a sweep: the pages that read all that came after Horizon.
	Sweep *Sweep `json:"sweep,omitempty"`
}

// Sweep is the place in a sweep.
type Sweep struct {
	From  string   `json:"from"`            // the oldest time that it reads, as the column is compared
	After []string `json:"after,omitempty"` // time and key of the last row read
	Phase int      `json:"phase,omitempty"` // which of several ways to write a time it is at
	Next  Horizon  `json:"next"`            // taken before the sweep began: the position when it is through
}

// Position is f as text.
func (f Feed) Position() lockstep.Position { return encode(f) }

// ReadFeed reads the position of a timestamp tracker.
func ReadFeed(from lockstep.Position) (Feed, error) {
	var f Feed
	if err := json.Unmarshal(from, &f); err != nil || f.Clock.IsZero() || (f.Sweep != nil && f.Sweep.Next.Clock.IsZero()) {
		return f, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a timestamp tracker")
	}
	return f, nil
}

// Begin says from which time a sweep must read: everything younger than the horizon h, and everything that the
// transactions stamped which were open then and have ended since. now is the horizon taken just before; those of its
// transactions that are seen for the first time without a start get the oldest start they can have.
//
// A clock that lies behind the horizon by more than the overlap is a fault: times that are given out again were read
// already, and what is stamped with them now would never be.
func (h Horizon) Begin(now *Horizon, overlap time.Duration) (time.Time, error) {
	blind := h.Blind || now.Blind
	switch {
	case overlap < 0 && !blind:
		overlap = Overlap
	case blind:
		overlap = max(overlap, BlindOverlap)
	}
	if behind := h.Clock.Sub(now.Clock); behind > overlap {
		return time.Time{}, lockstep.Faultf(lockstep.CodeClock, "the source's clock stands at %s, which is %s behind the position",
			now.Clock.Format(time.RFC3339), behind.Round(time.Millisecond))
	}
	from := h.Clock.Add(-h.setBack(now))
	for _, o := range h.Open {
		ended := !slices.ContainsFunc(now.Open, func(n Open) bool { return n.ID == o.ID })
		if ended && o.Since.Before(from) {
			from = o.Since
		}
	}
	for i := range now.Open {
		if n := &now.Open[i]; n.Since.IsZero() {
			n.Since = from
			if j := slices.IndexFunc(h.Open, func(o Open) bool { return o.ID == n.ID }); j >= 0 {
				n.Since = h.Open[j].Since
			}
		}
	}
	return from.Add(-overlap), nil
}
