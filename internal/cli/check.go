package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/config"
)

func (t *tool) checkCommand() *cobra.Command {
	var connect bool
	c := t.command(spec{
		use:   "check",
		short: "Check the configuration; with --connect against the systems, too",
		run: func(_ context.Context, _ []string) error {
			_, err := config.Load(t.config, connectors())
			return err
		},
	})
	c.Flags().BoolVar(&connect, "connect", false, "also connect, and check streams, fields and types")
	return c
}
