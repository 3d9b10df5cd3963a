package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// fullPage is a page between the goroutines of a full run: one reads the source, one looks up links and maps, one
// begins, writes and settles. Three are in memory at most (law 11): one is written, one waits for it, and one is read or
// mapped.
type fullPage struct {
	since   lockstep.Seq // the store's sequence before the page was read
	changes []lockstep.Change
	slab    []item // what items point into; used again for a later page
	items   []*item
	next    lockstep.Position
	more    bool
	err     error
}

// read is the reading goroutine.
func (r *fullRun) read(ctx context.Context, from lockstep.Position, light bool, pages chan<- *fullPage) {
	defer close(pages)
	for {
		select {
		case r.room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		p := r.readPage(ctx, from, light)
		last := p.err != nil || !p.more
		from = p.next
		select {
		case pages <- p: // it is not ours any more
		case <-ctx.Done():
			return
		}
		if last {
			return
		}
	}
}

func (r *fullRun) readPage(ctx context.Context, from lockstep.Position, light bool) *fullPage {
	p := &fullPage{}
	if p.since, p.err = r.store.Mark(ctx); p.err != nil {
		return p
	}
	read := r.flow.Read
	if light {
		read.Fields = nil
	}
	page, err := r.flow.Source.Scan(ctx, read, from, r.flow.Page)
	if err != nil {
		p.err = fmt.Errorf("scan: %w", lockstep.FaultOf(err).On(lockstep.About{Flow: r.flow.Name, System: r.flow.SourceSystem, Stream: r.flow.From.Name}))
		return p
	}
	p.changes, p.next, p.more = page.Changes, page.Next, page.More
	return p
}

// prepareAll is the goroutine between. It owns r.maps.
func (r *fullRun) prepareAll(ctx context.Context, deep, light bool, read <-chan *fullPage, pages chan<- *fullPage) {
	defer close(pages)
	last := map[lockstep.Key]*item{}
	for p := range read {
		if p.err == nil {
			p.err = r.prepare(ctx, deep, light, p, &last)
		}
		select {
		case pages <- p:
		case <-ctx.Done():
			return
		}
	}
}

// prepare finds out what of a page differs.
func (r *fullRun) prepare(ctx context.Context, deep, light bool, p *fullPage, last *map[lockstep.Key]*item) error {
	select {
	case p.slab = <-r.slabs:
	default:
	}
	if len(p.slab) < len(p.changes) {
		p.slab = make([]item, len(p.changes))
	}
	p.items, p.changes = r.flow.fillItems(p.slab, p.changes, r.now()), nil
	if err := r.links(ctx, p.items); err != nil {
		return err
	}
	r.doubled(p.items, last)
	for _, it := range p.items {
		if it.change.Fault != nil {
			r.fail(it, it.change.Fault)
		} else if deep {
			it.look = true
		}
	}
	if light {
		r.light(ctx, p.items)
	}
	r.print(live(p.items))
	for _, it := range live(p.items) {
		if r.familiar(it) {
			it.out = nothing
		}
	}
	if err := r.mapAll(ctx, live(p.items)); err != nil {
		return err
	}
	r.compare(live(p.items))
	if light {
		r.setApart(p.items)
	}
	return nil
}

// doubled finds records with one key and different content, next to each other or nearly so. The queue looks at them:
// a fetch tells whether the source really has two, or one that moved while we read.
func (r *fullRun) doubled(items []*item, last *map[lockstep.Key]*item) {
	if len(items) == 0 {
		return // its neighbours are next to each other
	}
	here := make(map[lockstep.Key]*item, len(items))
	for _, it := range items {
		if first := here[it.key()]; first != nil {
			it.again, first.again = true, true
			continue
		}
		here[it.key()] = it
		it.again = (*last)[it.key()] != nil
	}
	*last = here
}

// leaves tells whether a record that was linked before the run began is not in the set any more. It counts as not
// seen, so that the brake holds a filter that leaves too much out (law 9).
func (r *fullRun) leaves(it *item) bool {
	return it.out == nil && it.op == lockstep.Delete && it.known() && it.link.ID <= r.place.MaxID
}

// sight notes that the scan has seen a record (law 9), and finds a second one with its key far behind the first.
func (r *fullRun) sight(it *item) {
	if it.known() && !r.leaves(it) && !r.seen.add(it.link.ID) {
		it.again = true
	}
}

// bringPage takes the records that differ through the stages up to the write. It must not write itself: the page before
// may have to be read again, and then this one is, too.
func (r *fullRun) bringPage(ctx context.Context, p *pageInHand) error {
	hint := func(it *item) {
		it.done("queued")
		p.end.Queue = append(p.end.Queue, hintAt(it))
	}
	for _, it := range p.items {
		switch {
		case it.change.Fault != nil: // it could not be read: parked under its place, also where it was parked before
			it.done("unreadable")
			p.end.Queue = append(p.end.Queue, it.change)
		case it.again:
			hint(it)
		case it.out != nil && it.open && it.out.Verdict != lockstep.Done:
			hint(it) // it cannot go, and the queue still holds something older
		case it.out != nil && it.open && it.out.Verdict == lockstep.Done:
			if it.open = !r.edited(ctx, it); it.open {
				r.queueFor([]*item{it}, hint) // level, but the queue still holds something older
			}
		case r.leaves(it):
			it.done("leaves")
		case it.out == nil && it.op == lockstep.Delete:
			hint(it) // it left the set
		}
	}
	if r.flow.Back != nil {
		return r.bringPair(ctx, p, hint)
	}
	items := live(p.items)
	if r.flow.To.Pulled { // nobody may ask for them for long: they go by the queue, and are read again when somebody does
		r.queueFor(items, hint)
		return nil
	}
	if len(items) == 0 {
		return nil
	}
	r.lookups(items)
	r.lookAt(ctx, items)
	items = live(items)
	if r.place.Deep {
		r.judgeEdits(items)
		items = live(items)
	}
	p.unlock = r.lock(ctx, items, hint)
	if err := r.claim(ctx, live(items)); err != nil { // under the locks: a delivery may claim the same just now (law 3)
		return err
	}
	var err error
	p.send, err = r.begin(ctx, p.since, live(items))
	return err
}

// hintAt asks the queue to look at a record. The image that the page has of it goes along: after an unknown outcome it
// tells where to look (law 5).
func hintAt(it *item) lockstep.Change { return lockstep.Change{Record: it.change.Record, Hint: true} }

// begin saves what is about to be written and leaves out what the queue takes over.
func (r *fullRun) begin(ctx context.Context, since lockstep.Seq, items []*item) ([]*item, error) {
	if len(items) == 0 {
		return nil, nil
	}
	writes := make([]lockstep.PageWrite, len(items))
	for i, it := range items {
		writes[i] = lockstep.PageWrite{Change: it.change, Target: it.target}
		if r.flow.Back != nil {
			writes[i].Digest = it.digest
		}
	}
	send, err := r.store.BeginPage(ctx, r.row.ID, r.flow.Name, since, writes)
	if err != nil {
		return nil, fmt.Errorf("begin page: %w", err)
	}
	for i, it := range items {
		if it.open = false; !send[i] {
			it.done("queued")
		}
	}
	return live(items), nil
}

// edited tells whether the record's entry is an edit of the target that waits for a person.
func (r *fullRun) edited(ctx context.Context, it *item) bool {
	if r.flow.OnTargetEdit != ParkEdit {
		return false
	}
	_, entry, _, err := r.store.Story(ctx, r.flow.Name, it.key())
	return err == nil && entry != nil && waitsForPerson(entry)
}

func waitsForPerson(e *lockstep.Entry) bool {
	return e.State == lockstep.Parked && e.Fault != nil && e.Fault.Code == lockstep.CodeTargetEdit
}

// judgeEdits applies on_target_edit to records that somebody changed in the target since they were last level.
func (w *worker) judgeEdits(items []*item) {
	for _, it := range items {
		if !it.known() || it.theirs == nil {
			continue
		}
		img, err := w.theirImage(it.theirs)
		if w.flow.stale(it.link.End(w.flow.Side.Other()).Digest) {
			continue // nobody can tell an edit from what the mapping has changed
		}
		if err != nil || w.flow.Shape.Digest(img) == it.link.End(w.flow.Side.Other()).Digest {
			continue
		}
		switch w.flow.OnTargetEdit {
		case KeepEdit:
			it.done("kept")
		case ParkEdit:
			w.fail(it, lockstep.Faultf(lockstep.CodeTargetEdit, "target record %s was edited since it was last level", it.target))
			it.out.Verdict, it.out.Tried = lockstep.Park, true // a retry looks, and overwrites what it finds
		}
	}
}

// collect sorts the outcomes of a page. It returns the fault that says the target as a whole is away; records that
// were surely not written for it are left out, for the page will be read again.
func (r *fullRun) collect(items []*item, end *lockstep.PageEnd) error {
	for _, it := range items {
		if it.out == nil {
			r.fail(it, lockstep.Faultf(lockstep.CodeInvariant, "no stage closed this record"))
		}
	}
	sys := worst(items)
	for _, it := range items {
		o := it.out
		switch {
		case it.receipt != "" && o.Verdict == lockstep.Done:
			r.acceptPaged(it, end)
			o = it.out
		case o.Verdict == lockstep.Done && o.Did == "queued":
			r.row.Counts.Queued++
			continue
		case o.Verdict == lockstep.Done && o.Did == "unreadable":
			r.row.Counts.Failed++
			continue
		case o.Verdict == lockstep.Done && o.Did == "leaves":
			continue
		case o.Verdict == lockstep.Done:
			if it.open { // level, but the queue still holds something older
				end.Queue = append(end.Queue, hintAt(it))
			}
			if o.Link != nil {
				end.Links = append(end.Links, *o.Link)
			}
			if o.Unlink != nil {
				end.Unlink = append(end.Unlink, *o.Unlink)
			}
			r.declare(it, end)
		case sys != nil && !o.Tried && o.Fault != nil && (o.Fault.Kind == lockstep.Unavailable || o.Fault.Kind == lockstep.Throttled || o.Fault.Kind.StopsFlow()):
			continue
		case it.open && o.Fault.Code != lockstep.CodeTargetEdit: // it cannot go, and the queue still holds something older
			r.row.Counts.Queued++
			end.Queue = append(end.Queue, hintAt(it))
			continue
		default:
			o.Run = r.row.ID
			r.declare(it, end)
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
	end.Run = r.row
	if r.sighted == nil {
		r.sighted = map[int64]lockstep.Chunk{}
	}
	for _, c := range r.seen.changed() {
		r.sighted[c.No] = c
	}
	for _, c := range r.sighted {
		end.Seen = append(end.Seen, c)
	}
	end.Run.Place = r.place.encode()
	if err := r.store.SettlePage(ctx, r.flow.Name, end); err != nil {
		return fmt.Errorf("settle page: %w", err)
	}
	clear(r.sighted)
	r.row.Place, r.sure = end.Run.Place, end.Run.Counts
	r.flow.state.moves.Add(1)
	r.flow.state.acceptedAny(end.Failed)
	r.saved = time.Now()
	return nil
}
