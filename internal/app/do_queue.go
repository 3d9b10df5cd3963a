package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// pageOf is how many entries are looked at in one go.
const pageOf = 500

// queue lists open entries.
func (d *doing) queue(ctx context.Context) error {
	states := []lockstep.EntryState{"", lockstep.Ready, lockstep.Delayed, lockstep.Waits, lockstep.Leased, lockstep.Confirming, lockstep.Parked}
	state := lockstep.EntryState(d.req.State)
	if !slices.Contains(states, state) {
		return lockstep.Faultf(lockstep.CodeUsage, "there is no state %q; there are %v", state, states[1:])
	}
	return d.list(ctx, state)
}

// parked lists parked entries; those that are asked for by ID or key come with their record.
func (d *doing) parked(ctx context.Context) error { return d.list(ctx, lockstep.Parked) }

func (d *doing) list(ctx context.Context, state lockstep.EntryState) error {
	whole := len(d.req.IDs) > 0 || len(d.req.Keys) > 0
	return d.each(ctx, func(ctx context.Context, f *config.Flow) error {
		left := d.most()
		return d.entries(ctx, f.Name, state, d.req.After, func(e *lockstep.Entry) error {
			if err := d.emit(Event{Event: EntryEvent, Entry: entryOf(e, whole, d.mask)}); err != nil {
				return err
			}
			if left--; left == 0 {
				return errEnough
			}
			return nil
		})
	})
}

var errEnough = errors.New("enough")

// entries pages through the flow's entries that the request means.
func (d *doing) entries(ctx context.Context, flow string, state lockstep.EntryState, after int64, do func(*lockstep.Entry) error) error {
	if len(d.req.Keys) > 0 {
		return d.byKey(ctx, flow, state, do)
	}
	found := 0
	for {
		page, err := d.store.Entries(ctx, flow, state, after, pageOf)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			e := &page[i]
			after = e.ID
			if len(d.req.IDs) > 0 && !slices.Contains(d.req.IDs, e.ID) {
				continue
			}
			if err := do(e); err != nil {
				if errors.Is(err, errEnough) {
					return nil
				}
				return err
			}
			if found++; found == len(d.req.IDs) {
				return nil
			}
		}
	}
}

// byKey are the entries of the keys that the request names.
func (d *doing) byKey(ctx context.Context, flow string, state lockstep.EntryState, do func(*lockstep.Entry) error) error {
	for _, key := range d.req.Keys {
		_, e, _, err := d.store.Story(ctx, flow, key)
		if err != nil {
			return err
		}
		if e == nil || (state != "" && e.State != state) || (len(d.req.IDs) > 0 && !slices.Contains(d.req.IDs, e.ID)) {
			continue
		}
		if err := do(e); err != nil {
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		}
	}
	return nil
}

// retry makes parked and delayed entries ready.
func (d *doing) retry(ctx context.Context) error {
	n, err := d.decide(ctx, func(ids []int64) (int, error) { return d.store.Requeue(ctx, ids...) }, lockstep.Parked, lockstep.Delayed, lockstep.Confirming)
	if err != nil {
		return err
	}
	who := "`lockstep sync` or `lockstep run` delivers"
	if d.isRunning() {
		who = "the daemon delivers"
	}
	return d.text(fmt.Sprintf("%d made ready; %s what is ready", n, who))
}

// discard closes entries for good.
func (d *doing) discard(ctx context.Context) error {
	reason := d.req.Reason
	if reason == "" {
		reason = "discarded by hand"
	}
	n, err := d.decide(ctx, func(ids []int64) (int, error) { return d.store.Discard(ctx, reason, ids...) }, lockstep.Parked, lockstep.Confirming)
	if err != nil {
		return err
	}
	return d.text(fmt.Sprintf("%d discarded", n))
}

// decide does something with the entries that the request names, a page at a time.
func (d *doing) decide(ctx context.Context, do func(ids []int64) (int, error), states ...lockstep.EntryState) (int, error) {
	if len(d.req.IDs) == 0 && len(d.req.Keys) == 0 && !d.req.All {
		return 0, lockstep.Faultf(lockstep.CodeUsage, "name entries or keys, or say that all are meant")
	}
	if err := d.keysOfOne(); err != nil {
		return 0, err
	}
	if d.req.All && len(d.req.IDs) == 0 && len(d.req.Keys) == 0 {
		states = states[:1] // all parked ones: what backs off goes by itself
	}
	total := 0
	var ids []int64
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		n, err := do(ids)
		total, ids = total+n, ids[:0]
		return err
	}
	err := d.each(ctx, func(ctx context.Context, f *config.Flow) error {
		for _, state := range states {
			err := d.entries(ctx, f.Name, state, 0, func(e *lockstep.Entry) error {
				if ids = append(ids, e.ID); len(ids) < pageOf {
					return nil
				}
				return flush()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return total, errors.Join(err, flush())
}
