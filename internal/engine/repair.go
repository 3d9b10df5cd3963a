package engine

import (
	"context"

	"github.com/lockstep-sync/lockstep"
)

// report counts a drift, has it repaired where that is asked for, and tells it.
func (v *verify) report(it *item, d Drift) error {
	c := &v.row.Counts
	switch {
	case it != nil && it.open || d.What == "in flight":
		d.What = "in flight"
		c.InFlight++
	case d.What == "missing":
		c.Missing++
	case d.What == "extra":
		c.Extra++
	default:
		c.Different++
	}
	if v.opt.Repair && d.What != "in flight" {
		d.Done = v.repair(it, d)
	}
	if v.opt.Report == nil {
		return nil
	}
	return v.opt.Report(d)
}

// repair takes a drift up for delivery, as on_target_edit says. It goes by the queue as an entry that looks at the
// target before it writes: a link that calls the record level must not keep it from being mended.
func (v *verify) repair(it *item, d Drift) string {
	if it == nil {
		return "left alone: it was never linked"
	}
	o := lockstep.Outcome{
		Delivery: lockstep.Delivery{Flow: v.flow.Name, Change: lockstep.Change{Record: lockstep.Record{Key: it.key()}, Hint: true}},
		Verdict:  lockstep.Retry, RetryAt: v.now(), Tried: true, Did: "repair: " + d.What, Run: v.row.ID,
	}
	if d.Edited && d.What == "different" {
		switch v.flow.OnTargetEdit {
		case KeepEdit:
			return "kept"
		case ParkEdit:
			o.Verdict = lockstep.Park
			o.Fault = lockstep.Faultf(lockstep.CodeTargetEdit, "target record %s was edited since it was last level", d.Target).On(v.flow.about(it.key()))
			v.fixes = append(v.fixes, o)
			return "parked"
		}
	}
	v.fixes = append(v.fixes, o)
	v.row.Counts.Queued++
	return "queued"
}

// flush puts the repairs found so far into the queue.
func (v *verify) flush(ctx context.Context) error {
	if len(v.fixes) == 0 {
		return nil
	}
	end := lockstep.PageEnd{Run: v.row, Failed: v.fixes}
	v.fixes = nil
	return v.store.SettlePage(ctx, v.flow.Name, end)
}
