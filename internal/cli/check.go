package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) checkCommand() *cobra.Command {
	var connect bool
	c := t.command(spec{
		use:   "check",
		short: "Check the configuration; with --connect against the systems, too",
		long: `Checks the configuration as far as that goes without connecting to anything: every setting,
name and expression, all mistakes at once, each with its place in the file. With --connect the
systems are asked, too: streams, fields, types, rights and clocks, as ` + "`lockstep doctor`" + ` does.
Nothing is changed.`,
		example: "  lockstep check\n  lockstep check --connect\n  lockstep check -c staging.yaml --json",
		run:     func(ctx context.Context, _ []string) error { return t.check(ctx, connect) },
	})
	c.Flags().BoolVar(&connect, "connect", false, "also connect, and check streams, fields, types and rights")
	return c
}

func (t *tool) check(ctx context.Context, connect bool) error {
	c, err := t.load()
	if err != nil {
		return err
	}
	notes, err := app.Check(c)
	if err != nil {
		return err
	}
	if connect {
		return t.findings(ctx, app.Request{Do: app.DoDoctor})
	}
	if t.json {
		return t.object(struct {
			File    string   `json:"file"`
			Systems int      `json:"systems"`
			Flows   int      `json:"flows"`
			Notes   []string `json:"notes,omitempty"`
		}{c.File, len(c.Systems), len(c.Flows), notes})
	}
	p := t.outPaint()
	for _, note := range notes {
		t.put("%s %s", p.warn("note:"), note)
	}
	t.say("%s %s is right: %s, %s. `lockstep check --connect` asks the systems, too.",
		p.good("✓"), c.File, count(int64(len(c.Systems)), "system"), count(int64(len(c.Flows)), "flow"))
	return nil
}
