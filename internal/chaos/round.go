package chaos

import (
	"context"
	"time"
)

// round starts lockstep one way or another and kills it at a random moment. It tells whether the kill found it alive.
func (r *run) round(ctx context.Context) (killed bool, err error) {
	switch p := r.rng.IntN(100); {
	case r.hints != nil:
		return r.killDaemon(ctx, r.moment())
	case p < 55:
		return r.killDaemon(ctx, r.moment())
	case p < 70:
		return r.killDaemon(ctx, r.moment(), "sync", "--full")
	case p < 90:
		return r.killCommand(ctx, "sync", "--full")
	}
	return r.killCommand(ctx, "sync", "--once")
}

// moment is when to kill: a third of the time in the start, a third soon after, a third later.
func (r *run) moment() time.Duration {
	between := [][2]int{{10, 250}, {250, 1000}, {1000, 4000}}[r.rng.IntN(3)]
	return time.Duration(between[0]+r.rng.IntN(between[1]-between[0])) * time.Millisecond
}

// killDaemon kills `lockstep run`, meanwhile asked for something by a command, if one is given.
func (r *run) killDaemon(ctx context.Context, at time.Duration, command ...string) (bool, error) {
	daemon, err := r.tool.start("run")
	if err != nil {
		return false, err
	}
	if command == nil {
		over, err := daemon.ended(ctx, at)
		if err != nil {
			return false, err
		}
		if over {
			return false, r.tool.unexpected(daemon)
		}
		return r.count(daemon.kill(), "run"), nil
	}
	before := time.Duration(r.rng.Int64N(int64(at)))
	over, err := daemon.ended(ctx, before)
	if err != nil {
		return false, err
	}
	if over {
		return false, r.tool.unexpected(daemon)
	}
	return r.killBoth(ctx, daemon, at-before, command...)
}

// killBoth lets a command ask the daemon, kills the daemon, and a little later what is left of the command. If the
// command was at the store before the daemon had it, it works by itself and the daemon must refuse to start.
func (r *run) killBoth(ctx context.Context, daemon *process, at time.Duration, command ...string) (bool, error) {
	asking, err := r.tool.start(command...)
	if err != nil {
		daemon.kill()
		return false, err
	}
	name := command[0] + " " + command[1]
	refused, err := daemon.ended(ctx, at)
	if err != nil {
		asking.kill()
		return false, err
	}
	if refused && daemon.cmd.ProcessState.ExitCode() != exitUnavailable {
		asking.kill()
		return false, r.tool.unexpected(daemon)
	}
	killed := false
	if !refused {
		killed = r.count(daemon.kill(), "run, asked to "+name)
	}
	over, err := asking.ended(ctx, time.Duration(r.rng.IntN(1000))*time.Millisecond)
	if err != nil {
		return false, err
	}
	if over && !asking.well(append(r.away, exitUnavailable)...) { // unavailable: the daemon went away
		return false, r.tool.unexpected(asking)
	}
	if !over && asking.kill() && refused {
		killed = r.count(true, name+" in place of run")
	}
	return killed, nil
}

// killCommand kills a command that works by itself, without a daemon, in its first moments: it does not take long. It may
// be done before: then it must have ended well.
func (r *run) killCommand(ctx context.Context, command ...string) (bool, error) {
	at := time.Duration(5+r.rng.IntN(295)) * time.Millisecond
	p, err := r.tool.start(command...)
	if err != nil {
		return false, err
	}
	over, err := p.ended(ctx, at)
	if err != nil {
		return false, err
	}
	if over {
		if !p.well(r.away...) {
			return false, r.tool.unexpected(p)
		}
		return false, nil
	}
	return r.count(p.kill(), command[0]+" "+command[1]), nil
}

func (r *run) count(killed bool, name string) bool {
	if killed {
		r.hits[name]++
	}
	return killed
}
