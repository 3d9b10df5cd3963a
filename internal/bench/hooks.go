package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// How many signed notices are taken, while the daemon reads and compares the records that they name.
const (
	hookRate    = 2000
	hookSenders = 64
	hookFor     = 10 * time.Second
	hookRows    = 10_000
	hookSecret  = "the secret of the measured hook"
)

const hookConfig = `api: {listen: '%s'}
systems:
  pim:  {type: sqlite, path: pim.db}
  shop: {type: sqlite, path: shop.db, create: true}
flows:
  products:
    from: {system: pim, stream: product, track: {by: timestamp, field: changed_at, every: 1m}}
    to:   {system: shop, stream: product, create: true}
    hook: {secrets: [%s]}
`

// hooks measures the intake of webhooks: paced, and as fast as the senders can.
func (b *bench) hooks(ctx context.Context) error {
	if b.binary == "" {
		return nil
	}
	home := filepath.Join(b.dir, "hooks")
	address, err := b.hookHome(ctx, home)
	if err != nil {
		return err
	}
	if _, err := timed(b.lockstep(ctx, home, "sync")); err != nil {
		return err
	}
	stop, err := b.daemon(ctx, home)
	if err != nil {
		return err
	}
	s := &sending{url: "http://" + address, http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: hookSenders}}}
	err = s.awake(ctx)
	for _, phase := range []struct {
		what, reach string
		rate        int
	}{
		{fmt.Sprintf("signed notices over HTTP, each durable before its answer, %d a second sent", hookRate), fmt.Sprintf("%d/s", hookRate), hookRate},
		{fmt.Sprintf("the same, as fast as %d senders on the same machine can", hookSenders), "", 0},
	} {
		if err != nil {
			break
		}
		var text string
		if text, err = s.send(ctx, phase.rate); err == nil {
			b.figure(phase.what, text, phase.reach)
		}
	}
	s.http.CloseIdleConnections()
	return errors.Join(err, stop())
}

// hookHome is a folder with a source, and a configuration with an API at a free address.
func (b *bench) hookHome(ctx context.Context, home string) (address string, err error) {
	if err := os.Mkdir(home, 0o755); err != nil {
		return "", err
	}
	db, err := sql.Open("sqlite", filepath.Join(home, "pim.db"))
	if err != nil {
		return "", err
	}
	for _, statement := range []string{
		`CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, body TEXT, changed_at TIMESTAMP)`,
		fmt.Sprintf(`INSERT INTO product WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			SELECT i, 'Thing ' || i, hex(randomblob(200)), '2026-01-01 10:00:00.000' FROM n`, hookRows),
	} {
		if _, e := db.ExecContext(ctx, statement); e != nil {
			err = errors.Join(err, e)
		}
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return "", err
	}
	var free net.ListenConfig
	l, err := free.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address = l.Addr().String()
	text := fmt.Sprintf(hookConfig, address, hookSecret)
	return address, errors.Join(l.Close(), os.WriteFile(filepath.Join(home, "lockstep.yaml"), []byte(text), 0o600))
}

// sending is one who sends notices.
type sending struct {
	url  string
	http *http.Client
	next atomic.Int64
}

// awake waits until the API answers.
func (s *sending) awake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/healthz", nil)
		if err != nil {
			return err
		}
		if resp, err := s.http.Do(req); err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// send sends so many notices a second, 0 for as many as can be, and says how that went. The time of a notice begins when
// it was due, also where no sender was free.
func (s *sending) send(ctx context.Context, perSecond int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, hookFor+time.Minute)
	defer cancel()
	begin := time.Now()
	var due atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var senders sync.WaitGroup
	for range hookSenders {
		senders.Go(func() {
			var own []time.Duration
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				took = append(took, own...)
			}()
			for ctx.Err() == nil {
				at := time.Now()
				if perSecond > 0 {
					at = begin.Add(time.Duration(due.Add(1)) * time.Second / time.Duration(perSecond))
				}
				if at.Sub(begin) > hookFor {
					return
				}
				time.Sleep(time.Until(at)) //nolint:forbidigo // it is the pace
				if err := s.one(ctx); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = errors.Join(failed, err)
					return
				}
				own = append(own, time.Since(at))
			}
		})
	}
	senders.Wait()
	if failed != nil || len(took) == 0 {
		return "", fmt.Errorf("%d notices went well, then: %w", len(took), failed)
	}
	rate := float64(len(took)) / time.Since(begin).Seconds()
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) / 1000 }
	return fmt.Sprintf("%.0f/s, all taken; p50 %.1f ms, p99 %.1f ms, longest %.1f ms of %d", rate, at(0.5), at(0.99), at(1), len(took)), nil
}

// one sends a signed notice of one record.
func (s *sending) one(ctx context.Context) error {
	body := fmt.Appendf(nil, `{"keys":["%d"]}`, s.next.Add(1)%hookRows+1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/hooks/products", bytes.NewReader(body))
	if err != nil {
		return err
	}
	webhook.Sign(req.Header, body, time.Now(), hookSecret)
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return err
}
