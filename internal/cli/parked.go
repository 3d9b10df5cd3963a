package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep/internal/app"
)

func (t *tool) parkedCommand() *cobra.Command {
	list := t.parkedList()
	c := t.command(spec{
		use:   "parked [list | show | retry | discard]",
		short: "Look at the records that need a person, and decide",
		long: `A record is parked when trying again would not help: its mapping fails, the target refuses a
value, or all attempts are used up. It harms nobody else, and stays until a person decides or
the source sends a newer state of it, which takes its place.`,
		example: `  lockstep parked                     # the same as: lockstep parked list
  lockstep parked show 12
  lockstep parked retry products --all
  lockstep parked discard 12 --reason "test data"`,
		args: cobra.NoArgs,
		run: func(ctx context.Context, _ []string) error {
			return t.listParked(ctx, app.Request{Do: app.DoParked, Max: 50})
		},
	})
	c.AddCommand(list, t.parkedShow(), t.parkedRetry(), t.parkedDiscard())
	return c
}

func (t *tool) parkedList() *cobra.Command {
	req := app.Request{Do: app.DoParked}
	var keys []string
	c := t.command(spec{
		use:     "list [FLOW...] [flags]",
		short:   "List parked records and why they are parked",
		long:    "Lists the parked records of the flows (all of them, if none is named), oldest first, with the reason.",
		example: "  lockstep parked list\n  lockstep parked list products --json",
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) (err error) {
			req.Flows = args
			if req.Keys, err = t.readKeys(keys); err != nil {
				return err
			}
			return t.listParked(ctx, req)
		},
	})
	addKeys(c, &keys, "only these records")
	c.Flags().IntVar(&req.Max, "limit", 50, "at most `N` records of each flow")
	c.Flags().Int64Var(&req.After, "after", 0, "only entries behind this `ID`, for paging")
	return c
}

func (t *tool) listParked(ctx context.Context, req app.Request) error {
	return t.entries(ctx, req, "nothing is parked")
}

func (t *tool) parkedShow() *cobra.Command {
	return t.command(spec{
		use:     "show ID...",
		short:   "Show parked records in full: the reason, the next step, the source's fields",
		long:    "Shows parked records by the IDs that `lockstep parked` lists: why, what to do, and the record\nas the source had it.",
		example: "  lockstep parked show 12",
		args:    cobra.MinimumNArgs(1),
		run: func(ctx context.Context, args []string) error {
			ids, err := readIDs(args)
			if err != nil {
				return err
			}
			n := 0
			err = t.ask(ctx, app.Request{Do: app.DoParked, IDs: ids, Max: len(ids)}, func(e app.Event) error {
				if e.Event == app.EntryEvent {
					n++
					t.showEntry(*e.Entry)
				}
				return nil
			})
			if err == nil && n == 0 && !t.json {
				return usagef("no such record is parked; `lockstep parked` lists those that are")
			}
			return err
		},
	})
}

func (t *tool) showEntry(e app.Entry) {
	p, now := t.outPaint(), time.Now()
	t.put("%s %s", p.bold(e.Flow), p.bold(string(e.Key)))
	t.put("  %s", entryText(p, e, now))
	if e.Fault != nil {
		showFault(t.out, p, e.Fault, "  ")
	}
	if len(e.Fields) == 0 {
		return
	}
	var fields bytes.Buffer
	if json.Indent(&fields, e.Fields, "  ", "  ") == nil {
		t.put("  %s", p.dim("the source's record:"))
		t.put("  %s", fields.String())
	}
}

func (t *tool) parkedRetry() *cobra.Command {
	req := app.Request{Do: app.DoRetry}
	var keys []string
	c := t.command(spec{
		use:   "retry [ID... | FLOW...] [flags]",
		short: "Try parked or delayed records again",
		long: `Makes parked or delayed entries ready, so that they go with the next batch: by ID, by --keys of
a flow, or all that are parked with --all. Without a daemon, run ` + "`lockstep sync`" + ` afterwards.`,
		example: "  lockstep parked retry 12 13\n  lockstep parked retry products --keys 4711\n  lockstep parked retry products --all\n  lockstep parked retry --all",
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) (err error) {
			if req.Keys, err = t.readKeys(keys); err != nil {
				return err
			}
			return t.decide(ctx, req, args)
		},
	})
	addKeys(c, &keys, "only these records")
	c.Flags().BoolVar(&req.All, "all", false, "all that are parked, of the flows named or of all flows")
	return c
}

func (t *tool) parkedDiscard() *cobra.Command {
	req := app.Request{Do: app.DoDiscard}
	var keys []string
	c := t.command(spec{
		use:   "discard [ID... | FLOW...] --reason TEXT [flags]",
		short: "Give parked records up, with a reason that stays on their story",
		long: `Closes entries for good: by ID, by --keys of a flow, or all of a flow with --all. The target is
left as it is; the reason stays on the record's story (` + "`lockstep explain`" + `). The next change of
the record in the source, or the next full sync, takes it up again.`,
		example: "  lockstep parked discard 12 --reason \"test data\"\n  lockstep parked discard products --all --reason \"old catalogue\"",
		args:    cobra.ArbitraryArgs, complete: t.flowNames,
		run: func(ctx context.Context, args []string) (err error) {
			if req.Reason == "" {
				return usagef("discard needs --reason: it stays on the record's story")
			}
			if req.Keys, err = t.readKeys(keys); err != nil {
				return err
			}
			return t.decide(ctx, req, args)
		},
	})
	c.Flags().StringVar(&req.Reason, "reason", "", "why; kept on the record's story")
	addKeys(c, &keys, "only these records")
	c.Flags().BoolVar(&req.All, "all", false, "all that are parked, of the flows named or of all flows")
	return c
}

// decide retries or discards what args name: IDs, or flows with --keys or --all.
func (t *tool) decide(ctx context.Context, req app.Request, args []string) error {
	ids, err := readIDs(args)
	if err == nil {
		req.IDs = ids
	} else {
		req.Flows = args
	}
	if len(req.IDs) == 0 && len(req.Keys) == 0 && !req.All {
		return usagef("name IDs, or a flow with --keys or --all; `lockstep parked` lists what is parked")
	}
	if len(req.IDs) > 0 && (len(req.Keys) > 0 || req.All) {
		return usagef("IDs do not go with --keys or --all")
	}
	return t.ask(ctx, req, func(e app.Event) error {
		if e.Event == app.TextEvent {
			t.say("%s", e.Text)
		}
		return nil
	})
}

// readIDs makes IDs of args; an error says that one of them is none.
func readIDs(args []string) ([]int64, error) {
	var ids []int64
	for _, a := range args {
		id, err := strconv.ParseInt(a, 10, 64)
		if err != nil || id <= 0 {
			return nil, usagef("%s is no ID; `lockstep parked` lists them", fmt.Sprintf("%q", a))
		}
		ids = append(ids, id)
	}
	return ids, nil
}
