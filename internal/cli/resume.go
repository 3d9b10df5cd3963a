package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) resumeCommand() *cobra.Command {
	return t.command(spec{
		use:   "resume [FLOW...]",
		short: "Start flows again that stopped for a person, and accept changed schemas",
		long: `A flow stops when going on would be wrong: its credentials are refused, a right is missing, its
position is lost, a schema has changed and its ` + "`drift`" + ` says to hold or to stop. ` + "`lockstep status`" + `
says why and what to do. When that is done, this starts the flows again (all that stopped, if none
is named). Where a schema has changed it is accepted as it is now, without a daemon, too.
A daemon that is started anew tries again, but for changed schemas.`,
		example: "  lockstep resume products\n  lockstep resume",
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			return t.ask(ctx, app.Request{Do: app.DoResume, Flows: args}, func(e app.Event) error {
				if e.Event == app.TextEvent {
					t.say("%s", e.Text)
				}
				return nil
			})
		},
	})
}
