package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) syncCommand() *cobra.Command {
	var req app.Request
	var keys []string
	c := t.command(spec{
		use:   "sync [FLOW...] [flags]",
		short: "Bring targets level, once",
		long: `Brings the targets of the flows (all of them, if none is named) level, once, and ends. A flow
that never had a full sync gets one; after that, only what changed since is captured and
delivered. A full sync that was cut off is gone on with.

--full reads the whole source and compares it with what was last level; it also finds what is
gone. --sweep compares keys and versions only, and reads what differs: for flows with ` + "`sweep`" + `
under ` + "`track`" + `. --deep reads the target, too, and finds what was edited or lost there. --keys and
--sample are a pilot: the same way for a few records, and no checkpoint moves.

A full sync that would delete more than the flow's brake allows (10 % or 1,000 records, unless
the configuration says otherwise) stops and asks: look at it with ` + "`lockstep plan`" + `, then
--allow-deletes. Where a daemon runs, it does the work and this command shows it.`,
		example: `  lockstep sync                             # all flows
  lockstep sync products --full             # everything, deletes too
  lockstep sync products --keys 4711,4712   # a pilot with two records
  lockstep sync products --sample 50        # a pilot with the first fifty
  lockstep sync products --full --allow-deletes`,
		args: cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) (err error) {
			req.Do, req.Flows = app.DoSync, args
			if req.Keys, err = t.readKeys(keys); err != nil {
				return err
			}
			pilot := len(req.Keys) > 0 || req.Sample > 0
			if req.Sweep && (req.Full || req.Deep || req.Fresh) {
				return usagef("--sweep does not go with --full, --deep or --fresh: they read everything")
			}
			if pilot && (req.Sweep || req.Full || req.Deep || req.Fresh || req.AllowDeletes) {
				return usagef("--keys and --sample make a pilot; they do not go with --sweep, --full, --deep, --fresh or --allow-deletes")
			}
			if pilot && len(args) > 1 {
				return usagef("a pilot (--keys, --sample) takes one flow")
			}
			return t.syncAndLook(ctx, req, pilot)
		},
	})
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&req.Full, "full", false, "read the whole source, even where a delta would do")
	f.BoolVar(&req.Sweep, "sweep", false, "compare the keys and versions of all records with the links, and read what differs")
	f.BoolVar(&req.Deep, "deep", false, "a full sync that also reads the target, and mends what was edited or lost there")
	f.BoolVar(&req.Fresh, "fresh", false, "a full sync from the beginning: do not go on with one that was cut off")
	f.BoolVar(&req.AllowDeletes, "allow-deletes", false, "delete what is gone, past the brake and after an empty read")
	f.Bool("once", true, "bring level once and end; always so, the flag says it in scripts")
	addKeys(c, &keys, "only these records (a pilot)")
	f.IntVar(&req.Sample, "sample", 0, "only the first `N` records (a pilot)")
	return c
}

// syncAndLook syncs, then says what is still open in the queues.
func (t *tool) syncAndLook(ctx context.Context, req app.Request, pilot bool) error {
	h, err := t.house(ctx)
	if err != nil {
		return err
	}
	v := &verdict{}
	var runs []app.Run
	err = t.do(ctx, h, req, v, func(e app.Event) error {
		switch e.Event {
		case app.RunEvent:
			runs = append(runs, *e.Run)
		case app.PlanItemEvent:
			t.planItem(*e.PlanItem)
		case app.TextEvent:
			t.note("%s", e.Text)
		}
		return nil
	})
	if len(runs) > 0 {
		t.runTable(runs)
	}
	if !pilot && ctx.Err() == nil {
		err = t.openEntries(ctx, h, req.Flows, v, err)
	}
	return v.err(t.closed(h, err))
}

// openEntries looks what the queues still hold, and says what to do about it.
func (t *tool) openEntries(ctx context.Context, h app.Runner, flows []string, v *verdict, before error) error {
	var parked, later, pulled int64
	err := h.Do(ctx, app.Request{Do: app.DoStatus, Flows: flows}, func(e app.Event) error {
		if e.Event == app.StatusEvent {
			parked += e.Status.Parked
			open := e.Status.Delayed + e.Status.Waiting + e.Status.Ready + e.Status.Leased + e.Status.Confirming
			if e.Status.Pulled {
				pulled += open
			} else {
				later += open
			}
		}
		return nil
	})
	if before != nil || err != nil {
		return before // the sync's own error says more
	}
	if parked+later > 0 {
		v.add(ExitWaiting)
	}
	p := t.errPaint()
	if parked > 0 {
		t.note("%s  `lockstep parked` says why", p.warn(count(parked, "record")+" parked:"))
	}
	if pulled > 0 {
		t.note("%s  `lockstep run` hands them out when the target asks", count(pulled, "record")+" wait to be pulled:")
	}
	if later > 0 {
		t.note("%s  `lockstep queue` shows them; the next sync, or `lockstep run`, goes on", p.warn(count(later, "record")+" still in the queue:"))
	}
	return nil
}
