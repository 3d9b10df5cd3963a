package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/internal/logging"
)

// Options are what a house needs besides its configuration.
type Options struct {
	Log   *slog.Logger
	Store lockstep.Store // nil: the one that the configuration names; a given one is not closed
}

// House is a store, the systems and the flows between them. It opens the store at once and the systems when something
// needs them: what only looks into the store answers while a system is away.
type House struct {
	cfg  *config.Config
	log  *slog.Logger
	mask func(string) string
	opt  Options

	store    lockstep.Store
	ownStore bool

	mu      sync.Mutex // while the house is being built
	systems systems
	built   atomic.Pointer[built] // read also meanwhile: building takes as long as systems take to answer

	life    sync.Mutex
	running bool
	stop    context.CancelFunc
}

// built is an engine with what it was made of.
type built struct {
	engine *engine.Engine
	flows  map[string]*engine.Flow
	notes  []Finding
	// scripts make the target streams that are not there yet; while there are some the flows can only be looked at.
	scripts []string
}

// Open checks the configuration as far as that goes without a system and opens the store. It fails with
// CodeStoreLocked where another process owns the store (see Connect).
func Open(ctx context.Context, cfg *config.Config, opt Options) (*House, error) {
	if _, err := Check(cfg); err != nil {
		return nil, err
	}
	h := &House{cfg: cfg, log: opt.Log, mask: Mask(cfg), opt: opt, store: opt.Store, systems: systems{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.store == nil {
		store, err := openStore(ctx, cfg.Store)
		if err != nil {
			return nil, h.clean(err)
		}
		h.store, h.ownStore = store, true
	}
	defs := make([]lockstep.FlowDef, len(cfg.Flows))
	for i, f := range cfg.Flows {
		defs[i] = defOf(f)
	}
	if err := h.store.Attach(ctx, defs); err != nil {
		return nil, h.clean(errors.Join(err, h.Close()))
	}
	return h, nil
}

// Close closes the systems and the store. Nothing may be under way.
func (h *House) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.systems.close()
	if h.ownStore {
		err = errors.Join(err, h.store.Close())
	}
	return h.clean(err)
}

// Connect opens the systems and builds the flows, unless that was done before. write: something is going to be
// written, so target streams that are asked for and not there are made.
func (h *House) Connect(ctx context.Context, write bool) error {
	_, err := h.build(ctx, write)
	return h.clean(err)
}

// build is Connect.
func (h *House) build(ctx context.Context, write bool) (*built, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.built.Load(); b != nil && (!write || len(b.scripts) == 0) {
		return b, nil
	}
	if err := joined(h.systems.open(ctx, h.cfg, usedBy(h.cfg, h.cfg.Flows)), h.cfg); err != nil {
		return nil, err
	}
	b := &builder{cfg: h.cfg, systems: h.systems}
	flows, err := b.build(h.cfg.Flows)
	if err != nil {
		return nil, err
	}
	var scripts []string
	if len(b.missing) > 0 {
		if scripts, err = b.create(ctx, !write); err != nil {
			return nil, err
		}
		if write {
			for _, at := range b.inOrder() {
				h.log.Info("target stream created", logging.System, at.system, logging.Stream, at.name)
			}
			scripts = nil
			b = &builder{cfg: h.cfg, systems: h.systems}
			if flows, err = b.build(h.cfg.Flows); err != nil {
				return nil, err
			}
		}
	}
	e, err := engine.New(ctx, h.store, flows, engine.Options{Log: h.log, Keep: h.cfg.Retention})
	if err != nil {
		return nil, err
	}
	out := &built{engine: e, flows: map[string]*engine.Flow{}, notes: b.notes, scripts: scripts}
	for _, f := range flows {
		out.flows[f.Name] = f
	}
	if err := h.fullWhereNew(ctx, out.flows); err != nil {
		return nil, err
	}
	h.built.Store(out)
	return out, nil
}

// fullWhereNew makes a full sync due for flows whose feed has no checkpoint although they had a full sync: their
// tracker was changed in the configuration, or the source could not say where it was when the full sync began, and
// nothing was captured since (law 1). The interrupted run that it leaves has no place to go on from, so the engine
// replaces it by a new one.
func (h *House) fullWhereNew(ctx context.Context, flows map[string]*engine.Flow) error {
	for _, f := range flows {
		if f.Feed == "" {
			continue
		}
		at, _, err := h.store.Checkpoint(ctx, f.Feed)
		if err != nil {
			return err
		}
		rows, err := h.store.Runs(ctx, lockstep.RunQuery{Flow: f.Name, Kind: lockstep.FullRun, Max: 1})
		if err != nil {
			return err
		}
		if at != nil || len(rows) == 0 || rows[0].State == lockstep.Running || rows[0].State == lockstep.Interrupted {
			continue
		}
		now := time.Now()
		row := lockstep.Run{Flow: f.Name, Kind: lockstep.FullRun, State: lockstep.Interrupted, Started: now, Ended: now, Note: "nothing was captured yet: everything is read once"}
		if _, err := h.store.StartRun(ctx, row); err != nil {
			return err
		}
	}
	return nil
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

// Run is the daemon: it answers on the local socket, connects, waiting for systems that are away, and carries the
// flows until ctx ends or somebody asks it to stop. Then it finishes the steps in hand, settles and returns nil.
func (h *House) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := h.begin(cancel); err != nil {
		return err
	}
	defer h.end()
	l, err := Listen(h.cfg.Socket)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := Serve(ctx, h, l); err != nil {
			h.log.Error("the socket does not answer any more", logging.Socket, h.cfg.Socket, logging.Err, err)
		}
	})
	b, err := h.connectPatiently(ctx)
	if err != nil || b == nil {
		return h.clean(err)
	}
	h.log.Info("running", logging.Store, h.cfg.Store, logging.Socket, h.cfg.Socket, "flows", len(b.flows))
	err = b.engine.Run(ctx)
	h.log.Info("stopped")
	return h.clean(err)
}

