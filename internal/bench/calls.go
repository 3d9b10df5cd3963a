package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// What programs reach that pull and push over HTTP, beside what lockstep writes itself through the same queue.
const (
	callRows    = 50_000
	callBatch   = 500
	callSingles = 4000
	callAtOnce  = 16
	callToken   = "a-token-for-the-bench"
)

const callConfiguration = `store: store.db
api: {listen: "%s", tokens: {program: {token: ` + callToken + `, may: [push, pull]}}}
systems:
  a: {type: sqlite, path: a.db}
  b: {type: sqlite, path: b.db}
  erp: {type: api, streams: {item: {key: [id], fields: [id int, sku text, name text, note text, qty int]}}}
  shop: {type: api, streams: {item: {key: [id], fields: [id int, sku text, name text, note text, qty int]}}}
flows:
  direct: {from: {system: a, stream: item, track: {by: trigger, every: 100ms}}, to: {system: b, stream: item}}
  pulled: {from: {system: a, stream: item, track: {by: trigger, every: 100ms}}, to: {system: shop, stream: item}}
  three: {from: {system: a, stream: item, track: {by: trigger, every: 100ms}}, to: {system: shop, stream: item}}
  pushed: {from: {system: erp, stream: item, track: {by: push}}, to: {system: b, stream: pushed}}
`

const callTable = "(id INTEGER PRIMARY KEY, sku TEXT, name TEXT, note TEXT, qty INTEGER)"

// caller is a program that calls.
type caller struct {
	base string
	http *http.Client
	mine *sql.DB
}

// calls measures pulls and pushes.
func (b *bench) calls(ctx context.Context) (err error) {
	if b.binary == "" {
		return nil
	}
	dir, err := os.MkdirTemp(b.dir, "calls-")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), fmt.Appendf(nil, callConfiguration, address), 0o600); err != nil {
		return err
	}
	a, err := openFile(filepath.Join(dir, "a.db"))
	if err != nil {
		return err
	}
	defer a.Close()
	to, err := openFile(filepath.Join(dir, "b.db"))
	if err != nil {
		return err
	}
	defer to.Close()
	c := &caller{base: "http://" + address, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callAtOnce}}}
	defer c.http.CloseIdleConnections()
	if c.mine, err = openFile(filepath.Join(dir, "mine.db")); err != nil {
		return err
	}
	defer c.mine.Close()
	for db, statements := range map[*sql.DB][]string{
		a:      {"CREATE TABLE item " + callTable, fmt.Sprintf("INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) SELECT i, 'SKU-'||i, 'Item '||i, hex(randomblob(100)), i FROM n", callRows)},
		to:     {"CREATE TABLE item " + callTable, "CREATE TABLE pushed " + callTable},
		c.mine: {"CREATE TABLE item " + callTable},
	} {
		for _, s := range statements {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return err
			}
		}
	}
	for _, args := range [][]string{{"track", "install", "direct"}, {"sync", "direct"}} {
		if _, err := timed(b.lockstep(ctx, dir, args...)); err != nil {
			return err
		}
	}
	if _, err := a.ExecContext(ctx, "UPDATE item SET qty = qty + 1"); err != nil {
		return err
	}
	direct, err := timed(b.lockstep(ctx, dir, "sync", "direct", "--once"))
	if err != nil {
		return err
	}
	if _, err := timed(b.lockstep(ctx, dir, "sync", "pulled", "three")); err != nil { // it fills their queues
		return err
	}
	stop, err := b.daemon(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return b.callFigures(ctx, c, to, direct.wall)
}

