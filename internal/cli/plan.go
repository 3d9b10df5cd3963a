package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) planCommand() *cobra.Command {
	var req app.Request
	var keys []string
	var out string
	var limit int
	var exitCode bool
	c := t.command(spec{
		use:   "plan [FLOW...] [flags]",
		short: "Show what a full sync would do, field by field; writes nothing",
		long: `Reads the source, maps it, compares it with the target and shows what a full sync would do:
how many records it would create, change, leave alone and delete, and in which fields they
differ. Nothing is written to a target.

With --out the plan is saved; ` + "`lockstep apply`" + ` carries out exactly that, unless it has gone stale.`,
		example: `  lockstep plan
  lockstep plan products --limit 5
  lockstep plan products --keys 4711
  lockstep plan products --out plan.jsonl && lockstep apply plan.jsonl
  lockstep plan --exit-code --quiet     # exit code 3 if anything would change`,
		args: cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) (err error) {
			req.Do, req.Flows = app.DoPlan, args
			if req.Keys, err = t.readKeys(keys); err != nil {
				return err
			}
			if out != "" {
				if req.PlanFile, err = filepath.Abs(out); err != nil {
					return err
				}
			}
			return t.plan(ctx, req, limit, exitCode)
		},
	})
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&out, "out", "o", "", "save the plan to `FILE`, for `lockstep apply`")
	addKeys(c, &keys, "only these records")
	f.IntVar(&req.Sample, "sample", 0, "only the first `N` records")
	f.IntVar(&limit, "limit", 20, "show at most `N` records of each flow; 0 is all")
	f.BoolVar(&exitCode, "exit-code", false, "exit with 3 where anything would change")
	return c
}

func (t *tool) plan(ctx context.Context, req app.Request, limit int, exitCode bool) error {
	h, err := t.house(ctx)
	if err != nil {
		return err
	}
	v := &verdict{}
	shown := newLimited(limit)
	var runs []app.Run
	var changes int64
	p := t.outPaint()
	err = t.do(ctx, h, req, v, func(e app.Event) error {
		switch e.Event {
		case app.PlanItemEvent:
			if show, first := shown.takes(e.PlanItem.Flow); show && !t.quiet {
				if first {
					t.put("%s", p.bold(e.PlanItem.Flow))
				}
				t.planItem(*e.PlanItem)
			}
		case app.RunEvent:
			runs = append(runs, *e.Run)
		case app.TextEvent:
			t.note("%s", e.Text)
		}
		return nil
	})
	for _, flow := range shown.rest() {
		t.say("  %s", p.dim("… and "+number(int64(shown.left[flow]))+" more of "+flow+" (--limit 0 shows all)"))
	}
	for _, r := range runs {
		changes += r.Counts.Created + r.Counts.Updated + r.Counts.Deleted + r.Counts.Queued
	}
	if len(runs) > 0 {
		t.planTable(runs)
	}
	if req.PlanFile != "" && err == nil {
		t.note("saved to %s; carry it out with: lockstep apply %s", req.PlanFile, req.PlanFile)
	}
	if v.worst == ExitWaiting {
		v.worst = ExitOK // a plan parks nothing: what would fail is shown
	}
	if exitCode && changes > 0 {
		v.add(ExitDifferences)
	}
	return v.err(t.closed(h, err))
}

// planTable prints what each flow's plan comes to.
func (t *tool) planTable(runs []app.Run) {
	p := t.outPaint()
	g := t.grid("PLAN", "READ", "CREATE", "CHANGE", "SKIP", "DELETE", "FILTERED", "WAIT", "FAIL").right(2, 3, 4, 5, 6, 7, 8, 9)
	paintIf := func(colour func(string) string, n int64) string {
		if n == 0 {
			return number(n)
		}
		return colour(number(n))
	}
	if len(runs) > 0 && !t.quiet {
		t.put("")
	}
	for _, r := range runs {
		c := r.Counts
		g.row(p.bold(r.Flow), number(c.Read), paintIf(p.good, c.Created), paintIf(p.warn, c.Updated), number(c.Level),
			paintIf(p.old, c.Deleted), number(c.Filtered), paintIf(p.info, c.Queued), paintIf(p.bad, c.Failed))
	}
	g.print(t.out)
}

func (t *tool) applyCommand() *cobra.Command {
	return t.command(spec{
		use:   "apply PLANFILE",
		short: "Carry out a saved plan, unless it has gone stale",
		long: `Carries out a plan that ` + "`lockstep plan --out`" + ` saved: exactly its records, as they were planned.
A record of which either side has changed since is stale; then nothing of it is written, and
the command says so (exit code 5).`,
		example: "  lockstep plan products --out plan.jsonl\n  lockstep apply plan.jsonl",
		args:    cobra.ExactArgs(1),
		run: func(ctx context.Context, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return t.syncAndLook(ctx, app.Request{Do: app.DoApply, PlanFile: file}, false)
		},
	})
}
