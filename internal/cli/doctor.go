package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) doctorCommand() *cobra.Command {
	return t.command(spec{
		use:   "doctor [FLOW...]",
		short: "Connect, and say what is wrong or could be missed: rights, clocks, trackers",
		long: `Connects to every system and looks at each flow: are the streams and fields there, are the
rights enough, do the clocks agree, and what can the chosen tracker not see. It changes nothing.
The exit code is 1 where there is an error; warnings and notes do not count.`,
		example: "  lockstep doctor\n  lockstep doctor products\n  lockstep doctor --json | jq 'select(.finding.level == \"error\")'",
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			return t.findings(ctx, app.Request{Do: app.DoDoctor, Flows: args})
		},
	})
}

// findings prints what an examination found, by system and flow.
func (t *tool) findings(ctx context.Context, req app.Request) error {
	p := t.outPaint()
	var n [4]int64
	last := ""
	err := t.ask(ctx, req, func(e app.Event) error {
		if e.Event != app.FindingEvent {
			return nil
		}
		f := *e.Finding
		head := "system " + f.System
		if f.Flow != "" {
			head = "flow " + f.Flow
		}
		if head != last && (f.System != "" || f.Flow != "") {
			if last != "" {
				t.put("")
			}
			t.put("%s", p.bold(head))
			last = head
		}
		sign, i := p.good("✓"), 0
		switch f.Level {
		case "note":
			sign, i = p.info("i"), 1
		case "warning":
			sign, i = p.warn("!"), 2
		case "error":
			sign, i = p.bad("✗"), 3
		}
		n[i]++
		t.put("  %s %s", sign, indent(f.What, "    "))
		if f.Next != "" {
			t.put("    %s %s", p.dim("next:"), f.Next)
		}
		return nil
	})
	if err != nil || t.json {
		return err
	}
	t.say("\n%s, %s, %s", count(n[3], "error"), count(n[2], "warning"), count(n[1], "note"))
	if n[3] > 0 {
		return ended{ExitError}
	}
	return nil
}
