package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) verifyCommand() *cobra.Command {
	var req app.Request
	var limit int
	c := t.command(spec{
		use:   "verify [FLOW...] [flags]",
		short: "Compare both sides, record by record, and say where they differ",
		long: `Reads both sides of the flows (all of them, if none is named) and compares every record as the
mapping would have it with what the target holds. It writes nothing. What differs but is
still in the queue is in flight; the rest is drift: missing in the target, extra in the target,
or different. Every difference is looked at again before it counts, so both sides may be
written to meanwhile.

--repair has what drifted delivered again, as ` + "`on_target_edit`" + ` says. An extra record that was
never linked is shown and left alone.`,
		example: `  lockstep verify
  lockstep verify products --limit 0
  lockstep verify products --repair
  lockstep verify --json | jq 'select(.event == "drift")'`,
		args: cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			req.Do, req.Flows = app.DoVerify, args
			return t.verify(ctx, req, limit)
		},
	})
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&req.Repair, "repair", false, "deliver again what drifted")
	f.IntVar(&limit, "limit", 20, "show at most `N` records of each flow; 0 is all")
	return c
}

func (t *tool) verify(ctx context.Context, req app.Request, limit int) error {
	h, err := t.house(ctx)
	if err != nil {
		return err
	}
	v := &verdict{}
	shown := newLimited(limit)
	var runs []app.Run
	p := t.outPaint()
	err = t.do(ctx, h, req, v, func(e app.Event) error {
		switch e.Event {
		case app.DriftEvent:
			if show, first := shown.takes(e.Drift.Flow); show && !t.quiet {
				if first {
					t.put("%s", p.bold(e.Drift.Flow))
				}
				t.drift(*e.Drift)
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
	if len(runs) > 0 {
		t.verifyTable(runs)
	}
	var queued int64
	for _, r := range runs {
		queued += r.Counts.Queued
	}
	if queued > 0 && !t.json {
		t.note("%s queued for delivery: `lockstep run` delivers them, or the next `lockstep sync`", count(queued, "record"))
	}
	return v.err(t.closed(h, err))
}

// drift prints one record in which the sides do not agree.
func (t *tool) drift(d app.Drift) {
	p := t.outPaint()
	sign, word := p.warn("~"), p.warn(d.What)
	switch d.What {
	case "missing":
		sign, word = p.good("+"), p.good("missing in the target")
	case "extra":
		sign, word = p.old("-"), p.old("extra in the target")
	case "in flight":
		sign, word = p.dim("…"), p.dim("in flight: still in the queue")
		if len(d.Later) > 0 {
			word = p.dim("in flight: sent as far as it goes, and again once the rest is there")
		}
	}
	if d.Edited {
		word += p.dim(", edited in the target")
	}
	if d.Done != "" {
		word += "  " + p.info(d.Done)
	}
	t.put("  %s %s  %s", sign, p.bold(keyText(d.Key, d.TargetKey)), word)
	showDiff(t.out, p, d.Fields, d.What)
	showLater(t.out, p, d.Later)
}

// verifyTable prints what each flow's verify came to.
func (t *tool) verifyTable(runs []app.Run) {
	p := t.outPaint()
	head := []string{"VERIFY", "READ", "MISSING", "EXTRA", "DIFFERENT", "IN FLIGHT"}
	repair := slices.ContainsFunc(runs, func(r app.Run) bool { return r.Kind == "repair" })
	if repair {
		head = append(head, "REPAIRED")
	}
	g := t.grid(append(head, "TOOK", "")...).right(2, 3, 4, 5, 6, 7, len(head)+1)
	for _, r := range runs {
		c := r.Counts
		word := p.good("both sides agree")
		switch {
		case r.State != "finished":
			word = stateText(p, r.State)
		case c.Missing+c.Extra+c.Different > 0 && r.Kind == "repair":
			word = p.warn("drift, being repaired")
		case c.Missing+c.Extra+c.Different > 0:
			word = p.bad("drift")
		case c.InFlight > 0:
			word = p.warn("level but for what is in flight")
		}
		cells := []string{p.bold(r.Flow), number(c.Read), number(c.Missing), number(c.Extra), number(c.Different), number(c.InFlight)}
		if repair {
			cells = append(cells, number(c.Queued))
		}
		g.row(append(cells, took(r), word)...)
	}
	g.print(t.out)
}
