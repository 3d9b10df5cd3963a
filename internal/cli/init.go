package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/config"
)

type initOptions struct {
	from, to         []string
	fromName, toName string
	streams          []string
	force, offline   bool
	zone             string
}

func (t *tool) initCommand() *cobra.Command {
	var o initOptions
	c := t.command(spec{
		use:   "init [flags]",
		short: "Write a first configuration: asks on a terminal, or takes flags",
		long: `Writes a commented configuration to start from (lockstep.yaml, or the file of --config). On a
terminal it asks what it needs; elsewhere, and where --from and --to are given, it takes the flags.
It connects where it can, and proposes streams, keys, the "last modified" field to track by, and,
where the target has a like-named stream, which field goes where. Passwords and DSNs are written
as ${VARIABLES}, never in the clear. A file that is there is only replaced with --force.

A system is TYPE:VALUE, where VALUE is what its type needs most (a path, a DSN); further settings
follow as name=value.`,
		example: `  lockstep init
  lockstep init --from sqlite:pim.db --to sqlite:shop.db
  lockstep init --from postgres:'${PIM_DSN}' --to file:./export --streams public.products
  lockstep init --from sqlite:erp.db --from-name erp --to postgres:'${SHOP_DSN}',schema=shop --to-name shop`,
		run: func(ctx context.Context, _ []string) error { return t.init(ctx, o) },
	})
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVar(&o.from, "from", nil, "the system that is read: `TYPE:VALUE[,name=value…]`")
	f.StringArrayVar(&o.to, "to", nil, "the system that is written: `TYPE:VALUE[,name=value…]`")
	f.StringVar(&o.fromName, "from-name", "source", "what to call the system that is read")
	f.StringVar(&o.toName, "to-name", "target", "what to call the system that is written")
	f.StringSliceVar(&o.streams, "streams", nil, "the `STREAMS` to carry, separated by commas; by default all that the source has")
	f.StringVar(&o.zone, "zone", "", "the time zone of schedules, such as Europe/Ljubljana")
	f.BoolVar(&o.offline, "offline", false, "do not connect")
	f.BoolVar(&o.force, "force", false, "replace the file that is there")
	return c
}

func (t *tool) init(ctx context.Context, o initOptions) error {
	if _, err := os.Stat(t.config); err == nil && !o.force {
		return usagef("%s is there already: --force replaces it, --config names another file", t.config)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	plan, err := t.initPlan(ctx, o)
	if err != nil {
		return err
	}
	in := config.StarterInput{Connectors: all.All(), Zone: o.zone, Systems: []config.StarterSystem{plan.from.StarterSystem, plan.to.StarterSystem}, Flows: plan.flows}
	text := config.Starter(in)
	// What is written must load: variables that are not set yet stand for themselves.
	env := func(name string) (string, bool) {
		if v, ok := os.LookupEnv(name); ok {
			return v, true
		}
		return "unset", true
	}
	if _, err := config.Parse(t.config, []byte(text), all.All(), env); err != nil {
		return fmt.Errorf("the configuration that init would write is not right: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(t.config), 0o755); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	if err := os.WriteFile(t.config, []byte(text), 0o600); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	return t.initDone(plan)
}

// initPlan is what is known of the two systems and the flows between them.
type initPlan struct {
	from, to  *initSystem
	flows     []config.StarterFlow
	variables []string // that must be set
	notes     []string
}

func (t *tool) initDone(plan *initPlan) error {
	if t.json {
		return t.object(struct {
			File      string   `json:"file"`
			Flows     int      `json:"flows"`
			Variables []string `json:"variables,omitempty"`
			Notes     []string `json:"notes,omitempty"`
		}{t.config, len(plan.flows), plan.variables, plan.notes})
	}
	p := t.outPaint()
	t.say("%s wrote %s: %s → %s, %s", p.good("✓"), t.config, plan.from.Name, plan.to.Name, count(int64(len(plan.flows)), "flow"))
	for _, f := range plan.flows {
		how := "by " + string(f.Track.By)
		if f.Track.Field != "" {
			how += " " + f.Track.Field
		}
		t.say("    %s  %s → %s, %s", p.bold(f.Name), f.Stream, f.ToStream, how)
	}
	for _, note := range plan.notes {
		t.say("  %s %s", p.warn("note:"), note)
	}
	for _, v := range plan.variables {
		if os.Getenv(v) == "" {
			t.say("  %s set the environment variable %s before the next command", p.warn("note:"), v)
		}
	}
	t.say("Next: look at the file, then `lockstep check --connect` and `lockstep plan`.")
	return nil
}

// initPlan asks, or takes the flags, then connects and proposes.
func (t *tool) initPlan(ctx context.Context, o initOptions) (*initPlan, error) {
	plan := &initPlan{}
	asks := len(o.from)+len(o.to) == 0
	var err error
	switch {
	case asks && !t.inTTY:
		return nil, usagef("without a terminal, init needs --from and --to, such as --from sqlite:pim.db --to sqlite:shop.db")
	case asks:
		defer t.leaves(ctx)()
		if plan.from, plan.to, err = t.askSystems(); err != nil {
			return nil, err
		}
	case len(o.from) != 1 || len(o.to) != 1:
		return nil, usagef("init takes one --from and one --to")
	default:
		if plan.from, err = newInitSystem(o.fromName, o.from[0]); err != nil {
			return nil, err
		}
		if plan.to, err = newInitSystem(o.toName, o.to[0]); err != nil {
			return nil, err
		}
	}
	if plan.from.Name == plan.to.Name {
		return nil, usagef("the two systems need different names; both are called %q", plan.from.Name)
	}
	if !plan.from.spec.Source {
		return nil, usagef("a system of type %s cannot be read", plan.from.Type)
	}
	if !plan.to.spec.Target {
		return nil, usagef("a system of type %s cannot be written", plan.to.Type)
	}
	plan.variables = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(plan.from.variables), plan.to.variables...))))
	if !o.offline {
		for _, s := range []*initSystem{plan.from, plan.to} {
			if err := s.connect(ctx); err != nil {
				plan.notes = append(plan.notes, fmt.Sprintf("%s cannot be looked at now, so the flows are a guess (%s)", s.Name, lockstep.FaultOf(err).Code))
				t.complain(err)
			}
		}
	}
	streams, err := t.chooseStreams(plan, o.streams, asks)
	if err != nil {
		return nil, err
	}
	plan.propose(streams)
	return plan, nil
}

// chooseStreams are the source's streams to carry.
func (t *tool) chooseStreams(plan *initPlan, named []string, asks bool) ([]lockstep.Stream, error) {
	there := plan.from.streams
	if asks && len(there) > 1 {
		var err error
		if named, err = t.askStreams(there); err != nil {
			return nil, err
		}
	}
	if len(named) == 0 {
		if len(there) == 0 {
			return []lockstep.Stream{{Name: "products"}}, nil
		}
		return there, nil
	}
	var out []lockstep.Stream
	for _, name := range named {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(there, func(s lockstep.Stream) bool { return s.Name == name })
		switch {
		case i >= 0:
			out = append(out, there[i])
		case len(there) > 0:
			var names []string
			for _, s := range there {
				names = append(names, s.Name)
			}
			return nil, lockstep.Faultf(lockstep.CodeNoStream, "%s has no stream %q; it has %s", plan.from.Name, name, strings.Join(names, ", "))
		default:
			out = append(out, lockstep.Stream{Name: name})
		}
	}
	return out, nil
}
