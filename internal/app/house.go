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
)

// Options are what a house needs besides its configuration.
type Options struct {
	Log   *slog.Logger
	Store lockstep.Store // nil: the one that the configuration names; a given one is not closed
	Look  time.Duration  // how often the daemon looks whether a schema has changed; 0 is 5 minutes
}

// House is a store, the systems and the flows between them. It opens the store at once and the systems when something
// needs them: what only looks into the store answers while a system is away.
type House struct {
	cfg  *config.Config
	log  *slog.Logger
	mask func(string) string

	store    lockstep.Store
	ownStore bool

	use     sync.RWMutex // read: something uses what is built; write: it is being built anew
	systems systems
	built   atomic.Pointer[built] // read also without the lock: building takes as long as systems take to answer

	inbox     *engine.Inbox // of what sources push
	attaching sync.RWMutex  // write: the store is being told the flows; a push in between would leave some out

	watch *watch            // over schemas
	told  map[string]string // what was last said of a flow's schema; the lock is held for writing

	address atomic.Pointer[string] // of the HTTP API, while it answers

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
	away    map[string]error // systems that did not answer, whose flows are left out
	sick    map[string]error // flows whose source stream cannot be read at all: they are left out, too
	drift   drift
	held    map[string]*lockstep.Fault // flows that are left out until a person has settled a changed schema
}

// Open checks the configuration as far as that goes without a system and opens the store. It fails with
// CodeStoreLocked where another process owns the store (see Connect).
func Open(ctx context.Context, cfg *config.Config, opt Options) (*House, error) {
	if _, err := Check(cfg); err != nil {
		return nil, err
	}
	h := &House{cfg: cfg, log: opt.Log, mask: Mask(cfg), store: opt.Store, systems: systems{}, watch: newWatch(opt.Look)}
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
	h.inbox = engine.NewInbox(h.store)
	if err := h.attach(ctx); err != nil {
		return nil, h.clean(errors.Join(err, h.Close()))
	}
	return h, nil
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
		out = append(out, toldFault(shown))
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
