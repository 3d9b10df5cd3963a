package chaos

import (
	"context"
	"time"
)

// round starts lockstep one way or another and kills it at a random moment. It tells whether the kill found it alive.
func (r *run) round(ctx context.Context) (killed bool, err error) {
	at := r.moment()
	switch p := r.rng.IntN(100); {
	case p < 60:
		return r.killDaemon(ctx, at)
	case p < 75:
		return r.killDaemon(ctx, at, "sync", "--full")
	case p < 92:
		return r.killCommand(ctx, at, "sync", "--full")
	}
	return r.killCommand(ctx, at, "sync", "--once")
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
	name := "run"
	before := at
	if command != nil {
		before = time.Duration(r.rng.Int64N(int64(at)))
	}
	over, err := daemon.ended(ctx, before)
	if err != nil {
		return false, err
	}
	if command != nil && !over {
		name = "run, asked to " + command[0] + " " + command[1]
		asking, err := r.tool.start(command...)
		if err != nil {
			daemon.kill()
			return false, err
		}
		// The one that asks ends with the daemon, or before; what it says then is its own affair. If it came before the
		// daemon had its store, it works by itself, and dies, too.
		defer asking.kill()
		if over, err = daemon.ended(ctx, at-before); err != nil {
			return false, err
		}
		if over && daemon.cmd.ProcessState.ExitCode() != exitOK && command != nil {
			// The command was first at the store: then the daemon must refuse to start, and the command is the one to die.
			return r.count(asking.kill(), command[0]+" "+command[1]+" in place of run"), nil
		}
	}
	if over {
		return false, r.tool.unexpected(daemon)
	}
	return r.count(daemon.kill(), name), nil
}

// killCommand kills a command that works by itself, without a daemon. It may be done before: then it must have ended well.
func (r *run) killCommand(ctx context.Context, at time.Duration, command ...string) (bool, error) {
	p, err := r.tool.start(command...)
	if err != nil {
		return false, err
	}
	over, err := p.ended(ctx, at)
	if err != nil {
		return false, err
	}
	if over {
		if code := p.cmd.ProcessState.ExitCode(); code != exitOK && code != exitWaiting {
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
