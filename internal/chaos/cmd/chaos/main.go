// Command chaos is `make chaos`: kill -9 the real binary under load, then compare both sides.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lockstep-sync/lockstep/internal/chaos"
)

func main() {
	o := chaos.Options{}
	flag.StringVar(&o.Binary, "lockstep", "bin/lockstep", "path of the binary")
	flag.IntVar(&o.Kills, "kills", 200, "how often to kill it, for each pair")
	flag.Uint64Var(&o.Seed, "seed", 0, "what decides moments and changes; 0 takes one from the clock")
	flag.IntVar(&o.Writers, "writers", 5, "connections that change the source")
	flag.IntVar(&o.Every, "every", 20, "kills between two checks of the delta alone")
	only := flag.String("only", "each", "each: every tracker of every database; all: to every database; short; or part of a name such as postgres-sqlite-trigger")
	side := flag.Int("parallel", 3, "pairs at the same time")
	flag.Parse()
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pairs := chosen(*only)
	if len(pairs) == 0 {
		fmt.Fprintf(os.Stderr, "chaos: no pair is called %q\n", *only)
		os.Exit(2)
	}
	if failed := all(ctx, o, pairs, max(1, *side)); failed > 0 {
		fmt.Fprintf(os.Stderr, "chaos: %d of %d pairs failed (seed %d)\n", failed, len(pairs), o.Seed)
		os.Exit(1)
	}
	fmt.Printf("%d pairs, %d kills each: nothing missing, nothing extra, nothing wrong, nothing parked\n", len(pairs), o.Kills)
}

func chosen(only string) []chaos.Pair {
	switch only {
	case "each":
		return append(chaos.Each(), chaos.Shops()...)
	case "all":
		return chaos.All()
	case "short":
		return append(chaos.Short(), chaos.Shops()[0])
	}
	var out []chaos.Pair
	for _, p := range append(chaos.All(), chaos.Shops()...) {
		if strings.Contains(p.String(), only) {
			out = append(out, p)
		}
	}
	return out
}

// all tries the pairs, some side by side, and says how many failed. What a pair says comes out when it is through.
func all(ctx context.Context, o chaos.Options, pairs []chaos.Pair, side int) (failed int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, side)
	for _, p := range pairs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			var said bytes.Buffer
			err := run(ctx, o, p, &said)
			mu.Lock()
			defer mu.Unlock()
			if fmt.Print(said.String()); err != nil {
				failed++
				fmt.Printf("%s FAILED: %v\n", p, err)
			}
		})
	}
	wg.Wait()
	return failed
}

func run(ctx context.Context, o chaos.Options, p chaos.Pair, out io.Writer) (err error) {
	o.From, o.To, o.Track, o.Out = p.From, p.To, p.Track, out
	if o.Binary, err = filepath.Abs(o.Binary); err != nil {
		return err
	}
	if o.Dir, err = os.MkdirTemp("", "lockstep-chaos-"); err != nil {
		return err
	}
	if err := chaos.Run(ctx, o); err != nil {
		return fmt.Errorf("%w\n(the store, SQLite files and the log are kept in %s)", err, o.Dir)
	}
	return os.RemoveAll(o.Dir)
}
