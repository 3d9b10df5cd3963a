package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Run captures, delivers and runs full syncs on schedule until ctx ends, then finishes the steps in hand, settles
// and returns.
func (e *Engine) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop() // where a flow cannot start, the others end
	for _, fd := range e.feeds {
		if fd.read.Track.By != lockstep.Push {
			wg.Go(func() { e.captureLoop(ctx, fd) })
		}
	}
	for _, f := range e.flows {
		row, err := e.startDelta(ctx, f)
		if err != nil {
			return err
		}
		delivering := new(sync.WaitGroup)
		for range f.workers() {
			delivering.Go(func() { e.deliverLoop(ctx, f, row.ID) })
		}
		if f.confirms() {
			delivering.Go(func() { e.confirmLoop(ctx, f, row.ID) })
		}
		if f.To.Pulled {
			e.worker(f, row.ID).recall(ctx) // before anybody leases, or reads the source
			delivering.Go(func() { e.pullLoop(ctx, f, row.ID) })
		}
		if !f.pushed() {
			wg.Go(func() { e.scheduleLoop(ctx, f) })
		}
		wg.Go(func() { e.keepDelta(ctx, f, row, delivering.Wait) })
	}
	wg.Go(func() { e.pruneLoop(ctx) })
	wg.Wait()
	return nil
}

// captureLoop polls a feed: at once while there is more, otherwise after the shortest pause of its flows, or when
// the source says that there is something.
func (e *Engine) captureLoop(ctx context.Context, fd *feed) {
	every := fd.flows[0].Every
	for _, f := range fd.flows {
		every = min(every, f.Every)
	}
	failures, pause := 0, every
	for ctx.Err() == nil {
		n, more, err := e.capture(ctx, fd)
		if n > 0 {
			e.log.Debug("captured", "feed", fd.name, "changes", n)
		}
		switch {
		case err == nil:
			failures = 0
			if pause = fd.pace(pause, every, n > 0); !more {
				e.await(ctx, fd, pause)
			}
		case ctx.Err() != nil:
		default:
			failures++
			e.captureFailed(ctx, fd, err, failures)
		}
	}
}

// soonest is the first pause after changes, for trackers whose look costs next to nothing.
const soonest = 20 * time.Millisecond

// pace is the pause before the next look: changes seldom come alone, so behind some it is short and grows from there.
// A look by time, number or mark may cost a scan of the table: there it is always what the flows ask for.
func (fd *feed) pace(last, every time.Duration, found bool) time.Duration {
	switch by := fd.read.Track.By; {
	case by != lockstep.Trigger && by != lockstep.Log:
		return every
	case found:
		return min(every, soonest)
	}
	return min(every, last+last/4+time.Millisecond)
}

// await returns when the source may have changes: when it says so, where it can, else after the pause.
func (e *Engine) await(ctx context.Context, fd *feed, pause time.Duration) {
	if w, ok := fd.source.(lockstep.Waiter); ok {
		limit, cancel := context.WithTimeout(ctx, pause)
		defer cancel()
		err := w.Wait(limit, fd.read, fd.position())
		if err == nil || limit.Err() != nil {
			return
		}
		if lockstep.FaultOf(err).Code != lockstep.CodeCannot {
			e.log.Debug("cannot wait for changes", "feed", fd.name, "err", err)
		}
	}
	_ = sleep(ctx, pause)
}

func (e *Engine) captureFailed(ctx context.Context, fd *feed, err error, failures int) {
	fault := lockstep.FaultOf(err)
	for _, f := range fd.flows {
		e.suspect(f, fault)
	}
	if !fault.Kind.StopsFlow() {
		e.log.Warn("capture failed", "feed", fd.name, "code", string(fault.Code), "err", err)
		_ = sleep(ctx, max(fault.Wait, Retry{From: time.Second, To: 30 * time.Second}.pause(failures-1)))
		return
	}
	for _, f := range fd.flows {
		if f.state.fault() == nil {
			e.log.Error("flow stopped", "flow", f.Name, "code", string(fault.Code), "err", err, "next", fault.Next)
			f.state.stop(fault)
		}
	}
	_ = sleep(ctx, 5*time.Second) // a person, or a full sync, may have mended it
}

