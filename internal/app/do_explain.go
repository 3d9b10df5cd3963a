package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// explain tells the whole story of a record, by its key on either side (law 10). A key that means two records, one as
// the source's and another as the target's, gets two stories.
func (d *doing) explain(ctx context.Context) error {
	f, err := d.one()
	if err != nil {
		return err
	}
	if len(d.req.Keys) != 1 {
		return lockstep.Faultf(lockstep.CodeUsage, "name one key")
	}
	asked := d.req.Keys[0]
	story, known, err := d.story(ctx, f, asked, "source")
	if err != nil {
		return err
	}
	links, err := d.store.LinksTo(ctx, f.Name, []lockstep.Key{asked})
	if err != nil {
		return err
	}
	_, side := setOf(d.cfg, f)
	other := len(links) == 1 && links[0].ID != 0 && links[0].End(side).Key != asked
	if !other && !known {
		if err := d.lookFor(ctx, f, story); err != nil {
			return err
		}
	}
	if known || !other {
		if err := d.emit(Event{Event: StoryEvent, Story: story}); err != nil {
			return err
		}
	}
	if other {
		if story, _, err = d.story(ctx, f, links[0].End(side).Key, "target"); err != nil {
			return err
		}
		if err := d.emit(Event{Event: StoryEvent, Story: story}); err != nil {
			return err
		}
	}
	return d.across(ctx, f, story)
}

// across tells what the flow face to face knows of the record, where there is one: half of a pair's story is there.
func (d *doing) across(ctx context.Context, f *config.Flow, s *Story) error {
	_, face, _ := d.cfg.Pair(f.Name)
	if face == nil {
		return nil
	}
	key := s.Key
	if s.TargetKey != "" {
		key = s.TargetKey
	}
	story, known, err := d.story(ctx, face, key, "source")
	if err != nil || !known {
		return err
	}
	return d.emit(Event{Event: StoryEvent, Story: story})
}

// story is what the store knows of a source key; known tells whether that is anything.
func (d *doing) story(ctx context.Context, f *config.Flow, key lockstep.Key, asked string) (s *Story, known bool, err error) {
	steps, entry, link, err := d.store.Story(ctx, f.Name, key)
	if err != nil {
		return nil, false, err
	}
	s = &Story{Flow: f.Name, Key: key, Asked: asked, Steps: []Step{}, Runs: []Run{}}
	runs := map[int64]bool{}
	for _, e := range steps {
		step := stepOf(e, d.mask)
		step.Conflict = conflictOf(e.Clash, d.cfg, f.Name)
		s.Steps = append(s.Steps, step)
		runs[e.Run] = true
		if e.Other != "" {
			s.TargetKey = e.Other
		}
	}
	if link != nil && link.ID != 0 {
		_, side := setOf(d.cfg, f)
		s.Link, s.TargetKey = linkOf(link, side), link.End(side.Other()).Key
		runs[link.Run] = true
	}
	if entry != nil {
		s.Entry = entryOf(entry, true, d.mask)
		if entry.For != nil {
			if s.Waits, err = d.waitsFor(ctx, *entry.For); err != nil {
				return nil, false, err
			}
		}
	}
	if err := d.references(ctx, f, s); err != nil {
		return nil, false, err
	}
	if s.Runs, err = d.runsOf(ctx, runs); err != nil {
		return nil, false, err
	}
	d.why(f, s)
	return s, len(steps) > 0 || s.Entry != nil || s.Link != nil, nil
}

// linkOf is a link as a flow that reads this side of it sees it.
func linkOf(l *lockstep.Link, side lockstep.Side) *Link {
	out := &Link{ID: l.ID, Key: l.End(side).Key, To: l.End(side.Other()).Key, At: moment(l.At), Run: l.Run, State: "level"}
	if l.End(side).Digest == "begun" { // as the engine calls what a full sync had in flight when it was cut off
		out.State = "unsent"
	}
	switch l.End(side.Other()).Digest {
	case "", "begun":
		out.State = "unsent"
	case "outside": // what the engine leaves on a link whose record the flow's filter leaves out
		out.State = "outside"
	case "gone": // what the engine leaves on the link of a record that stays in the target
		out.State = "gone"
	}
	return out
}

