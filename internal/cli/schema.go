package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/config"
)

func (t *tool) schemaCommand() *cobra.Command {
	return t.command(spec{
		use:   "schema",
		short: "Print the JSON schema of the configuration, for editors",
		long: `Prints the JSON schema (2020-12) of the configuration. Editors with a YAML language server use it
to complete and check while you type, with a first line in the file such as:

  # yaml-language-server: $schema=lockstep.schema.json`,
		example: "  lockstep schema > lockstep.schema.json",
		run: func(context.Context, []string) error {
			_, err := t.out.Write(config.Schema(all.All()))
			return err
		},
	})
}
