package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) statusCommand() *cobra.Command {
	var watch bool
	var every time.Duration
	c := t.command(spec{
		use:   "status [FLOW...] [flags]",
		short: "Show where every flow stands: captured up to, level up to, the queue, what stopped",
		long: `Shows where every flow stands, from the daemon where one runs, else from the store.

captured up to  everything that changed in the source before this is in the queue, or further
level up to     everything that changed before this has been acknowledged by the target
queue           entries that are ready, on their way (leased), backing off (delayed), waiting
                for another record, or parked for a person

With a flow named, it is shown in detail. The exit code is 4 where records are parked, and 5
where a flow stopped and asks.`,
		example: `  lockstep status
  lockstep status products
  lockstep status --watch
  lockstep status --json | jq .status.parked`,
		args: cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			if !watch {
				return t.status(ctx, args)
			}
			return t.watchStatus(ctx, args, max(every, 100*time.Millisecond))
		},
	})
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again, until interrupted")
	c.Flags().DurationVar(&every, "every", time.Second, "with --watch: how often")
	return c
}

func (t *tool) status(ctx context.Context, flows []string) error {
	h, err := t.house(ctx)
	if err != nil {
		return err
	}
	v := &verdict{}
	all, err := t.statuses(ctx, h, flows, v)
	if err == nil && !t.json {
		t.showStatus(all, len(flows) > 0)
	}
	return v.err(t.closed(h, err))
}

// statuses asks for the status of flows, and judges them.
func (t *tool) statuses(ctx context.Context, h app.Runner, flows []string, v *verdict) ([]app.Status, error) {
	var all []app.Status
	err := h.Do(ctx, app.Request{Do: app.DoStatus, Flows: flows}, func(e app.Event) error {
		if e.Event != app.StatusEvent {
			return nil
		}
		all = append(all, *e.Status)
		if e.Status.Parked > 0 {
			v.add(ExitWaiting)
		}
		if e.Status.State == "stopped" {
			v.add(ExitAsks)
		}
		if t.json {
			return t.line(e)
		}
		return nil
	})
	return all, err
}

// watchStatus shows the status every so often until ctx ends. On a terminal it is drawn in place.
func (t *tool) watchStatus(ctx context.Context, flows []string, every time.Duration) error {
	t.hushed.Store(true)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var b strings.Builder
		screen := *t
		screen.out = &b
		err := screen.status(ctx, flows)
		if err != nil && exitOf(err) != ExitWaiting && exitOf(err) != ExitAsks {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		switch {
		case t.json:
			fmt.Fprint(t.out, b.String())
		case t.outTTY && !t.plain():
			fmt.Fprintf(t.out, "\x1b[H\x1b[2J%s\n%s", t.outPaint().dim("lockstep status, every "+span(every)+", "+time.Now().Format("15:04:05")), b.String())
		default:
			fmt.Fprintf(t.out, "%s\n%s", time.Now().Format(time.DateTime), b.String())
		}
		select {
		case <-ctx.Done():
			return nil // that is how a watch ends
		case <-tick.C:
		}
	}
}

func (t *tool) showStatus(all []app.Status, detail bool) {
	if detail {
		for i, s := range all {
			if i > 0 {
				t.put("")
			}
			t.statusDetail(s)
		}
		return
	}
	p, now := t.outPaint(), time.Now()
	g := t.grid("FLOW", "STATE", "CAPTURED UP TO", "LEVEL UP TO", "QUEUE", "PARKED", "LINKS").right(6, 7)
	for _, s := range all {
		parked := number(s.Parked)
		if s.Parked > 0 {
			parked = p.warn(parked)
		}
		g.row(p.bold(s.Flow), stateText(p, s.State), moment(deref(s.CapturedUpTo), now), levelText(s, now), queueText(s), parked, number(s.Links))
	}
	g.print(t.out)
	if len(all) > 0 {
		t.apiLine(all[0].API)
	}
	for _, s := range all {
		if s.Fault != nil {
			t.put("")
			t.put("%s %s", p.bold(s.Flow), p.bad("stopped:"))
			t.whyStopped(s, "  ")
		} else if len(s.Schema) > 0 {
			t.put("")
			t.put("%s %s", p.bold(s.Flow), p.warn("the schema has changed:"))
			t.schemaChanges(s, "  ")
		}
	}
}

// schemaChanges prints what has changed of a flow's schema, and how that is accepted.
func (t *tool) schemaChanges(s app.Status, by string) {
	for _, c := range s.Schema {
		t.put("%s%s", by, c)
	}
	t.put("%s%s lockstep resume %s", by, t.outPaint().dim("to accept it:"), s.Flow)
}

