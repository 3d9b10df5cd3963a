package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Fed is a flow that a feed of pushed records fills.
type Fed struct {
	Flow    string
	Written string // as Flow.Written
}

// Inbox takes what sources push into the queues of the flows of their feeds. It needs the store alone: what is pushed
// while a target is away, or while a flow waits for a person, is as durable as at any other time.
type Inbox struct {
	store lockstep.Store

	mu    sync.Mutex
	feeds map[string]*inboxFeed
}

// inboxFeed joins what is pushed at the same time to one append, for each is a write to disk.
type inboxFeed struct {
	mu      sync.Mutex
	waiting *pushBatch

	turn  sync.Mutex // one append at a time, in the order of the counter
	begun bool
	at    lockstep.Position
}

type pushBatch struct {
	changes []lockstep.Change
	done    bool
	err     error
}

// mostPushed is how many changes are appended together, unless one push alone has more.
const mostPushed = 5000

// NewInbox is an inbox over a store.
func NewInbox(store lockstep.Store) *Inbox {
	return &Inbox{store: store, feeds: map[string]*inboxFeed{}}
}

// Push appends changes to the queues of a feed's flows. They are durable when it returns nil; after an error they may
// be, too, and are to be pushed again: they carry state, so that does no harm (law 5).
func (b *Inbox) Push(ctx context.Context, feed string, flows []Fed, changes []lockstep.Change) error {
	if len(changes) == 0 {
		return nil
	}
	in := b.feed(feed)
	mine := in.join(changes)
	in.turn.Lock()
	defer in.turn.Unlock()
	if mine.done {
		return mine.err
	}
	in.leave(mine)
	mine.err, mine.done = b.append(context.WithoutCancel(ctx), in, feed, flows, mine.changes), true
	return mine.err
}

func (b *Inbox) feed(name string) *inboxFeed {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.feeds[name]
	if in == nil {
		in = &inboxFeed{}
		b.feeds[name] = in
	}
	return in
}

func (in *inboxFeed) join(changes []lockstep.Change) *pushBatch {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.waiting == nil || len(in.waiting.changes)+len(changes) > mostPushed {
		in.waiting = &pushBatch{}
	}
	in.waiting.changes = append(in.waiting.changes, changes...)
	return in.waiting
}

// leave keeps others from joining a batch that is appended now.
func (in *inboxFeed) leave(batch *pushBatch) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.waiting == batch {
		in.waiting = nil
	}
}

// pushCount is a position of a pushed feed: how many appends there were.
type pushCount struct {
	N int64 `json:"pushes"`
}

func (b *Inbox) append(ctx context.Context, in *inboxFeed, feed string, flows []Fed, changes []lockstep.Change) error {
	for tries := 0; ; tries++ {
		if err := b.begin(ctx, in, feed, flows); err != nil {
			return err
		}
		var c pushCount
		if in.at != nil {
			if err := json.Unmarshal(in.at, &c); err != nil {
				return lockstep.NewFault(lockstep.CodePosition, fmt.Errorf("the place of feed %s: %w", feed, err))
			}
		}
		next, err := json.Marshal(pushCount{c.N + 1})
		if err != nil {
			return err
		}
		err = b.store.Append(ctx, feed, in.at, changes, next, time.Now())
		if err == nil {
			in.at = next
			return nil
		}
		in.begun = false // whatever the store has is right
		if lockstep.FaultOf(err).Code != lockstep.CodeMovedCursor || tries == 3 {
			return fmt.Errorf("append: %w", err)
		}
	}
}

// begin reads the feed's checkpoint. Where there is none nobody has pushed yet: its flows miss nothing from here on.
func (b *Inbox) begin(ctx context.Context, in *inboxFeed, feed string, flows []Fed) error {
	if in.begun {
		return nil
	}
	at, _, err := b.store.Checkpoint(ctx, feed)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if at == nil {
		for _, f := range flows {
			rows, err := b.store.Runs(ctx, lockstep.RunQuery{Flow: f.Flow, Kind: lockstep.FullRun, Max: 1})
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				if err := b.whole(ctx, f, "the source pushes: everything comes from here on"); err != nil {
					return err
				}
			}
		}
	}
	in.at, in.begun = at, true
	return nil
}

// whole notes that a flow has, or will have, everything that its source has.
func (b *Inbox) whole(ctx context.Context, f Fed, why string) error {
	now := time.Now()
	p := place{Phase: phaseDeletes, made: made{Written: f.Written}}
	_, err := b.store.StartRun(ctx, lockstep.Run{
		Flow: f.Flow, Kind: lockstep.FullRun, State: lockstep.Finished, Started: now, Ended: now, Place: p.encode(), Note: why,
	})
	return err
}

// Missing are those of a feed's flows that miss records which were pushed before: a flow that is newer than its feed,
// was left out for a while, or maps otherwise by now. Nobody but the source can make that good, by pushing all it has.
func (b *Inbox) Missing(ctx context.Context, feed string, flows []Fed) ([]Fed, error) {
	var out []Fed
	at, _, err := b.store.Checkpoint(ctx, feed)
	if err != nil || at == nil {
		return nil, err
	}
	for _, f := range flows {
		rows, err := b.store.Runs(ctx, lockstep.RunQuery{Flow: f.Flow, Kind: lockstep.FullRun})
		if err != nil {
			return nil, err
		}
		if by, known := lastMade(rows); len(rows) == 0 || owed(rows) || known && by.Written != f.Written {
			out = append(out, f)
		}
	}
	return out, nil
}

// Complete is the source's word that it has pushed all it has: its flows miss nothing any more.
func (b *Inbox) Complete(ctx context.Context, feed string, flows []Fed) error {
	missing, err := b.Missing(ctx, feed, flows)
	if err != nil {
		return err
	}
	for _, f := range missing {
		if err := b.whole(ctx, f, "the source says that it has pushed everything"); err != nil {
			return err
		}
	}
	return nil
}

// canRead refuses what reads the source of a flow whose source pushes.
func (f *Flow) canRead(what string) error {
	if !f.pushed() {
		return nil
	}
	fault := lockstep.Faultf(lockstep.CodeCannot, "%s reads the source, and %s cannot be read: it pushes its records itself", what, f.SourceSystem)
	fault.Next = "Have the source push its records again; what is level already costs nothing."
	return fault.On(f.about(""))
}

// believe takes a pushed change for what the source has now: it cannot be asked.
func (w *worker) believe(it *item) {
	if !it.change.Hint {
		return
	}
	fault := lockstep.NewFault(lockstep.CodeCannot, errors.New("the source pushes its records and cannot be asked for this one"))
	fault.Kind, fault.Next = lockstep.Invalid, "Have the source push this record again; that takes it up."
	w.fail(it, fault)
}

// evictPushed takes claimed records from owners whose delete is in the queue: the newest word that their source has sent.
func (w *worker) evictPushed(ctx context.Context, held []*item, owners []lockstep.Link) {
	there := map[lockstep.Key]bool{}
	for i, it := range held {
		key := owners[i].End(w.flow.Side).Key
		_, entry, _, err := w.store.Story(ctx, w.flow.Name, key)
		if err != nil {
			w.fail(it, err)
			it.out.Tried = it.delivery.Tried // nothing was written
		}
		there[key] = entry == nil || entry.Change.Op != lockstep.Delete || entry.Change.Hint
	}
	for i, it := range held {
		if it.out == nil {
			w.decideHeld(held[i:i+1], owners[i:i+1], there)
		}
	}
}