// mostRuns bounds how many runs a story shows: the last ones.
const mostRuns = 20

func (d *doing) runsOf(ctx context.Context, ids map[int64]bool) ([]Run, error) {
	out := []Run{}
	delete(ids, 0)
	sorted := slices.Sorted(maps.Keys(ids))
	for _, id := range sorted[max(0, len(sorted)-mostRuns):] {
		rows, err := d.store.Runs(ctx, lockstep.RunQuery{ID: id, Max: 1})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out = append(out, *runOf(row, d.mask))
		}
	}
	return out, nil
}

// waitsFor names both ends of what an entry waits for, and how that stands itself.
func (d *doing) waitsFor(ctx context.Context, ref lockstep.Ref) (*WaitsFor, error) {
	w := &WaitsFor{Ref: Ref{Flow: ref.Flow, Key: ref.Key}}
	f := d.cfg.Flow(ref.Flow)
	if f == nil {
		return w, nil
	}
	w.From, w.To = f.From.System+"/"+f.From.Stream, f.To.System+"/"+f.To.Stream
	_, e, _, err := d.store.Story(ctx, ref.Flow, ref.Key)
	if err != nil || e == nil {
		return w, err
	}
	w.State, w.Fault = string(e.State), faultOf(e.Fault, d.mask)
	return w, nil
}

// Bounds of what a story tells of references.
const (
	mostRefers    = 100
	mostReferrers = 20
)

// references tells what the record was made with, and what was made with it.
func (d *doing) references(ctx context.Context, f *config.Flow, s *Story) error {
	all, err := d.store.Refers(ctx, f.Name, s.Key)
	if err != nil {
		return err
	}
	for _, r := range all[:min(len(all), mostRefers)] {
		s.Refers = append(s.Refers, refersOf(r))
	}
	by, err := d.store.Referrers(ctx, f.Name, []lockstep.ReferrerQuery{{Key: s.Key, For: lockstep.Built | lockstep.Linked | lockstep.Pending, Max: mostReferrers}})
	if err != nil {
		return err
	}
	for _, r := range by[0] {
		s.Referrers = append(s.Referrers, refersOf(r.Reference))
	}
	return nil
}

// pendingOf are those that a record was sent without.
func pendingOf(all []Refers) []Refers {
	return slices.DeleteFunc(slices.Clone(all), func(r Refers) bool { return !r.Pending })
}

func refersOf(r lockstep.Reference) Refers {
	return Refers{Ref: Ref{Flow: r.Flow, Key: r.Key}, Built: r.Use&lockstep.Built != 0, Linked: r.Use&lockstep.Linked != 0, Pending: r.Use&lockstep.Pending != 0}
}

// why says in a sentence where the record stands, and what to do.
func (d *doing) why(f *config.Flow, s *Story) {
	to := f.To.System + "/" + f.To.Stream
	if s.Entry != nil {
		s.Why, s.Next = d.whyOpen(f, s)
		return
	}
	var last *Step
	if n := len(s.Steps); n > 0 {
		last = &s.Steps[n-1]
	}
	switch {
	case s.Link != nil && s.Link.State == "level":
		s.Why = fmt.Sprintf("level: it is %s in %s", s.Link.To, to)
		if s.Link.At != nil {
			s.Why += ", since " + s.Link.At.Format(time.RFC3339)
		}
		if n := len(pendingOf(s.Refers)); n > 0 {
			s.Why = fmt.Sprintf("it is %s in %s, without %d of the records that it refers to: it is sent again once they are there", s.Link.To, to, n)
		}
	case s.Link != nil && s.Link.State == "gone":
		s.Why = fmt.Sprintf("it is gone from the source, and stays in %s as %s (on_delete: %s)", to, s.Link.To, f.To.OnDelete)
	case s.Link != nil && s.Link.State == "outside":
		s.Why = fmt.Sprintf("the flow's `where` leaves it out; it is %s in %s, from where the flow back brings it", s.Link.To, to)
	case s.Link != nil:
		s.Why = fmt.Sprintf("linked with %s in %s, but not known to be level", s.Link.To, to)
		s.Next = "Run `lockstep verify " + f.Name + "`."
	case last != nil && last.Did == "level" && s.Steps[0].Did == "hinted":
		s.Why = fmt.Sprintf("the source has no such record: a notice, or somebody who asked for a look, named it at %s, and it was not there", last.At.Format(time.RFC3339))
	case last != nil && last.Did == "filtered":
		s.Why = "the flow's `where` leaves it out"
	case last != nil:
		s.Why = fmt.Sprintf("not in %s: the last that happened is %q, at %s", to, last.Did, last.At.Format(time.RFC3339))
	}
}

