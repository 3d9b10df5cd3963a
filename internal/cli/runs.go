package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
)

var runKinds = []string{
	string(lockstep.FullRun), string(lockstep.DeltaRun), string(lockstep.VerifyRun), string(lockstep.RepairRun),
	string(lockstep.PlanRun), string(lockstep.ApplyRun), string(lockstep.PilotRun), string(lockstep.SchemaRun),
}

func (t *tool) runsCommand() *cobra.Command {
	req := app.Request{Do: app.DoRuns}
	c := t.command(spec{
		use:     "runs [FLOW...] [flags]",
		short:   "List runs, the newest first: what they did, and how they ended",
		long:    "Lists the runs of the flows (all of them, if none is named), the newest first.\nKinds: " + strings.Join(runKinds, ", ") + ".",
		example: "  lockstep runs\n  lockstep runs products --kind full --limit 5\n  lockstep runs --id 42",
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			req.Flows = args
			if req.Kind != "" && !contains(runKinds, req.Kind) {
				return usagef("there is no kind %q; the kinds are %s", req.Kind, strings.Join(runKinds, ", "))
			}
			return t.runs(ctx, req)
		},
	})
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&req.Kind, "kind", "", "only runs of this `KIND`")
	f.Int64Var(&req.Run, "id", 0, "only the run with this `ID`")
	f.IntVar(&req.Max, "limit", 20, "at most `N` runs of each flow")
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(runKinds, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (t *tool) runs(ctx context.Context, req app.Request) error {
	p, now := t.outPaint(), time.Now()
	g := t.grid("RUN", "FLOW", "KIND", "STATE", "STARTED", "TOOK", "DID").right(1, 6)
	var all []app.Run
	err := t.ask(ctx, req, func(e app.Event) error {
		if e.Event == app.RunEvent {
			all = append(all, *e.Run)
		}
		return nil
	})
	if err != nil || t.json {
		return err
	}
	if len(all) == 0 {
		if req.Run != 0 || req.Kind != "" {
			t.say("no such run")
		} else {
			t.say("no runs yet")
		}
		return nil
	}
	for _, r := range all {
		did := countsText(r.Counts)
		if r.Fault != nil {
			did = p.bad(string(r.Fault.Code)) + " " + strings.SplitN(r.Fault.Message, "\n", 2)[0]
		}
		if r.Note != "" {
			did += " (" + r.Note + ")"
		}
		g.row(fmt.Sprintf("#%d", r.ID), p.bold(r.Flow), kindText(r), stateText(p, r.State), moment(r.Started, now), took(r), did)
	}
	g.print(t.out)
	return nil
}
