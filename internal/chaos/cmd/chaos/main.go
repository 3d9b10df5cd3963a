// Command chaos is `make chaos`: kill -9 the real binary under load, then compare both sides.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lockstep-sync/lockstep/internal/chaos"
)

func main() {
	o := chaos.Options{Out: os.Stdout}
	flag.StringVar(&o.Binary, "lockstep", "bin/lockstep", "path of the binary")
	flag.IntVar(&o.Kills, "kills", 200, "how often to kill it")
	flag.Uint64Var(&o.Seed, "seed", 0, "what decides moments and changes; 0 takes one from the clock")
	flag.IntVar(&o.Writers, "writers", 5, "connections that change the source")
	flag.IntVar(&o.Every, "every", 20, "kills between two checks of the delta alone")
	flag.Parse()
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	fmt.Println("nothing missing, nothing extra, nothing wrong, nothing parked")
}

func run(ctx context.Context, o chaos.Options) (err error) {
	if o.Dir, err = os.MkdirTemp("", "lockstep-chaos-"); err != nil {
		return err
	}
	if err := chaos.Run(ctx, o); err != nil {
		return fmt.Errorf("%w\n(the store, the target and the log are kept in %s)", err, o.Dir)
	}
	return os.RemoveAll(o.Dir)
}
