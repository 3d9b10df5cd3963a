package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the bare inserts

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/store/sqlite"
	"github.com/lockstep-sync/lockstep/value"
)

const (
	queueBatch  = 1000
	queueRounds = 10 // of each way in turn: what slows the machine slows all
	queueEach   = 8  // batches
	bareRows    = 100
)

// productNames are the fields of a row of about 1 kB.
var productNames = value.NewNames("id", "sku", "name", "description", "price", "attrs", "is_changed", "version", "updated_at")

// product is the nth row of the table products, as it comes out of a database.
func product(n int) (lockstep.Record, error) {
	price, err := value.ParseDecimal(fmt.Sprintf("%d.%02d", n%10_000, n%100))
	if err != nil {
		return lockstep.Record{}, err
	}
	hash := func(i int) string { return fmt.Sprintf("%032x", uint64(n)*0x9E3779B97F4A7C15+uint64(i)) }
	attrs, err := value.RawJSON(fmt.Sprintf(`{"note": "%s%s", "size": %d, "tags": ["%.12s", "%.12s"], "color": "red", "weight": %d.%d, "material": "%s", "supplier": {"id": %d, "code": "%s"}}`,
		hash(1), hash(2), n%40, hash(3), hash(4), n%100, n%10, hash(5), n%500, hash(6)))
	if err != nil {
		return lockstep.Record{}, err
	}
	text := make([]string, 12)
	for i := range text {
		text[i] = hash(i + 10)
	}
	at := time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
	values := []value.Value{value.Int(int64(n)), value.Text(fmt.Sprintf("SKU-%09d", n)), value.Text(fmt.Sprintf("Product %d %.24s", n, hash(9))),
		value.Text(strings.Join(text, " ")), value.FromDecimal(price), attrs, value.Bool(false), value.Int(1), value.Time(at)}
	return lockstep.Record{Key: lockstep.Key(fmt.Sprint(n)), Fields: productNames.Fields(values), Version: at.Format(time.RFC3339)}, nil
}

// queue measures the store beside bare inserts of the same rows into a SQLite file that is synced as often.
func (b *bench) queue(ctx context.Context) (err error) {
	store, err := sqlite.Open(ctx, filepath.Join(b.dir, "queue.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.Attach(ctx, []lockstep.FlowDef{{Name: "f", Feed: "feed", Set: "f"}}); err != nil {
		return err
	}
	q := &queueing{ctx: ctx, store: store}
	if q.bare, err = openBare(ctx, filepath.Join(b.dir, "bare.db")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.bare.Close()) }()
	ways := []struct {
		name string
		do   func() error
		took time.Duration
	}{
		{name: "bare, one row a statement", do: func() error { return q.insert(1) }},
		{name: "bare, 100 rows a statement", do: func() error { return q.insert(bareRows) }},
		{name: "append", do: q.append},
		{name: "lease and settle", do: q.leaseSettle},
	}
	for range queueRounds {
		for range queueEach {
			if err := q.make(); err != nil {
				return err
			}
			for i := range ways {
				start := time.Now()
				if err := ways[i].do(); err != nil {
					return fmt.Errorf("%s: %w", ways[i].name, err)
				}
				ways[i].took += time.Since(start)
			}
		}
	}
	rate := func(i int) float64 { return queueRounds * queueEach * queueBatch / ways[i].took.Seconds() }
	for i := range ways[:2] {
		b.figure("SQLite alone, batches of 1,000, synced: "+ways[i].name, fmt.Sprintf("%.0f rows/s", rate(i)), "")
	}
	for i := 2; i < len(ways); i++ {
		b.figure("queue, batches of 1,000, synced: "+ways[i].name,
			fmt.Sprintf("%.0f rows/s, %.2f x one row a statement, %.2f x 100 rows a statement", rate(i), rate(i)/rate(0), rate(i)/rate(1)), "0.4 x")
	}
	return nil
}

type queueing struct {
	ctx     context.Context
	store   *sqlite.Store
	bare    *sql.DB
	made    int
	changes []lockstep.Change
	images  []string
	id      int
}

// make makes the next batch: what is measured does not pay for it.
func (q *queueing) make() error {
	q.changes, q.images = q.changes[:0], q.images[:0]
	for range queueBatch {
		q.made++
		r, err := product(q.made)
		if err != nil {
			return err
		}
		q.changes = append(q.changes, lockstep.Change{Record: r})
		q.images = append(q.images, string(value.AppendTagged(nil, r.Fields)))
	}
	return nil
}

func openBare(ctx context.Context, path string) (*sql.DB, error) {
	v := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "cache_size(-8000)"}}
	db, err := sql.Open("sqlite", "file:"+path+"?"+v.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, "CREATE TABLE entries (id INTEGER PRIMARY KEY, key TEXT NOT NULL, image TEXT NOT NULL)")
	return db, err
}

// insert writes a batch in one transaction.
func (q *queueing) insert(rows int) error {
	tx, err := q.bare.BeginTx(q.ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	stmt, err := tx.PrepareContext(q.ctx, "INSERT INTO entries VALUES "+strings.Repeat("(?,?,?),", rows-1)+"(?,?,?)")
	if err != nil {
		return err
	}
	defer stmt.Close()
	args := make([]any, 0, 3*rows)
	for i := 0; i < len(q.changes); i += rows {
		args = args[:0]
		for j := i; j < i+rows; j++ {
			q.id++
			args = append(args, q.id, string(q.changes[j].Record.Key), q.images[j])
		}
		if _, err := stmt.ExecContext(q.ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (q *queueing) append() error {
	var from lockstep.Position
	if q.made > queueBatch {
		from = lockstep.Position(fmt.Sprint(q.made - queueBatch))
	}
	return q.store.Append(q.ctx, "feed", from, q.changes, lockstep.Position(fmt.Sprint(q.made)), time.Now())
}

// leaseSettle takes a batch through the queue as a delivery does: each entry gets a link and a line on the timeline.
func (q *queueing) leaseSettle() error {
	leased, err := q.store.Lease(q.ctx, "f", queueBatch, time.Minute)
	if err != nil {
		return err
	}
	if len(leased) != queueBatch {
		return fmt.Errorf("%d of %d entries were leased", len(leased), queueBatch)
	}
	outcomes := make([]lockstep.Outcome, len(leased))
	for i, d := range leased {
		key := d.Change.Record.Key
		outcomes[i] = lockstep.Outcome{Delivery: d, Verdict: lockstep.Done, Did: "created", Link: &lockstep.Link{
			A: lockstep.End{Key: key, Digest: "p0123456789abcdef", Version: d.Change.Record.Version},
			B: lockstep.End{Key: key, Digest: "2tag:0123456789abcdef"}, Run: 1, At: time.Now()}}
	}
	return q.store.Settle(q.ctx, outcomes...)
}
