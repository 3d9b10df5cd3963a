package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
)

// feed is one stream by one tracker, captured once for all flows that read it. Its methods are for one goroutine at
// a time (mu).
type feed struct {
	name   string
	system string
	source lockstep.Source
	read   lockstep.Read
	limit  lockstep.Limit
	flows  []*Flow

	opening sync.Mutex // held while a full sync begins: it may reset the feed

	mu      sync.Mutex
	loaded  bool
	stored  lockstep.Position // the checkpoint
	at      lockstep.Position // how far we have read: behind it, nothing that matters was found
	savedAt time.Time
	recent  *recent
	lost    *lockstep.Fault // the position is gone: only a full sync makes it good
}

// idleSave is how often the checkpoint is saved while nothing changes: it is the clock in it that moves.
const idleSave = 5 * time.Second

// capture moves one page from the source into the queues of the feed's flows and says how many changes it took and
// whether there is more. A feed without a checkpoint has nothing to capture: the first full sync sets it.
func (e *Engine) capture(ctx context.Context, fd *feed) (n int, more bool, err error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.lost != nil {
		return 0, false, fd.lost
	}
	if err := e.load(ctx, fd); err != nil || fd.at == nil {
		return 0, false, err
	}
	page, err := fd.source.Changes(ctx, fd.read, fd.at, fd.limit)
	if err != nil {
		fault := lockstep.FaultOf(err).On(lockstep.About{System: fd.system, Stream: fd.read.Stream})
		if fault.Kind == lockstep.Lost {
			fd.lost = fault
		}
		return 0, false, fmt.Errorf("changes: %w", fault)
	}
	acker, acks := fd.source.(lockstep.Acker)
	changes, prints := page.Changes, []print(nil)
	switch fd.read.Track.By {
	case lockstep.Timestamp, lockstep.Version: // these read again what they have read
		changes, prints = fd.recent.news(changes)
	case lockstep.Flag, lockstep.Trigger:
		changes = once(changes)
	}
	idle := len(changes) == 0 && !page.More && (!acks || len(page.Changes) == 0)
	if idle && (time.Since(fd.savedAt) < idleSave || string(page.Next) == string(fd.stored)) {
		fd.at = page.Next // the saved one is good, too: it only reads a little more again
		return 0, false, nil
	}
	ctx = context.WithoutCancel(ctx)
	if err := e.store.Append(ctx, fd.name, fd.stored, changes, page.Next, page.UpTo); err != nil {
		fd.loaded = false // whatever the store has is right
		return 0, false, fmt.Errorf("append: %w", err)
	}
	fd.stored, fd.at, fd.savedAt = page.Next, page.Next, time.Now()
	fd.recent.add(prints)
	if acks { // law 1: only now may the source forget
		err = acker.Ack(ctx, fd.read, page.Next)
	}
	return len(changes), page.More, err
}

// position is how far the feed is read. A full sync that begins may load it meanwhile.
func (fd *feed) position() lockstep.Position {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	return fd.at
}

func (e *Engine) load(ctx context.Context, fd *feed) error {
	if fd.loaded {
		return nil
	}
	at, _, err := e.store.Checkpoint(ctx, fd.name)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	fd.stored, fd.at, fd.loaded, fd.recent = at, at, true, newRecent()
	return nil
}

// resetFeed sets the checkpoint to the source's now. Only a full sync that begins after it makes this safe.
func (e *Engine) resetFeed(ctx context.Context, fd *feed) error {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	page, err := fd.source.Changes(ctx, fd.read, nil, fd.limit)
	if err != nil {
		return fmt.Errorf("changes from now: %w", lockstep.FaultOf(err).On(lockstep.About{System: fd.system, Stream: fd.read.Stream}))
	}
	fd.loaded, fd.lost = false, nil
	return e.store.Reset(ctx, fd.name, page.Next, page.UpTo)
}

