package app

import (
	"fmt"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// A tracker that reads rows by a time, a number or a mark does not see deletes, nor a record that comes with an old one.
// Sweeps and full syncs are the net below it.

// seesDeletes tells whether a flow's tracker finds deletes by itself. Of what a connector adds, the stream tells.
func seesDeletes(f *config.Flow, from *lockstep.Stream) bool {
	switch f.From.Track.By {
	case lockstep.Timestamp, lockstep.Version, lockstep.Flag:
		return f.From.Track.Whole() || from != nil && from.SeesDeletes
	}
	return true
}

// netOf says what finds the deletes that a flow's tracker does not see, "" where there is nothing to say. bare: nothing does.
func netOf(f *config.Flow, from *lockstep.Stream) (what string, bare bool) {
	t := f.From.Track
	if seesDeletes(f, from) && t.Sweep == 0 {
		return "", false
	}
	missed := "deletes, and records that come with an old value of `" + t.Field + "`,"
	if t.Field == "" {
		missed = "what the tracker misses, deletes among it,"
	}
	if t.Deleted != "" {
		missed = "deletes that `" + t.Deleted + "` does not mark, and records that come with an old value of `" + t.Field + "`,"
	}
	full := fullOf(f)
	switch {
	case t.Sweep > 0 && full != nil:
		return fmt.Sprintf("%s are seen by the next sweep (every %s) or full sync (%s) only", missed, t.Sweep, full), false
	case t.Sweep > 0:
		return fmt.Sprintf("%s are seen by the next sweep (every %s) only", missed, t.Sweep), false
	case full != nil:
		return fmt.Sprintf("%s are seen by the next full sync (%s) only; `sweep` under `track` looks more often and reads less", missed, full), false
	}
	return missed + " are seen by a full sync on request only", true
}

const bareNext = "Set `sweep: 15m` under `track`, or `full`."

// netNotes are the flows below which there is no net.
func netNotes(cfg *config.Config) (notes []string) {
	for _, f := range cfg.Flows {
		if what, bare := netOf(f, nil); bare {
			notes = append(notes, fmt.Sprintf("%s: %s; set `sweep` under `track`, or `full`", f.Name, what))
		}
	}
	return notes
}

// nets says so of each flow.
func (d *doing) nets(own systems) error {
	for _, f := range d.flows {
		var from *lockstep.Stream
		if s := own[f.From.System]; s != nil {
			from = s.stream(f.From.Stream)
		}
		what, bare := netOf(f, from)
		if what == "" {
			continue
		}
		out := Finding{Level: "note", Flow: f.Name, What: what}
		if bare {
			out.Level, out.Next = "warning", bareNext
		}
		if err := d.finding(out); err != nil {
			return err
		}
	}
	return nil
}