func (h *House) begin(stop context.CancelFunc) error {
	h.life.Lock()
	defer h.life.Unlock()
	if h.running {
		return lockstep.Faultf(lockstep.CodeBusy, "it runs already")
	}
	h.running, h.stop = true, stop
	return nil
}

func (h *House) end() {
	h.life.Lock()
	defer h.life.Unlock()
	h.running = false
}

func (h *House) isRunning() bool {
	h.life.Lock()
	defer h.life.Unlock()
	return h.running
}

// connectPatiently builds the house, as often as it takes while systems are away; nil where ctx ended first.
func (h *House) connectPatiently(ctx context.Context) (*built, error) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		b, err := h.build(ctx, true)
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case err == nil:
			for _, note := range b.notes {
				h.log.Warn(note.What, logging.Flow, note.Flow, logging.Next, note.Next)
			}
			return b, nil
		case !isAway(err):
			return nil, err
		}
		h.log.Warn("a system is away", logging.Err, h.clean(err), logging.Pause, pause)
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(pause):
		}
	}
}

// isAway tells whether waiting may help with all that err joins.
func isAway(err error) bool {
	for _, one := range split(err) {
		switch lockstep.KindOf(one) {
		case lockstep.Unavailable, lockstep.Transient, lockstep.Throttled:
		default:
			return false
		}
	}
	return true
}

// clean is err without secrets: what is in it stays a fault, its text is masked (law 12).
func (h *House) clean(err error) error {
	if err == nil {
		return nil
	}
	var out []error
	for _, one := range split(err) {
		if h.mask(one.Error()) == one.Error() {
			out = append(out, one)
			continue
		}
		shown := faultIn(one, lockstep.FaultOf(one), h.mask)
		out = append(out, shown.fault())
	}
	if len(out) == 1 {
		return out[0]
	}
	return errors.Join(out...)
}

// flowsOf are the flows that a request names, all for none.
func (h *House) flowsOf(names []string) ([]*config.Flow, error) {
	if len(names) == 0 {
		return h.cfg.Flows, nil
	}
	out := make([]*config.Flow, 0, len(names))
	for _, name := range names {
		f := h.cfg.Flow(name)
		if f == nil {
			text := fmt.Sprintf("there is no flow %q", name)
			if hint := hintOf(name, flowNames(h.cfg)); hint != "" {
				text += "; " + hint
			}
			return nil, lockstep.NewFault(lockstep.CodeNoFlow, errors.New(text))
		}
		out = append(out, f)
	}
	return out, nil
}
