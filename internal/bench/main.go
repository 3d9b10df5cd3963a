// Command bench measures lockstep beside the limits of psql and of SQLite, on one machine in one run, and writes the
// tables of docs/performance.md. It is run by `make bench`, never by the tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// settings are those of a small server that keeps what it was given, and whose log can be followed.
var settings = map[string]string{
	"shared_buffers": "256MB", "fsync": "on", "synchronous_commit": "on", "max_wal_size": "4GB", "maintenance_work_mem": "256MB",
	"checkpoint_timeout": "15min", "autovacuum": "off", "wal_level": "logical",
}

type bench struct {
	pg      *pgserver.Server
	dir     string
	binary  string // "" measures the limits alone
	only    *regexp.Regexp
	table   []*row
	figures []figure // what is no case of the table
	round   int      // of deletes: each takes other rows
}

// figure is one line of the second table.
type figure struct{ what, measured, reach string }

func main() {
	var (
		rows   = flag.Int("rows", 1_000_000, "rows of the table")
		small  = flag.Int("small", 100_000, "rows of the small table, which shows that memory does not grow; 0 leaves it out")
		runs   = flag.Int("runs", 3, "runs of each case; the table shows medians")
		binary = flag.String("lockstep", "", "path of the binary; without it only the limits are measured")
		only   = flag.String("only", "", "measure the cases whose name matches only; the steps they need are run all the same")
		parts  = flag.String("parts", "tables maria live hooks calls pimcore magento catalogue queue cost", "which parts to measure")
		out    = flag.String("out", "", "file for the table: between its marks <!-- bench --> and <!-- /bench -->, else alone; standard output without")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	pattern, err := regexp.Compile(*only)
	if err == nil && *binary != "" { // it is started in other folders
		*binary, err = filepath.Abs(*binary)
	}
	if err == nil {
		err = run(ctx, &bench{binary: *binary, only: pattern}, *rows, *small, *runs, *parts, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures all parts. One that fails is said so in the document, and the others go on.
func run(ctx context.Context, b *bench, rows, small, runs int, parts, out string) (err error) {
	if b.dir, err = os.MkdirTemp("", "lockstep-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.pg, err = pgserver.Start(ctx, settings); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.pg.Stop()) }()
	began := time.Now()
	var failed []error
	for _, part := range []struct {
		name string
		do   func() error
	}{
		{"tables", func() error { return b.tables(ctx, rows, small, runs) }},
		{"maria", func() error { return b.maria(ctx, rows) }},
		{"live", func() error { return b.live(ctx, max(small, 10_000)) }},
		{"hooks", func() error { return b.hooks(ctx) }},
		{"pimcore", func() error { return b.pimcore(ctx) }},
		{"magento", func() error { return b.magento(ctx) }},
		{"catalogue", func() error { return b.catalogue(ctx) }},
		{"queue", func() error { return b.queue(ctx) }},
		{"calls", func() error { return b.calls(ctx) }},
		{"cost", func() error { return b.cost(ctx) }},
	} {
		if !regexp.MustCompile(`\b`+part.name+`\b`).MatchString(parts) || ctx.Err() != nil {
			continue
		}
		b.say("part %s", part.name)
		if err := part.do(); err != nil {
			failed = append(failed, fmt.Errorf("part %s: %w", part.name, err))
			b.figure("part "+part.name, "not measured: see the output of `make bench`", "")
		}
	}
	return errors.Join(append(failed, b.write(out, b.document(ctx, began)))...)
}

// tables measures the cases between two PostgreSQL databases, so many times over.
func (b *bench) tables(ctx context.Context, rows, small, runs int) error {
	for i := range runs {
		for _, s := range []int{small, rows} {
			if s == 0 {
				continue
			}
			// A table of its own for each run: what the last run's changes left behind is none of this one's business.
			b.say("run %d of %d: making %d rows", i+1, runs, s)
			if err := b.once(ctx, fmt.Sprintf("source_%d_%d", i, s), s, s == small); err != nil {
				return err
			}
		}
	}
	return nil
}

// once takes one source through all cases. The small one is tracked by time, and one row of ten changes; the large one
// by triggers, and one row of a hundred changes, then one of ten.
func (b *bench) once(ctx context.Context, source string, rows int, small bool) error {
	if err := b.fill(ctx, source, rows); err != nil {
		return err
	}
	if err := b.limitsFull(ctx, source, rows); err != nil {
		return err
	}
	track, shares := byTrigger, []int{100, 10}
	if small {
		track, shares = byTimestamp, []int{10}
	}
	home := ""
	if b.binary != "" {
		var err error
		if home, err = b.oursFull(ctx, source, rows, track); err != nil {
			return err
		}
	}
	b.round = 0
	for _, every := range shares {
		if err := b.delta(ctx, source, home, rows, every, !small); err != nil {
			return err
		}
		if home != "" { // the limit went by without it
			if _, err := timed(b.lockstep(ctx, home, "sync", "products", "--once")); err != nil {
				return err
			}
		}
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
	b.say("  %-55s %9d rows  %7.2f s  cpu %6.2f s  peak %4d MiB", r.name, r.rows, u.wall.Seconds(), u.cpu.Seconds(), u.peak>>20)
	if !b.only.MatchString(r.name) {
		return nil
	}
	kept := b.find(r.name, r.rows, r.of)
	if kept == nil {
		kept = &r
		b.table = append(b.table, kept)
	}
	kept.runs = append(kept.runs, u)
	return nil
}

func (b *bench) find(name string, rows, of int) *row {
	for _, r := range b.table {
		if r.name == name && r.rows == rows && r.of == of {
			return r
		}
	}
	return nil
}

func (b *bench) figure(what, measured, reach string) {
	b.say("  %s: %s", what, measured)
	b.figures = append(b.figures, figure{what, measured, reach})
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
