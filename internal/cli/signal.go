package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// graceful is a context that ends with the first SIGINT or SIGTERM: the step in hand is finished and settled. A
// second signal ends the process at once.
func graceful(parent context.Context, t *tool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		if !t.hushed.Load() {
			t.note("stopping: the step in hand is finished and settled first; a second signal ends at once")
		}
		cancel()
		<-signals
		os.Exit(int(ExitInterrupted))
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
