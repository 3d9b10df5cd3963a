package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

// Drift is one record in which the sides do not agree.
type Drift struct {
	Flow   string
	What   string       // "missing", "extra", "different" or "in flight"
	Key    lockstep.Key // in the source, "" for an extra record that was never linked
	Target lockstep.Key // in the target, "" where it is not known
	Edited bool         // the target's record is not as we left it
	Fields []image.Difference
	Later  []lockstep.Ref // in flight: what the target's record is without, to be sent again once that is there
	Done   string         // with repair: what was made of it
}

// VerifyOptions say how a verify goes.
type VerifyOptions struct {
	Repair  bool
	Report  func(Drift) error // called for every drift, by one goroutine
	Observe func(Progress)
	TempDir string // where the partitions go; "" is the system's
}

// Verify reads both sides once and tells where they do not agree. It writes nothing, unless Repair asks for what
// differs to be delivered again; extra records that were never linked are not touched. What differs but is open in
// the queue is in flight. The sides may be written to meanwhile: every difference is looked at again before it
// counts.
func (e *Engine) Verify(ctx context.Context, flow string, opt VerifyOptions) (lockstep.Run, error) {
	f, err := e.flow(flow)
	if err != nil {
		return lockstep.Run{}, err
	}
	if opt.Repair && f.Held != nil {
		return lockstep.Run{}, f.Held
	}
	if err := f.canRead("a verify"); err != nil {
		return lockstep.Run{}, err
	}
	if f.To.Pulled {
		return lockstep.Run{}, f.pulledFault("a verify")
	}
	scanner, ok := f.Target.(lockstep.Scanner)
	if !ok {
		return lockstep.Run{}, lockstep.Faultf(lockstep.CodeCannot, "system %s cannot be read whole, so it cannot be verified", f.TargetSystem).On(f.about(""))
	}
	kind := lockstep.VerifyRun
	if opt.Repair {
		kind = lockstep.RepairRun
	}
	row, err := e.store.StartRun(ctx, lockstep.Run{Flow: flow, Kind: kind, State: lockstep.Running, Started: time.Now()})
	if err != nil {
		return row, err
	}
	v := &verify{worker: e.worker(f, row.ID), opt: opt, row: row, target: scanner}
	err = v.do(ctx)
	v.row.Ended, v.row.State, v.row.Fault = time.Now(), lockstep.Finished, lockstep.FaultOf(err)
	if err != nil {
		v.row.State = lockstep.Failed
	}
	if ctx.Err() != nil {
		v.row.State, v.row.Fault = lockstep.Interrupted, nil
	}
	return v.row, errors.Join(err, e.store.SaveRun(context.WithoutCancel(ctx), v.row))
}

type verify struct {
	*worker
	opt    VerifyOptions
	row    lockstep.Run
	target lockstep.Scanner

	slab []item // of the page of the source that is at hand

	mu   sync.Mutex // counts while both sides are read
	a, b *side

	fixes []lockstep.Outcome // repairs not yet in the queue
}

func (v *verify) do(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(v.opt.TempDir, "lockstep-verify-")
	if err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if v.a, err = newSide(dir, "source"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.a.close()) }()
	if v.b, err = newSide(dir, "target"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.b.close()) }()
	if err := v.readBoth(ctx); err != nil {
		return err
	}
	for part := range partitions {
		if err := v.compareParts(ctx, part); err != nil {
			return err
		}
		v.observe("compare")
	}
	return nil
}

func (v *verify) observe(phase string) {
	if v.opt.Observe != nil {
		v.opt.Observe(Progress{Flow: v.flow.Name, Kind: v.row.Kind, Phase: phase, Counts: v.row.Counts, Total: v.flow.From.About})
	}
}

func (v *verify) readBoth(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var errA, errB error
	wg.Go(func() {
		if errA = v.readSource(ctx); errA != nil {
			cancel()
		}
	})
	wg.Go(func() {
		if errB = v.readTarget(ctx); errB != nil {
			cancel()
		}
	})
	wg.Wait()
	if errA != nil && !errors.Is(errA, context.Canceled) {
		return errA
	}
	if errB != nil {
		return errB
	}
	return errA
}

// scanAll pages through a stream.
func scanAll(ctx context.Context, s lockstep.Scanner, r lockstep.Read, l lockstep.Limit, each func([]lockstep.Change) error) error {
	for from := lockstep.Position(nil); ; {
		page, err := s.Scan(ctx, r, from, l)
		if err != nil {
			return err
		}
		if err := each(page.Changes); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
		from = page.Next
	}
}