// deliverLoop is one of a flow's delivering workers.
func (e *Engine) deliverLoop(ctx context.Context, f *Flow, run int64) {
	w := e.worker(f, run)
	for ctx.Err() == nil {
		if wait := f.closedFor(time.Now()); wait > 0 {
			_ = sleep(ctx, wait)
			continue
		}
		if w.crowded(ctx) {
			_ = sleep(ctx, crowdPause)
			continue
		}
		n, fault, err := w.deliver(ctx)
		switch {
		case errors.Is(err, context.Canceled):
		case err != nil:
			e.log.Warn("delivery failed", "flow", f.Name, "err", err)
			_ = sleep(ctx, time.Second)
		case fault != nil:
			e.deliverFailed(f, fault)
		case n > 0:
			f.state.well()
		default:
			_ = e.store.Wait(ctx, f.Name)
		}
	}
}

func (e *Engine) deliverFailed(f *Flow, fault *lockstep.Fault) {
	if fault.Kind.StopsFlow() {
		if f.state.fault() == nil {
			e.log.Error("flow stopped", "flow", f.Name, "code", string(fault.Code), "err", fault, "next", fault.Next)
			f.state.stop(fault)
		}
		return
	}
	pause := f.state.pause(fault.Wait)
	e.log.Warn("flow pauses", "flow", f.Name, "code", string(fault.Code), "err", fault, "pause", pause)
}

// closedFor is how long the flow must not deliver from now: outside of its windows, while its breaker is open, or
// while it waits for a person.
func (f *Flow) closedFor(now time.Time) time.Duration {
	if f.state.fault() != nil {
		return time.Second
	}
	if at := f.state.resumeAt(); at.After(now) {
		return at.Sub(now)
	}
	if !f.Window.Open(now) {
		return max(time.Millisecond, min(time.Minute, f.Window.NextOpen(now).Sub(now)))
	}
	return 0
}

// Resume starts a flow again that stopped for a person. It says whether it had stopped.
func (e *Engine) Resume(flow string) (bool, error) {
	f, err := e.flow(flow)
	if err != nil {
		return false, err
	}
	if f.Held != nil { // going on takes more than that
		return false, nil
	}
	was := f.state.fault() != nil
	f.state.stop(nil)
	f.state.well()
	return was, nil
}

// scheduleLoop runs a flow's full syncs: the first one ever, one that was cut off, and those of its schedule.
func (e *Engine) scheduleLoop(ctx context.Context, f *Flow) {
	if f.Held != nil {
		return
	}
	now := f.FullNow
	for failures := 0; ctx.Err() == nil; {
		due, light, err := e.fullDue(ctx, f, now)
		if err != nil {
			if ctx.Err() == nil {
				e.log.Warn("schedule", "flow", f.Name, "err", err)
				_ = sleep(ctx, 10*time.Second)
			}
			continue
		}
		if wait := time.Until(due); wait > 0 { // a command may make one due before
			_ = sleep(ctx, min(wait, time.Minute))
			continue
		}
		_, err = e.Full(ctx, f.Name, FullOptions{Light: light})
		fault := lockstep.FaultOf(err)
		switch {
		case err == nil:
			now, failures = false, 0
		case ctx.Err() != nil:
		case fault.Code == lockstep.CodeBusy:
			_ = sleep(ctx, time.Second)
		default:
			failures++
			e.log.Error("full sync did not finish", "flow", f.Name, "code", string(fault.Code), "err", err, "next", fault.Next)
			_ = sleep(ctx, Retry{From: 5 * time.Second, To: 10 * time.Minute}.pause(failures-1))
		}
	}
}