// whyOpen is why an open entry has not been delivered yet.
func (d *doing) whyOpen(f *config.Flow, s *Story) (why, next string) {
	e := s.Entry
	if e.Fault != nil {
		next = e.Fault.Next
	}
	switch lockstep.EntryState(e.State) {
	case lockstep.Parked:
		why = "parked: it waits for a person"
		if e.Fault != nil {
			why += " (" + string(e.Fault.Code) + ": " + e.Fault.Message + ")"
		}
		return why, next
	case lockstep.Delayed:
		why = fmt.Sprintf("not there yet: tried %d times, it is tried again", e.Attempts)
		if e.NotBefore != nil {
			why += " at " + e.NotBefore.Format(time.RFC3339)
		}
		if e.Fault != nil {
			why += " (" + string(e.Fault.Code) + ": " + e.Fault.Message + ")"
		}
		return why, next
	case lockstep.Waits:
		return d.whyWaits(s), next
	case lockstep.Leased:
		return "it is on its way now", ""
	case lockstep.Confirming:
		why = "the target has accepted it and is not done with it yet"
		if e.Accepted != nil {
			why += ", for " + time.Since(*e.Accepted).Round(time.Second).String() + " now"
		}
		if !d.isRunning() {
			return why + ", and nothing runs that would ask", "Run `lockstep sync " + f.Name + "`, or start `lockstep run`."
		}
		return why, ""
	}
	switch stopped := d.stopped(f.Name); {
	case stopped != nil:
		return "ready, but the flow has stopped and waits for a person: " + d.mask(stopped.Error()), stopped.Next
	case !d.isRunning():
		return "ready, but nothing runs", "Run `lockstep sync " + f.Name + "`, or start `lockstep run`."
	case !f.Window.Open(time.Now()):
		return "ready, and goes when the flow's window opens, at " + f.Window.NextOpen(time.Now()).Format(time.RFC3339), ""
	}
	return "ready: it goes with the next delivery", ""
}

func (d *doing) whyWaits(s *Story) string {
	w := s.Waits
	if w == nil {
		return "it waits for a record that it refers to"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "it waits for %s of flow %s (%s to %s), ", w.Key, w.Flow, w.From, w.To)
	switch w.State {
	case "":
		why := "it was not captured yet"
		if e := s.Entry; e != nil && e.Fault != nil { // as it was when this one began to wait
			if _, told, ok := strings.Cut(e.Fault.Message, " yet: "); ok {
				why = told
			}
		}
		b.WriteString("and " + why)
	case string(lockstep.Parked):
		b.WriteString("which is parked")
	default:
		b.WriteString("which is " + w.State)
	}
	if w.Fault != nil {
		b.WriteString(" (" + string(w.Fault.Code) + ": " + w.Fault.Message + ")")
	}
	return b.String()
}

// lookFor asks the source about a key that the store knows nothing of.
func (d *doing) lookFor(ctx context.Context, f *config.Flow, s *Story) error {
	s.Why = "nothing is known of this key"
	b, leave, _, err := d.connected(ctx, false)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.Why += ", and the systems cannot be asked: " + d.mask(err.Error())
		return nil
	}
	defer leave()
	flow := b.flows[f.Name]
	read := flow.Read
	read.Fields = nil
	at := f.From.System + "/" + f.From.Stream
	found, err := flow.Source.Fetch(ctx, read, []lockstep.Key{s.Key})
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		s.Why += ", and " + at + " cannot be asked: " + d.mask(err.Error())
	case len(found) == 0:
		s.Why += ": it is not in " + at + ", and no record of the target with this key was linked"
	default:
		s.Why = "it is in " + at + ", and was not captured yet, or the flow's `where` leaves it out"
		s.Next = fmt.Sprintf("Run `lockstep plan %s --keys %s` to see what would be done.", f.Name, s.Key)
	}
	return nil
}