func openFile(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func (b *bench) callFigures(ctx context.Context, c *caller, to *sql.DB, direct time.Duration) error {
	one, err := c.pullAll(ctx, "pulled", 1)
	if err != nil {
		return err
	}
	three, err := c.pullAll(ctx, "three", 3)
	if err != nil {
		return err
	}
	rate := func(n int, d time.Duration) string { return fmt.Sprintf("%.0f", float64(n)/d.Seconds()) }
	b.figure(fmt.Sprintf("pulled over HTTP, %d records, %d at a time, each lease committed to SQLite and settled", callRows, callBatch),
		fmt.Sprintf("%s records a second by one program, %s by three; lockstep itself, delta of as many to SQLite: %s", rate(callRows, one), rate(callRows, three), rate(callRows, direct)), "")
	pushed, err := c.pushAll(ctx)
	if err != nil {
		return err
	}
	singles, err := c.pushSingles(ctx)
	if err != nil {
		return err
	}
	for n := 0; n < callRows; wait(ctx) {
		if err := to.QueryRowContext(ctx, "SELECT count(*) FROM pushed").Scan(&n); err != nil {
			return err
		}
	}
	b.figure("pushed over HTTP, each durable before its answer",
		fmt.Sprintf("%s records a second in requests of %d; %s requests a second of one record, %d at a time", rate(callRows, pushed), callBatch, rate(callSingles, singles), callAtOnce), "")
	return nil
}

// post calls, and tries again while the flow is not carried yet.
func (c *caller) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+callToken)
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.http.Do(req)
		if err != nil {
			if ctx.Err() == nil {
				wait(ctx)
				continue
			}
			return err
		}
		text, err := io.ReadAll(resp.Body)
		err = errors.Join(err, resp.Body.Close())
		switch {
		case err != nil:
			return err
		case resp.StatusCode == http.StatusServiceUnavailable:
			wait(ctx)
		case resp.StatusCode != http.StatusOK:
			return fmt.Errorf("%s: %d %s", path, resp.StatusCode, text)
		default:
			return json.Unmarshal(text, out)
		}
	}
}

func wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}

// pullAll pulls a flow until all records were settled, with so many programs, from the first record on.
func (c *caller) pullAll(ctx context.Context, flow string, programs int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var began time.Time
	left, failed := callRows, error(nil)
	var wg sync.WaitGroup
	for range programs {
		wg.Go(func() {
			for {
				mu.Lock()
				done := left <= 0 || failed != nil
				mu.Unlock()
				if done {
					return
				}
				n, at, err := c.pull(ctx, flow)
				mu.Lock()
				if n > 0 && (began.IsZero() || at.Before(began)) {
					began = at
				}
				left, failed = left-n, errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return time.Since(began), failed
}

func (c *caller) pull(ctx context.Context, flow string) (n int, at time.Time, err error) {
	var in struct {
		Lease   string
		Records []struct {
			ID     string
			Fields struct {
				ID              int
				Sku, Name, Note string
				Qty             int
			}
		}
	}
	at = time.Now()
	if err := c.post(ctx, "/v1/flows/"+flow+"/lease", map[string]any{"max": callBatch, "wait": "500ms"}, &in); err != nil || len(in.Records) == 0 {
		return 0, at, err
	}
	tx, err := c.mine.BeginTx(ctx, nil)
	if err != nil {
		return 0, at, err
	}
	defer tx.Rollback()
	put, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return 0, at, err
	}
	defer put.Close()
	results := make([]map[string]string, len(in.Records))
	for i, r := range in.Records {
		if _, err := put.ExecContext(ctx, r.Fields.ID, r.Fields.Sku, r.Fields.Name, r.Fields.Note, r.Fields.Qty); err != nil {
			return 0, at, err
		}
		results[i] = map[string]string{"id": r.ID, "status": "done"}
	}
	if err := tx.Commit(); err != nil {
		return 0, at, err
	}
	var out struct{ Settled int }
	err = c.post(ctx, "/v1/flows/"+flow+"/settle", map[string]any{"lease": in.Lease, "results": results}, &out)
	return out.Settled, at, err
}

func item(id int) map[string]any {
	return map[string]any{"fields": map[string]any{"id": id, "sku": fmt.Sprint("SKU-", id), "name": fmt.Sprint("Item ", id), "note": fmt.Sprintf("%0200d", id), "qty": id}}
}

func (c *caller) pushAll(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	for from := 1; from <= callRows; from += callBatch {
		changes := make([]map[string]any, callBatch)
		for i := range changes {
			changes[i] = item(from + i)
		}
		var out struct{ Accepted int }
		if err := c.post(ctx, "/v1/flows/pushed/changes", map[string]any{"changes": changes}, &out); err != nil || out.Accepted != callBatch {
			return 0, errors.Join(err, fmt.Errorf("%d accepted", out.Accepted))
		}
	}
	return time.Since(began), nil
}

func (c *caller) pushSingles(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, callAtOnce)
	for n := range callAtOnce {
		wg.Go(func() {
			for i := n; i < callSingles && errs[n] == nil; i += callAtOnce {
				var out struct{ Accepted int }
				errs[n] = c.post(ctx, "/v1/flows/pushed/changes", map[string]any{"changes": []any{item(i + 1)}}, &out)
			}
		})
	}
	wg.Wait()
	return time.Since(began), errors.Join(errs...)
}
