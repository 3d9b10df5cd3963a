package engine

import (
	"context"
	"encoding/json"

	"github.com/lockstep-sync/lockstep"
)

// canBeLight tells whether a full sync may compare versions only: the flow is tracked so, and the mapping that it has
// now has read every record once. The links know the versions since then.
func (e *Engine) canBeLight(ctx context.Context, f *Flow, opt FullOptions) (bool, error) {
	if !opt.Light || f.Light == nil || opt.Deep || opt.Fresh {
		return false, nil
	}
	rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun})
	if err != nil {
		return false, err
	}
	for _, row := range rows {
		var p place
		if row.State == lockstep.Finished && json.Unmarshal(row.Place, &p) == nil {
			return p.made == f.made(), nil
		}
	}
	return false, nil
}

// lastWhole is the newest of full runs that read everything.
func lastWhole(rows []lockstep.Run) lockstep.Run {
	for _, row := range rows {
		var p place
		if json.Unmarshal(row.Place, &p) != nil || !p.Light {
			return row
		}
	}
	return rows[len(rows)-1]
}

// light closes the records whose version is the one that their link has, and fetches the others: a page at once.
func (r *fullRun) light(ctx context.Context, items []*item) {
	for _, it := range items {
		switch {
		case it.change.Fault != nil || it.again:
		case it.open || it.look || !it.known() || it.link.End(r.flow.Side.Other()).Digest == gone:
			it.change.Hint = true
		case it.change.Record.Version == "" || it.change.Record.Version != it.link.End(r.flow.Side).Version:
			it.change.Hint = true
		default:
			it.out = nothing
		}
	}
	r.refresh(ctx, live(items))
}
