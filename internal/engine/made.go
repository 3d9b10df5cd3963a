package engine

import (
	"context"
	"encoding/json"

	"github.com/lockstep-sync/lockstep"
)

// made is by what a full run compared: the mapping, over the types of both sides, and what the digests cover. A run
// that compared by something else is not gone on with, and leaves a full sync due.
type made struct {
	Mapping string `json:"mapping"`
	Shape   string `json:"shape,omitempty"`
	Written string `json:"written,omitempty"`
}

func (f *Flow) made() made { return made{f.Mapping.Hash(), f.Shape.Tag(), f.Written} }

// changed tells, from a flow's full runs, the newest first, whether its mapping is another since everything was read
// last: records that nobody touches would keep what the old one made of them.
func (f *Flow) changed(rows []lockstep.Run) bool {
	by, known := lastMade(rows)
	return known && by != f.made()
}

// lastMade is by what the newest run that saw every record compared. One that stopped at the brake did, and waits for a
// person; one that compares versions only is of the mapping that read everything before.
func lastMade(rows []lockstep.Run) (made, bool) {
	for _, row := range rows {
		if row.State != lockstep.Finished && row.State != lockstep.Stopped {
			continue
		}
		var p place
		if json.Unmarshal(row.Place, &p) == nil {
			return p.made, true
		}
	}
	return made{}, false
}

// OutOfDate tells whether a flow's mapping was written otherwise when its last full sync read everything. It needs no
// system.
func OutOfDate(ctx context.Context, store lockstep.Runs, flow, written string) (bool, error) {
	rows, err := store.Runs(ctx, lockstep.RunQuery{Flow: flow, Kind: lockstep.FullRun})
	if err != nil {
		return false, err
	}
	by, known := lastMade(rows)
	return known && by.Written != written, nil
}
