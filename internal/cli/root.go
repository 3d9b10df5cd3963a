// Package cli is what people type: one file for each command. It parses, asks the house (internal/app) and prints;
// results go to stdout, all else to stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
)

// Main runs the command line of the process and returns its exit code.
func Main(version string) int {
	t := newTool(version)
	ctx, stop := graceful(context.Background(), t)
	defer stop()
	return int(t.run(ctx, os.Args[1:]))
}

// run runs one command line.
func (t *tool) run(ctx context.Context, args []string) Exit {
	root := t.root()
	root.SetArgs(args)
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	err := root.ExecuteContext(ctx)
	if own, ok := err.(commandError); ok { //nolint:errorlint // command wraps outermost
		err = own.error
	} else if _, ok := errors.AsType[*lockstep.Fault](err); err != nil && !ok {
		err = usage(err)
	}
	t.complain(err)
	return exitOf(err)
}

// usage is an error of cobra's as ours.
func usage(err error) error {
	text := err.Error()
	return lockstep.Faultf(lockstep.CodeUsage, "%s", strings.TrimSpace(text))
}

func usagef(format string, args ...any) error {
	return lockstep.Faultf(lockstep.CodeUsage, format, args...)
}

const about = `Lockstep keeps two business systems in step: databases, files, and what comes later.
It captures changes, keeps them in a durable queue, maps and delivers them, takes the
target's acknowledgement, and can prove at any time that the two sides agree.`

// The groups of commands, in the order of help.
const (
	groupStart = "start"
	groupSync  = "sync"
	groupLook  = "look"
	groupMore  = "more"
)

// root is the command tree.
func (t *tool) root() *cobra.Command {
	cobra.EnableCommandSorting = false // the order of help is the order of work
	root := &cobra.Command{
		Use:   "lockstep",
		Short: "Keeps two business systems in step",
		Long:  about,
		Example: `  lockstep demo                    # watch it work; needs nothing
  lockstep init                    # write a first lockstep.yaml
  lockstep check --connect         # is the configuration right?
  lockstep plan products           # what would a sync do?
  lockstep sync products           # bring the target level, once
  lockstep run                     # and keep it level`,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&t.config, "config", "c", t.env("LOCKSTEP_CONFIG"), "the configuration `FILE` (environment LOCKSTEP_CONFIG; default lockstep.yaml)")
	if t.config == "" {
		t.config = "lockstep.yaml"
	}
	flags.Lookup("config").DefValue = ""
	flags.BoolVar(&t.json, "json", false, "print JSON: one object, or one a line where there are many")
	flags.BoolVar(&t.noColor, "no-color", false, "no colours and no bars (also NO_COLOR)")
	flags.BoolVarP(&t.quiet, "quiet", "q", false, "print results and errors only")
	flags.BoolVarP(&t.verbose, "verbose", "v", false, "say more: levels and debug lines")
	flags.SortFlags = false
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s (see `%s --help`)", err, cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "To begin:"},
		&cobra.Group{ID: groupSync, Title: "To bring and keep systems in step:"},
		&cobra.Group{ID: groupLook, Title: "To look and decide:"},
		&cobra.Group{ID: groupMore, Title: "More:"},
	)
	for _, group := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupStart, t.startCommands()},
		{groupSync, t.syncCommands()},
		{groupLook, t.lookCommands()},
		{groupMore, t.moreCommands(root)},
	} {
		for _, c := range group.commands {
			c.GroupID = group.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommand(t.helpCommand(root))
	root.SetHelpCommandGroupID(groupMore)
	root.InitDefaultHelpCmd()
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	hint := ""
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean `%s`?", strings.Join(near, "` or `"))
	}
	return usagef("there is no command %q%s", name, hint)
}

// commandError marks what a command returned, so that an error without a code is not taken for a wrong usage.
type commandError struct{ error }

func (e commandError) Unwrap() error { return e.error }

// spec is what a command says of itself.
type spec struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	complete                  cobra.CompletionFunc
	run                       func(ctx context.Context, args []string) error
}

// command makes a command of it.
func (t *tool) command(s spec) *cobra.Command {
	if s.args == nil {
		s.args = cobra.NoArgs
	}
	return &cobra.Command{
		Use: s.use, Short: s.short, Long: s.long, Example: s.example,
		ValidArgsFunction:     s.complete,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := s.args(cmd, args); err != nil {
				if cmd.HasSubCommands() && len(args) > 0 {
					return unknownCommand(cmd, args[0])
				}
				return usagef("%s (usage: %s)", err, cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := s.run(cmd.Context(), args)
			if err == nil {
				return nil
			}
			return commandError{err}
		},
	}
}
