package cli

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/logging"
)

// load reads the configuration.
func (t *tool) load() (*config.Config, error) {
	if _, err := os.Stat(t.config); errors.Is(err, fs.ErrNotExist) {
		f := lockstep.Faultf(lockstep.CodeFile, "there is no configuration %s", t.config)
		f.Next = "Make one with `lockstep init`, or name yours with --config."
		return nil, withExit{f, ExitUsage}
	}
	c, err := config.Load(t.config, all.All())
	if err != nil {
		return nil, withExit{err, ExitUsage}
	}
	return c, nil
}

// house opens what answers requests: the daemon where one runs, else the house itself.
func (t *tool) house(ctx context.Context) (app.Runner, error) {
	c, err := t.load()
	if err != nil {
		return nil, err
	}
	log, err := t.logger(c, "warn")
	if err != nil {
		return nil, err
	}
	return app.Connect(ctx, c, app.Options{Log: log})
}

// logger writes to stderr: for people unless the configuration says otherwise, from level on, with -v everything.
func (t *tool) logger(c *config.Config, level string) (*slog.Logger, error) {
	switch {
	case t.quiet:
		return slog.New(slog.DiscardHandler), nil
	case t.verbose:
		level = "debug"
	}
	log, err := logging.New(t.err, level, c.Log.Format, app.Mask(c))
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeConfig, err)
	}
	return log, nil
}

// ask opens the house, does one request, closes it, and returns what it came to. show prints the events that are the
// answer; with --json every event is printed as it is, a line each (progress only with -v).
func (t *tool) ask(ctx context.Context, req app.Request, show func(app.Event) error) error {
	h, err := t.house(ctx)
	if err != nil {
		return err
	}
	v := &verdict{}
	err = t.do(ctx, h, req, v, show)
	return v.err(t.closed(h, err))
}

// do does one request of an open house and gathers in v what it comes to.
func (t *tool) do(ctx context.Context, h app.Runner, req app.Request, v *verdict, show func(app.Event) error) error {
	m := t.meter()
	defer m.stop()
	err := h.Do(ctx, req, func(e app.Event) error {
		switch e.Event {
		case app.ProgressEvent:
			m.show(*e.Progress)
		case app.RunEvent:
			if req.Do != app.DoRuns {
				v.run(e.Run)
			}
		case app.FaultEvent:
			v.fault(e.Fault)
		}
		switch {
		case t.json && (e.Event != app.ProgressEvent || t.verbose):
			return t.line(e)
		case t.json || e.Event == app.ProgressEvent || e.Event == app.FaultEvent:
			return nil
		}
		return show(e)
	})
	if err == nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// flowNames completes the flows of the configuration.
func (t *tool) flowNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	c, err := t.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, f := range c.Flows {
		names = append(names, f.Name+"\t"+f.From.System+"/"+f.From.Stream+" to "+f.To.System+"/"+f.To.Stream)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// closed closes the house behind a request that ended with err.
func (t *tool) closed(h app.Runner, err error) error { return errors.Join(err, h.Close()) }
