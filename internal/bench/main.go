// Command bench measures lockstep beside the limits of psql, on one machine in one run, and writes the table of
// docs/performance.md. It is run by `make bench`, never by the tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// settings are those of a small server that keeps what it was given.
var settings = map[string]string{
	"shared_buffers": "256MB", "fsync": "on", "synchronous_commit": "on", "max_wal_size": "4GB", "maintenance_work_mem": "256MB",
	"checkpoint_timeout": "15min", "autovacuum": "off",
}

type bench struct {
	pg     *pgserver.Server
	dir    string
	binary string // "" measures the limits alone
	only   *regexp.Regexp
	table  []*row
}

func main() {
	var (
		rows   = flag.Int("rows", 1_000_000, "rows of the table")
		small  = flag.Int("small", 100_000, "rows of the small table, which shows that memory does not grow; 0 leaves it out")
		every  = flag.Int("every", 10, "the delta changes one row of so many")
		runs   = flag.Int("runs", 3, "runs of each case; the table shows medians")
		binary = flag.String("lockstep", "", "path of the binary; without it only the limits are measured")
		only   = flag.String("only", "", "measure the cases whose name matches only; the steps they need are run all the same")
		out    = flag.String("out", "", "file for the table: between its marks <!-- bench --> and <!-- /bench -->, else alone; standard output without")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	pattern, err := regexp.Compile(*only)
	if err == nil {
		err = run(ctx, &bench{binary: *binary, only: pattern}, *rows, *small, *every, *runs, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b *bench, rows, small, every, runs int, out string) (err error) {
	if b.dir, err = os.MkdirTemp("", "lockstep-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.pg, err = pgserver.Start(ctx, settings); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.pg.Stop()) }()
	began := time.Now()
	for i := range runs {
		for _, s := range []int{small, rows} {
			if s == 0 {
				continue
			}
			// A table of its own for each run: what the last run's changes left behind is none of this one's business.
			b.say("run %d of %d: making %d rows", i+1, runs, s)
			if err := b.once(ctx, fmt.Sprintf("source_%d_%d", i, s), s, every); err != nil {
				return err
			}
		}
	}
	return b.write(out, b.document(ctx, began))
}

// once takes one source through all cases.
func (b *bench) once(ctx context.Context, source string, rows, every int) error {
	if err := b.fill(ctx, source, rows); err != nil {
		return err
	}
	if err := b.limitsFull(ctx, source, rows); err != nil {
		return err
	}
	after, err := b.last(ctx, source)
	if err != nil {
		return err
	}
	home := ""
	if b.binary != "" {
		if home, err = b.oursFull(ctx, source, rows); err != nil {
			return err
		}
		if after, err = b.last(ctx, source); err != nil {
			return err
		}
	}
	if err := b.touch(ctx, source, every); err != nil {
		return err
	}
	if home != "" { // first, while the target still lacks the changes
		if err := b.oursDelta(ctx, source, home, rows/every); err != nil {
			return err
		}
		// The limit does the same work: the rows come again, each with a newer price.
		if after, err = b.last(ctx, source); err != nil {
			return err
		}
		if err := b.touch(ctx, source, every); err != nil {
			return err
		}
	}
	if err := b.limitDelta(ctx, source, after, rows/every); err != nil {
		return err
	}
	return b.pg.Exec(ctx, "postgres", "DROP DATABASE "+source+" WITH (FORCE)")
}

// measure runs one step of one case and keeps what it cost.
func (b *bench) measure(ctx context.Context, r row, before func() error, step func() (usage, error)) error {
	if before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	u, err := step()
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	b.say("  %-40s %9d rows  %7.2f s  cpu %6.2f s  peak %4d MiB", r.name, r.rows, u.wall.Seconds(), u.cpu.Seconds(), u.peak>>20)
	if !b.only.MatchString(r.name) {
		return nil
	}
	kept := b.find(r.name, r.rows)
	if kept == nil {
		kept = &r
		b.table = append(b.table, kept)
	}
	kept.runs = append(kept.runs, u)
	return nil
}

func (b *bench) find(name string, rows int) *row {
	for _, r := range b.table {
		if r.name == name && r.rows == rows {
			return r
		}
	}
	return nil
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
