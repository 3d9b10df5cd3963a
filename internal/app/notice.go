package app

import (
	"context"
	"errors"

	"golang.org/x/time/rate"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/guard"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// keysOf are the keys of a notice: of the house's own, or as the flow's source understands it. With a fault there may
// be keys, too: those that are known.
func (o *outside) keysOf(ctx context.Context, flow string, body []byte) ([]lockstep.Key, error) {
	if keys, own, err := webhook.Keys(body); own {
		return keys, err
	}
	f := o.cfg.Flow(flow)
	hinter, done, err := o.hinter(ctx, f)
	if err != nil {
		return nil, lockstep.FaultOf(err).On(lockstep.About{Flow: flow, System: f.From.System})
	}
	defer done()
	if hinter == nil {
		return nil, lockstep.Faultf(lockstep.CodeNotice, `a notice of this flow is {"keys": [...]}: its system has none of its own`).On(lockstep.About{Flow: flow})
	}
	keys, err := hinter.Hints(ctx, lockstep.Read{Stream: f.From.Stream, Track: f.From.Track.Track}, body)
	if err != nil {
		err = lockstep.FaultOf(err).On(lockstep.About{Flow: flow, System: f.From.System, Stream: f.From.Stream})
	}
	return keys, err
}

// hinter is what understands the notices of a flow's source; nil where nothing does. It is the system that the flows
// use, where that is open and not about to be closed, else one of our own.
func (o *outside) hinter(ctx context.Context, f *config.Flow) (h lockstep.Hinter, done func(), err error) {
	if o.use.TryRLock() { // never wait here: flows are built for as long as their systems take to answer
		if sys := o.systems[f.From.System]; sys != nil {
			return hinterIn(sys.guard), o.use.RUnlock, nil
		}
		o.use.RUnlock()
	}
	g, err := o.ears.of(ctx, o.cfg.System(f.From.System))
	if err != nil {
		return nil, nil, err
	}
	return hinterIn(g), func() {}, nil
}

func hinterIn(g *guard.Guard) lockstep.Hinter {
	src, _ := g.Source()
	h, _ := src.(lockstep.Hinter)
	return h
}

// ears are systems of our own, opened to understand their notices while the flows are being built, or cannot be. Open
// need not connect: most notices name their records, and can be taken while the system is away.
type ears struct {
	mu   chan struct{} // one opens at a time
	open map[string]*guard.Guard
}

func newEars() *ears { return &ears{mu: make(chan struct{}, 1), open: map[string]*guard.Guard{}} }

func (e *ears) of(ctx context.Context, cfg *config.System) (*guard.Guard, error) {
	select {
	case e.mu <- struct{}{}:
		defer func() { <-e.mu }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if g := e.open[cfg.Name]; g != nil {
		return g, nil
	}
	sys, err := cfg.Connector.Open(ctx, cfg.Settings())
	if err != nil {
		return nil, err
	}
	g := guard.New(sys, guard.Rules{Name: cfg.Name, Rate: rate.Limit(cfg.Limits.Rate.PerSecond()), Concurrency: cfg.Limits.Concurrency, Allows: cfg.Allows})
	e.open[cfg.Name] = g
	return g, nil
}

// close closes them, when no request is under way any more.
func (e *ears) close() error {
	var errs []error
	for _, g := range e.open {
		errs = append(errs, g.System().Close())
	}
	return errors.Join(errs...)
}
