package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// deletes queues the delete of every record that was linked before the run began, was not seen by the complete scan,
// and is confirmed absent by a fetch (law 9). They go by the queue, where a record that others depend on waits for
// these to go first.
func (r *fullRun) deletes(ctx context.Context) error {
	if r.place.After == "" {
		if r.seen.upTo(r.place.MaxID) == r.place.Linked {
			return nil // the scan has met every record that was linked
		}
		if err := r.brake(ctx); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		links, err := r.store.ScanLinks(ctx, r.flow.Name, r.place.After, r.flow.Page.Rows)
		if err != nil {
			return fmt.Errorf("links: %w", err)
		}
		if len(links) == 0 {
			return nil
		}
		end, err := r.absent(ctx, links)
		if err != nil {
			return err
		}
		r.place.After = links[len(links)-1].End(r.flow.Side).Key
		if len(end.Queue) > 0 {
			if err := r.settle(context.WithoutCancel(ctx), end); err != nil {
				return err
			}
		}
		r.observe()
	}
	return ctx.Err()
}

// unseen tells whether a link's record is a candidate for a delete.
func (r *fullRun) unseen(l lockstep.Link) bool {
	digest := l.End(r.flow.Side.Other()).Digest
	return l.ID <= r.place.MaxID && !r.seen.has(l.ID) && digest != gone && digest != outside
}

// brake counts the candidates before the first is touched.
func (r *fullRun) brake(ctx context.Context) error {
	var n int64
	for after := lockstep.Key(""); ; {
		links, err := r.store.ScanLinks(ctx, r.flow.Name, after, 10*r.flow.Page.Rows)
		if err != nil {
			return fmt.Errorf("links: %w", err)
		}
		if len(links) == 0 {
			break
		}
		for _, l := range links {
			if r.unseen(l) {
				n++
			}
		}
		after = links[len(links)-1].End(r.flow.Side).Key
	}
	if n == 0 || r.place.Allowed {
		return nil
	}
	about := r.flow.about("")
	if r.row.Counts.Read == 0 {
		return lockstep.Faultf(lockstep.CodeShortRead, "the source gave no record at all, while %d are linked: nothing is deleted", r.place.Linked).On(about)
	}
	share := float64(n) / float64(max(r.place.Linked, 1))
	if b := r.flow.Deletes; n > b.Max || share > b.Share {
		return lockstep.Faultf(lockstep.CodeDeleteBrake, "%d of %d linked records are gone from the source or left the set (%.1f %%); the brake allows %.0f %% and %d: nothing is deleted",
			n, r.place.Linked, 100*share, 100*b.Share, b.Max).On(about)
	}
	return nil
}

// absent confirms the candidates of a page of links by a fetch.
func (r *fullRun) absent(ctx context.Context, links []lockstep.Link) (lockstep.PageEnd, error) {
	var end lockstep.PageEnd
	var keys []lockstep.Key
	for _, l := range links {
		if r.unseen(l) {
			keys = append(keys, l.End(r.flow.Side).Key)
		}
	}
	if len(keys) == 0 {
		return end, nil
	}
	there := map[lockstep.Key]bool{}
	if err := r.confirm(ctx, keys, there); err != nil {
		return end, fmt.Errorf("confirm deletes: %w", lockstep.FaultOf(err).On(lockstep.About{Flow: r.flow.Name, System: r.flow.SourceSystem, Stream: r.flow.From.Name}))
	}
	for _, k := range keys {
		c := lockstep.Change{Op: lockstep.Delete, Record: lockstep.Record{Key: k}}
		if there[k] {
			c = lockstep.Change{Record: lockstep.Record{Key: k}, Hint: true}
		}
		end.Queue = append(end.Queue, c)
		r.row.Counts.Queued++
	}
	return end, nil
}

// confirm notes which of the keys are in the source: by halves, so that a record that is there and cannot be read hurts
// only itself (law 4).
func (r *fullRun) confirm(ctx context.Context, keys []lockstep.Key, there map[lockstep.Key]bool) error {
	found, err := r.flow.Source.Fetch(ctx, r.flow.Read, keys)
	switch half := len(keys) / 2; {
	case err == nil:
		for _, rec := range found {
			there[rec.Key] = true
		}
		return nil
	case lockstep.KindOf(err) != lockstep.Invalid:
		return err
	case half == 0: // the queue looks at it, and parks it
		there[keys[0]] = true
		return nil
	default:
		if err := r.confirm(ctx, keys[:half], there); err != nil {
			return err
		}
		return r.confirm(ctx, keys[half:], there)
	}
}

// lookAtParked has the queue look again at what was parked before this run and not met by it: records that are gone,
// and places ("line 17") where the scan found a record that could not be read and finds none any more. A sweep beside a
// feed has met what is there, and left it parked.
func (r *fullRun) lookAtParked(ctx context.Context) error {
	for after := int64(0); ; {
		parked, err := r.store.Entries(ctx, r.flow.Name, lockstep.Parked, after, r.flow.Page.Rows)
		if err != nil || len(parked) == 0 {
			return err
		}
		var keys []lockstep.Key
		for _, p := range parked {
			if p.Changed.Before(r.row.Started) && !waitsForPerson(&p) {
				keys = append(keys, p.Change.Record.Key)
			}
			after = p.ID
		}
		if r.place.Light && r.flow.delta() && len(keys) > 0 {
			there := map[lockstep.Key]bool{}
			if err := r.confirm(ctx, keys, there); err != nil {
				return fmt.Errorf("look for parked records: %w", lockstep.FaultOf(err).On(lockstep.About{Flow: r.flow.Name, System: r.flow.SourceSystem, Stream: r.flow.From.Name}))
			}
			keys = slices.DeleteFunc(keys, func(k lockstep.Key) bool { return there[k] })
		}
		if len(keys) > 0 {
			if err := r.store.Hint(ctx, r.flow.Name, keys); err != nil {
				return err
			}
		}
	}
}
