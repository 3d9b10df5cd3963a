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

func (t *tool) explainCommand() *cobra.Command {
	return t.command(spec{
		use:   "explain FLOW KEY",
		short: "Tell one record's whole story, and why it is not there yet",
		long: `Tells all that is known of one record of a flow: when it was captured, sent, answered, refused
and tried again, what it is linked to, what it waits for, and why it is not there yet. KEY is
its key in the source or in the target; a composite key is a JSON array.`,
		example: `  lockstep explain products 4711
  lockstep explain prices '["4711","EUR"]'
  lockstep explain products 4711 --json`,
		args: cobra.ExactArgs(2), complete: t.flowNames,
		run: func(ctx context.Context, args []string) error {
			req := app.Request{Do: app.DoExplain, Flows: args[:1], Keys: []lockstep.Key{lockstep.Key(args[1])}}
			return t.ask(ctx, req, func(e app.Event) error {
				if e.Event == app.StoryEvent {
					t.story(*e.Story)
				}
				return nil
			})
		},
	})
}

// story prints one record's story.
func (t *tool) story(s app.Story) {
	p, now := t.outPaint(), time.Now()
	t.put("%s %s", p.bold(s.Flow), p.bold(keyText(s.Key, s.TargetKey)))
	t.put("  %s", indent(s.Why, "  "))
	if s.Next != "" {
		t.put("  %s %s", p.dim("next:"), s.Next)
	}
	if s.Link != nil {
		state := "level since " + moment(deref(s.Link.At), now)
		switch s.Link.State {
		case "unsent":
			state = "not known to be level"
		case "gone":
			state = "kept in the target although it is gone in the source"
		case "outside":
			state = "left out by the flow's `where`"
		}
		t.put("")
		t.put("  %s %s → %s, %s%s", p.dim("link "), s.Link.Key, s.Link.To, state, runText(s.Link.Run))
	}
	if s.Entry != nil {
		t.put("  %s %s", p.dim("queue"), entryText(p, *s.Entry, now))
	}
	if s.Waits != nil {
		t.put("  %s record %s of flow %s (%s → %s)", p.dim("waits for"), s.Waits.Key, s.Waits.Flow, s.Waits.From, s.Waits.To)
	}
	t.refers("made with", s.Refers)
	t.refers("in what is made of", s.Referrers)
	if len(s.Steps) == 0 {
		return
	}
	t.put("")
	day := ""
	for _, step := range s.Steps {
		at := step.At.Local()
		if d := at.Format(time.DateOnly); d != day {
			t.put("  %s", p.dim(d))
			day = d
		}
		note := ""
		if step.Note != "" {
			note = "  " + step.Note
		}
		if step.Other != "" && step.Other != s.Key {
			note += p.dim("  target " + string(step.Other))
		}
		t.put("    %s  %s%s%s", p.dim(at.Format("15:04:05.000")), stepText(p, step.Did), note, p.dim(runText(step.Run)))
		if step.Fault != nil {
			t.put("                  %s %s", p.bad(string(step.Fault.Code)), firstLine(step.Fault.Message))
		}
		if step.Conflict != nil {
			t.conflict(p, *step.Conflict)
		}
	}
}

// refers prints the records at the other end of references.
func (t *tool) refers(how string, all []app.Refers) {
	const most = 10
	p := t.outPaint()
	for _, r := range all[:min(len(all), most)] {
		state := ""
		if r.Pending {
			state = p.warn(" (sent without it, and again once it is there)")
		}
		t.put("  %s record %s of flow %s%s", p.dim(how), r.Key, r.Flow, state)
	}
	if n := len(all) - most; n > 0 {
		t.put("  %s %d more", p.dim(how), n)
	}
}

// conflict prints who won, and what was written over with what.
func (t *tool) conflict(p paint, c app.Conflict) {
	t.put("                  both sides had changed; %s (side %s) won: %s", p.bold(c.System), c.Won, c.Why)
	for _, f := range c.Fields {
		t.put("                  %s: %s lost, %s stands", f.Field, p.warn(string(f.Lost)), string(f.Kept))
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func runText(id int64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf(", run #%d", id)
}

func stepText(p paint, did string) string {
	switch did {
	case "created", "updated", "deleted", "level", "disabled":
		return p.good(did)
	case "parked", "discarded":
		return p.bad(did)
	case "conflict":
		return p.warn(did)
	case "retry", "wait", "waiting", "delayed":
		return p.warn(did)
	case "page":
		return "read by a full sync"
	}
	return did
}
