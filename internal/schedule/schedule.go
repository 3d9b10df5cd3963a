// Package schedule says when: an interval, a cron expression, and the windows in which a flow may deliver. It is
// pure: no clock, no timer, no goroutine. Zone data is linked in, so that zones work on a bare machine, too.
//
// Misfire rule: a run that was due while nobody was there to start it starts once at start-up, however many were
// missed (see Due).
package schedule

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // containers and small machines often have no zone files
)

// Schedule says when a run is due.
type Schedule interface {
	// Next is the first moment after the one given; zero where there is none.
	Next(after time.Time) time.Time
	String() string
}

// Due tells whether a run should start now, last being when the previous one was due or started. A zero last (there
// was none yet) is never due: whether the first run starts at once is the flow's at_start.
func Due(s Schedule, last, now time.Time) bool {
	if last.IsZero() {
		return false
	}
	next := s.Next(last)
	return !next.IsZero() && !next.After(now)
}

// Every is due once in each interval, counted from the last run.
type Every time.Duration

// MinEvery is the shortest interval that ParseEvery takes.
const MinEvery = 100 * time.Millisecond

// ParseEvery makes an Every of d.
func ParseEvery(d time.Duration) (Every, error) {
	if d < MinEvery {
		return 0, fmt.Errorf("the interval %s is shorter than %s", d, MinEvery)
	}
	return Every(d), nil
}

// Next is one interval after the moment given.
func (e Every) Next(after time.Time) time.Time { return after.Add(time.Duration(e)) }

func (e Every) String() string { return "every " + time.Duration(e).String() }

// ParseZone finds a time zone by its name: "Europe/Ljubljana", "UTC", or "Local" for the machine's own.
func ParseZone(name string) (*time.Location, error) {
	switch {
	case strings.EqualFold(name, "local"):
		return time.Local, nil
	case name == "":
		return nil, fmt.Errorf("a zone has a name such as Europe/Ljubljana")
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q; write a name such as Europe/Ljubljana, or UTC", name)
	}
	return loc, nil
}
