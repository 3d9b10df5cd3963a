package app

import (
	"context"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
)

// status shows flows at a glance, from the store alone.
func (d *doing) status(ctx context.Context) error {
	return d.each(ctx, func(ctx context.Context, f *config.Flow) error {
		s, err := d.statusOf(ctx, f)
		if err != nil {
			return err
		}
		return d.emit(Event{Event: StatusEvent, Status: s})
	})
}

func (d *doing) statusOf(ctx context.Context, f *config.Flow) (*Status, error) {
	st, err := d.store.Status(ctx, f.Name)
	if err != nil {
		return nil, err
	}
	s := &Status{
		Flow: f.Name, From: f.From.System + "/" + f.From.Stream, To: f.To.System + "/" + f.To.Stream, State: "idle",
		Ready: st.Ready, Delayed: st.Delayed, Waiting: st.Waiting, Leased: st.Leased, Parked: st.Parked, Confirming: st.Confirming, Accepted: moment(st.Accepted), Links: st.Links, Spreading: st.Spreading,
		CapturedUpTo: moment(st.CapturedUpTo), LevelUpTo: moment(st.CapturedUpTo), Oldest: moment(st.Oldest), LastSettled: moment(st.LastSettled),
	}
	if st.Confirming >= engine.MostOpen && f.Deliver.Transfer != config.SingleTransfer {
		s.MostOpen = engine.MostOpen
	}
	s.Pulled = tracksBy(d.cfg, f.To.System, lockstep.Push) // what can push can pull
	if p, face, _ := d.cfg.Pair(f.Name); face != nil {
		s.Pair, s.Face = p.Name, face.Name
	}
	if s.Oldest != nil && (s.LevelUpTo == nil || s.Oldest.Before(*s.LevelUpTo)) {
		s.LevelUpTo = s.Oldest
	}
	if b := d.built.Load(); b != nil {
		s.Schema = b.drift.changes[f.Name]
	}
	if at := d.address.Load(); at != nil {
		s.API = *at
	}
	if d.isRunning() {
		s.State = "running"
		if stopped := d.stopped(f.Name); stopped != nil {
			s.State, s.Fault = "stopped", faultOf(stopped, d.mask)
		}
	}
	for _, last := range []struct {
		kinds []lockstep.RunKind
		to    **Run
	}{
		{[]lockstep.RunKind{lockstep.FullRun}, &s.LastFull},
		{[]lockstep.RunKind{lockstep.VerifyRun, lockstep.RepairRun}, &s.LastVerify},
	} {
		for _, kind := range last.kinds {
			rows, err := d.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: kind, Max: 1})
			if err != nil {
				return nil, err
			}
			if len(rows) > 0 && (*last.to == nil || rows[0].ID > (*last.to).ID) {
				*last.to = runOf(rows[0], d.mask)
			}
		}
	}
	if err := d.nextOf(ctx, f, s); err != nil {
		return nil, err
	}
	changed, err := engine.OutOfDate(ctx, d.store, f.Name, written(f))
	if err != nil {
		return nil, err
	}
	if changed {
		s.FullDue = "the mapping has changed since the last full sync"
	}
	if s.Pushed = f.From.Track.By == lockstep.Push; s.Pushed { // a full sync is not what it needs
		s.FullDue = ""
		if s.Missing, err = d.missing(ctx, f); err != nil {
			return nil, err
		}
	}
	if err := d.upToFull(ctx, f, s); err != nil {
		return nil, err
	}
	if st.Spreading > 0 && refers(f) { // some of its records are to change yet, and are in no queue
		s.LevelUpTo = nil
	}
	return s, nil
}

// refers tells whether a flow's records are made with others.
func refers(f *config.Flow) bool {
	return len(f.BuiltFrom) > 0 || slices.ContainsFunc(f.Map, func(r config.Rule) bool { return r.Expr != nil && strings.Contains(r.Expr.Text, "link(") })
}

// nextOf sets when the flow's next full sync and its next sweep are due, and tells the last of each apart.
func (d *doing) nextOf(ctx context.Context, f *config.Flow, s *Status) error {
	newest := s.LastFull
	if light := lightOf(f); light != nil && newest != nil {
		s.NextSweep = moment(light.Next(newest.Started))
	}
	if s.LastFull != nil && s.LastFull.Sweep {
		whole, err := engine.LastWhole(ctx, d.store, f.Name)
		if err != nil {
			return err
		}
		if s.LastSweep, s.LastFull = newest, nil; whole.ID != 0 {
			s.LastFull = runOf(whole, d.mask)
		}
	}
	if full := fullOf(f); full != nil && s.LastFull != nil {
		s.NextFull = moment(full.Next(s.LastFull.Started))
	}
	return nil
}

// upToFull sets both "last sync times" of a flow without a feed: what its last whole full sync has read, and what of
// that the target has.
func (d *doing) upToFull(ctx context.Context, f *config.Flow, s *Status) error {
	if feedOf(f) != "" {
		return nil
	}
	rows, err := d.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun, Max: 20})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(r lockstep.Run) bool { return r.State == lockstep.Finished })
	if i < 0 {
		return nil
	}
	s.CapturedUpTo = moment(rows[i].Started)
	if s.LevelUpTo = s.CapturedUpTo; s.Oldest != nil && s.Oldest.Before(*s.CapturedUpTo) {
		s.LevelUpTo = s.Oldest
	}
	return nil
}

// runs lists runs, newest first.
func (d *doing) runs(ctx context.Context) error {
	kinds := []lockstep.RunKind{
		lockstep.FullRun, lockstep.DeltaRun, lockstep.VerifyRun, lockstep.RepairRun, lockstep.PlanRun, lockstep.ApplyRun, lockstep.PilotRun, lockstep.SchemaRun,
	}
	kind := lockstep.RunKind(d.req.Kind)
	if kind != "" && !slices.Contains(kinds, kind) {
		return lockstep.Faultf(lockstep.CodeUsage, "there are no runs of kind %q; there are %v", kind, kinds)
	}
	var rows []lockstep.Run
	names := d.req.Flows
	if len(names) == 0 {
		names = []string{""}
	}
	most := d.most()
	for _, name := range names {
		some, err := d.store.Runs(ctx, lockstep.RunQuery{Flow: name, Kind: kind, ID: d.req.Run, Max: most})
		if err != nil {
			return err
		}
		rows = append(rows, some...)
	}
	slices.SortStableFunc(rows, func(a, b lockstep.Run) int { return int(b.ID - a.ID) })
	for _, row := range rows[:min(len(rows), most)] {
		if err := d.row(row); err != nil {
			return err
		}
	}
	return nil
}

func (d *doing) most() int {
	if d.req.Max > 0 {
		return d.req.Max
	}
	return 100
}

// quit asks the daemon to stop. It waits for the answer to be out.
func (d *doing) quit(context.Context) error {
	d.life.Lock()
	stop, running := d.House.stop, d.running
	d.life.Unlock()
	if !running {
		return lockstep.Faultf(lockstep.CodeDaemon, "nothing runs")
	}
	if err := d.text("stopping: the steps in hand are finished first"); err != nil {
		return err
	}
	stop()
	return nil
}

// stopped is why a running flow waits for a person, nil where it does not.
func (d *doing) stopped(flow string) *lockstep.Fault {
	b := d.built.Load()
	switch {
	case b == nil:
		return nil
	case b.held[flow] != nil:
		return b.held[flow]
	}
	return b.engine.Stopped(flow)
}
