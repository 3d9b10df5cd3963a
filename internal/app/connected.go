package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/internal/logging"
)

// Close closes the systems and the store, when nothing is under way any more.
func (h *House) Close() error {
	h.use.Lock()
	defer h.use.Unlock()
	err := h.systems.close()
	if h.ownStore {
		err = errors.Join(err, h.store.Close())
	}
	return h.clean(err)
}

// Connect opens the systems and builds the flows, unless that was done before. write: something is going to be
// written, so target streams that are asked for and not there are made.
func (h *House) Connect(ctx context.Context, write bool) error {
	b, leave, err := h.enter(ctx, write)
	if err != nil {
		return h.clean(err)
	}
	defer leave()
	return h.clean(joined(b.away, h.cfg))
}

// enter gives what is built, and builds it first where that is needed. It stays as it is until leave is called. Flows
// whose systems are away are left out.
func (h *House) enter(ctx context.Context, write bool) (b *built, leave func(), err error) {
	for {
		h.use.RLock()
		if b := h.built.Load(); h.good(b, write) {
			return b, h.use.RUnlock, nil
		}
		h.use.RUnlock()
		h.use.Lock()
		b := h.built.Load()
		if !h.good(b, write) {
			if b, err = h.rebuild(ctx, write); err != nil || len(b.flows) == 0 {
				h.use.Unlock()
				return b, func() {}, err
			}
		}
		h.use.Unlock()
		if len(b.away)+len(b.sick) > 0 && !h.isRunning() { // it will not become better by building it again at once
			h.use.RLock()
			return b, h.use.RUnlock, nil
		}
	}
}

// good tells whether what is built will do. While the daemon carries flows only it may build anew, since two engines
// must not work side by side.
func (h *House) good(b *built, write bool) bool {
	return b != nil && (!write || len(b.scripts) == 0) && (len(b.away)+len(b.sick) == 0 || h.isRunning())
}

// rebuild builds all flows whose systems answer. The caller holds the lock.
func (h *House) rebuild(ctx context.Context, write bool) (*built, error) {
	if err := h.refresh(); err != nil {
		h.log.Warn("closing a system", logging.Err, h.clean(err))
	}
	out := &built{flows: map[string]*engine.Flow{}, held: map[string]*lockstep.Fault{}}
	out.away = h.systems.open(ctx, h.cfg, usedBy(h.cfg, h.cfg.Flows))
	out.sick = h.systems.sick(ctx, h.cfg, true)
	able := h.whole(slices.DeleteFunc(h.able(), func(f *config.Flow) bool { return out.sick[f.Name] != nil }))
	if len(able) == 0 {
		return out, nil
	}
	accepted, err := acceptedSchemas(ctx, h.store, h.cfg.Flows)
	if err != nil {
		return nil, err
	}
	b := &builder{cfg: h.cfg, systems: h.systems, drift: newDrift(accepted)}
	flows, err := b.build(able)
	if err != nil {
		return nil, err
	}
	if len(b.missing) > 0 {
		if out.scripts, err = b.create(ctx, !write); err != nil {
			return nil, err
		}
		if write {
			for _, at := range b.inOrder() {
				h.log.Info("target stream created", logging.System, at.system, logging.Stream, at.name)
			}
			out.scripts = nil
			b = &builder{cfg: h.cfg, systems: h.systems, drift: newDrift(accepted)}
			if flows, err = b.build(able); err != nil {
				return nil, err
			}
		}
	}
	out.notes = b.notes
	if flows, err = h.settleDrift(ctx, out, b.drift, flows, write); err != nil {
		return nil, err
	}
	h.watch.lookedNow()
	opt := engine.Options{Log: h.log, Keep: h.cfg.Retention, Ready: h.ready, Suspect: func(string) { poke(h.watch.suspects) }}
	if out.engine, err = h.newEngine(ctx, flows, opt); err != nil {
		return nil, err
	}
	for _, f := range flows {
		out.flows[f.Name] = f
	}
	h.built.Store(out)
	return out, nil
}

// sick are the faults of flows whose source stream is there and cannot be read at all: a file that is none, say. It
// shows in a stream that lists no fields; a look at its first record tells why. Such a flow is left out and harms no
// other (law 4).
// again lists the streams of such systems anew first: what could not be read may have been mended.
func (s systems) sick(ctx context.Context, cfg *config.Config, again bool) map[string]error {
	out, listed := map[string]error{}, map[string]bool{}
	for _, f := range cfg.Flows {
		sys := s[f.From.System]
		if sys == nil {
			continue
		}
		bare := func() bool { s := sys.stream(f.From.Stream); return s != nil && len(s.Fields) == 0 }
		if again && bare() && !listed[f.From.System] {
			listed[f.From.System] = true
			if err := sys.list(ctx); err != nil {
				out[f.Name] = err
				continue
			}
		}
		scanner, ok := sys.sys.(lockstep.Scanner)
		if !ok || !bare() {
			continue
		}
		_, err := scanner.Scan(ctx, lockstep.Read{Stream: f.From.Stream}, nil, lockstep.Limit{Rows: 1, Bytes: 1 << 20})
		if err != nil {
			out[f.Name] = lockstep.FaultOf(err).On(lockstep.About{Flow: f.Name, System: f.From.System, Stream: f.From.Stream})
		}
	}
	return out
}

