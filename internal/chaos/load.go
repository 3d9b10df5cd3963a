package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// marks are what every write leaves in the rows it changes; its parameters are writer.marks.
const marks = "is_changed = ?, rev = ?, own = own + 1, updated_at = ?"

func (w *writer) stamps() []any { return []any{true, w.rev, w.at} }

// action is one kind of change to at most rows rows.
type action struct {
	name   string
	weight int
	rows   int
	do     func(ctx context.Context, w *writer, n int) (int64, error)
}

var actions = []action{
	{"insert items", 14, 3, func(ctx context.Context, w *writer, n int) (int64, error) {
		var rows [][]any
		for range n {
			id, err := w.draw(ctx, "item_id")
			if err != nil {
				return 0, err
			}
			rows = append(rows, append([]any{id, fmt.Sprintf("SKU-%d", id), fmt.Sprintf("Item %d é 🙂", id), w.price(), id % 50, nil}, true, w.rev, w.rev, w.at))
		}
		return w.insert(ctx, "items", rows)
	}},
	{"update items", 30, 5, func(ctx context.Context, w *writer, n int) (int64, error) {
		var note any
		if w.rng.IntN(10) > 2 {
			note = rand.Text()
		}
		return w.update(ctx, items, n, "price = ?, qty = qty + 1, note = ?", w.price(), note)
	}},
	{"touch items", 5, 5, func(ctx context.Context, w *writer, n int) (int64, error) {
		return w.update(ctx, items, n, "sku = sku")
	}},
	{"delete items", 12, 3, func(ctx context.Context, w *writer, n int) (int64, error) { return w.remove(ctx, items, n) }},
	// A new key for the same thing: for us a delete and an insert.
	{"move items", 5, 1, func(ctx context.Context, w *writer, n int) (int64, error) {
		id, err := w.draw(ctx, "item_id")
		if err != nil {
			return 0, err
		}
		w.touched(items, []any{id})
		return w.update(ctx, items, n, "id = ?", id)
	}},
	// A key that was there comes back as something else.
	{"revive items", 6, 3, func(ctx context.Context, w *writer, n int) (int64, error) {
		var rows [][]any
		for range n {
			id := 1 + w.rng.IntN(firstItems)
			rows = append(rows, []any{id, fmt.Sprintf("SKU-%d", id), fmt.Sprintf("Again %d", id), "1.50", 0, "revived", true, w.rev, w.rev, w.at})
		}
		return w.insert(ctx, "items", rows)
	}},
	// Many rows with one time and one number.
	{"bulk items", 3, 400, func(ctx context.Context, w *writer, n int) (int64, error) {
		return w.update(ctx, items, n, "qty = qty + 10")
	}},
	{"insert stock", 6, 3, func(ctx context.Context, w *writer, n int) (int64, error) {
		var rows [][]any
		for range n {
			rows = append(rows, []any{fmt.Sprintf("SKU-%d", w.rng.IntN(400)), fmt.Sprintf("W%d", w.rng.IntN(9)), 1, true, w.rev, w.rev, w.at})
		}
		return w.insert(ctx, "stock", rows)
	}},
	{"update stock", 14, 5, func(ctx context.Context, w *writer, n int) (int64, error) {
		return w.update(ctx, stock, n, "qty = ?", w.rng.IntN(1000))
	}},
	{"delete stock", 5, 3, func(ctx context.Context, w *writer, n int) (int64, error) { return w.remove(ctx, stock, n) }},
}

func (w *writer) price() string { return fmt.Sprintf("%d.%02d", w.rng.IntN(10000), w.rng.IntN(100)) }

func (w *writer) update(ctx context.Context, t *table, n int, set string, args ...any) (int64, error) {
	where, keys, err := w.pick(ctx, t, n)
	if err != nil || where == "" {
		return 0, err
	}
	w.touched(t, keys)
	return w.do(ctx, "UPDATE "+t.flow+" SET "+set+", "+marks+" WHERE "+where, append(append(args, w.stamps()...), keys...)...)
}

func (w *writer) remove(ctx context.Context, t *table, n int) (int64, error) {
	where, keys, err := w.pick(ctx, t, n)
	if err != nil || where == "" {
		return 0, err
	}
	w.touched(t, keys)
	return w.do(ctx, "DELETE FROM "+t.flow+" WHERE "+where, keys...)
}

