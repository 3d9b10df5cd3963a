package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
)

func (t *tool) demoCommand() *cobra.Command {
	var o demoOptions
	c := t.command(spec{
		use:   "demo [flags]",
		short: "Watch a Pimcore keep a Magento shop in step; needs nothing, takes half a minute",
		long: `Starts stand-ins for a Pimcore and a Magento shop (see lockstep sandbox) and ` + "`lockstep run`" + ` between
them (as a process of its own, really the daemon): the plan, the first full sync, saves that arrive
in the shop, a category that is renamed with what that makes of its products, a product that is
deleted, a colour that the shop does not know yet, and a record that Magento refuses, parked with its
reason and mended. At the end ` + "`lockstep verify`" + ` must say that both sides agree: only then is the exit
code 0.`,
		example: `  lockstep demo
  lockstep demo databases             # two databases
  lockstep demo pimcore               # a Pimcore that tells of its saves, into a database
  lockstep demo --fast --json
  lockstep demo --keep ./demo         # look around afterwards`,
		run: func(ctx context.Context, _ []string) error { return t.demoPair(ctx, o) },
	})
	demoFlags(c, &o)
	c.AddCommand(t.demoDatabasesCommand(), t.demoPimcoreCommand())
	return c
}

// demoFlags are those that all shows have.
func demoFlags(c *cobra.Command, o *demoOptions) {
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&o.fast, "fast", false, "a small catalogue and a few seconds of changes")
	f.StringVar(&o.keep, "keep", "", "use the folder `DIR` and leave everything there")
	_ = c.MarkFlagDirname("keep")
}

func (t *tool) demoDatabasesCommand() *cobra.Command {
	var o demoOptions
	c := t.command(spec{
		use:   "databases [flags]",
		short: "Watch two databases being brought and kept in step",
		long: `Makes a catalogue of some 5,000 products and an empty shop with another schema, both SQLite
files in a temporary folder, and a configuration between them. Then it starts ` + "`lockstep run`" + ` (as a
process of its own, really the daemon), shows the first full sync, and keeps editing the
catalogue while the changes arrive in the shop. Once it breaks a record, shows why it is
parked, and mends it. At the end ` + "`lockstep verify`" + ` must say that both sides agree: only then is the
exit code 0. Latency is measured in the shop itself.`,
		example: `  lockstep demo databases
  lockstep demo databases --fast
  lockstep demo databases --keep ./demo         # look around afterwards
  lockstep demo databases --postgres "postgres://me@localhost/test"`,
		run: func(ctx context.Context, _ []string) error { return t.demo(ctx, o) },
	})
	demoFlags(c, &o)
	c.Flags().StringVar(&o.postgres, "postgres", "", "put the shop into the PostgreSQL database `DSN`, in a schema of its own, which is dropped afterwards (not with --keep)")
	return c
}

type demoOptions struct {
	fast     bool
	keep     string
	postgres string
}

// demo prepares a folder, runs the show in it and cleans up.
func (t *tool) demo(ctx context.Context, o demoOptions) (err error) {
	dir, err := demoFolder(o.keep)
	if err != nil {
		return err
	}
	if o.keep == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s := &show{tool: t, options: o, dir: dir}
	err = s.play(ctx)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return errors.Join(err, s.close())
}

// demoFolder is an empty folder for the show.
func demoFolder(keep string) (string, error) {
	if keep == "" {
		dir, err := os.MkdirTemp("", "lockstep-demo-")
		if err != nil {
			return "", lockstep.NewFault(lockstep.CodeFile, err)
		}
		return dir, nil
	}
	dir, err := filepath.Abs(keep)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", lockstep.NewFault(lockstep.CodeFile, err)
	}
	if there, err := os.ReadDir(dir); err != nil {
		return "", lockstep.NewFault(lockstep.CodeFile, err)
	} else if len(there) > 0 {
		return "", usagef("the folder %s is not empty: name another one for --keep", keep)
	}
	return dir, nil
}
