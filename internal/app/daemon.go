package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/logging"
)

// Run is the daemon: it answers on the local socket, and over HTTP where `api` says so, and carries the flows until ctx ends or somebody asks it to stop.
// Then it finishes the steps in hand, settles and returns nil. Flows whose systems are away are taken up when those
// answer; what is wrong with the configuration ends it.
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
	outside, err := h.answerOutside(ctx)
	if err != nil {
		return errors.Join(h.clean(err), l.Close())
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	if outside != nil {
		wg.Go(outside)
	}
	wg.Go(func() {
		if err := Serve(ctx, h, l); err != nil {
			h.log.Error("the socket does not answer any more", logging.Socket, h.cfg.Socket, logging.Err, err)
		}
	})
	err = h.carry(ctx)
	if ctx.Err() == nil {
		return h.clean(err)
	}
	h.log.Info("stopped")
	if err != nil {
		h.log.Warn("at the end", logging.Err, h.clean(err))
	}
	return nil
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

// The pauses between two looks at systems that are away.
const (
	firstLook = time.Second
	lastLook  = 30 * time.Second
)

// carry carries what can be carried, and builds anew whenever a system that was away answers.
func (h *House) carry(ctx context.Context) error {
	told := false
	for pause := firstLook; ctx.Err() == nil; {
		b, err := h.buildAnew(ctx)
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil && !isAway(err):
			return err
		case err != nil:
			h.log.Warn("cannot begin yet", logging.Err, h.clean(err), logging.Pause, pause)
		case len(b.flows)+len(b.held) == 0 && !isAway(joined(b.away, h.cfg)):
			return joined(b.away, h.cfg) // nothing to carry, and no use in waiting
		default:
			h.tellAway(b)
		}
		if err != nil || len(b.flows)+len(b.held) == 0 {
			wait(ctx, pause)
			pause = min(2*pause, lastLook)
			continue
		}
		for _, note := range b.notes {
			if !told {
				h.log.Warn(note.What, logging.Flow, note.Flow, logging.Next, note.Next)
			}
		}
		told, pause = true, firstLook
		h.log.Info("running", logging.Store, h.cfg.Store, logging.Socket, h.cfg.Socket, "flows", len(b.flows))
		if err := h.carryUntilMore(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// buildAnew builds, when nobody uses what was built before.
func (h *House) buildAnew(ctx context.Context) (*built, error) {
	h.use.Lock()
	defer h.use.Unlock()
	if b := h.built.Load(); b != nil && !h.watch.due() && len(b.away)+len(b.sick) == 0 && len(b.scripts) == 0 {
		return b, nil
	}
	return h.rebuild(ctx, true)
}

// carryUntilMore runs the flows until ctx ends, or until more of them could be run.
func (h *House) carryUntilMore(ctx context.Context, b *built) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		if h.schemaChanges(ctx, b) {
			h.log.Info("the flows are built anew: a schema has changed, or was accepted")
			stop()
		}
	})
	if len(b.away)+len(b.sick) > 0 {
		wg.Go(func() {
			if h.someAnswer(ctx, b) {
				stop()
			}
		})
	}
	if len(b.flows) == 0 { // all wait for a person
		<-ctx.Done()
		return nil
	}
	err := b.engine.Run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was stopped before it had begun: that is how it ends here
	}
	return err
}

// someAnswer returns true when a system that was away answers, false when ctx ends.
func (h *House) someAnswer(ctx context.Context, b *built) bool {
	names := make([]string, 0, len(b.away))
	for name := range b.away {
		names = append(names, name)
	}
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		if wait(ctx, pause); ctx.Err() != nil {
			return false
		}
		look := systems{}
		look.open(ctx, h.cfg, names)
		found := len(look) > 0
		if len(b.sick) > 0 { // a second look at their systems, for the first is in use
			look.open(ctx, h.cfg, h.sourcesOf(b.sick))
			found = found || len(look.sick(ctx, h.cfg, false)) < len(b.sick)
		}
		if err := look.close(); err != nil {
			h.log.Warn("after a look at systems that are away", logging.Err, h.clean(err))
		}
		if found {
			return true
		}
	}
}

// sourcesOf are the systems that flows read.
func (h *House) sourcesOf(flows map[string]error) []string {
	var names []string
	for name := range flows {
		names = append(names, h.cfg.Flow(name).From.System)
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
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
