// Package chaos kills the real binary, again and again, at moments nobody chose, while a real source is changing, and
// then asks both sides by SQL that is not ours whether anything is missing, extra or wrong (laws 1, 2, 5, 8, 9).
package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/internal/pgserver"
)

// Options say how hard to try.
type Options struct {
	Binary  string // path of lockstep
	Dir     string // for its configuration, store, target and log; must be there
	Kills   int
	Seed    uint64
	Writers int
	Every   int       // kills between two checks of the delta alone
	Out     io.Writer // what a person reads meanwhile
}

const configuration = `store: store.db
systems:
  shop: {type: postgres, dsn: "%s"}
  copy: {type: sqlite, path: target.db}
flows:
  items:
    from: {system: shop, stream: items, track: {by: timestamp, field: updated_at, every: 1s}}
    to: {system: copy, stream: items}
    full: {every: 4s}
    map: {id: id, sku: sku, title: name, price: price, qty: qty, note: note, changed_at: updated_at}
    deletes: {max_share: 100%%, max: 1000000}
    deliver: {batch: 50}
  stock:
    from: {system: shop, stream: stock, track: {by: timestamp, field: updated_at, every: 1s}}
    to: {system: copy, stream: stock}
    full: {every: 3s}
    deletes: {max_share: 100%%, max: 1000000}
    deliver: {batch: 50}
`

// run is one chaos run.
type run struct {
	Options
	pg   *pgserver.Server
	load *Load
	rng  *rand.Rand
	tool *tool
	hits map[string]int // kills by what was under way
}

// Run does it all: servers, load, kills, checks. An error is a verdict: it names what is not right.
func Run(ctx context.Context, o Options) (err error) {
	r := &run{Options: o, rng: rand.New(rand.NewPCG(o.Seed, 0)), hits: map[string]int{}}
	if r.pg, err = pgserver.Start(ctx, pgserver.Fast); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.pg.Stop()) }()
	if err := r.pg.Exec(ctx, "postgres", sourceSchema...); err != nil {
		return err
	}
	db, err := makeTarget(ctx, r.target())
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	text := fmt.Sprintf(configuration, r.pg.DSN("postgres"))
	if err := os.WriteFile(filepath.Join(o.Dir, "lockstep.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	if r.tool, err = newTool(o.Binary, o.Dir); err != nil {
		return err
	}
	defer r.tool.close()
	if r.load, err = StartLoad(ctx, r.pg.DSN("postgres"), o.Writers, o.Seed); err != nil {
		return err
	}
	defer r.load.Stop()
	return r.all(ctx)
}

func (r *run) all(ctx context.Context) error {
	r.say("seed %d, %d kills", r.Seed, r.Kills)
	start := time.Now()
	for done := 0; done < r.Kills; {
		killed, err := r.round(ctx)
		if err == nil {
			err = r.load.Err()
		}
		if err != nil {
			return err
		}
		if !killed {
			continue
		}
		if done++; done%r.Every == 0 && done < r.Kills {
			r.say("%d kills in %s: %v; %s", done, time.Since(start).Round(time.Second), r.hits, r.load)
			if err := r.checkDelta(ctx); err != nil {
				return err
			}
			r.load.Resume()
		}
	}
	r.say("%d kills in %s: %v; %s", r.Kills, time.Since(start).Round(time.Second), r.hits, r.load)
	if err := r.checkDelta(ctx); err != nil {
		return err
	}
	return r.checkAll(ctx)
}

// checkDelta stops the load, lets the delta drain and asks for every upsert. Only deletes may be open: a timestamp
// cannot see them. It leaves the load paused.
func (r *run) checkDelta(ctx context.Context) error {
	r.load.Pause()
	if err := r.tool.drain(ctx, "sync", "--once"); err != nil {
		return err
	}
	return r.compare(ctx, "after the delta", "missing", "wrong")
}

// checkAll runs a full sync on top and asks for everything.
func (r *run) checkAll(ctx context.Context) error {
	if err := r.tool.drain(ctx, "sync", "--full", "--allow-deletes"); err != nil {
		return err
	}
	if err := r.tool.drain(ctx, "sync", "--once"); err != nil {
		return err
	}
	return r.compare(ctx, "at the end", "missing", "extra", "wrong")
}

// compare counts the differences and refuses those of the kinds given.
func (r *run) compare(ctx context.Context, when string, kinds ...string) error {
	all, err := Compare(ctx, r.pg, "postgres", r.target())
	if err != nil {
		return err
	}
	count := map[string]int{}
	var refused []Difference
	for _, d := range all {
		count[d.Kind()]++
		for _, k := range kinds {
			if d.Kind() == k {
				refused = append(refused, d)
			}
		}
	}
	r.say("%s: %d missing, %d extra, %d wrong", when, count["missing"], count["extra"], count["wrong"])
	if len(refused) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d records are not level (seed %d)", when, len(refused), r.Seed)
	for _, d := range refused[:min(3, len(refused))] {
		fmt.Fprintf(&b, "\n%s\n%s", d, r.tool.says(ctx, "explain", d.Flow, d.Key))
	}
	for _, d := range refused[min(3, len(refused)):min(50, len(refused))] {
		fmt.Fprintf(&b, "\n%s %s %s", d.Kind(), d.Flow, d.Key)
	}
	return errors.New(b.String())
}

func (r *run) target() string { return filepath.Join(r.Dir, "target.db") }

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// makeTarget makes the target's file and tables.
func makeTarget(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)")
	if err != nil {
		return nil, err
	}
	for _, st := range targetSchema {
		if _, err := db.ExecContext(ctx, st); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}