// fullDue is when the next full sync is due, and whether a sweep will do. A flow that never had one, whose last was cut off,
// or whose mapping has changed since, is due now; one that stopped at the brake waits for a person, and for its schedule.
func (e *Engine) fullDue(ctx context.Context, f *Flow, now bool) (due time.Time, light bool, err error) {
	rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun, Max: 20})
	if err != nil || now || owed(rows) || f.changed(rows) {
		return time.Now(), false, err
	}
	if f.delta() {
		if at, _, err := e.store.Checkpoint(ctx, f.Feed); err != nil || at == nil {
			return time.Now(), false, err
		}
	}
	if len(rows) == 0 || leftOff(rows) {
		return time.Now(), len(rows) > 0, nil
	}
	due = time.Now().Add(365 * 24 * time.Hour)
	if f.Full != nil {
		whole, err := e.lastWhole(ctx, f, rows)
		if err != nil || whole.IsZero() {
			return time.Now(), false, err
		}
		due = f.Full.Next(whole) // in the past where one was missed: it is made good once
	}
	if f.Light != nil {
		if at := f.Light.Next(rows[0].Started); at.Before(due) {
			return at, true, nil
		}
	}
	return due, false, nil
}

// lastWhole is when the newest full run that read everything began, zero for never. Sweeps may have come since, more than
// rows are, so it is remembered.
func (e *Engine) lastWhole(ctx context.Context, f *Flow, rows []lockstep.Run) (time.Time, error) {
	for _, row := range rows {
		if !IsSweep(row) {
			f.state.whole.Store(row.Started.UnixMicro())
			return row.Started, nil
		}
	}
	if at := f.state.whole.Load(); at != 0 {
		return time.UnixMicro(at), nil
	}
	row, err := LastWhole(ctx, e.store, f.Name)
	if err == nil && row.ID != 0 {
		f.state.whole.Store(row.Started.UnixMicro())
	}
	return row.Started, err
}

// startDelta opens the row that counts what the flow delivers while this process runs. Rows that a process which
// died left open are closed.
func (e *Engine) startDelta(ctx context.Context, f *Flow) (lockstep.Run, error) {
	rows, err := e.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.DeltaRun, Max: 10})
	if err != nil {
		return lockstep.Run{}, err
	}
	for _, row := range rows {
		if row.State == lockstep.Running {
			row.State, row.Ended = lockstep.Interrupted, time.Now()
			if err := e.store.SaveRun(ctx, row); err != nil {
				return lockstep.Run{}, err
			}
		}
	}
	return e.store.StartRun(ctx, lockstep.Run{Flow: f.Name, Kind: lockstep.DeltaRun, State: lockstep.Running, Started: time.Now()})
}

// keepDelta saves the counts of the flow's delta run now and then, and closes it when its deliveries have ended.
func (e *Engine) keepDelta(ctx context.Context, f *Flow, row lockstep.Run, ended func()) {
	for ctx.Err() == nil {
		_ = sleep(ctx, 10*time.Second)
		if counts := f.state.snapshot(); counts != row.Counts {
			row.Counts = counts
			e.saveRun(ctx, row)
		}
	}
	ended()
	row.State, row.Ended, row.Counts = lockstep.Finished, time.Now(), f.state.snapshot()
	e.saveRun(ctx, row)
}

func (e *Engine) saveRun(ctx context.Context, row lockstep.Run) {
	if err := e.store.SaveRun(context.WithoutCancel(ctx), row); err != nil {
		e.log.Warn("saving a run", "run", row.ID, "err", err)
	}
}

// pruneLoop drops what is older than the retention.
func (e *Engine) pruneLoop(ctx context.Context) {
	if e.keep <= 0 {
		return
	}
	for ctx.Err() == nil {
		before := time.Now().Add(-e.keep)
		if err := errors.Join(e.store.Prune(ctx, before), e.store.DeleteRuns(ctx, before)); err != nil && ctx.Err() == nil {
			e.log.Warn("retention", "err", err)
		}
		_ = sleep(ctx, time.Hour)
	}
}
