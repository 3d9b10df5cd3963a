package app

import (
	"context"
	"errors"

	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/engine"
)

// sync brings flows level once. Keys and Sample make it a pilot. It is cut short when whoever asked goes away.
func (d *doing) sync(ctx context.Context) error {
	if err := d.keysOfOne(); err != nil {
		return err
	}
	b, leave, away, err := d.connected(ctx, true)
	if err != nil {
		return err
	}
	defer leave()
	opt := engine.SyncOptions{
		FullOptions: engine.FullOptions{AllowDeletes: d.req.AllowDeletes, Deep: d.req.Deep, Fresh: d.req.Fresh, Observe: d.progress, Began: d.began},
		Full:        d.req.Full || d.req.Deep || d.req.Fresh || (d.req.AllowDeletes && !d.req.Sweep),
		Sweep:       d.req.Sweep,
	}
	if len(d.req.Keys) > 0 || d.req.Sample > 0 {
		err := d.each(ctx, func(ctx context.Context, f *config.Flow) error {
			row, err := b.engine.Pilot(ctx, f.Name, d.req.Keys, d.req.Sample, opt)
			return errors.Join(err, d.row(row))
		})
		return errors.Join(away, err)
	}
	rows, err := b.engine.Sync(ctx, d.names(), opt)
	for _, row := range rows {
		if e := d.row(row); e != nil {
			return e
		}
	}
	return errors.Join(away, err)
}

// verify says where both sides do not agree, and with Repair has it delivered again.
func (d *doing) verify(ctx context.Context) error {
	b, leave, away, err := d.connected(ctx, d.req.Repair)
	if err != nil {
		return err
	}
	defer leave()
	err = d.each(ctx, func(ctx context.Context, f *config.Flow) error {
		row, err := b.engine.Verify(ctx, f.Name, engine.VerifyOptions{
			Repair:  d.req.Repair,
			Observe: d.progress,
			Report: func(drift engine.Drift) error {
				return d.emit(Event{Event: DriftEvent, Drift: driftOf(drift)})
			},
		})
		return errors.Join(err, d.row(row))
	})
	return errors.Join(away, err)
}