func (v *verify) readSource(ctx context.Context) error {
	f := v.flow
	err := scanAll(ctx, f.Source, f.Read, f.Page, func(changes []lockstep.Change) error {
		if err := v.addSource(ctx, changes); err != nil {
			return err
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.row.Counts.Read += int64(len(changes))
		v.observe("source")
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the source: %w", err)
	}
	if f.OnDelete == DeleteRecord {
		return nil
	}
	return v.addGone(ctx)
}

// addSource maps a page of the source and marks where each record is expected in the target.
func (v *verify) addSource(ctx context.Context, changes []lockstep.Change) error {
	f := v.flow
	if len(v.slab) < len(changes) {
		v.slab = make([]item, len(changes))
	}
	items := f.fillItems(v.slab, changes, v.now())
	for _, it := range items {
		if it.change.Fault != nil {
			v.fail(it, it.change.Fault)
		}
	}
	if err := v.links(ctx, items); err != nil {
		return err
	}
	if err := v.mapAll(ctx, v.unfamiliar(live(items))); err != nil {
		return err
	}
	for _, it := range items {
		if err := v.a.add(v.expect(it)); err != nil {
			return err
		}
	}
	return nil
}

// unfamiliar are the items that have to be mapped. Of the others the link tells how they should be.
func (v *verify) unfamiliar(items []*item) []*item {
	v.print(items)
	out := items[:0]
	for _, it := range items {
		if v.familiar(it) {
			end := it.link.End(v.flow.Side.Other())
			it.target, it.digest = end.Key, end.Digest
			continue
		}
		out = append(out, it)
	}
	return out
}

// expect is where a source record should be in the target, and how.
func (v *verify) expect(it *item) mark {
	m := mark{key: it.key(), flag: flagPlain}
	target := it.target
	if target == "" && it.known() {
		target = it.link.End(v.flow.Side.Other()).Key
	}
	m.id = markID(v.flow.fold(target))
	switch {
	case it.out != nil && it.out.Did == "filtered", it.op == lockstep.Delete: // it should not be there
		m.flag, m.id = flagSkip, markID("\x00filtered\x00"+it.key())
	case it.out != nil: // it cannot be mapped, so nobody can say how it should be
		m.flag = flagSkip
	case target == "":
		m.flag, m.id = flagUnlinked, markID("\x00unlinked\x00"+it.key())
	case len(it.pending()) > 0: // it is sent again
		m.flag = flagPending
	default:
		copy(m.digest[:], it.digest[1:])
	}
	return m
}

// addGone marks the target records that stay although their source record is gone.
func (v *verify) addGone(ctx context.Context) error {
	for after := lockstep.Key(""); ; {
		links, err := v.store.ScanLinks(ctx, v.flow.Name, after, v.flow.Page.Rows)
		if err != nil || len(links) == 0 {
			return err
		}
		for _, l := range links {
			after = l.End(v.flow.Side).Key
			if end := l.End(v.flow.Side.Other()); end.Digest == gone {
				if err := v.a.add(mark{id: markID(v.flow.fold(end.Key)), flag: flagSkip, key: after}); err != nil {
					return err
				}
			}
		}
	}
}

func (v *verify) readTarget(ctx context.Context) error {
	err := scanAll(ctx, v.target, v.flow.look(), v.flow.Page, func(changes []lockstep.Change) error {
		for _, c := range changes {
			m := mark{id: markID(v.flow.fold(c.Record.Key)), key: c.Record.Key}
			if c.Fault == nil {
				if img, err := v.flow.Shape.Coerce(c.Record.Fields); err == nil { // one that does not fit differs, and is looked at again
					copy(m.digest[:], v.flow.Shape.Digest(img)[1:])
				}
			}
			if err := v.b.add(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the target: %w", err)
	}
	return nil
}

// compareParts compares one partition of both sides.
func (v *verify) compareParts(ctx context.Context, part int) error {
	theirs := map[[16]byte]mark{}
	err := v.b.read(part, func(m mark) error {
		theirs[m.id] = m
		return nil
	})
	if err != nil {
		return err
	}
	var suspects []*item
	err = v.a.read(part, func(m mark) error {
		t, there := theirs[m.id]
		delete(theirs, m.id)
		if m.flag == flagSkip || (there && t.digest == m.digest && m.flag == flagPlain) {
			return nil
		}
		suspects = append(suspects, v.suspect(m.key))
		if len(suspects) < v.flow.Page.Rows {
			return nil
		}
		err := v.judgeSuspects(ctx, suspects)
		suspects = nil
		return err
	})
	if err != nil {
		return err
	}
	if err := v.judgeSuspects(ctx, suspects); err != nil {
		return err
	}
	extra := make([]lockstep.Key, 0, len(theirs))
	for _, m := range theirs {
		extra = append(extra, m.key)
	}
	for len(extra) > 0 {
		n := min(len(extra), v.flow.Page.Rows)
		if err := v.judgeExtra(ctx, extra[:n]); err != nil {
			return err
		}
		extra = extra[n:]
	}
	return nil
}

// suspect is an item that is fetched again from both sides.
func (v *verify) suspect(key lockstep.Key) *item {
	it := newItem(lockstep.Delivery{Flow: v.flow.Name, Change: lockstep.Change{Record: lockstep.Record{Key: key}, Hint: true}, Captured: v.now()})
	it.look = true
	return it
}

// judgeSuspects looks at records that seemed to differ, on both sides as they are now (law 6), and reports those that
// do differ.
func (v *verify) judgeSuspects(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	v.refresh(ctx, items)
	for _, it := range items {
		if it.out != nil && it.out.Fault.Kind != lockstep.Invalid {
			return fmt.Errorf("look again: %w", it.out.Fault)
		}
	}
	if err := v.links(ctx, items); err != nil {
		return err
	}
	if err := v.mapAll(ctx, live(items)); err != nil {
		return err
	}
	var seen []*item
	for _, it := range live(items) {
		it.look = true
		if it.op == lockstep.Delete { // gone meanwhile
			if !it.known() || it.link.End(v.flow.Side.Other()).Digest == gone {
				continue
			}
			it.target = it.link.End(v.flow.Side.Other()).Key
		}
		seen = append(seen, it)
	}
	if err := v.see(ctx, seen); err != nil {
		return err
	}
	if v.flow.Back != nil {
		if err := v.seePair(ctx, seen); err != nil {
			return err
		}
	}
	for _, it := range seen {
		if err := v.drift(it); err != nil {
			return err
		}
	}
	return v.flush(ctx)
}

// see fetches the target's records.
func (v *verify) see(ctx context.Context, items []*item) error {
	var byKey, byMatch []*item
	for _, it := range items {
		switch {
		case it.target != "":
			byKey = append(byKey, it)
		case it.match != "":
			byMatch = append(byMatch, it)
		default:
			it.looked = true
		}
	}
	v.fetchTheirs(ctx, byKey)
	v.findTheirs(ctx, byMatch)
	for _, it := range items {
		if !it.looked {
			return fmt.Errorf("look again at the target: %w", it.out.Fault)
		}
	}
	return nil
}

// drift reports an item if its sides differ.
func (v *verify) drift(it *item) error {
	if it.face != nil && it.face.back != nil && it.op == lockstep.Upsert && it.face.course() == level {
		return nil
	}
	d := Drift{Flow: v.flow.Name, Key: it.key(), Target: it.target}
	var theirs value.Fields
	if it.theirs != nil {
		var err error
		if theirs, err = v.theirImage(it.theirs); err != nil {
			theirs = it.theirs.Fields
		}
		d.Edited = it.known() && !v.flow.stale(it.link.End(v.flow.Side.Other()).Digest) && v.flow.Shape.Digest(theirs) != it.link.End(v.flow.Side.Other()).Digest
	}
	switch {
	case it.op == lockstep.Delete && it.theirs == nil:
		return nil
	case it.op == lockstep.Delete:
		d.What = "extra"
	case it.theirs == nil:
		d.What = "missing"
	default:
		if d.Fields = v.flow.Shape.Diff(it.image, theirs); len(d.Fields) == 0 {
			if d.Later = it.pending(); len(d.Later) == 0 {
				return nil
			}
			d.What = "in flight" // level as far as it goes: it is sent again
			return v.report(it, d)
		}
		d.What = "different"
	}
	return v.report(it, d)
}

// judgeExtra looks at target records that no source record was expected at.
func (v *verify) judgeExtra(ctx context.Context, keys []lockstep.Key) error {
	links, err := v.store.LinksTo(ctx, v.flow.Name, keys)
	if err != nil {
		return err
	}
	var linked []*item
	var unlinked []lockstep.Key
	for i, key := range keys {
		if links[i].ID != 0 {
			linked = append(linked, v.suspect(links[i].End(v.flow.Side).Key))
		} else {
			unlinked = append(unlinked, key)
		}
	}
	if err := v.judgeSuspects(ctx, linked); err != nil || len(unlinked) == 0 {
		return err
	}
	found, err := v.flow.Target.Fetch(ctx, v.flow.look(), unlinked)
	if err != nil {
		return fmt.Errorf("look again at the target: %w", err)
	}
	coming, err := v.coming(ctx, unlinked)
	if err != nil {
		return err
	}
	for _, r := range found {
		if coming[r.Key] { // the flow back brings it
			v.row.Counts.InFlight++
			continue
		}
		if err := v.report(nil, Drift{Flow: v.flow.Name, What: "extra", Target: r.Key}); err != nil {
			return err
		}
	}
	return nil
}
