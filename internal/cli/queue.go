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

func (t *tool) queueCommand() *cobra.Command {
	req := app.Request{Do: app.DoQueue}
	var keys []string
	c := t.command(spec{
		use:   "queue [FLOW...] [flags]",
		short: "List what waits in the queues",
		long: `Lists the open entries of the flows, oldest first. There is one entry for each record of a flow
that is not level yet; the newest state wins, so a thousand saves of one record are one entry.

ready    goes with the next batch      leased   is on its way
delayed  backs off after a failure     waiting  waits for another record
parked   needs a person                confirming: the target has accepted it and is not done`,
		example: `  lockstep queue
  lockstep queue products --state delayed
  lockstep queue products --keys 4711`,
		args: cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) (err error) {
			req.Flows = args
			if req.Keys, err = t.readKeys(keys); err != nil {
				return err
			}
			return t.entries(ctx, req, "the queues are empty")
		},
	})
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&req.State, "state", "", "only entries in this `STATE`: ready, delayed, waiting, leased, confirming, parked")
	addKeys(c, &keys, "only these records")
	f.IntVar(&req.Max, "limit", 50, "at most `N` entries of each flow")
	f.Int64Var(&req.After, "after", 0, "only entries behind this `ID`, for paging")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	return c
}

var states = []string{string(lockstep.Ready), string(lockstep.Delayed), string(lockstep.Waits), string(lockstep.Leased), string(lockstep.Confirming), string(lockstep.Parked)}

// entries lists queue entries.
func (t *tool) entries(ctx context.Context, req app.Request, none string) error {
	if req.State != "" && !contains(states, req.State) {
		return usagef("there is no state %q; the states are %s", req.State, strings.Join(states, ", "))
	}
	p, now := t.outPaint(), time.Now()
	g := t.grid("ID", "FLOW", "KEY", "OP", "STATE", "ATTEMPTS", "CAPTURED", "WHY").right(1, 6)
	n, flows := 0, map[string]int{}
	err := t.ask(ctx, req, func(e app.Event) error {
		if e.Event != app.EntryEvent {
			return nil
		}
		n++
		flows[e.Entry.Flow]++
		x := *e.Entry
		g.row(fmt.Sprint(x.ID), x.Flow, p.bold(string(x.Key)), x.Op, entryState(p, x, now), fmt.Sprint(x.Attempts), moment(x.Captured, now), whyText(p, x))
		return nil
	})
	if t.json || err != nil {
		return err
	}
	if n == 0 {
		t.say("%s", none)
		return nil
	}
	g.print(t.out)
	for _, most := range flows {
		if req.Max > 0 && most >= req.Max {
			t.note("there may be more: --limit, or --after with the last ID")
			break
		}
	}
	return nil
}

func contains(all []string, s string) bool {
	for _, x := range all {
		if x == s {
			return true
		}
	}
	return false
}

// entryState is an entry's state, with until when.
func entryState(p paint, e app.Entry, now time.Time) string {
	switch e.State {
	case "parked":
		return p.bad(e.State)
	case "delayed":
		text := e.State
		if e.NotBefore != nil && e.NotBefore.After(now) {
			text += ", " + span(e.NotBefore.Sub(now)) + " more"
		}
		return p.warn(text)
	case "waiting":
		return p.warn(e.State)
	case "leased":
		return p.info("on its way")
	case "confirming":
		text := e.State
		if e.Accepted != nil {
			text += " for " + span(now.Sub(*e.Accepted))
		}
		return p.info(text)
	}
	return e.State
}

// whyText is why an entry is still there, short enough for a table.
func whyText(p paint, e app.Entry) string {
	switch {
	case e.For != nil && e.State != string(lockstep.Parked):
		text := "waits for " + e.For.Flow + " " + string(e.For.Key)
		if e.Fault != nil { // how that stands
			if _, why, told := strings.Cut(e.Fault.Message, " yet: "); told {
				text += ": " + why
			}
		}
		return text
	case e.Fault != nil:
		text, most := strings.ReplaceAll(e.Fault.Message, "\n", " "), 70
		if e.Fault.Code == lockstep.CodeRing { // all that are in it
			most = 400
		}
		if r := []rune(text); len(r) > most {
			text = string(r[:most]) + "…"
		}
		return p.bad(string(e.Fault.Code)) + " " + text
	case e.Coalesced > 0:
		return "stands for " + count(e.Coalesced+1, "change")
	}
	return ""
}

// entryText is an entry in one line.
func entryText(p paint, e app.Entry, now time.Time) string {
	text := fmt.Sprintf("entry %d, %s, %s, captured %s", e.ID, e.Op, entryState(p, e, now), moment(e.Captured, now))
	if e.Attempts > 0 {
		text += ", " + count(int64(e.Attempts), "attempt")
	}
	if e.Coalesced > 0 {
		text += ", stands for " + count(e.Coalesced+1, "change")
	}
	if e.Tried {
		text += ", an earlier try may have taken effect"
	}
	return text
}
