package engine

import (
	"context"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// MostOpen is how much of a flow a target may have accepted and not done before it is sent no more: what nobody works off
// would be as large as the data, and older than anybody believes in before its turn comes.
const MostOpen = 2000

// crowdPause is how long to wait before it is looked again.
const crowdPause = 250 * time.Millisecond

// crowded tells whether the target has so much to do yet that it is sent no more for now.
func (w *worker) crowded(ctx context.Context) bool {
	f := w.flow
	if !f.confirms() || f.Transfer == lockstep.SingleTransfer {
		return false
	}
	most := int64(f.MostOpen)
	if most <= 0 {
		most = MostOpen
	}
	s, err := w.store.Status(ctx, f.Name)
	return err == nil && s.Confirming >= most // a store that fails says so where it is written to
}

// awaitRoom has a full run wait while its target is crowded. Nothing of it is under way meanwhile.
func (r *fullRun) awaitRoom(ctx context.Context) error {
	for r.crowded(ctx) {
		if fault := r.flow.state.fault(); fault != nil { // nobody asks about what is open
			return fault
		}
		if err := sleep(ctx, crowdPause); err != nil {
			return r.interrupted(ctx)
		}
	}
	return nil
}
