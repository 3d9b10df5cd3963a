// Package chaos kills the real binary, again and again, at moments nobody chose, while a real source is changing, and
// then asks both sides by SQL that is not ours whether anything is missing, extra or wrong (laws 1, 2, 5, 8, 9).
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options say how hard to try.
type Options struct {
	Binary   string // path of lockstep
	Dir      string // for its configuration, store, log and SQLite files; must be there
	From, To string // the databases: postgres, mysql, sqlite
	Track    string // a name of Trackers
	Kills    int
	Seed     uint64
	Writers  int
	Every    int       // kills between two checks of the delta alone
	Out      io.Writer // what a person reads meanwhile
}

// tracker is one way to find changes, in lockstep's configuration.
type tracker struct {
	track   string
	install bool // needs something inside the source
	deletes bool // sees deletes
	hints   bool // it looks seldom; notices tell it meanwhile, and one in ten is lost
}

// Trackers are the trackers by name. A name says what is written after `by:`.
var Trackers = map[string]tracker{
	"timestamp":  {track: "{by: timestamp, field: updated_at, every: 1s}"},
	"version":    {track: "{by: version, field: rev, every: 1s}"},
	"per-record": {track: "{by: version, field: own, per: record, every: 2s}", deletes: true},
	"flag":       {track: "{by: flag, field: is_changed, every: 1s}"},
	"trigger":    {track: "{by: trigger}", install: true, deletes: true},
	"log":        {track: "{by: log}", install: true, deletes: true},
	"hints":      {track: "{by: version, field: own, per: record, every: 1h}", deletes: true, hints: true},
	"snapshot":   {track: "{by: snapshot, every: 2s}", deletes: true},
}

// configuration has the full syncs of items beside the tracker in any case; those of stock only where the tracker
// sees no deletes, so that what it finds by itself shows.
func configuration(from, to *place, t tracker, hints *teller) string {
	full, fullItems, api := "\n    full: {every: 3s}", "\n    full: {every: 4s}", ""
	if t.deletes {
		full = ""
	}
	if hints != nil {
		full = "\n    hook: {secrets: [" + hookSecret + "]}"
		fullItems, api = full, "api: {listen: '"+hints.listen+"'}\n"
	}
	return fmt.Sprintf(`store: store.db
%ssystems:
  shop: %s
  copy: %s
flows:
  items:
    from: {system: shop, stream: items, track: %s}
    to: {system: copy, stream: items}%s
    map: {id: id, sku: sku, title: name, price: price, qty: qty, note: note, changed_at: updated_at}
    deletes: {max_share: 100%%, max: 1000000}
    deliver: {batch: 50}
  stock:
    from: {system: shop, stream: stock, track: %s}
    to: {system: copy, stream: stock}%s
    map: {sku: sku, warehouse: warehouse, qty: qty, updated_at: updated_at}
    deletes: {max_share: 100%%, max: 1000000}
    deliver: {batch: 50}
`, api, from.system, to.system, t.track, fullItems, t.track, full)
}

// run is one chaos run.
type run struct {
	Options
	tracker  tracker
	from, to *place
	load     *Load
	rng      *rand.Rand
	tool     *tool
	hits     map[string]int // kills by what was under way
	hints    *teller        // nil where nobody tells
	away     []int          // how a command may end, too, because a system was away when it began
}

// Run does it all: servers, load, kills, checks. An error is a verdict: it names what is not right.
func Run(ctx context.Context, o Options) (err error) {
	t, ok := Trackers[o.Track]
	if !ok {
		return fmt.Errorf("no tracker %q", o.Track)
	}
	if o.To == "magento" {
		return runShop(ctx, o, t)
	}
	r := &run{Options: o, tracker: t, rng: rand.New(rand.NewPCG(o.Seed, 0)), hits: map[string]int{}}
	var all servers
	defer func() { err = errors.Join(err, all.stop()) }()
	if r.from, err = all.open(ctx, o.From, "source", o.Dir); err != nil {
		return err
	}
	defer r.from.db.Close()
	if r.to, err = all.open(ctx, o.To, "target", o.Dir); err != nil {
		return err
	}
	defer r.to.db.Close()
	if err := errors.Join(makeSource(ctx, r.from), makeTarget(ctx, r.to)); err != nil {
		return err
	}
	if t.hints {
		if r.hints, err = newTeller(ctx, o.Seed); err != nil {
			return err
		}
		telling, stop := context.WithCancel(ctx)
		r.hints.run(telling)
		defer func() { stop(); r.hints.done.Wait() }()
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "lockstep.yaml"), []byte(configuration(r.from, r.to, t, r.hints)), 0o600); err != nil {
		return err
	}
	if r.tool, err = newTool(o.Binary, o.Dir); err != nil {
		return err
	}
	defer r.tool.close()
	if t.install {
		if err := r.tool.once(ctx, "track", "install"); err != nil {
			return err
		}
	}
	if r.load, err = startLoad(ctx, r.from, o.Writers, o.Seed, r.hints); err != nil {
		return err
	}
	defer r.load.Stop()
	return r.all(ctx)
}

func (r *run) all(ctx context.Context) error {
	r.say("%s to %s by %s: seed %d, %d kills", r.From, r.To, r.Track, r.Seed, r.Kills)
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

// checkDelta stops the load, lets the delta drain and asks for all that the tracker sees: deletes may be open where it
// cannot see them. It leaves the load paused.
func (r *run) checkDelta(ctx context.Context) error {
	r.load.Pause()
	if r.hints != nil {
		if err := r.byHints(ctx); err != nil {
			return err
		}
	}
	if err := r.tool.drain(ctx, nil, "sync", "--once"); err != nil {
		return err
	}
	kinds := []string{"missing", "wrong"}
	if r.tracker.deletes {
		kinds = append(kinds, "extra")
	}
	return r.compare(ctx, "after the delta", kinds...)
}

// checkAll runs a full sync on top and asks for everything.
func (r *run) checkAll(ctx context.Context) error {
	if err := r.tool.drain(ctx, nil, "sync", "--full", "--allow-deletes"); err != nil {
		return err
	}
	if err := r.tool.drain(ctx, nil, "sync", "--once"); err != nil {
		return err
	}
	if err := r.compare(ctx, "at the end", "missing", "extra", "wrong"); err != nil {
		return err
	}
	if !r.tracker.install {
		return nil
	}
	return r.tool.once(ctx, "track", "remove")
}

// compare counts the differences and refuses those of the kinds given.
func (r *run) compare(ctx context.Context, when string, kinds ...string) error {
	all, err := compare(ctx, r.from, r.to)
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

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }
