package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// fullPage is a page between the reading and the writing goroutine of a full run. Not more than three are in memory:
// one read ahead, one handed over, one being written (law 11).
type fullPage struct {
	since lockstep.Seq // the store's sequence before the page was read
	items []*item
	next  lockstep.Position
	more  bool
	err   error
}

// scan reads the source to its end. One goroutine reads, looks up links and maps; this one writes and settles, page
// by page in order.
func (r *fullRun) scan(ctx context.Context) error {
	readCtx, cancel := context.WithCancel(ctx)
	pages := make(chan *fullPage, 1)
	var wg sync.WaitGroup
	wg.Go(func() { r.read(readCtx, pages) })
	defer wg.Wait()
	defer cancel()
	for p := range pages {
		if p.err != nil {
			return p.err
		}
		if err := r.page(context.WithoutCancel(ctx), p); err != nil {
			return err
		}
		r.observe()
		if !p.more {
			return nil
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
	}
	return ctx.Err()
}

// interrupted saves the place before the run is left in good order.
func (r *fullRun) interrupted(ctx context.Context) error {
	if err := r.settle(context.WithoutCancel(ctx), lockstep.PageEnd{}); err != nil {
		return err
	}
	return ctx.Err()
}

// read is the reading goroutine. It owns pages, and r.maps.
func (r *fullRun) read(ctx context.Context, pages chan<- *fullPage) {
	defer close(pages)
	from := lockstep.Position(r.place.From)
	if r.place.From == "" {
		from = nil
	}
	last := map[lockstep.Key]*item{}
	for {
		p := r.prepare(ctx, from, &last)
		select {
		case pages <- p:
		case <-ctx.Done():
			return
		}
		if p.err != nil || !p.more {
			return
		}
		from = p.next
	}
}

// prepare reads one page and finds out what differs.
func (r *fullRun) prepare(ctx context.Context, from lockstep.Position, last *map[lockstep.Key]*item) *fullPage {
	p := &fullPage{}
	if p.since, p.err = r.store.Mark(ctx); p.err != nil {
		return p
	}
	page, err := r.flow.Source.Scan(ctx, r.flow.Read, from, r.flow.Page)
	if err != nil {
		p.err = fmt.Errorf("scan: %w", lockstep.FaultOf(err).On(lockstep.About{Flow: r.flow.Name, System: r.flow.SourceSystem, Stream: r.flow.From.Name}))
		return p
	}
	p.next, p.more = page.Next, page.More
	p.items = make([]*item, len(page.Changes))
	for i, c := range page.Changes {
		p.items[i] = newItem(lockstep.Delivery{Flow: r.flow.Name, Change: c, Captured: r.now()})
	}
	if p.err = r.links(ctx, p.items); p.err != nil {
		return p
	}
	r.doubled(p.items, last)
	for _, it := range live(p.items) {
		if it.change.Fault != nil {
			r.fail(it, it.change.Fault)
		} else if r.place.Deep {
			it.look = true
		}
	}
	if p.err = r.mapAll(ctx, live(p.items)); p.err != nil {
		return p
	}
	r.compare(live(p.items))
	return p
}

// doubled finds records with one key and different content, next to each other or nearly so. The queue looks at them:
// a fetch tells whether the source really has two, or one that moved while we read.
func (r *fullRun) doubled(items []*item, last *map[lockstep.Key]*item) {
	here := make(map[lockstep.Key]*item, len(items))
	for _, it := range items {
		first := here[it.key()]
		if first == nil {
			first = (*last)[it.key()]
		}
		if first == nil {
			here[it.key()] = it
			continue
		}
		it.again = true
		first.again = first.again || !it.change.Record.Fields.Equal(first.change.Record.Fields)
	}
	*last = here
}

// page writes what differs in a page and settles it.
func (r *fullRun) page(ctx context.Context, p *fullPage) error {
	before, counts := r.place, r.row.Counts
	var end lockstep.PageEnd
	for _, it := range p.items {
		r.sight(it)
	}
	unlock, err := r.bringPage(ctx, p, &end)
	defer unlock()
	if err != nil {
		return err
	}
	r.row.Counts.Read += int64(len(p.items))
	r.place.From = string(p.next)
	if !p.more {
		r.place.Phase = phaseDeletes
	}
	sys := r.collect(p.items, &end)
	if sys != nil { // the page is read again: only what is certain is kept of it
		r.place, r.row.Counts = before, counts
	}
	if len(end.Links)+len(end.Unlink)+len(end.Failed)+len(end.Queue) > 0 || !p.more || sys != nil || time.Since(r.saved) > settleEvery {
		if err := r.settle(ctx, end); err != nil {
			return err
		}
	}
	if sys != nil {
		return sys
	}
	return nil
}

// sight notes that the scan has seen a record (law 9), and finds a second one with its key far behind the first.
func (r *fullRun) sight(it *item) {
	if it.known() && !r.seen.add(it.link.ID) {
		it.again = true
	}
}

// bringPage takes the records that differ through the rest of the stages.
func (r *fullRun) bringPage(ctx context.Context, p *fullPage, end *lockstep.PageEnd) (unlock func(), err error) {
	unlock = func() {}
	hint := func(it *item) {
		it.done("queued")
		end.Queue = append(end.Queue, lockstep.Change{Record: lockstep.Record{Key: it.key()}, Hint: true})
	}
	for _, it := range p.items {
		switch {
		case it.change.Fault != nil: // it could not be read: parked under its place, also where it was parked before
			it.done("unreadable")
			end.Queue = append(end.Queue, it.change)
		case it.again:
			hint(it)
		case it.out != nil && it.open && it.out.Verdict != lockstep.Done:
			hint(it) // it cannot go, and the queue still holds something older
		case it.out != nil && it.open && it.out.Verdict == lockstep.Done:
			hint(it) // level, but the queue still holds something older
		case it.out == nil && it.op == lockstep.Delete:
			hint(it) // it left the set
		}
	}
	items := live(p.items)
	if len(items) == 0 {
		return unlock, nil
	}
	r.lookups(items)
	r.lookAt(ctx, items)
	items = live(items)
	if r.place.Deep {
		r.judgeEdits(items)
		items = live(items)
	}
	if err := r.claim(ctx, items); err != nil {
		return unlock, err
	}
	unlock = r.lock(live(items), hint)
	items, err = r.begin(ctx, p.since, live(items))
	if err != nil {
		return unlock, err
	}
	r.write(ctx, items)
	return unlock, nil
}

// begin saves what is about to be written and leaves out what the queue takes over.
func (r *fullRun) begin(ctx context.Context, since lockstep.Seq, items []*item) ([]*item, error) {
	if len(items) == 0 {
		return nil, nil
	}
	writes := make([]lockstep.PageWrite, len(items))
	for i, it := range items {
		writes[i] = lockstep.PageWrite{Change: it.change, Target: it.target}
	}
	send, err := r.store.BeginPage(ctx, r.row.ID, r.flow.Name, since, writes)
	if err != nil {
		return nil, fmt.Errorf("begin page: %w", err)
	}
	for i, it := range items {
		if !send[i] {
			it.done("queued")
		}
	}
	return live(items), nil
}

// judgeEdits applies on_target_edit to records that somebody changed in the target since they were last level.
func (w *worker) judgeEdits(items []*item) {
	for _, it := range items {
		if !it.known() || it.theirs == nil {
			continue
		}
		img, err := w.theirImage(it.theirs)
		if err != nil || w.flow.Shape.Digest(img) == it.link.End(w.flow.Side.Other()).Digest {
			continue
		}
		switch w.flow.OnTargetEdit {
		case KeepEdit:
			it.done("kept")
		case ParkEdit:
			w.fail(it, lockstep.Faultf(lockstep.CodeTargetEdit, "target record %s was edited since it was last level", it.target))
			it.out.Verdict = lockstep.Park
		}
	}
}

// collect sorts the outcomes of a page. It returns the fault that says the target as a whole is away; records that
// were surely not written for it are left out, for the page will be read again.
func (r *fullRun) collect(items []*item, end *lockstep.PageEnd) error {
	var outcomes []lockstep.Outcome
	for _, it := range items {
		if it.out == nil {
			r.fail(it, lockstep.Faultf(lockstep.CodeInvariant, "no stage closed this record"))
		}
		outcomes = append(outcomes, *it.out)
	}
	sys := worst(outcomes)
	for i := range outcomes {
		o := &outcomes[i]
		o.Run = r.row.ID
		switch {
		case o.Verdict == lockstep.Done && o.Did == "queued":
			r.row.Counts.Queued++
			continue
		case o.Verdict == lockstep.Done && o.Did == "unreadable":
			r.row.Counts.Failed++
			continue
		case o.Verdict == lockstep.Done:
			if o.Link != nil {
				end.Links = append(end.Links, *o.Link)
			}
			if o.Unlink != nil {
				end.Unlink = append(end.Unlink, *o.Unlink)
			}
		case sys != nil && !o.Tried && o.Fault != nil && (o.Fault.Kind == lockstep.Unavailable || o.Fault.Kind == lockstep.Throttled || o.Fault.Kind.StopsFlow()):
			continue
		default:
			end.Failed = append(end.Failed, *o)
			if o.Verdict != lockstep.Park {
				r.row.Counts.Queued++
			}
		}
		tally(&r.row.Counts, o)
	}
	if sys == nil {
		return nil
	}
	return sys
}

// settle saves what a page came to together with the run's place: the third atomic step.
func (r *fullRun) settle(ctx context.Context, end lockstep.PageEnd) error {
	r.row.Place = r.place.encode()
	end.Run, end.Seen = r.row, r.seen.changed()
	if err := r.store.SettlePage(ctx, r.flow.Name, end); err != nil {
		return fmt.Errorf("settle page: %w", err)
	}
	r.flow.state.pages.Add(1)
	r.saved = time.Now()
	return nil
}