// newEngine makes an engine of the flows that can be carried, and tells the store of all.
func (h *House) newEngine(ctx context.Context, flows []*engine.Flow, opt engine.Options) (*engine.Engine, error) {
	h.attaching.Lock()
	defer h.attaching.Unlock()
	e, err := engine.New(ctx, h.store, flows, opt)
	if err != nil {
		return nil, err
	}
	return e, h.attach(ctx) // also the flows that are left out
}

// attach tells the store all flows of the configuration.
func (h *House) attach(ctx context.Context) error {
	defs := make([]lockstep.FlowDef, len(h.cfg.Flows))
	for i, f := range h.cfg.Flows {
		defs[i] = defOf(h.cfg, f)
	}
	return h.store.Attach(ctx, defs)
}

// able are the flows whose systems are open. A feed is captured for all of its flows or for none: its checkpoint must
// not move past a flow that cannot be carried (law 1).
func (h *House) able() []*config.Flow {
	lame := map[string]bool{}
	for _, f := range h.cfg.Flows {
		if !h.reachable(f) {
			lame[feedOf(f)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(h.cfg.Flows), func(f *config.Flow) bool {
		return !h.reachable(f) || (feedOf(f) != "" && lame[feedOf(f)])
	})
}

// whole are the flows but for those whose pair is not whole: alone, a flow would write over what the other side says.
func (h *House) whole(flows []*config.Flow) []*config.Flow {
	return slices.DeleteFunc(slices.Clone(flows), func(f *config.Flow) bool {
		_, face, _ := h.cfg.Pair(f.Name)
		return face != nil && !slices.Contains(flows, face)
	})
}

func (h *House) reachable(f *config.Flow) bool {
	return h.systems[f.From.System] != nil && h.systems[f.To.System] != nil
}

// joined is errors by system in the order of the file.
func joined(errs map[string]error, cfg *config.Config) error {
	var all []error
	for _, s := range cfg.Systems {
		if err := errs[s.Name]; err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// connected is enter for a request. The flows whose systems are away leave the request; their faults are away, which
// belongs to the answer. There is something to do unless err is set.
func (d *doing) connected(ctx context.Context, write bool) (b *built, leave func(), away, err error) {
	if b, leave, err = d.enter(ctx, write); err != nil {
		return nil, nil, nil, err
	}
	gone := map[string]error{}
	var errs []error
	able := slices.DeleteFunc(slices.Clone(d.flows), func(f *config.Flow) bool {
		if b.flows[f.Name] != nil {
			return false
		}
		if fault := b.held[f.Name]; fault != nil {
			errs = append(errs, fault)
			return true
		}
		if err := b.sick[f.Name]; err != nil {
			errs = append(errs, err)
			return true
		}
		from, to := b.away[f.From.System], b.away[f.To.System]
		if from != nil {
			gone[f.From.System] = from
		}
		if to != nil {
			gone[f.To.System] = to
		}
		if _, face, _ := d.cfg.Pair(f.Name); face != nil && b.sick[face.Name] != nil {
			fault := lockstep.Faultf(lockstep.CodeUnavailable, "the flow face to face with it, %s, cannot be carried", face.Name)
			errs = append(errs, fault.On(lockstep.About{Flow: f.Name}))
		} else if from == nil && to == nil {
			fault := lockstep.Faultf(lockstep.CodeUnavailable, "it shares the feed %s with a flow whose system is away", feedOf(f))
			errs = append(errs, fault.On(lockstep.About{Flow: f.Name}))
		}
		return true
	})
	if away = errors.Join(append([]error{joined(gone, d.cfg)}, errs...)...); len(able) == 0 && away != nil {
		leave()
		return nil, nil, nil, away
	}
	d.flows = able
	return b, leave, away, nil
}

// tellAway logs which flows are not carried, and why.
func (h *House) tellAway(b *built) {
	for name, err := range b.sick {
		h.log.Error("a flow's source cannot be read", logging.Flow, name, logging.Err, h.clean(err), logging.Next, lockstep.FaultOf(err).Next)
	}
	for name, err := range b.away {
		var flows []string
		for _, f := range h.cfg.Flows {
			if b.flows[f.Name] == nil && (f.From.System == name || f.To.System == name) {
				flows = append(flows, f.Name)
			}
		}
		h.log.Error("a system is away", logging.System, name, "flows", fmt.Sprint(flows), logging.Err, h.clean(err), logging.Next, lockstep.FaultOf(err).Next)
	}
}
