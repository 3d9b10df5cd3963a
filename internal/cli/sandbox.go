package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

func (t *tool) sandboxCommand() *cobra.Command {
	c := t.command(spec{
		use:   "sandbox SYSTEM [flags]",
		short: "Run a stand-in for a business system, to try and test with",
		long: `A stand-in answers as the real system was seen to answer, its traps included, and can be told to
fail. It holds everything in memory and forgets it at its end.`,
		example: "  lockstep sandbox pimcore\n  lockstep sandbox magento",
		args:    cobra.MinimumNArgs(1),
		run: func(_ context.Context, args []string) error {
			return usagef("there is no sandbox %q: there are pimcore and magento", args[0])
		},
	})
	c.AddCommand(t.sandboxPimcore(), t.sandboxMagento())
	return c
}

// pimcoreOptions are the flags as they were typed.
type pimcoreOptions struct {
	listen, zone, dsn, edit string
	fail                    []string
	slow                    time.Duration
	hook                    pimcore.Hook
	noIntrospection         bool
	serve                   pimcore.Options
}

func (t *tool) sandboxPimcore() *cobra.Command {
	var o pimcoreOptions
	c := t.command(spec{
		use:   "pimcore [flags]",
		short: "Run a stand-in for Pimcore's DataHub endpoint, with a catalogue",
		long: `Serves a generated catalogue (products with variants that inherit, a tree of categories,
manufacturers, images; texts in en and de, where de falls back to en, and fr, which is empty) by
GraphQL as Pimcore's DataHub does: errors with status 200, an offset named after, ORs where one does
not expect them, relations that vanish, saves that change nothing. It takes mutations, too. It prints
the endpoint, its key and a configuration to begin with.

With --dsn every save is repeated in a MariaDB or MySQL database with Pimcore's tables, so that
lockstep's triggers find it there; the database must be empty, or one that a sandbox filled before.
With --hook every save is told to a webhook, signed as Pimcore's bundle of ours signs it.

POST /_sandbox/VERB on the same address changes things as people do, from this machine only:
save, draft, rename, move, unpublish, delete, create, save-late, silent-edit, random, fail, and more;
GET /_sandbox/ lists them with what they take.`,
		example: `  lockstep sandbox pimcore
  lockstep sandbox pimcore --products 2000 --edit 2/s
  lockstep sandbox pimcore --fail 429:0.05 --fail slow:0.1 --slow 3s
  lockstep sandbox pimcore --hook http://127.0.0.1:8087/hooks/products --hook-secret "$HOOK_SECRET"
  lockstep sandbox pimcore --dsn mysql://root@127.0.0.1:3306/sandbox
  curl -d '{"at": "/Products/p-00001", "values": {"price": 9.5}}' http://127.0.0.1:8091/_sandbox/save`,
		run: func(ctx context.Context, _ []string) error { return t.servePimcore(ctx, o) },
	})
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.listen, "listen", "127.0.0.1:8091", "the `ADDRESS` to listen on")
	f.IntVar(&o.serve.Products, "products", 300, "`N` products, and two variants of every third")
	f.Int64Var(&o.serve.Seed, "seed", 1, "the `NUMBER` that the catalogue grows from; the same one makes the same catalogue")
	f.IntVar(&o.serve.Version, "version", 11, "stand in for Pimcore 10, 11 or 12 (`N`)")
	f.StringVar(&o.serve.Endpoint, "endpoint", "sync", "the `NAME` of the endpoint, the last part of its URL")
	f.StringSliceVar(&o.serve.Keys, "key", []string{pimcore.DefaultKey}, "an API `KEY` that the endpoint takes; repeatable")
	f.StringVar(&o.zone, "zone", "UTC", "the time `ZONE` in which dates are written")
	f.StringVar(&o.dsn, "dsn", "", "repeat every save in the database `DSN`, in Pimcore's tables")
	f.StringSliceVar(&o.fail, "fail", nil, "let a share of requests go wrong: `FAULT:SHARE`, such as 429:0.05; repeatable. Faults: "+faultNames(pimcore.Faults()))
	f.DurationVar(&o.slow, "slow", 500*time.Millisecond, "how long a slow answer takes (`DURATION`)")
	f.DurationVar(&o.serve.AnswerDelay, "delay", 0, "wait a `DURATION` before every answer")
	f.BoolVar(&o.noIntrospection, "no-introspection", false, "refuse questions about the schema")
	f.DurationVar(&o.serve.OutputCache, "output-cache", 0, "answer an equal body from a cache for a `DURATION`, mutations too")
	f.StringVar(&o.hook.URL, "hook", "", "tell every save to the webhook `URL`")
	f.StringSliceVar(&o.hook.Secrets, "hook-secret", nil, "the `SECRET` that notices are signed with; repeatable (environment LOCKSTEP_HOOK_SECRET)")
	f.Float64Var(&o.hook.Lose, "hook-lose", 0, "lose a `SHARE` of the notices")
	f.StringVar(&o.edit, "edit", "", "make random edits of all kinds at a `RATE`, such as 2/s or 30/min")
	f.StringVar(&o.serve.Control, "control-token", t.env("LOCKSTEP_SANDBOX_TOKEN"), "the `TOKEN` that POST /_sandbox/ asks for (environment LOCKSTEP_SANDBOX_TOKEN; default none)")
	f.Lookup("control-token").DefValue = ""
	f.BoolVar(&o.serve.ControlAnywhere, "control-anywhere", false, "take POST /_sandbox/ from other machines, too; needs a token")
	return c
}

// faultNames is what can go wrong with a stand-in.
func faultNames[F ~string](faults []F) string {
	var names []string
	for _, f := range faults {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// servePimcore runs the stand-in until it is told to stop.
func (t *tool) servePimcore(ctx context.Context, o pimcoreOptions) error {
	rate, err := o.check(t.env("LOCKSTEP_HOOK_SECRET"))
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return lockstep.NewFault(lockstep.CodeUnavailable, err)
	}
	defer listener.Close()
	s, err := pimcore.New(o.serve)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := o.prepare(ctx, s); err != nil {
		return err
	}
	web := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 2)
	go func() { failed <- web.Serve(listener) }()
	edits := make(chan error, 1)
	editing, stop := context.WithCancel(ctx)
	go func() { edits <- t.editPimcore(editing, s, rate, o.serve.Seed) }()
	t.hushed.Store(true)
	err = t.tellPimcore(o, s, "http://"+listener.Addr().String())
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	stop()
	if edited := <-edits; err == nil {
		err = edited
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if closing := web.Shutdown(ending); err == nil && !errors.Is(closing, context.DeadlineExceeded) {
		err = closing
	}
	return err
}

// editPimcore makes edits at a rate until ctx ends; an edit that is refused is said and passed over.
func (t *tool) editPimcore(ctx context.Context, s *pimcore.Server, every time.Duration, seed int64) error {
	if every <= 0 {
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := uint64(seed); ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.RandomEdits(1, n); err != nil {
				t.note("an edit was refused: %v", err)
			}
		}
	}
}
