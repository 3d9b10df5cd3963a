package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Engine runs flows over one store.
type Engine struct {
	store  lockstep.Store
	flows  []*Flow
	byName map[string]*Flow
	feeds  map[string]*feed
	locks  *locks
	log    *slog.Logger
	keep   time.Duration
	opt    Options
	began  time.Time
}

// Options are what an engine needs besides flows and a store.
type Options struct {
	Log  *slog.Logger
	Keep time.Duration // how long the timeline and ended runs are kept; 0 is for ever
	// Suspect is told of flows whose faults may come of a schema that has changed. It must not block. Nil is nobody.
	Suspect func(flow string)
	// Ready is asked before a full sync begins; an error keeps it from it. Nil is always.
	Ready func(ctx context.Context, flow string) error
}

// New is an engine that does nothing yet. It attaches the flows to the store.
func New(ctx context.Context, store lockstep.Store, flows []*Flow, opt Options) (*Engine, error) {
	e := &Engine{store: store, flows: flows, byName: map[string]*Flow{}, feeds: map[string]*feed{}, locks: newLocks(), log: opt.Log, keep: opt.Keep, opt: opt, began: time.Now()}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	defs := make([]lockstep.FlowDef, len(flows))
	for i, f := range flows {
		e.byName[f.Name] = f
		defs[i] = f.FlowDef
		f.state.asks = make(chan struct{}, 1)
		if f.Held != nil {
			f.state.stop(f.Held)
		}
		if err := e.join(f); err != nil {
			return nil, err
		}
	}
	return e, store.Attach(ctx, defs)
}

// join makes the flow's feed, or adds the flow to it: a feed reads the fields that any of its flows wants.
func (e *Engine) join(f *Flow) error {
	if !f.delta() {
		return nil
	}
	source, ok := f.Source.(lockstep.Source)
	if !ok {
		return lockstep.Faultf(lockstep.CodeCannot, "system %s cannot tell what changed; use `track: {by: snapshot}`", f.SourceSystem).On(f.about(""))
	}
	fd := e.feeds[f.Feed]
	if fd == nil {
		fd = &feed{name: f.Feed, system: f.SourceSystem, source: source, read: f.Read, limit: f.Page}
		fd.read.Fields = nil
		e.feeds[f.Feed] = fd
	}
	fd.flows = append(fd.flows, f)
	has := map[string]bool{}
	for _, name := range fd.read.Fields {
		has[name] = true
	}
	for _, name := range f.Read.Fields {
		if !has[name] {
			fd.read.Fields = append(fd.read.Fields, name)
		}
	}
	return nil
}

func (e *Engine) flow(name string) (*Flow, error) {
	if f, ok := e.byName[name]; ok {
		return f, nil
	}
	return nil, lockstep.Faultf(lockstep.CodeNoFlow, "there is no flow %q", name)
}

// Flows are the names of the flows, in the order of the configuration.
func (e *Engine) Flows() []string {
	names := make([]string, len(e.flows))
	for i, f := range e.flows {
		names[i] = f.Name
	}
	return names
}

// Store is what the engine remembers; commands that only look read it.
func (e *Engine) Store() lockstep.Store { return e.store }

// sleep waits for d, or for ctx to end, and says which.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Stopped is the fault for which a flow waits for a person; nil while it goes.
func (e *Engine) Stopped(flow string) *lockstep.Fault {
	f, err := e.flow(flow)
	if err != nil {
		return nil
	}
	return f.state.fault()
}
