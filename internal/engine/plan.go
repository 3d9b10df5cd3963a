package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

// PlanItem is what a sync would do with one record. The digests are in hex; a saved plan is applied only while they
// are still true.
type PlanItem struct {
	Flow   string
	Key    lockstep.Key
	Target lockstep.Key // "" where the target will choose it
	Action string       // "create", "update", "delete", "disable", "park" or "wait"
	Fields []image.Difference
	Ours   string          // digest of the image we would send
	Was    string          // digest when both sides were last level
	Theirs string          // digest of the target's record now
	Fault  *lockstep.Fault // why it would be parked, or what it would wait for
	Later  []lockstep.Ref  // what it would be sent without, to be sent again once that is there
}

// PlanOptions say what to plan.
type PlanOptions struct {
	Keys    []lockstep.Key // only these
	Sample  int            // only the first so many
	Report  func(PlanItem) error
	Observe func(Progress)
}

// Plan says what a full sync would do, record by record and field by field, and writes nothing. What is level is
// counted and not reported. The row's fault tells where the delete brake would stop the run.
func (e *Engine) Plan(ctx context.Context, flow string, opt PlanOptions) (lockstep.Run, error) {
	f, err := e.flow(flow)
	if err != nil {
		return lockstep.Run{}, err
	}
	if err := f.canRead("a plan"); err != nil {
		return lockstep.Run{}, err
	}
	linked, maxID, err := e.store.CountLinks(ctx, f.Name)
	if err != nil {
		return lockstep.Run{}, err
	}
	row, err := e.store.StartRun(ctx, lockstep.Run{Flow: flow, Kind: lockstep.PlanRun, State: lockstep.Running, Started: time.Now()})
	if err != nil {
		return row, err
	}
	p := &plan{worker: e.worker(f, row.ID), opt: opt, row: row}
	p.full = &fullRun{worker: p.worker, row: row, seen: newBitmap(nil), place: place{MaxID: maxID, Linked: linked}}
	err = p.do(ctx)
	p.row.State, p.row.Ended = lockstep.Finished, time.Now()
	if err != nil {
		p.row.State, p.row.Fault = lockstep.Failed, lockstep.FaultOf(err)
	}
	return p.row, errors.Join(err, e.store.SaveRun(context.WithoutCancel(ctx), p.row))
}

type plan struct {
	*worker
	opt  PlanOptions
	row  lockstep.Run
	full *fullRun // finds what is gone, as a full sync would
}

func (p *plan) do(ctx context.Context) error {
	if len(p.opt.Keys) > 0 {
		return p.byKey(ctx, p.opt.Keys)
	}
	if p.opt.Sample > 0 {
		keys, err := p.sample(ctx, p.opt.Sample)
		if err != nil {
			return err
		}
		return p.byKey(ctx, keys)
	}
	err := scanAll(ctx, p.flow.Source, p.flow.Read, p.flow.Page, func(changes []lockstep.Change) error {
		items := p.flow.newItems(changes, p.now())
		for _, it := range items {
			if it.change.Fault != nil {
				p.fail(it, it.change.Fault)
			}
		}
		return p.page(ctx, items)
	})
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return p.deletes(ctx)
}

// sample is the keys of the first records of the source.
func (w *worker) sample(ctx context.Context, n int) ([]lockstep.Key, error) {
	read := w.flow.Read
	read.Fields = nil // the light read
	var keys []lockstep.Key
	for page := (lockstep.Page{More: true}); page.More && len(keys) < n; { // a page may come short, or empty
		var err error
		page, err = w.flow.Source.Scan(ctx, read, page.Next, lockstep.Limit{Rows: n - len(keys), Bytes: w.flow.Page.Bytes})
		if err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		for _, c := range page.Changes {
			keys = append(keys, c.Record.Key)
		}
	}
	return keys, nil
}

// byKey plans records that are named.
func (p *plan) byKey(ctx context.Context, keys []lockstep.Key) error {
	items := make([]*item, len(keys))
	for i, k := range keys {
		items[i] = newItem(lockstep.Delivery{Flow: p.flow.Name, Change: lockstep.Change{Record: lockstep.Record{Key: k}, Hint: true}, Captured: p.now()})
	}
	p.refresh(ctx, items)
	return p.page(ctx, items)
}

