package cli

import "github.com/spf13/cobra"

func (t *tool) startCommands() []*cobra.Command {
	return []*cobra.Command{t.checkCommand()}
}

func (t *tool) syncCommands() []*cobra.Command { return nil }

func (t *tool) lookCommands() []*cobra.Command { return nil }

func (t *tool) moreCommands(root *cobra.Command) []*cobra.Command {
	return []*cobra.Command{t.faultsCommand(), t.completionCommand(root), t.versionCommand()}
}
