package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep/internal/config"
)

// resume starts flows again that stopped for a person, and accepts their schemas as they are now.
func (d *doing) resume(ctx context.Context) error {
	b, leave, err := d.enter(ctx, true)
	if err != nil {
		return err
	}
	defer leave()
	accepted, held, err := d.accept(ctx, b)
	if err != nil {
		return err
	}
	again := accepted
	var errs []error
	for _, f := range d.flows {
		switch {
		case b.flows[f.Name] == nil || slices.Contains(accepted, f.Name):
		case d.isRunning():
			was, err := b.engine.Resume(f.Name)
			if err != nil {
				errs = append(errs, err)
			}
			if was {
				again = append(again, f.Name)
			}
		}
	}
	if len(accepted) > 0 {
		d.renew(accepted)
	}
	return errors.Join(append(errs, d.text(resumed(d.isRunning(), accepted, again)), held, d.leftOut(b))...)
}

// accept notes the schemas of flows whose schema has changed. A flow that cannot be built on it is not accepted: held
// says why.
func (d *doing) accept(ctx context.Context, b *built) (accepted []string, held, err error) {
	var errs []error
	for _, f := range d.withFaces() {
		changes := b.drift.changes[f.Name]
		switch {
		case len(changes) == 0:
			continue
		case b.drift.lame[f.Name] != nil:
			errs = append(errs, b.drift.lame[f.Name])
			continue
		}
		if err := d.acceptSchema(ctx, f.Name, b.drift.now[f.Name], "accepted: "+changesText(changes)); err != nil {
			return accepted, nil, err
		}
		accepted = append(accepted, f.Name)
	}
	return accepted, errors.Join(errs...), nil
}

// withFaces are the flows of the request, and those that are face to face with them: a pair waits as one, and goes on as
// one.
func (d *doing) withFaces() []*config.Flow {
	out := slices.Clone(d.flows)
	for _, f := range d.flows {
		if _, face, _ := d.cfg.Pair(f.Name); face != nil && !slices.Contains(out, face) {
			out = append(out, face)
		}
	}
	return out
}

// renew has the flows built anew.
func (d *doing) renew(flows []string) {
	for _, name := range flows {
		f := d.cfg.Flow(name)
		d.watch.stale(f.From.System, f.To.System)
	}
	if d.isRunning() {
		poke(d.watch.again)
	}
}

// leftOut are the faults of systems that are away, for the flows of the request.
func (d *doing) leftOut(b *built) error {
	gone := map[string]error{}
	for _, f := range d.flows {
		for _, name := range usedBy(d.cfg, []*config.Flow{f}) {
			if b.away[name] != nil {
				gone[name] = b.away[name]
			}
		}
	}
	return joined(gone, d.cfg)
}

func resumed(running bool, accepted, again []string) string {
	var parts []string
	if len(accepted) > 0 {
		parts = append(parts, fmt.Sprintf("the schema as it is now is accepted: %v", accepted))
	}
	switch {
	case !running && len(accepted) > 0:
	case !running:
		parts = append(parts, "nothing runs: a stopped flow starts again with `lockstep run` or `lockstep sync`")
	case len(again) == 0:
		parts = append(parts, "no flow had stopped")
	default:
		parts = append(parts, fmt.Sprintf("started again: %v", again))
	}
	return strings.Join(parts, "; ")
}
