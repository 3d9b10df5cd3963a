package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) trackCommand() *cobra.Command {
	c := t.command(spec{
		use:   "track [install | remove | status]",
		short: "Make, take away or look at what trackers need inside the sources",
		long: `Some trackers need something inside the source: triggers and a change table, a replication slot.
It is made on request only, and ` + "`--dry-run`" + ` prints the statements, for those who would rather run
them by hand. Flows that read one stream by one tracker share what is made.`,
		example: "  lockstep track status\n  lockstep track install products --dry-run\n  lockstep track install products\n  lockstep track remove products",
		args:    cobra.NoArgs,
		run: func(ctx context.Context, _ []string) error {
			return t.tracking(ctx, app.Request{Track: app.TrackStatus})
		},
	})
	c.AddCommand(t.trackStatus(), t.trackChange(app.TrackInstall), t.trackChange(app.TrackRemove))
	return c
}

func (t *tool) trackStatus() *cobra.Command {
	return t.command(spec{
		use:     "status [FLOW...]",
		short:   "Say what is installed for the trackers of flows",
		long:    "Says for each feed whether what its tracker needs is there. Exit code 1 where something is missing.",
		example: "  lockstep track status\n  lockstep track status products --json",
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			return t.tracking(ctx, app.Request{Track: app.TrackStatus, Flows: args})
		},
	})
}

func (t *tool) trackChange(what string) *cobra.Command {
	short := "Make what the trackers of flows need inside their sources"
	long := `Makes what is missing: it is safe to repeat. The first sync afterwards reads everything once; from
then on only changes are read.`
	if what == app.TrackRemove {
		short = "Take away what was made inside the sources"
		long = `Takes away all that ` + "`lockstep track install`" + ` made, and leaves nothing behind. Changes that were not
captured yet are lost with it: the next sync of these flows is a full one.`
	}
	var dry bool
	c := t.command(spec{
		use:     what + " [FLOW...] [flags]",
		short:   short,
		long:    long,
		example: "  lockstep track " + what + " products --dry-run\n  lockstep track " + what,
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			return t.tracking(ctx, app.Request{Track: what, Flows: args, Dry: dry})
		},
	})
	c.Flags().BoolVar(&dry, "dry-run", false, "only print the statements")
	return c
}

// tracking asks, and prints a feed a paragraph.
func (t *tool) tracking(ctx context.Context, req app.Request) error {
	req.Do = app.DoTrack
	missing := false
	err := t.ask(ctx, req, func(e app.Event) error {
		if e.Event == app.TrackEvent {
			missing = missing || e.Track.State == "not installed" || e.Track.State == "incomplete"
			t.showTracking(req, e.Track)
		}
		return nil
	})
	if err == nil && missing && req.Track == app.TrackStatus {
		return ended{ExitError}
	}
	return err
}

func (t *tool) showTracking(req app.Request, tr *app.Tracking) {
	p := t.outPaint()
	state := p.dim(tr.State)
	switch tr.State {
	case "installed":
		state = p.good(tr.State)
	case "incomplete":
		state = p.warn(tr.State)
	}
	if tr.Done {
		state += p.dim(" (just now)")
	}
	t.put("%s by %s: %s  %s", p.bold(tr.System+"/"+tr.Stream), tr.By, state, p.dim("flows "+strings.Join(tr.Flows, ", ")))
	if tr.Script != "" && (req.Dry || t.verbose) {
		t.put("%s\n", indent("  "+strings.TrimSpace(tr.Script), "  "))
	}
	if req.Track == app.TrackStatus && tr.Script != "" {
		t.put("  %s lockstep track install %s", p.dim("next:"), tr.Flows[0])
	}
}
