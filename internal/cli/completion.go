package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (t *tool) completionCommand(root *cobra.Command) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return t.command(spec{
		use:   "completion SHELL",
		short: "Print completions for bash, zsh, fish or powershell",
		long:  "Prints a script that makes the shell complete commands, flags, flow names and codes.",
		example: "  source <(lockstep completion bash)\n" +
			"  lockstep completion zsh > \"${fpath[1]}/_lockstep\"\n" +
			"  lockstep completion fish > ~/.config/fish/completions/lockstep.fish",
		args: cobra.ExactArgs(1),
		complete: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return shells, cobra.ShellCompDirectiveNoFileComp
		},
		run: func(_ context.Context, args []string) error {
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(t.out, true)
			case "zsh":
				return root.GenZshCompletion(t.out)
			case "fish":
				return root.GenFishCompletion(t.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(t.out)
			}
			return usagef("there are completions for bash, zsh, fish and powershell, not for %q", args[0])
		},
	})
}
