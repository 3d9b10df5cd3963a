package app

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/internal/logging"
)

// runs are the syncs that were started over HTTP: they belong to the house and outlive the request. One that the
// daemon's end cuts short ends in good order.
type runs struct {
	ctx context.Context // of the daemon
	wg  sync.WaitGroup
	mu  sync.Mutex
	of  map[string]*underWay // by flow: one at a time
}

// underWay is one of them.
type underWay struct {
	began    chan lockstep.Run // its row, once there is one
	ended    chan struct{}
	err      error // set before ended is closed
	id       int64 // 0 until it has a row
	progress *Progress
}

// StartRun starts a sync of a flow, and answers when that has a row. Where one is under way it is CodeBusy, and the
// run is that one.
func (o *outside) StartRun(ctx context.Context, flow string, ask api.RunAsk) (api.Run, error) {
	run, err := o.begin(flow, ask)
	if err != nil {
		return o.busyWith(ctx, flow, err)
	}
	select {
	case row := <-run.began:
		return *runOf(row, o.mask), nil
	case <-run.ended:
	case <-ctx.Done():
		return api.Run{}, ctx.Err()
	}
	select {
	case row := <-run.began: // it was over at once
		return *runOf(row, o.mask), nil
	default:
	}
	if lockstep.FaultOf(run.err) == nil {
		return api.Run{}, lockstep.Faultf(lockstep.CodeInvariant, "the sync has ended without a run").On(lockstep.About{Flow: flow})
	}
	return o.busyWith(ctx, flow, run.err)
}

// begin starts a sync in the house's own time.
func (o *outside) begin(flow string, ask api.RunAsk) (*underWay, error) {
	o.runs.mu.Lock()
	defer o.runs.mu.Unlock()
	if err := o.runs.ctx.Err(); err != nil {
		return nil, lockstep.Faultf(lockstep.CodeUnavailable, "lockstep is stopping")
	}
	if o.runs.of[flow] != nil {
		return nil, lockstep.Faultf(lockstep.CodeBusy, "a run of %s is under way", flow).On(lockstep.About{Flow: flow})
	}
	run := &underWay{began: make(chan lockstep.Run, 1), ended: make(chan struct{})}
	o.runs.of[flow] = run
	o.runs.wg.Go(func() {
		run.err = o.carryOut(run, flow, ask)
		o.runs.mu.Lock()
		delete(o.runs.of, flow)
		o.runs.mu.Unlock()
		close(run.ended)
	})
	return run, nil
}

// carryOut does a sync and keeps where it stands.
func (o *outside) carryOut(run *underWay, flow string, ask api.RunAsk) error {
	req := Request{Do: DoSync, Flows: []string{flow}, Full: ask.Kind == lockstep.FullRun, Deep: ask.Deep}
	err := o.do(o.runs.ctx, req, func(e Event) error {
		if e.Event == ProgressEvent {
			o.runs.mu.Lock()
			defer o.runs.mu.Unlock()
			run.progress = e.Progress
		}
		return nil
	}, func(row lockstep.Run) {
		o.runs.mu.Lock()
		defer o.runs.mu.Unlock()
		if run.id == 0 { // a full sync that was resumed may be followed by another
			run.id = row.ID
			run.began <- row
		}
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		o.log.Warn("a run that was started over HTTP", logging.Flow, flow, logging.Err, err)
	}
	return err
}

// busyWith is the run that keeps another from being started.
func (o *outside) busyWith(ctx context.Context, flow string, err error) (api.Run, error) {
	err = o.clean(err)
	if lockstep.FaultOf(err).Code != lockstep.CodeBusy {
		return api.Run{}, err
	}
	o.runs.mu.Lock()
	var id int64
	if run := o.runs.of[flow]; run != nil {
		id = run.id
	}
	o.runs.mu.Unlock()
	q := lockstep.RunQuery{Flow: flow, ID: id, Max: 20}
	rows, e := o.store.Runs(ctx, q)
	if e != nil {
		return api.Run{}, err // that it is busy is the answer, whichever run it is
	}
	for _, row := range rows {
		if row.State == lockstep.Running && (id != 0 || row.Kind == lockstep.FullRun) {
			return *runOf(row, o.mask), err
		}
	}
	return api.Run{ID: id}, err
}

// Runs are a flow's runs, the newest first, or one of them.
func (o *outside) Runs(ctx context.Context, q lockstep.RunQuery) ([]api.Run, error) {
	rows, err := o.store.Runs(ctx, q)
	if err != nil {
		return nil, o.clean(fmt.Errorf("runs: %w", err))
	}
	out := make([]api.Run, len(rows))
	o.runs.mu.Lock()
	defer o.runs.mu.Unlock()
	for i, row := range rows {
		out[i] = *runOf(row, o.mask)
		if run := o.runs.of[row.Flow]; run != nil && run.id == row.ID {
			out[i].State, out[i].Progress = string(lockstep.Running), run.progress
		}
	}
	return out, nil
}

// Status is how flows stand, in the order of their names given.
func (o *outside) Status(ctx context.Context, flows []string) ([]api.Status, error) {
	out := []api.Status{}
	if len(flows) == 0 {
		return out, nil // none, not all
	}
	err := o.Do(ctx, Request{Do: DoStatus, Flows: flows}, func(e Event) error {
		if e.Event == StatusEvent {
			out = append(out, *e.Status)
		}
		return nil
	})
	return out, err
}

// Stories are what is known of a record, by its key on either side.
func (o *outside) Stories(ctx context.Context, flow string, key lockstep.Key) ([]api.Story, error) {
	out := []api.Story{}
	err := o.Do(ctx, Request{Do: DoExplain, Flows: []string{flow}, Keys: []lockstep.Key{key}}, func(e Event) error {
		if e.Event == StoryEvent {
			out = append(out, *e.Story)
		}
		return nil
	})
	return out, err
}
