package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// SyncOptions say how a one-time sync goes.
type SyncOptions struct {
	FullOptions
	Full     bool          // a full sync even where a delta would do
	Sweep    bool          // a sweep, of flows that have sweeps
	Patience time.Duration // how long to wait for entries that back off or wait for a reference while nothing moves; 0 is 3 s
}

// Sync brings flows level once: a full sync where it is asked for or was never finished, else what changed since;
// then it empties their queues. The flows run at the same time. One row comes back for each flow, in their order.
func (e *Engine) Sync(ctx context.Context, flows []string, opt SyncOptions) ([]lockstep.Run, error) {
	rows := make([]lockstep.Run, len(flows))
	errs := make([]error, len(flows))
	var wg sync.WaitGroup
	asked := e.askMeanwhile(ctx, flows)
	for i, name := range flows {
		wg.Go(func() {
			if rows[i], errs[i] = e.fill(ctx, name, opt); errs[i] != nil {
				errs[i] = lockstep.FaultOf(errs[i]).On(lockstep.About{Flow: name})
			}
		})
	}
	wg.Wait()
	asked()
	drained := e.drain(ctx, flows, rows, opt)
	return rows, errors.Join(append(errs, drained)...)
}

// askMeanwhile asks about what targets accept while they are sent more; stop ends it. The drain asks about the rest.
func (e *Engine) askMeanwhile(ctx context.Context, flows []string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, name := range flows {
		if f := e.byName[name]; f != nil && f.confirms() {
			wg.Go(func() { e.confirmLoop(ctx, f, 0) })
		}
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// fill is the first half of a sync: a full sync, or the capture of what changed.
func (e *Engine) fill(ctx context.Context, name string, opt SyncOptions) (lockstep.Run, error) {
	f, err := e.flow(name)
	if err != nil {
		return lockstep.Run{}, err
	}
	full, light, err := e.needsFull(ctx, f, opt)
	if err != nil {
		return lockstep.Run{}, err
	}
	if f.Held != nil { // what changes is captured all the same
		if f.delta() && !full && !f.pushed() {
			_, err = e.captureAll(ctx, f)
		}
		return lockstep.Run{}, errors.Join(f.Held, err)
	}
	if full {
		how, began := opt.FullOptions, time.Now()
		how.Light = light
		before := f.state.snapshot()
		row, err := e.Full(ctx, name, how)
		if err == nil && !f.delta() && row.Started.Before(began) { // resumed: no feed follows what it had read before (law 1)
			row, err = e.Full(ctx, name, how)
		}
		if err == nil && f.delta() {
			_, err = e.captureAll(ctx, f)
		}
		row.Counts = plus(row.Counts, minus(f.state.snapshot(), before)) // what was confirmed meanwhile
		return row, err
	}
	row, err := e.store.StartRun(ctx, lockstep.Run{Flow: name, Kind: lockstep.DeltaRun, State: lockstep.Running, Started: time.Now()})
	if err != nil {
		return row, err
	}
	opt.began(row)
	before := f.state.snapshot()
	row.Counts.Read, err = e.captureWhileDelivering(ctx, f, row.ID)
	row.Counts = plus(row.Counts, minus(f.state.snapshot(), before))
	row.Fault = lockstep.FaultOf(err)
	return row, err
}

// captureWhileDelivering captures what changed; the flow's workers deliver meanwhile. What they leave, faults of the
// target among it, is the drain's.
func (e *Engine) captureWhileDelivering(ctx context.Context, f *Flow, run int64) (int64, error) {
	work, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for range f.workers() {
		wg.Go(func() {
			if err := e.drainLoop(work, f, run, func() {}); err != nil {
				e.log.Debug("delivery stopped while capturing", "flow", f.Name, "err", err)
			}
		})
	}
	return e.captureAll(ctx, f)
}

// needsFull tells whether a sync has to read everything: on request, without a tracker, before the first full sync
// was finished, to go on with one that was cut off, and where the mapping has changed since the last; and whether a sweep
// will do.
func (e *Engine) needsFull(ctx context.Context, f *Flow, opt SyncOptions) (full, light bool, err error) {
	if opt.Sweep && f.Light == nil {
		return false, false, lockstep.Faultf(lockstep.CodeUsage, "%s has no sweeps: set `sweep` under `track`, or read everything by `--full`", f.Name)
	}
	if opt.Full || !f.delta() {
		return true, !opt.Full, nil
	}
	if f.pushed() {
		return false, false, nil
	}
	if at, _, err := e.store.Checkpoint(ctx, f.Feed); err != nil || at == nil {
		return true, false, err
	}
	rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun})
	if err != nil {
		return false, false, err
	}
	if owed(rows) || f.changed(rows) {
		return true, false, nil
	}
	if opt.Sweep || leftOff(rows) {
		return true, true, nil
	}
	for _, row := range rows {
		if row.State == lockstep.Finished {
			return false, false, nil
		}
	}
	return true, false, nil
}

// captureAll captures all that changed before it was called. The first time that there is no more may be the end of a
// sweep that somebody began before and left in the middle: what changed since behind its place shows with the next one
// (law 8). So it reads on to a second end. What passes by itself, such as a connection that broke, is tried again a few
// times: nothing was taken over by then.
func (e *Engine) captureAll(ctx context.Context, f *Flow) (int64, error) {
	const tries = 3
	var total int64
	if f.pushed() { // what came is in the queue
		return 0, nil
	}
	for ends, failures := 0, 0; ends < 2; {
		n, more, err := e.capture(ctx, e.feeds[f.Feed])
		total += int64(n)
		if err != nil {
			failures++
			if ctx.Err() != nil || lockstep.KindOf(err) != lockstep.Transient || failures >= min(tries, f.Retry.Attempts) {
				return total, err
			}
			e.log.Warn("capture failed", "feed", f.Feed, "err", err)
			_ = sleep(ctx, f.Retry.pause(failures-1))
			continue
		}
		failures = 0
		if !more {
			ends++
		}
		if err := ctx.Err(); err != nil {
			return total, err
		}
	}
	return total, nil
}