// Load is a steady stream of changes by several writers, each with a connection of its own.
type Load struct {
	gate    sync.RWMutex // held for reading by each transaction; Pause takes it
	paused  bool         // of the one goroutine that pauses, resumes and stops
	stop    context.CancelFunc
	writers sync.WaitGroup
	err     atomic.Pointer[error]
	hints   *teller // nil where nobody tells

	Commits, Rollbacks, Late, Rows, Refused atomic.Int64
}

// startLoad starts the writers. The seed decides what they choose; when it happens is up to the machine.
func startLoad(ctx context.Context, p *place, writers int, seed uint64, hints *teller) (*Load, error) {
	l := &Load{hints: hints}
	ctx, l.stop = context.WithCancel(ctx)
	for n := range writers {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			l.Stop()
			return nil, err
		}
		w := &writer{place: p, conn: conn, rng: mrand.New(mrand.NewPCG(seed, uint64(n)))}
		l.writers.Go(func() {
			if err := l.write(ctx, w); ctx.Err() == nil {
				l.err.CompareAndSwap(nil, &err)
			}
			_ = conn.Close() // the server goes soon anyway
		})
	}
	return l, nil
}

// Pause waits for every open transaction and keeps new ones from beginning.
func (l *Load) Pause() {
	l.gate.Lock()
	l.paused = true
}

// Resume ends a Pause.
func (l *Load) Resume() {
	l.paused = false
	l.gate.Unlock()
}

// Stop ends the writers, also out of a Pause; what they had open is rolled back.
func (l *Load) Stop() {
	l.stop()
	if l.paused {
		l.Resume()
	}
	l.writers.Wait()
}

// Err is why a writer ended, if one did: a load that stands still proves nothing.
func (l *Load) Err() error {
	if err := l.err.Load(); err != nil {
		return fmt.Errorf("a writer ended: %w", *err)
	}
	return nil
}

func (l *Load) String() string {
	return fmt.Sprintf("%d commits (%d late), %d rollbacks, %d refused (deadlocks and locks), %d rows changed",
		l.Commits.Load(), l.Late.Load(), l.Rollbacks.Load(), l.Refused.Load(), l.Rows.Load())
}

// write makes transactions until one fails or ctx ends; the error says which.
func (l *Load) write(ctx context.Context, w *writer) error {
	for {
		if err := pause(ctx, time.Duration(10+w.rng.IntN(90))*time.Millisecond); err != nil {
			return err
		}
		l.gate.RLock()
		err := l.transaction(ctx, w)
		l.gate.RUnlock()
		switch {
		case err == nil:
		case w.passing(err):
			l.Refused.Add(1)
		default:
			return err
		}
	}
}

var errRollback = errors.New("rolled back on purpose")

// transaction does one to three actions. Some keep their changes to themselves for a while and commit late, with the
// time and the number of their beginning; some roll back.
func (l *Load) transaction(ctx context.Context, w *writer) error {
	rows, late := int64(0), w.rng.IntN(100) < 8
	err := w.inTransaction(ctx, func() error {
		for n := 1 + w.rng.IntN(3); n > 0; n-- {
			a := choose(w.rng)
			changed, err := a.do(ctx, w, 1+w.rng.IntN(a.rows))
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			rows += changed
			if late && n == 1 {
				if err := pause(ctx, time.Duration(w.late/6+w.rng.IntN(w.late))*time.Millisecond); err != nil {
					return err
				}
			}
		}
		if w.rng.IntN(100) < 10 {
			return errRollback
		}
		return nil
	})
	l.notice(w) // also of what was rolled back: a hint may be of nothing
	if errors.Is(err, errRollback) {
		l.Rollbacks.Add(1)
		return nil
	}
	if err != nil {
		return err
	}
	l.Commits.Add(1)
	l.Rows.Add(rows)
	if late {
		l.Late.Add(1)
	}
	return nil
}

// notice tells what a transaction touched.
func (l *Load) notice(w *writer) {
	for flow, keys := range w.told {
		if l.hints != nil {
			l.hints.tell(flow, keys)
		}
	}
	clear(w.told)
}

func choose(rng *mrand.Rand) action {
	sum := 0
	for _, a := range actions {
		sum += a.weight
	}
	at := rng.IntN(sum)
	for _, a := range actions {
		if at -= a.weight; at < 0 {
			return a
		}
	}
	panic("weights do not add up")
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
