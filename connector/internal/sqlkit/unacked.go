package sqlkit

import (
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Unacked remembers what was read and not acknowledged: T is what tells the connector exactly what to take away. It
// is lost with the process; then the same comes again.
type Unacked[T any] struct {
	mu    sync.Mutex
	feeds map[string]map[string]unackedPage[T] // by the position behind the page
}

type unackedPage[T any] struct {
	from  string
	items []T
}

// unackedPages is how many pages are remembered of a feed. Whoever reads on without acknowledging reads some again.
const unackedPages = 64

// Add remembers what was read between two positions. It replaces what was read before up to the same position: that
// came again, or was acknowledged.
func (u *Unacked[T]) Add(feed string, from, next lockstep.Position, items []T) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.feeds == nil {
		u.feeds = map[string]map[string]unackedPage[T]{}
	}
	pages := u.feeds[feed]
	if pages == nil || len(pages) >= unackedPages {
		pages = map[string]unackedPage[T]{}
		u.feeds[feed] = pages
	}
	if len(items) == 0 {
		delete(pages, string(next))
		return
	}
	pages[string(next)] = unackedPage[T]{string(from), items}
}

// Take hands out what was read up to a position, page before page, and forgets it: what is not taken away now comes
// again.
func (u *Unacked[T]) Take(feed string, upTo lockstep.Position) [][]T {
	u.mu.Lock()
	defer u.mu.Unlock()
	pages := u.feeds[feed]
	var out [][]T
	for at := string(upTo); ; {
		page, ok := pages[at]
		if !ok {
			break
		}
		delete(pages, at)
		out, at = append(out, page.items), page.from
	}
	return out
}

// Held remembers rows that were acknowledged and could not be deleted, because a transaction held them. They are not
// read again for a while: if that transaction commits, the row has another generation and is read at once; if not, it
// is as it was read.
type Held struct {
	mu    sync.Mutex
	feeds map[string]heldRows // by the installation of a feed
}

type heldRows struct {
	until time.Time
	ids   []string
}

const (
	heldFor  = time.Minute
	heldMost = 10_000
)

// Add adds rows of a feed as it is installed now, by what tells a row with its generation.
func (h *Held) Add(feed string, ids []string) {
	if len(ids) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.feeds == nil {
		h.feeds = map[string]heldRows{}
	}
	rows := h.feeds[feed]
	if len(rows.ids) == 0 {
		rows.until = time.Now().Add(heldFor)
	}
	if len(rows.ids)+len(ids) <= heldMost {
		rows.ids = append(rows.ids, ids...)
	}
	h.feeds[feed] = rows
}

// List are the rows of a feed that are not to be read now.
func (h *Held) List(feed string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	rows, ok := h.feeds[feed]
	if ok && time.Now().After(rows.until) {
		delete(h.feeds, feed)
		return nil
	}
	return rows.ids
}