// whyStopped prints the fault that a flow stopped for, and how it goes on.
func (t *tool) whyStopped(s app.Status, by string) {
	p := t.outPaint()
	showFault(t.out, p, s.Fault, by)
	t.put("%s%s lockstep resume %s", by, p.dim("then:"), s.Flow)
}

// queueText is "3 ready, 1 delayed", or "empty".
func queueText(s app.Status) string {
	var parts []string
	for _, part := range []struct {
		n    int64
		word string
	}{{s.Ready, "ready"}, {s.Leased, "on their way"}, {s.Confirming, "accepted and not done"}, {s.Delayed, "delayed"}, {s.Waiting, "waiting"}} {
		if part.n > 0 {
			parts = append(parts, number(part.n)+" "+part.word)
		}
	}
	if len(parts) == 0 {
		return "empty"
	}
	return strings.Join(parts, ", ")
}

// levelText is up to when a flow is level: not told while some of its records are to change yet, and are in no queue.
func levelText(s app.Status, now time.Time) string {
	if s.LevelUpTo == nil && s.Spreading > 0 {
		return "open: " + number(s.Spreading) + " being spread"
	}
	return moment(deref(s.LevelUpTo), now)
}

func (t *tool) statusDetail(s app.Status) {
	p, now := t.outPaint(), time.Now()
	t.put("%s  %s → %s  %s", p.bold(s.Flow), s.From, s.To, stateText(p, s.State))
	line := func(name, text string) { t.put("  %s  %s", p.dim(fmt.Sprintf("%-14s", name)), text) }
	if s.Pair != "" {
		line("pair", s.Pair+", face to face with "+s.Face)
	}
	line("captured up to", moment(deref(s.CapturedUpTo), now))
	line("level up to", levelText(s, now))
	line("queue", queueText(s))
	if s.Oldest != nil {
		line("oldest entry", moment(*s.Oldest, now))
	}
	if s.Accepted != nil {
		line("accepted", "the oldest that is not done: "+moment(*s.Accepted, now))
		if s.MostOpen > 0 {
			line("", p.warn("no more is sent until fewer than "+number(s.MostOpen)+" are open"))
		}
	}
	if s.Parked > 0 {
		line("parked", p.warn(number(s.Parked))+"  (lockstep parked list "+s.Flow+")")
	} else {
		line("parked", "0")
	}
	line("linked", number(s.Links)+" records")
	if s.API != "" && s.Pushed {
		line("pushes", "POST "+s.API+"/v1/flows/"+s.Flow+"/changes")
	} else if s.API != "" {
		line("notices", "POST "+s.API+"/hooks/"+s.Flow)
	}
	if s.API != "" && s.Pulled {
		line("pulls", "POST "+s.API+"/v1/flows/"+s.Flow+"/lease")
	}
	line("last settled", moment(deref(s.LastSettled), now))
	line("last full", lastRun(p, s.LastFull, now))
	if s.LastSweep != nil {
		line("last sweep", lastRun(p, s.LastSweep, now))
	}
	line("last verify", lastRun(p, s.LastVerify, now))
	if s.Missing != "" {
		line("misses records", p.warn(s.Missing))
	}
	if s.FullDue != "" {
		line("full sync due", p.warn(s.FullDue)+"; `lockstep run` and `lockstep sync` read everything once and send what differs")
	} else if s.NextFull != nil {
		line("next full", s.NextFull.Local().Format(time.DateTime))
	}
	if s.NextSweep != nil && s.FullDue == "" {
		line("next sweep", s.NextSweep.Local().Format(time.DateTime))
	}
	switch {
	case s.Fault != nil:
		line("stopped", "")
		t.whyStopped(s, "    ")
	case len(s.Schema) > 0:
		line("schema", p.warn("changed"))
		t.schemaChanges(s, "    ")
	}
}

// lastRun is one run in a line.
func lastRun(p paint, r *app.Run, now time.Time) string {
	if r == nil {
		return "never"
	}
	at := r.Started
	if r.Ended != nil {
		at = *r.Ended
	}
	return fmt.Sprintf("#%d %s %s: %s", r.ID, stateText(p, r.State), moment(at, now), countsText(r.Counts))
}

// countsText is what a run did, in words: "5,000 read, 12 created, 4,988 level".
func countsText(c app.Counts) string {
	var parts []string
	for _, part := range []struct {
		n    int64
		word string
	}{
		{c.Read, "read"}, {c.Created, "created"}, {c.Updated, "updated"}, {c.Deleted, "deleted"}, {c.Level, "level"}, {c.Filtered, "filtered"},
		{c.Queued, "queued"}, {c.Accepted, "accepted"}, {c.Failed, "parked"}, {c.Missing, "missing"}, {c.Extra, "extra"}, {c.Different, "different"}, {c.InFlight, "in flight"},
	} {
		if part.n > 0 {
			parts = append(parts, number(part.n)+" "+part.word)
		}
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

func deref(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}
