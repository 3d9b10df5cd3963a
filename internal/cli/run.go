package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) runCommand() *cobra.Command {
	return t.command(spec{
		use:   "run",
		short: "Keep all flows in step until stopped: the daemon",
		long: `Runs the daemon: it captures changes, delivers them and runs full syncs on schedule, until it is
stopped. A flow that never had a full sync gets one at once. The other commands find it by its
local socket and have their work done by it.

The first SIGINT or SIGTERM finishes the steps in hand, settles and ends with exit code 0; a
second one ends the process at once. Either way nothing is lost: the next start goes on from
there. Logs go to stderr; ` + "`log:`" + ` in the configuration sets level and format.`,
		example: "  lockstep run\n  lockstep run -c /etc/lockstep/lockstep.yaml\n  lockstep status --watch      # in another terminal",
		run:     func(ctx context.Context, _ []string) error { return t.daemonRun(ctx) },
	})
}

func (t *tool) daemonRun(ctx context.Context) error {
	c, err := t.load()
	if err != nil {
		return err
	}
	log, err := t.logger(c, c.Log.Level)
	if err != nil {
		return err
	}
	h, err := app.Open(ctx, c, app.Options{Log: log})
	if err != nil {
		return err
	}
	t.hushed.Store(true)
	defer context.AfterFunc(ctx, func() {
		log.Info("stopping: the steps in hand are finished and settled first; a second signal ends at once")
	})()
	return errors.Join(h.Run(ctx), h.Close())
}
