package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

// exampleFiles are where `lockstep test` looks when no file is named, beside the configuration.
var exampleFiles = []string{"tests/*.yaml", "tests/*.yml", "tests/*.jsonl", "*.test.yaml", "*.test.jsonl"}

func (t *tool) testCommand() *cobra.Command {
	var connect bool
	c := t.command(spec{
		use:   "test [FILE...] [flags]",
		short: "Run examples through the mappings: this record in, that record out",
		long: `Runs files of examples (an input record and the record that is expected, see docs/mapping.md)
through the mappings. Without files it takes tests/*.yaml, tests/*.jsonl, *.test.yaml and
*.test.jsonl beside the configuration. Nothing is connected to, unless --connect asks the systems
for the types of both sides. The exit code is 3 where an example fails.`,
		example: "  lockstep test\n  lockstep test tests/products.yaml\n  lockstep test --connect",
		args:    cobra.ArbitraryArgs,
		run:     func(ctx context.Context, files []string) error { return t.test(ctx, files, connect) },
	})
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"yaml", "yml", "jsonl"}, cobra.ShellCompDirectiveFilterFileExt
	}
	c.Flags().BoolVar(&connect, "connect", false, "ask the systems for the types of both sides")
	return c
}

func (t *tool) test(ctx context.Context, files []string, connect bool) error {
	c, err := t.load()
	if err != nil {
		return err
	}
	if len(files) == 0 {
		for _, pattern := range exampleFiles {
			found, err := filepath.Glob(filepath.Join(c.Dir, pattern))
			if err != nil {
				return err
			}
			files = append(files, found...)
		}
		if len(files) == 0 {
			return usagef("there are no examples: name files, or put some at tests/*.yaml beside %s", c.File)
		}
	}
	tested, err := app.Test(ctx, c, files, connect)
	if err != nil {
		return err
	}
	failed := 0
	for _, one := range tested {
		if !one.OK {
			failed++
		}
		if t.json {
			if err := t.line(one); err != nil {
				return err
			}
			continue
		}
		t.tested(one)
	}
	p := t.outPaint()
	n := count(int64(len(tested)), "example")
	switch {
	case failed > 0:
		t.say("%s", p.bad(number(int64(failed))+" of "+n+" failed"))
		return ended{ExitDifferences}
	default:
		t.say("%s %s", p.good("✓"), n+", all as expected")
	}
	return nil
}

// tested prints one example that failed; with -v those that did not, too.
func (t *tool) tested(one app.Tested) {
	p := t.outPaint()
	name := one.Flow
	if one.Name != "" {
		name += ": " + one.Name
	}
	if one.OK {
		if t.verbose {
			t.put("%s %s  %s", p.good("✓"), name, p.dim(one.Pos.String()))
		}
		return
	}
	t.put("%s %s  %s", p.bad("✗"), p.bold(name), p.dim(one.Pos.String()))
	if one.Message != "" {
		t.put("      %s", indent(one.Message, "      "))
	}
	for _, f := range one.Fields {
		want, got := shorten(f.Theirs, f.Ours)
		t.put("      %s  expected %s, got %s", p.dim(f.Field), p.good(want), p.old(got))
	}
}
