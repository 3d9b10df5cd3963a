package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/lockstep-sync/lockstep"
)

// noteRefs keeps what the record that was mapped just now is made with. What it was sent without because the other
// record is gone, no link will bring.
func (w *worker) noteRefs(it *item, left map[lockstep.Ref]bool) {
	if !w.refers || it.op == lockstep.Delete || it.out != nil && it.out.Fault == nil {
		return
	}
	it.refs, it.mapped = w.maps.References(), it.out == nil
	if !it.mapped { // what it is made from may mend it
		it.refs = slices.DeleteFunc(it.refs, func(r lockstep.Reference) bool { return r.Use&lockstep.Built == 0 })
	}
	for i := range it.refs {
		if left[it.refs[i].Ref] {
			it.refs[i].Use &^= lockstep.Pending
		}
	}
}

// mark notes when the records of items are about to be read. What they are made from, and is news from now on, they may
// not hold yet (law 6).
func (w *worker) mark(ctx context.Context, items []*item) error {
	if !w.built {
		return nil
	}
	since, err := w.store.Mark(ctx)
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	for _, it := range items {
		it.since = since
	}
	return nil
}

// pending are the records without whose keys the item goes, or went.
func (it *item) pending() []lockstep.Ref {
	var out []lockstep.Ref
	for _, r := range it.refs {
		if r.Use&lockstep.Pending != 0 {
			out = append(out, r.Ref)
		}
	}
	return out
}

// declare puts into an item's outcome what its record was made with, and what it is news to: that its key on the target
// is another one, or none any more. A link that is new the store tells of by itself, and changes of the source it has
// told of when it took them.
func (w *worker) declare(it *item) {
	o := it.out
	if o == nothing {
		return
	}
	o.Since = it.since
	if o.Verdict != lockstep.Done {
		if !it.known() && !it.mapped && len(it.refs) > 0 {
			o.Refs = it.refs
		}
		return
	}
	switch {
	case o.Link == nil && o.Unlink != nil:
		o.News |= lockstep.Linked
	case o.Link != nil && it.known() && it.op == lockstep.Upsert:
		if was := it.link.End(w.flow.Side.Other()); was.Digest == gone || was.Key != o.Link.End(w.flow.Side.Other()).Key {
			o.News |= lockstep.Linked | lockstep.Pending
		}
	}
	switch {
	case !w.refers:
	case it.op == lockstep.Delete || o.Did == "filtered":
		o.Refs = []lockstep.Reference{}
	case it.mapped:
		o.Refs = it.refs
	}
}

// declare does so for a page: there nobody was told of the change that the page has found.
func (r *fullRun) declare(it *item, end *lockstep.PageEnd) {
	if it.out == nothing {
		if r.flow.Back != nil && it.mapped { // a pair's links have no print that tells whether it is as before
			end.Refs = append(end.Refs, lockstep.Refers{Key: it.key(), To: it.refs})
		}
		return
	}
	r.worker.declare(it)
	o := it.out
	if o.Refs != nil {
		end.Refs = append(end.Refs, lockstep.Refers{Key: it.key(), To: o.Refs})
	}
	if news := o.News | told(it); news != 0 {
		end.News = append(end.News, lockstep.News{Key: it.key(), For: news})
	}
}

// told are the news that a page's record is to those that are made from it.
func told(it *item) lockstep.Use {
	if o := it.out; it.known() && (o.Did == "created" || o.Did == "updated" || o.Did == "deleted") {
		return lockstep.Built
	}
	return 0
}

// acceptPaged makes a queue entry of a page's record whose write was accepted: its operation is open.
func (r *fullRun) acceptPaged(it *item, end *lockstep.PageEnd) {
	r.worker.declare(it)
	it.out.News |= told(it)
	it.out.Run = r.row.ID
	r.accept(it)
	if it.out.Refs != nil {
		end.Refs = append(end.Refs, lockstep.Refers{Key: it.key(), To: it.out.Refs})
	}
	end.Failed = append(end.Failed, *it.out)
}
