package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// asker asks a flow's target what became of what it has accepted. It is for one goroutine.
type asker struct {
	*worker
	to   lockstep.Confirmer
	size int // how many are asked about together
}

func (e *Engine) asker(f *Flow, run int64) *asker {
	to, _ := f.Target.(lockstep.Confirmer)
	a := &asker{worker: e.worker(f, run), to: to}
	a.size = a.most()
	return a
}

// most is how many are asked about together at most.
func (a *asker) most() int {
	if most := a.flow.To.MaxBatch; most > 0 {
		return min(max(1, a.flow.Batch), most)
	}
	return max(1, a.flow.Batch)
}

// ask asks about the operations that are due, and settles what they came to. It says how many there were, when the next
// ones are due where there were none, and the fault that the flow as a whole has to react to.
func (a *asker) ask(ctx context.Context) (n int, next time.Time, fault *lockstep.Fault, err error) {
	due, next, err := a.store.Confirming(ctx, a.flow.Name, a.size)
	if err != nil || len(due) == 0 {
		return 0, next, nil, err
	}
	results, err := a.askHalves(ctx, due)
	if ctx.Err() != nil { // it goes on with the next start
		return 0, next, nil, ctx.Err()
	}
	if err != nil { // nobody could be asked about
		fault = a.about(err)
		if a.size = max(1, a.size/2); fault.Kind != lockstep.Transient && fault.Kind != lockstep.Unclassified {
			a.size = a.most()
		}
		results = make([]lockstep.Result, len(due))
		for i, d := range due {
			results[i].Receipt = d.Operation.Receipt
		}
	} else {
		a.size = min(a.most(), a.size*2)
	}
	outcomes := make([]lockstep.Outcome, len(due))
	for i, d := range due {
		o, own := a.outcome(d, results[i])
		if outcomes[i] = o; own != nil && (fault == nil || own.Kind.StopsFlow()) {
			fault = own
		}
	}
	if err := a.store.Settle(context.WithoutCancel(ctx), outcomes...); err != nil {
		return 0, next, nil, fmt.Errorf("settle what was confirmed: %w", err)
	}
	a.flow.state.count(outcomes)
	for i := range outcomes {
		if outcomes[i].Link != nil && outcomes[i].Unlink != nil {
			a.flow.state.moves.Add(1)
		}
	}
	return len(due), next, fault, nil
}

// about is a fault of asking.
func (a *asker) about(err error) *lockstep.Fault {
	return lockstep.FaultOf(fmt.Errorf("confirm: %w", err)).On(a.flow.about("")).On(lockstep.About{System: a.flow.TargetSystem, Stream: a.flow.To.Name})
}

// askHalves asks about operations. Where the target refuses to answer for what may be one of them, halves are asked, so
// that it hurts only itself (law 4).
func (a *asker) askHalves(ctx context.Context, due []lockstep.Delivery) ([]lockstep.Result, error) {
	receipts := make([]string, len(due))
	for i, d := range due {
		receipts[i] = d.Operation.Receipt
	}
	results, err := a.to.Confirm(ctx, a.flow.To.Name, receipts)
	if err == nil && len(results) != len(due) {
		err = lockstep.Faultf(lockstep.CodeInvariant, "the connector answered %d receipts with %d results", len(due), len(results))
	}
	if err == nil || ctx.Err() != nil {
		return results, err
	}
	fault := *lockstep.FaultOf(err)
	fault.Unknown = false // asking changes nothing
	if !perRecord(&fault) {
		return nil, &fault
	}
	if len(due) == 1 {
		if fault.Kind == lockstep.Unclassified {
			return []lockstep.Result{{Receipt: receipts[0], Err: &fault}}, nil
		}
		fault.Kind = lockstep.Unclassified // it says nothing of the record: that is looked at (law 5)
		return []lockstep.Result{{Err: fault.Maybe()}}, nil
	}
	first, err := a.askHalves(ctx, due[:len(due)/2])
	if err != nil {
		return nil, err
	}
	second, err := a.askHalves(ctx, due[len(due)/2:])
	return append(first, second...), err
}

// outcome is what an answer comes to, and the fault in it that the flow has to react to.
func (a *asker) outcome(d lockstep.Delivery, res lockstep.Result) (lockstep.Outcome, *lockstep.Fault) {
	var system *lockstep.Fault
	if res.Err != nil {
		if f := a.about(res.Err); f.Kind.StopsFlow() || f.Kind == lockstep.Unavailable || f.Kind == lockstep.Throttled {
			system = f
		}
	}
	switch {
	case res.Receipt != "": // not yet
		now, op := a.now(), *d.Operation
		op.Receipt = res.Receipt
		return lockstep.Outcome{Delivery: d, Verdict: lockstep.Accept, RetryAt: now.Add(askPause(now.Sub(op.At))), Operation: &op, Run: a.run}, system
	case res.Err != nil:
		return a.ended(d, res), system
	}
	o, err := a.confirmed(d, res)
	if err != nil {
		return a.ended(d, lockstep.Result{Err: err}), lockstep.FaultOf(err)
	}
	return o, nil
}

// confirmLoop asks about what the flow's target has accepted until ctx ends. It writes nothing to the target, so the
// flow's windows do not hold it.
func (e *Engine) confirmLoop(ctx context.Context, f *Flow, run int64) {
	a := e.asker(f, run)
	for failures := 0; ctx.Err() == nil; {
		if wait := f.state.closedFor(time.Now()); wait > 0 {
			_ = sleep(ctx, wait)
			continue
		}
		n, next, fault, err := a.ask(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			e.log.Warn("confirmation failed", "flow", f.Name, "err", err)
			_ = sleep(ctx, time.Second)
		case fault != nil && (fault.Kind == lockstep.Transient || fault.Kind == lockstep.Unclassified):
			failures++
			e.log.Warn("confirmation failed", "flow", f.Name, "code", string(fault.Code), "err", fault)
			_ = sleep(ctx, Retry{From: 500 * time.Millisecond, To: 15 * time.Second}.pause(failures-1))
		case fault != nil:
			failures++
			e.deliverFailed(f, fault)
		case n > 0:
			if failures > 0 {
				failures = 0
				f.state.well()
			}
		default:
			f.state.awaitAsk(ctx, next, 10*time.Second)
		}
	}
}

// confirmUntil does so for a bounded command, until ctx ends or the flow cannot go on.
func (e *Engine) confirmUntil(ctx context.Context, f *Flow, run int64, moved func()) error {
	a := e.asker(f, run)
	for failures := 0; ctx.Err() == nil; {
		before := f.state.snapshot()
		n, next, fault, err := a.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
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
			if f.state.snapshot() != before {
				moved()
			}
		default:
			f.state.awaitAsk(ctx, next, time.Second)
		}
	}
	return nil
}

// closedFor is how long the flow must not ask from now: while its breaker is open, or while it waits for a person.
func (s *flowState) closedFor(now time.Time) time.Duration {
	if s.fault() != nil {
		return time.Second
	}
	return max(0, s.resumeAt().Sub(now))
}

// accepts is called when the target has accepted something.
func (s *flowState) accepts() {
	select {
	case s.asks <- struct{}{}:
	default:
	}
}

// awaitAsk waits until something is to be asked about: at next, zero for none, or when something was accepted.
func (s *flowState) awaitAsk(ctx context.Context, next time.Time, most time.Duration) {
	if !next.IsZero() {
		most = min(most, max(time.Until(next), time.Millisecond))
	}
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.asks:
	case <-t.C:
	}
}
