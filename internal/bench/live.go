package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// How long a committed change takes to be visible in the target, while others flow.
const (
	liveRate   = 5000 // rows a second, in transactions of liveBatch
	liveBatch  = 100
	liveProbes = 500
	liveEvery  = 30 * time.Millisecond // between probes
	livePoll   = 200 * time.Microsecond
)

// live measures the trackers that are told of a change, each with a daemon of its own.
func (b *bench) live(ctx context.Context, rows int) error {
	if b.binary == "" {
		return nil
	}
	var failed []error
	for i, t := range []struct{ name, track string }{{"trigger with notify", byTrigger}, {"log", byLog}} {
		what := "commit to visible, " + t.name + ", " + strconv.Itoa(liveRate) + " rows a second flowing"
		text, err := b.liveBy(ctx, fmt.Sprintf("source_live_%d", i), rows, t.track)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t.name, err))
			text = "not measured: see the output of `make bench`"
		}
		b.figure(what, text, "p50 5 ms, p99 20 ms")
	}
	return errors.Join(failed...)
}

func (b *bench) liveBy(ctx context.Context, source string, rows int, track string) (text string, err error) {
	if err := errors.Join(b.fill(ctx, source, rows), b.emptyTarget(ctx, true)); err != nil {
		return "", err
	}
	home, err := b.home(source, track)
	if err != nil {
		return "", err
	}
	if _, err := timed(b.lockstep(ctx, home, "track", "install", "products")); err != nil {
		return "", err
	}
	if _, err := b.full(ctx, home)(); err != nil {
		return "", err
	}
	stop, err := b.daemon(ctx, home)
	if err != nil {
		return "", err
	}
	took, rate, err := b.probe(ctx, source, rows)
	if err = errors.Join(err, stop()); err != nil {
		return "", err
	}
	if _, err := timed(b.lockstep(ctx, home, "track", "remove", "products")); err != nil {
		return "", err
	}
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) / 1000 }
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, longest %.1f ms of %d; %.0f rows a second flowed", at(0.5), at(0.99), at(1), len(took), rate),
		b.same(ctx, source)
}

// daemon runs lockstep until stop is called.
func (b *bench) daemon(ctx context.Context, home string) (stop func() error, err error) {
	log, err := os.Create(filepath.Join(home, "log"))
	if err != nil {
		return nil, err
	}
	cmd := b.lockstep(ctx, home, "run")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		err = errors.Join(err, cmd.Wait(), log.Close())
		if err != nil {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("lockstep run: %w\n%s", err, said[max(0, len(said)-2000):])
		}
		return nil
	}, nil
}

// probe changes single rows and looks when each is there, while a load flows; the last load is there, too, when it ends.
func (b *bench) probe(ctx context.Context, source string, rows int) (took []time.Duration, rate float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var conns [3]*pgconn.PgConn
	for i, database := range []string{source, "target", source} {
		if conns[i], err = pgconn.Connect(ctx, b.pg.DSN(database)); err != nil {
			return nil, 0, err
		}
		defer conns[i].Close(context.WithoutCancel(ctx))
	}
	p := &prober{ctx: ctx, from: conns[0], to: conns[1], rows: rows}
	if _, err := p.one(rows); err != nil { // the daemon is awake
		return nil, 0, err
	}
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var loadErr error
	wg.Go(func() { rate, loadErr = load(loadCtx, conns[2], rows-liveProbes) })
	pace := time.NewTicker(liveEvery)
	defer pace.Stop()
	for i := range liveProbes {
		<-pace.C
		var d time.Duration
		if d, err = p.one(rows - i); err != nil {
			break
		}
		took = append(took, d)
	}
	stop()
	wg.Wait()
	if err == nil {
		err = loadErr
	}
	if err == nil { // what comes last is there last
		_, err = p.one(rows)
	}
	return took, rate, err
}

type prober struct {
	ctx      context.Context
	from, to *pgconn.PgConn
	rows     int
}

// one changes a row and waits until the target has it.
func (p *prober) one(id int) (time.Duration, error) {
	key := [][]byte{[]byte(strconv.Itoa(id))}
	res := p.from.ExecParams(p.ctx, "UPDATE products SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1 RETURNING version", key, nil, nil, nil).Read()
	start := time.Now()
	if res.Err != nil || len(res.Rows) != 1 {
		return 0, fmt.Errorf("change row %d: %w", id, errors.Join(res.Err, p.ctx.Err()))
	}
	want := string(res.Rows[0][0])
	poll := time.NewTicker(livePoll)
	defer poll.Stop()
	for {
		res := p.to.ExecParams(p.ctx, "SELECT version FROM products WHERE id = $1", key, nil, nil, nil).Read()
		if res.Err != nil {
			return 0, fmt.Errorf("row %d did not come: %w", id, res.Err)
		}
		if len(res.Rows) == 1 && string(res.Rows[0][0]) == want {
			return time.Since(start), nil
		}
		select {
		case <-poll.C:
		case <-p.ctx.Done():
			return 0, fmt.Errorf("row %d did not come: %w", id, p.ctx.Err())
		}
	}
}

// load changes rows at the rate until ctx ends, and says what rate it came to.
func load(ctx context.Context, conn *pgconn.PgConn, rows int) (rate float64, err error) {
	pace := time.NewTicker(time.Second * liveBatch / liveRate)
	defer pace.Stop()
	start, n := time.Now(), 0
	for at := 1; ; at += liveBatch {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return float64(n) / time.Since(start).Seconds(), nil
		}
		if at+liveBatch > rows {
			at = 1
		}
		args := [][]byte{[]byte(strconv.Itoa(at)), []byte(strconv.Itoa(at + liveBatch))}
		res := conn.ExecParams(context.WithoutCancel(ctx), "UPDATE products SET price = price + 1, version = version + 1, updated_at = clock_timestamp() WHERE id >= $1 AND id < $2",
			args, nil, nil, nil).Read()
		if res.Err != nil {
			return 0, res.Err
		}
		n += liveBatch
	}
}
