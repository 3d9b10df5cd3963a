package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
)

// Do answers a request. See Runner.
func (h *House) Do(ctx context.Context, req Request, emit func(Event) error) error {
	return h.do(ctx, req, emit, nil)
}

// do is Do. began, where it is given, is told of a sync's runs as they begin.
func (h *House) do(ctx context.Context, req Request, emit func(Event) error, began func(lockstep.Run)) error {
	flows, err := h.flowsOf(req.Flows)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &doing{House: h, req: req, flows: flows, out: emit, began: began, cancel: cancel}
	answer := map[Do]func(context.Context) error{
		DoStatus: d.status, DoSync: d.sync, DoPlan: d.plan, DoApply: d.apply, DoVerify: d.verify, DoExplain: d.explain,
		DoQueue: d.queue, DoParked: d.parked, DoRetry: d.retry, DoDiscard: d.discard, DoRuns: d.runs, DoResume: d.resume,
		DoDoctor: d.doctor, DoTrack: d.track, DoStop: d.quit,
	}[req.Do]
	if answer == nil {
		return lockstep.Faultf(lockstep.CodeUsage, "nobody can do %q", req.Do)
	}
	err = answer(ctx)
	if d.failed != nil { // whoever listens is gone: that is the error, not what it led to
		return d.failed
	}
	return h.clean(err)
}

// doing is a request under way.
type doing struct {
	*House
	req    Request
	flows  []*config.Flow
	out    func(Event) error
	began  func(lockstep.Run)
	cancel context.CancelCauseFunc

	mu     sync.Mutex // one event at a time
	failed error      // of out
	shown  map[string]shownAt
}

// emit hands an event out. After the first error nothing more is, and the request is cancelled.
func (d *doing) emit(e Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.emitLocked(e)
}

func (d *doing) emitLocked(e Event) error {
	if d.failed == nil {
		if d.failed = d.out(e); d.failed != nil {
			d.cancel(d.failed)
		}
	}
	return d.failed
}

type shownAt struct {
	phase string
	at    time.Time
}

// showEvery is the shortest time between two progress events of a flow in one phase.
const showEvery = 200 * time.Millisecond

// progress hands progress out, not more often than people look. The engine calls it from many goroutines.
func (d *doing) progress(p engine.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.shown[p.Flow]; ok && last.phase == p.Phase && time.Since(last.at) < showEvery {
		return
	}
	if d.shown == nil {
		d.shown = map[string]shownAt{}
	}
	d.shown[p.Flow] = shownAt{p.Phase, time.Now()}
	_ = d.emitLocked(Event{Event: ProgressEvent, Progress: progressOf(p)}) // d.failed keeps it, and the request is cancelled
}

func (d *doing) text(s string) error { return d.emit(Event{Event: TextEvent, Text: s}) }

// row hands a run out, if it was begun.
func (d *doing) row(r lockstep.Run) error {
	if r.ID == 0 {
		return nil
	}
	return d.emit(Event{Event: RunEvent, Run: runOf(r, d.mask)})
}

func (d *doing) names() []string {
	names := make([]string, len(d.flows))
	for i, f := range d.flows {
		names[i] = f.Name
	}
	return names
}

// one is the flow that a request needs exactly one of.
func (d *doing) one() (*config.Flow, error) {
	if len(d.flows) != 1 {
		return nil, lockstep.Faultf(lockstep.CodeUsage, "name one flow")
	}
	return d.flows[0], nil
}

// keysOfOne refuses keys that nobody knows the flow of.
func (d *doing) keysOfOne() error {
	if len(d.req.Keys) > 0 && len(d.flows) != 1 {
		return lockstep.Faultf(lockstep.CodeUsage, "keys belong to one flow: name it")
	}
	return nil
}

// each does something for every flow of the request, one after the other; a flow that fails keeps no other from it.
func (d *doing) each(ctx context.Context, do func(context.Context, *config.Flow) error) error {
	var errs []error
	for _, f := range d.flows {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		if err := do(ctx, f); err != nil {
			errs = append(errs, onFlow(err, f.Name))
		}
	}
	return errors.Join(errs...)
}

// onFlow is err as faults about the flow; what was joined stays so, and so do the operations that it was wrapped with.
func onFlow(err error, flow string) error {
	var out []error
	for _, one := range split(err) {
		f := lockstep.FaultOf(one)
		if errors.Is(one, context.Canceled) || f.About.Flow != "" {
			out = append(out, one)
			continue
		}
		g := f.On(lockstep.About{Flow: flow})
		if operations, wrapped := strings.CutSuffix(one.Error(), f.Error()); wrapped && operations != "" {
			g.Err = fmt.Errorf("%s%w", operations, f.Err)
		}
		out = append(out, g)
	}
	if len(out) == 1 {
		return out[0]
	}
	return errors.Join(out...)
}