// page plans a page of records.
func (p *plan) page(ctx context.Context, items []*item) error {
	p.row.Counts.Read += int64(len(items))
	if err := p.links(ctx, items); err != nil {
		return err
	}
	if err := p.mapAll(ctx, live(items)); err != nil {
		return err
	}
	for _, it := range items {
		p.full.sight(it)
	}
	p.compare(live(items))
	todo := live(items)
	for _, it := range todo {
		it.look = it.target != "" || it.match != ""
	}
	p.lookAt(ctx, todo)
	if err := p.claim(ctx, live(todo)); err != nil {
		return err
	}
	p.awaits(ctx, items)
	for _, it := range items {
		if err := p.tell(it); err != nil {
			return err
		}
	}
	if p.opt.Observe != nil {
		p.opt.Observe(Progress{Flow: p.flow.Name, Kind: lockstep.PlanRun, Phase: "scan", Counts: p.row.Counts, Total: p.flow.From.About})
	}
	return nil
}

// tell counts an item and reports it unless it is level.
func (p *plan) tell(it *item) error {
	c := &p.row.Counts
	if it.out != nil && it.out.Clash != nil && it.out.Clash.Won == p.flow.Side {
		it.out = nil // a conflict that ours wins
	}
	d := PlanItem{Flow: p.flow.Name, Key: it.key(), Target: it.target, Later: it.pending(), Was: hexDigest(it.link.End(p.flow.Side.Other()).Digest), Ours: hexDigest(it.digest)}
	if it.theirs != nil {
		if img, err := p.theirImage(it.theirs); err == nil {
			d.Theirs = hexDigest(p.flow.Shape.Digest(img))
			d.Fields = p.flow.Shape.Diff(it.image, img)
		}
	} else if it.op == lockstep.Upsert {
		d.Fields = p.flow.Shape.Diff(it.image, value.Fields{})
	}
	switch {
	case it.out != nil && it.out.Did == "filtered":
		c.Filtered++
		return nil
	case it.out != nil && it.out.Fault != nil:
		d.Action, d.Fault = "park", it.out.Fault
		if it.out.Fault.Kind != lockstep.Waiting {
			c.Failed++
			break
		}
		d.Action, d.Fields = "wait", p.without(it)
		c.Queued++
	case it.out != nil:
		c.Level++
		return nil
	case it.op == lockstep.Delete && p.flow.OnDelete == IgnoreDelete:
		c.Level++
		return nil
	case it.op == lockstep.Delete:
		d.Action, d.Fields, d.Later = string(p.flow.OnDelete), nil, nil
		c.Deleted++
	case it.theirs == nil && (it.looked || !it.known()):
		d.Action = "create"
		c.Created++
	default:
		d.Action = "update"
		c.Updated++
	}
	if p.opt.Report == nil {
		return nil
	}
	return p.opt.Report(d)
}

// without is what is known of a record that waits for a link: the fields that the link has no part in. Those that it has are
// told by what becomes of them when the link is one thing or another.
func (p *plan) without(it *item) []image.Difference {
	var images [2]value.Fields
	for i, key := range [...]lockstep.Key{"0", "1"} {
		fields, keep, err := p.maps.Map(it.change.Record, func(lockstep.Ref) (lockstep.Key, bool) { return key, true })
		if err != nil || !keep {
			return nil
		}
		if images[i], err = p.flow.Shape.Coerce(fields); err != nil {
			return nil
		}
	}
	linked := map[string]bool{}
	for _, d := range p.flow.Shape.Diff(images[0], images[1]) {
		linked[d.Field] = true
	}
	return slices.DeleteFunc(p.flow.Shape.Diff(images[0], value.Fields{}), func(d image.Difference) bool { return linked[d.Field] })
}

func hexDigest(d lockstep.Digest) string { return hex.EncodeToString([]byte(d)) }

// deletes plans what a full sync would delete.
func (p *plan) deletes(ctx context.Context) error {
	p.full.row.Counts.Read = p.row.Counts.Read
	if err := p.full.brake(ctx); err != nil {
		p.row.Fault = lockstep.FaultOf(err)
	}
	for after := lockstep.Key(""); ; {
		links, err := p.store.ScanLinks(ctx, p.flow.Name, after, p.flow.Page.Rows)
		if err != nil || len(links) == 0 {
			return err
		}
		after = links[len(links)-1].End(p.flow.Side).Key
		end, err := p.full.absent(ctx, links)
		if err != nil {
			return err
		}
		var keys []lockstep.Key
		for _, c := range end.Queue {
			if c.Op == lockstep.Delete {
				keys = append(keys, c.Record.Key)
			}
		}
		if len(keys) == 0 {
			continue
		}
		read := p.row.Counts.Read
		if err := p.byKey(ctx, keys); err != nil {
			return err
		}
		p.row.Counts.Read = read
	}
}
