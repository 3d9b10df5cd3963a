package engine

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// pageInHand is a page whose records that differ are on their way to the target. While one page is written the next
// is looked up, locked and begun, and the one before is settled, so that the target does not wait for the store: a first
// full sync takes a quarter less time so. Pages are begun, written and settled in their order, and each keeps its locks
// until it is settled.
type pageInHand struct {
	*fullPage
	end     lockstep.PageEnd
	seen    []lockstep.Chunk // with what the scan saw up to this page
	send    []*item          // begun, and to be written
	unlock  func()
	written chan struct{} // closed once all that was sent is answered; nil before it is sent
}

// pagesAtOnce is how many pages a full run has in memory.
const pagesAtOnce = 3

// scan reads the source to its end, and writes and settles what differs, page by page in order.
func (r *fullRun) scan(ctx context.Context) error {
	readCtx, cancel := context.WithCancel(ctx)
	read, pages := make(chan *fullPage), make(chan *fullPage)
	var wg sync.WaitGroup
	from := lockstep.Position(r.place.From)
	if r.place.From == "" {
		from = nil
	}
	deep, light := r.place.Deep, r.place.Light // the place is the writing goroutine's
	r.slabs, r.room, r.sighted = make(chan []item, pagesAtOnce), make(chan struct{}, pagesAtOnce), map[int64]lockstep.Chunk{}
	wg.Go(func() { r.read(readCtx, from, light, read) })
	wg.Go(func() { r.prepareAll(readCtx, deep, light, read, pages) })
	defer wg.Wait()
	defer cancel()
	var hand *pageInHand
	defer func() { hand.drop() }()
	for p := range pages {
		if r.crowded(ctx) {
			own := r.finish(ctx, hand, nil)
			if hand = nil; own == nil {
				own = r.awaitRoom(ctx)
			}
			if own != nil {
				return own
			}
		}
		next, err := r.takeUp(context.WithoutCancel(ctx), p)
		if own := r.finish(ctx, hand, next); own != nil {
			next.drop()
			return own
		}
		if hand = next; err != nil {
			return err
		}
		if !p.more {
			break
		}
	}
	return cmp.Or(r.finish(ctx, hand, nil), ctx.Err())
}

// takeUp takes a page as far as it comes before it is written. Where it fails it gives the error and no page.
func (r *fullRun) takeUp(ctx context.Context, p *fullPage) (*pageInHand, error) {
	if p.err != nil {
		return nil, p.err
	}
	h := &pageInHand{fullPage: p, unlock: func() {}}
	if r.built {
		h.end.Since = p.since
	}
	for _, it := range p.items {
		r.sight(it)
	}
	h.seen = r.seen.changed()
	if err := r.bringPage(ctx, h); err != nil {
		h.unlock()
		return nil, err
	}
	return h, nil
}

// finish waits until a page is written, has the next one written, and meanwhile settles the page.
func (r *fullRun) finish(ctx context.Context, h, next *pageInHand) error {
	if h == nil {
		r.launch(ctx, next)
		return nil
	}
	<-h.written
	r.awaits(context.WithoutCancel(ctx), h.items)
	before, counts := r.place, r.row.Counts
	r.row.Counts.Read += int64(len(h.items))
	r.place.From = string(h.next)
	if !h.more {
		r.place.Phase = phaseDeletes
	}
	sys := r.collect(h.items, &h.end)
	stop := sys != nil || ctx.Err() != nil
	if sys != nil { // the page is read again: only what is certain is kept of it
		r.place, r.row.Counts = before, counts
	}
	if !stop {
		r.launch(ctx, next)
		h.end.Ahead = next != nil && len(next.send) > 0
	}
	if err := r.settleIn(context.WithoutCancel(ctx), h, stop); err != nil || sys != nil {
		return cmp.Or(err, sys)
	}
	r.observe()
	if stop && (h.more || next != nil) {
		return r.interrupted(ctx)
	}
	return nil
}

// settleIn settles a page in hand and gives back what it held. What changes nothing is settled from time to time.
func (r *fullRun) settleIn(ctx context.Context, h *pageInHand, now bool) error {
	defer h.unlock()
	h.unlock = func() {}
	defer func() { <-r.room }()
	for _, c := range h.seen {
		r.sighted[c.No] = c
	}
	e := &h.end
	if len(e.Links)+len(e.Unlink)+len(e.Failed)+len(e.Queue)+len(e.Refs)+len(e.News) > 0 || !h.more || now || time.Since(r.saved) > settleEvery {
		if err := r.settle(ctx, *e); err != nil {
			return err
		}
		r.queuedFor(e.Queue)
		r.breakRings(ctx, h.items)
	}
	clear(h.slab)
	select {
	case r.slabs <- h.slab:
	default:
	}
	return nil
}

// launch has the page written, in a goroutine that finish or drop waits for.
func (r *fullRun) launch(ctx context.Context, h *pageInHand) {
	if h == nil {
		return
	}
	h.written = make(chan struct{})
	go func() {
		defer close(h.written)
		r.write(context.WithoutCancel(ctx), h.send)
	}()
}

// drop waits for a page that nobody finishes and gives its locks back. What was written of it is in flight (law 5).
func (h *pageInHand) drop() {
	if h == nil {
		return
	}
	if h.written != nil {
		<-h.written
	}
	h.unlock()
}

// interrupted saves the place before the run is left in good order. A page that was begun and not written is in flight
// no more.
func (r *fullRun) interrupted(ctx context.Context) error {
	if err := r.settle(context.WithoutCancel(ctx), lockstep.PageEnd{}); err != nil {
		return err
	}
	return ctx.Err()
}
