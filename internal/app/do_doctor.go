package app

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// doctor looks at everything: systems, flows, trackers. A system that is away is a finding, and keeps no other from
// being looked at. It makes nothing, and it does not disturb what runs.
func (d *doing) doctor(ctx context.Context) error {
	own := systems{}
	defer func() { _ = own.close() }() // only looked at
	names := usedBy(d.cfg, d.flows)
	failed := own.open(ctx, d.cfg, names)
	for _, name := range names {
		if err := d.emit(d.reached(name, own[name], failed[name])); err != nil {
			return err
		}
	}
	var whole []*config.Flow // those whose systems both answer
	for _, f := range d.flows {
		if own[f.From.System] != nil && own[f.To.System] != nil {
			whole = append(whole, f)
		}
	}
	accepted, err := acceptedSchemas(ctx, d.store, d.flows)
	if err != nil {
		return err
	}
	b := &builder{cfg: d.cfg, systems: own, drift: newDrift(accepted)}
	if _, err := b.build(whole); err != nil {
		for _, p := range b.problems {
			what := fmt.Sprintf("%s (%s) %s", d.mask(p.Message), p.Pos, p.Code)
			if err := d.finding(Finding{Level: "error", What: what, Next: p.Hint}); err != nil {
				return err
			}
		}
	}
	if err := d.schemas(&b.drift); err != nil {
		return err
	}
	for _, at := range b.inOrder() {
		what := fmt.Sprintf("the stream %s is not there yet; the first sync makes it", at.name)
		if err := d.finding(Finding{Level: "note", System: at.system, What: what}); err != nil {
			return err
		}
	}
	for _, note := range b.notes {
		if err := d.finding(note); err != nil {
			return err
		}
	}
	if err := d.nets(own); err != nil {
		return err
	}
	return d.examine(ctx, own)
}

// schemas says what has changed since the flows' schemas were accepted.
func (d *doing) schemas(found *drift) error {
	for _, f := range d.flows {
		changes := found.changes[f.Name]
		if len(changes) == 0 {
			continue
		}
		out := Finding{Level: "warning", Flow: f.Name, What: "the schema has changed: " + changesText(changes), Next: lockstep.CodeDrift.Info().Next}
		switch fault := found.lame[f.Name]; {
		case fault != nil:
			out.Level, out.What, out.Next = "error", d.mask(fault.Err.Error()), fault.Next
		case f.Drift == config.HoldDrift || f.Drift == config.StopDrift:
			out.Level = "error"
		case f.Drift == config.MapDrift && f.Identity():
			out.Level, out.Next = "note", ""
		}
		if err := d.finding(out); err != nil {
			return err
		}
	}
	return nil
}

func (d *doing) finding(f Finding) error { return d.emit(Event{Event: FindingEvent, Finding: &f}) }

// reached says whether a system answers.
func (d *doing) reached(name string, s *system, err error) Event {
	f := &Finding{System: name, Level: "ok"}
	if err != nil {
		fault := faultIn(err, lockstep.FaultOf(err), d.mask)
		f.Level, f.What, f.Next = "error", string(fault.Code)+": "+fault.Message, fault.Next
	} else {
		f.What = fmt.Sprintf("answers; it has %d streams", len(s.streams))
	}
	return Event{Event: FindingEvent, Finding: f}
}

// examine asks the systems about rights, clocks, and what the trackers cannot see.
func (d *doing) examine(ctx context.Context, own systems) error {
	type reading struct {
		system string
		read   lockstep.Read
	}
	flows := map[string][]string{} // by what is read: the flows that do
	reads := map[string]reading{}
	for _, f := range d.flows {
		src := reading{f.From.System, lockstep.Read{Stream: f.From.Stream, Track: f.From.Track.Track}}
		name := fmt.Sprint(src)
		reads[name], flows[name] = src, append(flows[name], f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(reads)) {
		r := reads[name]
		s := own[r.system]
		if s == nil || s.stream(r.read.Stream) == nil {
			continue
		}
		ex, ok := s.sys.(lockstep.Examiner)
		if !ok {
			continue
		}
		found, err := ex.Examine(ctx, r.read)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			found = append(found, lockstep.Finding{Level: "error", What: err.Error(), Next: lockstep.FaultOf(err).Next})
		}
		for _, one := range found {
			f := Finding{Level: one.Level, System: r.system, Flow: flows[name][0], What: d.mask(one.What), Next: d.mask(one.Next)}
			if err := d.finding(f); err != nil {
				return err
			}
		}
	}
	return nil
}
