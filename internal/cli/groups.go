package cli

import "github.com/spf13/cobra"

func (t *tool) startCommands() []*cobra.Command {
	return []*cobra.Command{t.demoCommand(), t.initCommand(), t.checkCommand(), t.testCommand(), t.doctorCommand(), t.trackCommand(), t.hookCommand(), t.sandboxCommand()}
}

func (t *tool) syncCommands() []*cobra.Command {
	return []*cobra.Command{t.planCommand(), t.applyCommand(), t.syncCommand(), t.runCommand(), t.verifyCommand()}
}

func (t *tool) lookCommands() []*cobra.Command {
	return []*cobra.Command{t.statusCommand(), t.explainCommand(), t.queueCommand(), t.parkedCommand(), t.resumeCommand(), t.runsCommand()}
}

func (t *tool) moreCommands(root *cobra.Command) []*cobra.Command {
	return []*cobra.Command{t.schemaCommand(), t.faultsCommand(), t.completionCommand(root), t.versionCommand()}
}
