package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// The source: a table with a single key and one with a composite key. Every statement stamps updated_at with now(),
// which is the time the transaction began: a late commit brings rows with an old time.
var sourceSchema = []string{
	`CREATE TABLE items (id bigint PRIMARY KEY, sku text NOT NULL, name text NOT NULL, price numeric(12,2) NOT NULL, qty integer NOT NULL,
		note text, updated_at timestamptz NOT NULL)`,
	`CREATE INDEX ON items (updated_at)`,
	`CREATE SEQUENCE item_id`,
	`CREATE TABLE stock (sku text, warehouse text, qty integer NOT NULL, updated_at timestamptz NOT NULL, PRIMARY KEY (sku, warehouse))`,
	`CREATE INDEX ON stock (updated_at)`,
	`INSERT INTO items SELECT nextval('item_id'), 'SKU-' || g, 'Item ' || g, g / 4.0, g % 50, CASE WHEN g % 3 = 0 THEN 'note ' || g END, now()
		FROM generate_series(1, 5000) g`,
	`INSERT INTO stock SELECT 'SKU-' || g % 400, 'W' || g / 400, g % 90, now() FROM generate_series(1, 1200) g`,
}

// some picks up to $1 rows of a table that nobody else holds. Two writers never wait for each other for long.
const (
	someItems = `(SELECT id FROM items ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED)`
	someStock = `(SELECT sku, warehouse FROM stock ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED)`
)

// action is one kind of change. It takes the number of rows it is to change at most.
type action struct {
	name   string
	weight int
	rows   int // at most
	sql    string
}

var actions = []action{
	{"insert items", 14, 3, `INSERT INTO items SELECT n, 'SKU-' || n, 'Item ' || n || ' é 🙂', (random() * 10000)::numeric(12,2), n % 50, NULL, now()
		FROM (SELECT nextval('item_id') n FROM generate_series(1, $1::int)) x`},
	{"update items", 30, 5, `UPDATE items SET price = (random() * 10000)::numeric(12,2), qty = qty + 1, note = CASE WHEN random() < 0.3 THEN NULL ELSE md5(random()::text) END,
		updated_at = now() WHERE id IN ` + someItems},
	{"touch items", 5, 5, `UPDATE items SET updated_at = now() WHERE id IN ` + someItems},
	{"delete items", 12, 3, `DELETE FROM items WHERE id IN ` + someItems},
	// A new key for the same thing: for us a delete and an insert.
	{"move items", 5, 2, `UPDATE items SET id = nextval('item_id'), updated_at = now() WHERE id IN ` + someItems},
	// A key that was there comes back as something else.
	{"revive items", 6, 3, `INSERT INTO items SELECT g, 'SKU-' || g, 'Again ' || g, 1.5, 0, 'revived', now() FROM generate_series(1, 5000) g
		WHERE NOT EXISTS (SELECT 1 FROM items WHERE id = g) ORDER BY random() LIMIT $1 ON CONFLICT DO NOTHING`},
	// Many rows with one time.
	{"bulk items", 3, 400, `UPDATE items SET qty = qty + 10, updated_at = now() WHERE id IN ` + someItems},
	{"insert stock", 6, 3, `INSERT INTO stock SELECT 'SKU-' || floor(random() * 400), 'W' || floor(random() * 9), 1, now() FROM generate_series(1, $1::int)
		ON CONFLICT DO NOTHING`},
	{"update stock", 14, 5, `UPDATE stock SET qty = (random() * 1000)::int, updated_at = now() WHERE (sku, warehouse) IN ` + someStock},
	{"delete stock", 5, 3, `DELETE FROM stock WHERE (sku, warehouse) IN ` + someStock},
}

// Load is a steady stream of changes by several writers, each with a connection of its own.
type Load struct {
	gate    sync.RWMutex // held for reading by each transaction; Pause takes it
	paused  bool         // of the one goroutine that pauses, resumes and stops
	stop    context.CancelFunc
	writers sync.WaitGroup
	err     atomic.Pointer[error]

	Commits, Rollbacks, Late, Rows atomic.Int64
}

// StartLoad starts the writers. The seed decides what they choose; when it happens is up to the machine.
func StartLoad(ctx context.Context, dsn string, writers int, seed uint64) (*Load, error) {
	l := &Load{}
	ctx, l.stop = context.WithCancel(ctx)
	for w := range writers {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			l.Stop()
			return nil, err
		}
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		l.writers.Go(func() {
			if err := l.write(ctx, conn, rng); ctx.Err() == nil {
				l.err.CompareAndSwap(nil, &err)
			}
			_ = conn.Close(context.WithoutCancel(ctx)) // the server goes soon anyway
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
	return fmt.Sprintf("%d commits (%d late by 0.5 to 3 s), %d rollbacks, %d rows changed", l.Commits.Load(), l.Late.Load(), l.Rollbacks.Load(), l.Rows.Load())
}

// write makes transactions until one fails or ctx ends; the error says which.
func (l *Load) write(ctx context.Context, conn *pgx.Conn, rng *rand.Rand) error {
	for {
		if err := pause(ctx, time.Duration(10+rng.IntN(90))*time.Millisecond); err != nil {
			return err
		}
		l.gate.RLock()
		err := l.transaction(ctx, conn, rng)
		l.gate.RUnlock()
		if err != nil {
			return err
		}
	}
}

// transaction does one to three actions. Some keep their changes to themselves for a while and commit late, with the
// time of their beginning; some roll back.
func (l *Load) transaction(ctx context.Context, conn *pgx.Conn, rng *rand.Rand) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	rows := int64(0)
	late := rng.IntN(100) < 8
	for n := 1 + rng.IntN(3); n > 0; n-- {
		a := choose(rng)
		tag, err := tx.Exec(ctx, a.sql, 1+rng.IntN(a.rows))
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		rows += tag.RowsAffected()
		if late && n == 1 {
			if err := pause(ctx, time.Duration(500+rng.IntN(2500))*time.Millisecond); err != nil {
				return err
			}
		}
	}
	if rng.IntN(100) < 10 {
		l.Rollbacks.Add(1)
		return tx.Rollback(ctx)
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	l.Commits.Add(1)
	l.Rows.Add(rows)
	if late {
		l.Late.Add(1)
	}
	return nil
}

func choose(rng *rand.Rand) action {
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
