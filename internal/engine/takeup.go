package engine

import (
	"context"

	"github.com/lockstep-sync/lockstep"
)

// takeUp makes entries, and links where the target's key is known, of what full runs had in flight when the process ended,
// before the flow delivers anything: a delete must find the record that such a run may have made (laws 5 and 9), and in a pair
// what it began to write must not look like the other's news.
func (e *Engine) takeUp(ctx context.Context, f *Flow) error {
	first, flows := f, []*Flow{f}
	if f.Back != nil {
		if flows = append(flows, f.Back); f.Side == lockstep.B {
			first = f.Back
		}
	}
	first.state.takingUp.Lock()
	defer first.state.takingUp.Unlock()
	if first.state.tookUp {
		return nil
	}
	for _, f := range flows {
		rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun, Max: 20})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.State == lockstep.Finished {
				break
			}
			if err := (&fullRun{worker: e.worker(f, row.ID), row: row}).recover(ctx); err != nil {
				return err
			}
		}
	}
	first.state.tookUp = true
	return nil
}
