package app

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/internal/engine"
	"github.com/lockstep-sync/lockstep/internal/logging"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// outside is the house as those see it who come over HTTP.
type outside struct {
	*House
	ears *ears
	runs *runs
}

func (h *House) outside(ctx context.Context) *outside {
	return &outside{House: h, ears: newEars(), runs: &runs{ctx: ctx, of: map[string]*underWay{}}}
}

// close ends what was begun, when nothing is asked for any more.
func (o *outside) close() error {
	o.runs.wg.Wait()
	return o.clean(o.ears.close())
}

// answerOutside listens as `api` says, and answers until ctx ends; serve is nil where there is no `api`.
func (h *House) answerOutside(ctx context.Context) (serve func(), err error) {
	if h.cfg.API == nil {
		return nil, nil
	}
	var where net.ListenConfig
	l, err := where.Listen(ctx, "tcp", h.cfg.API.Listen)
	if err != nil {
		f := lockstep.Faultf(lockstep.CodeConfig, "the HTTP API cannot listen: %w", err)
		f.Next = "Free the address, or change `api.listen`."
		return nil, f
	}
	out := h.outside(ctx)
	srv := api.New(h.cfg, out, api.Bounds{}, h.log)
	address := "http://" + l.Addr().String()
	if h.cfg.API.TLS != nil {
		address = "https://" + l.Addr().String()
	}
	h.address.Store(&address)
	h.log.Info("the HTTP API answers", logging.Address, address)
	if h.cfg.API.Open() && h.cfg.API.TLS == nil {
		h.log.Warn("the HTTP API can be reached from other machines without TLS: tokens and records travel in clear", logging.Address, h.cfg.API.Listen)
	}
	return func() {
		if err := srv.Serve(ctx, l); err != nil {
			h.log.Error("the HTTP API does not answer any more", logging.Err, err)
		}
		h.address.Store(nil)
		if err := out.close(); err != nil {
			h.log.Warn("closing a system", logging.Err, err)
		}
	}, nil
}

// hintsAtOnce is how many hints go into one transaction: a folder that moved can touch any number of records.
const hintsAtOnce = 5000

// Notice has the records looked at that a notice tells of. What is known of them is durable also where it fails: a
// notice that comes again does no harm. Where its sender has lost others, or where it means more than can be found while
// the sender waits, everything is looked at: that is durable, too.
func (o *outside) Notice(ctx context.Context, flow string, body []byte) (int, error) {
	if f := o.cfg.Flow(flow); f.From.Track.By == lockstep.Push {
		return 0, lockstep.Faultf(lockstep.CodeNotice, "the source of this flow pushes its records, and cannot be asked for what a notice names").On(lockstep.About{Flow: flow})
	}
	keys, err := o.keysOf(ctx, flow, body)
	why := ""
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		why, err, ctx = "a notice means more records than could be found in time", nil, context.WithoutCancel(ctx)
	case err == nil && webhook.Overflow(body):
		why = "a notice says that others were lost"
	}
	for from := 0; from < len(keys); from += hintsAtOnce {
		if e := o.store.Hint(ctx, flow, keys[from:min(from+hintsAtOnce, len(keys))]); e != nil {
			return 0, o.clean(lockstep.FaultOf(fmt.Errorf("keep the hints: %w", e)).On(lockstep.About{Flow: flow}))
		}
	}
	if why != "" {
		o.log.Warn("a full sync is due: "+why, logging.Flow, flow)
		err = engine.Owe(ctx, o.store, flow, why+": everything is read once")
	}
	return len(keys), o.clean(err)
}