// unfollowed tells whether nobody follows the flow's source from a position on: there was no capture yet, or the
// position is gone, which the source is asked if nobody has yet. A full sync has to begin anew then.
func (e *Engine) unfollowed(ctx context.Context, f *Flow) (bool, error) {
	if !f.delta() {
		return false, nil
	}
	fd := e.feeds[f.Feed]
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if err := e.load(ctx, fd); err != nil || fd.at == nil || fd.lost != nil {
		return true, err
	}
	_, err := fd.source.Changes(ctx, fd.read, fd.at, lockstep.Limit{Rows: 1, Bytes: fd.limit.Bytes})
	if lockstep.KindOf(err) == lockstep.Lost {
		fd.lost = lockstep.FaultOf(err)
		return true, nil
	}
	return false, err
}

// recent remembers what was captured last of each key, so that rows read again because of a tracker's overlap do not
// fill the queue at every poll. Only the newest state counts: a record that went from one state to another and back
// within a clock's tick is news. Forgetting costs a look, never a change; it holds two generations of recentSize keys.
type recent struct {
	young, old map[uint64]uint64
	prints     *image.Printer
}

const recentSize = 100_000

func newRecent() *recent { return &recent{young: map[uint64]uint64{}, prints: image.NewPrinter("")} }

// print is one captured state: hashes of its key and of all that was read.
type print struct{ key, state uint64 }

// news are the changes not captured before, with their prints to add once they are in the queue. A key that comes
// twice becomes one hint, as in once; it is news where any of its rows changed.
func (r *recent) news(changes []lockstep.Change) ([]lockstep.Change, []print) {
	all, first, again := make([]print, len(changes)), make(map[uint64]int, len(changes)), map[int]bool{}
	var buf []byte
	for i, c := range changes {
		buf = append(buf[:0], c.Record.Key...)
		all[i].key = xxh3.Hash(buf)
		buf = append(buf, 0, byte(c.Op))
		buf = append(buf, c.Record.Version...)
		all[i].state = xxh3.Hash(buf) + r.prints.Print(c.Record.Fields).Lo
		if one, there := first[all[i].key]; there && changes[one].Record.Key == c.Record.Key {
			all[one].state += all[i].state
			again[one], again[i] = true, true
		} else if !there {
			first[all[i].key] = i
		}
	}
	out := make([]lockstep.Change, 0, len(changes))
	prints := make([]print, 0, len(changes))
	for i, c := range changes {
		p := all[i]
		if again[i] && first[p.key] != i {
			continue
		}
		last, ok := r.young[p.key]
		if !ok {
			last, ok = r.old[p.key]
		}
		if ok && last == p.state {
			continue
		}
		if again[i] {
			c = lockstep.Change{Record: lockstep.Record{Key: c.Record.Key, At: c.Record.At}, Hint: true}
		}
		out, prints = append(out, c), append(prints, p)
	}
	return out, prints
}

// once is for changes that are rows as they are now, and not a log: a key that comes twice is that of two rows then, a
// doubled one, or a deleted one and its successor. Neither is newer than the other, so they become one hint: a fetch
// tells (law 6).
func once(changes []lockstep.Change) []lockstep.Change {
	first, again := make(map[lockstep.Key]int, len(changes)), false
	for i, c := range changes {
		if _, there := first[c.Record.Key]; there {
			again = true
			continue
		}
		first[c.Record.Key] = i
	}
	if !again {
		return changes
	}
	out := make([]lockstep.Change, 0, len(first))
	at := make(map[lockstep.Key]int, len(first)) // in out
	for _, c := range changes {
		if i, there := at[c.Record.Key]; there {
			out[i] = lockstep.Change{Record: lockstep.Record{Key: c.Record.Key, At: c.Record.At}, Hint: true}
			continue
		}
		at[c.Record.Key] = len(out)
		out = append(out, c)
	}
	return out
}

func (r *recent) add(prints []print) {
	for _, p := range prints {
		r.young[p.key] = p.state
	}
	if len(r.young) > recentSize {
		r.old, r.young = r.young, map[uint64]uint64{}
	}
}
