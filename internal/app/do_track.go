package app

import (
	"context"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// The acts of a request to track.
const (
	TrackStatus  = "status"
	TrackInstall = "install"
	TrackRemove  = "remove"
)

// tracking is one feed, or one stream that is compared whole, with the flows that read it.
type tracking struct {
	system string
	read   lockstep.Read
	flows  []string
}

// track makes, takes away or looks at what trackers need inside their sources. Feeds are looked at one after the other;
// one that fails keeps no other from its turn.
func (d *doing) track(ctx context.Context) error {
	if !slices.Contains([]string{TrackStatus, TrackInstall, TrackRemove}, d.req.Track) {
		return lockstep.Faultf(lockstep.CodeUsage, "tracking can be installed, removed or looked at, not %q", d.req.Track)
	}
	own := systems{}
	defer func() { _ = own.close() }()
	all := d.trackings()
	var names []string
	for _, one := range all {
		if !slices.Contains(names, one.system) {
			names = append(names, one.system)
		}
	}
	failed := own.open(ctx, d.cfg, names)
	for _, one := range all {
		err := failed[one.system]
		if err == nil {
			err = d.trackOne(ctx, own[one.system], one)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fault := lockstep.FaultOf(err).On(lockstep.About{Flow: one.flows[0], System: one.system, Stream: one.read.Stream})
			if err := d.emit(Event{Event: FaultEvent, Fault: faultOf(fault, d.mask)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// trackedAs names what a flow's tracking is shared by: its feed, or the stream that is compared whole.
func trackedAs(f *config.Flow) string {
	if feed := feedOf(f); feed != "" {
		return feed
	}
	return f.From.System + "/" + f.From.Stream + "\x00whole"
}

// trackings are the request's feeds. What is taken away from a feed is taken from all its flows, so all are named.
func (d *doing) trackings() []tracking {
	var out []tracking
	at := map[string]int{}
	for _, f := range d.flows {
		id := trackedAs(f)
		if _, there := at[id]; !there {
			at[id] = len(out)
			out = append(out, tracking{system: f.From.System, read: lockstep.Read{Stream: f.From.Stream, Track: f.From.Track.Track}})
		}
	}
	for _, f := range d.cfg.Flows {
		id := trackedAs(f)
		if i, there := at[id]; there {
			out[i].flows = append(out[i].flows, f.Name)
		}
	}
	return out
}

func (d *doing) trackOne(ctx context.Context, s *system, one tracking) error {
	if s.stream(one.read.Stream) == nil {
		return lockstep.Faultf(lockstep.CodeNoStream, "the system %s has no stream %q", one.system, one.read.Stream)
	}
	made := &Tracking{Flows: one.flows, System: one.system, Stream: one.read.Stream, By: string(one.read.Track.By), State: "nothing to install"}
	installer, ok := s.sys.(lockstep.Installer)
	if !ok {
		return d.emit(Event{Event: TrackEvent, Track: made})
	}
	lacks, err := installer.Install(ctx, one.read, true)
	if err != nil {
		return err
	}
	has, err := installer.Remove(ctx, one.read, true)
	if err != nil {
		return err
	}
	made.State = trackState(lacks, has)
	switch d.req.Track {
	case TrackStatus:
		made.Script = lacks
	case TrackInstall:
		made.Script, err = d.change(ctx, made, "installed", lacks, func() (string, error) { return installer.Install(ctx, one.read, false) })
	case TrackRemove:
		made.Script, err = d.change(ctx, made, "not installed", has, func() (string, error) { return installer.Remove(ctx, one.read, false) })
	}
	if err != nil {
		return err
	}
	return d.emit(Event{Event: TrackEvent, Track: made})
}

// trackState is told by what an installation would still do, and what a removal would.
func trackState(lacks, has string) string {
	switch {
	case lacks == "" && has == "":
		return "nothing to install"
	case lacks == "":
		return "installed"
	case has == "":
		return "not installed"
	}
	return "incomplete"
}

// change installs or removes where there is something to do and it is more than a dry run. Flows of the daemon that
// stopped for want of it go on.
func (d *doing) change(ctx context.Context, made *Tracking, after, script string, do func() (string, error)) (string, error) {
	if script == "" || d.req.Dry {
		return script, ctx.Err()
	}
	script, err := do()
	if err != nil {
		return script, err
	}
	made.State, made.Done = after, true
	if b := d.built.Load(); b != nil && d.req.Track == TrackInstall && d.isRunning() {
		for _, name := range made.Flows {
			if fault := b.engine.Stopped(name); fault != nil && fault.Code == lockstep.CodeNotTracked {
				if _, err := b.engine.Resume(name); err != nil {
					return script, err
				}
			}
		}
	}
	return script, nil
}
