package app

import (
	"time"

	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/schedule"
)

// fullOf is when a flow's full syncs are due; nil for on request only. A tracker that compares all records is a
// full sync as often as it looks, beside those of `full:`.
func fullOf(f *config.Flow) schedule.Schedule {
	var full schedule.Schedule
	if f.Full != nil {
		full = f.Full.Schedule
	}
	if !f.From.Track.Whole() || f.From.Track.PerRecord {
		return full
	}
	every := schedule.Every(f.From.Track.Every)
	if full == nil {
		return every
	}
	return either{every, full}
}

// lightOf is when a flow compares the versions of its records with the links: as often as its tracker looks where that is
// how it finds changes, and else as often as it sweeps; nil for never.
func lightOf(f *config.Flow) schedule.Schedule {
	switch t := f.From.Track; {
	case t.PerRecord:
		return schedule.Every(t.Every)
	case t.Sweep > 0:
		return schedule.Every(t.Sweep)
	}
	return nil
}

// either is due when one of two schedules is.
type either [2]schedule.Schedule

func (e either) Next(after time.Time) time.Time {
	a, b := e[0].Next(after), e[1].Next(after)
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func (e either) String() string { return e[0].String() + ", and " + e[1].String() }