// drain empties the queues of flows and adds what came of it to their rows.
func (e *Engine) drain(ctx context.Context, flows []string, rows []lockstep.Run, opt SyncOptions) error {
	patience := opt.Patience
	if patience == 0 {
		patience = 3 * time.Second
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	progress := time.Now()
	active, givenUp := make([]*Flow, 0, len(flows)), map[*Flow]bool{}
	before := make([]lockstep.Counts, len(flows))
	for i, name := range flows {
		f, err := e.flow(name)
		if err != nil || rows[i].ID == 0 {
			continue
		}
		before[i] = f.state.snapshot()
		if f.To.Pulled { // it is emptied by whoever pulls
			continue
		}
		active = append(active, f)
		work, giveUp := context.WithCancel(work)
		defer giveUp()
		moved := func() {
			mu.Lock()
			defer mu.Unlock()
			progress = time.Now()
		}
		loops := slices.Repeat([]func(context.Context, *Flow, int64, func()) error{e.drainLoop}, max(1, f.Concurrency))
		if f.confirms() {
			loops = append(loops, e.confirmUntil)
		}
		for _, loop := range loops {
			wg.Go(func() {
				err := loop(work, f, rows[i].ID, moved)
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					if !givenUp[f] { // what its other workers meet meanwhile is the same
						errs = append(errs, err)
					}
					givenUp[f] = true
					giveUp()
				}
			})
		}
	}
	err := e.untilIdle(ctx, active, opt, func(f *Flow) bool {
		mu.Lock()
		defer mu.Unlock()
		return givenUp[f]
	}, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return time.Since(progress) > patience
	})
	stop()
	wg.Wait()
	for i, name := range flows {
		if f := e.byName[name]; f != nil && rows[i].ID != 0 {
			err = errors.Join(err, e.endRow(ctx, &rows[i], minus(f.state.snapshot(), before[i])))
		}
	}
	return errors.Join(append(errs, err)...)
}

// drainLoop delivers until ctx ends, or the flow cannot go on.
func (e *Engine) drainLoop(ctx context.Context, f *Flow, run int64, moved func()) error {
	w := e.worker(f, run)
	for failures := 0; ctx.Err() == nil; {
		if w.crowded(ctx) {
			_ = sleep(ctx, crowdPause)
			continue
		}
		before := f.state.snapshot()
		n, fault, err := w.deliver(ctx)
		switch {
		case err != nil:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case fault != nil:
			failures++
			if fault.Kind.StopsFlow() || failures >= f.Retry.Attempts {
				return fault
			}
			moved()
			_ = sleep(ctx, max(fault.Wait, f.Retry.pause(failures-1)))
		case n > 0:
			failures = 0
			if f.state.snapshot() != before { // what is only put off moves nothing
				moved()
			}
		default:
			wait, cancel := context.WithTimeout(ctx, time.Second)
			_ = e.store.Wait(wait, f.Name)
			cancel()
		}
	}
	return nil
}

// untilIdle returns when no entry of the flows is ready or leased, and those that back off or wait have been given
// their time. Flows that are given up keep what they have. It looks twice: while it looks at one flow, another may get work
// from it.
func (e *Engine) untilIdle(ctx context.Context, flows []*Flow, opt SyncOptions, givenUp func(*Flow) bool, tired func() bool) error {
	for idle := 0; ctx.Err() == nil; {
		busy, later := false, false
		for _, f := range flows {
			if givenUp(f) {
				continue
			}
			s, err := e.store.Status(ctx, f.Name)
			if err != nil {
				return fmt.Errorf("status: %w", err)
			}
			busy = busy || s.Ready+s.Leased+s.Spreading+s.Confirming > 0
			later = later || s.Delayed+s.Waiting > 0
			if opt.Observe != nil {
				opt.Observe(Progress{Flow: f.Name, Kind: lockstep.DeltaRun, Phase: "deliver", Counts: f.state.snapshot(), Total: s.Ready + s.Leased})
			}
		}
		if !busy && (!later || tired()) {
			idle++
		} else {
			idle = 0
		}
		if idle > 1 {
			return nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil
		}
	}
	return nil
}

// endRow closes a delta's row, and adds to a full sync's what its queue came to.
func (e *Engine) endRow(ctx context.Context, row *lockstep.Run, c lockstep.Counts) error {
	row.Counts = plus(row.Counts, c)
	if row.Kind != lockstep.FullRun {
		row.State, row.Ended = lockstep.Finished, time.Now()
		if row.Fault != nil {
			row.State = lockstep.Failed
		}
		if ctx.Err() != nil {
			row.State, row.Fault = lockstep.Interrupted, nil
		}
	}
	return e.store.SaveRun(context.WithoutCancel(ctx), *row)
}

func plus(a, b lockstep.Counts) lockstep.Counts {
	a.Created += b.Created
	a.Updated += b.Updated
	a.Deleted += b.Deleted
	a.Level += b.Level
	a.Filtered += b.Filtered
	a.Failed += b.Failed
	a.Accepted += b.Accepted
	return a
}

func minus(a, b lockstep.Counts) lockstep.Counts {
	a.Created -= b.Created
	a.Updated -= b.Updated
	a.Deleted -= b.Deleted
	a.Level -= b.Level
	a.Filtered -= b.Filtered
	a.Failed -= b.Failed
	a.Accepted -= b.Accepted
	return a
}
