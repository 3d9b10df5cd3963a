package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// usage is what one timed step cost.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system, of the client's processes
	peak int64         // bytes, the largest resident set of one of them
}

// timed runs the commands, each fed by the one before, and adds up what they cost.
func timed(pipe ...*exec.Cmd) (usage, error) {
	var u usage
	said := make([]bytes.Buffer, len(pipe))
	last := &said[len(pipe)-1]
	for i, c := range pipe {
		c.Stderr = &said[i]
		if i == len(pipe)-1 {
			if c.Stdout == nil {
				c.Stdout = last
			}
			break
		}
		// A real pipe: nothing of ours stands between the two.
		r, w, err := os.Pipe()
		if err != nil {
			return u, err
		}
		defer r.Close()
		defer w.Close()
		c.Stdout, pipe[i+1].Stdin = w, r
	}
	start := time.Now()
	for i, c := range pipe {
		if err := c.Start(); err != nil {
			return u, err
		}
		if w, ok := c.Stdout.(*os.File); ok && i < len(pipe)-1 { // the child has it now; ours would keep the pipe from ending
			if err := w.Close(); err != nil {
				return u, err
			}
		}
		if r, ok := c.Stdin.(*os.File); ok && i > 0 {
			if err := r.Close(); err != nil {
				return u, err
			}
		}
	}
	var failed error
	for i, c := range pipe {
		if err := c.Wait(); err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w\n%s", c.Path, err, &said[i])
		}
	}
	u.wall = time.Since(start)
	for _, c := range pipe {
		if c.ProcessState == nil {
			continue
		}
		u.cpu += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		if r, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			u.peak = max(u.peak, r.Maxrss*1024)
		}
	}
	return u, failed
}

// timedPeak is timed for one command, with its peak as the system keeps it while it runs. What is told of it when it has
// ended is never less than what this process had when it began, and that may be much.
func timedPeak(cmd *exec.Cmd) (u usage, err error) {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return u, err
	}
	done, peak := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		poll := time.NewTicker(20 * time.Millisecond)
		defer poll.Stop()
		for {
			select {
			case <-poll.C:
				most = max(most, peakOf(cmd.Process.Pid))
			case <-done:
				peak <- most
				return
			}
		}
	}()
	err = cmd.Wait()
	u.wall = time.Since(start)
	close(done)
	u.peak, u.cpu = <-peak, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", cmd.Path, err, &said)
	}
	return u, err
}

// peakOf is the largest resident set that a process has had, 0 where the system does not say.
func peakOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

// plus is one step after another.
func (u usage) plus(v usage) usage {
	return usage{u.wall + v.wall, u.cpu + v.cpu, max(u.peak, v.peak)}
}

// row is what the runs of one case came to.
type row struct {
	name   string
	rows   int     // that were moved or looked at
	of     int     // rows of the table
	limit  string  // the case it is measured against, "" for a limit itself
	target float64 // the ratio to reach, 0 for none
	beyond bool    // measured by the seconds beyond the limit, not by the ratio
	also   string  // what else is to be reached, in words
	runs   []usage
}

func (r *row) walls() []time.Duration {
	var all []time.Duration
	for _, u := range r.runs {
		all = append(all, u.wall)
	}
	slices.Sort(all)
	return all
}

// median is of the wall times: the middle one, or the mean of the two in the middle.
func median(sorted []time.Duration) time.Duration {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is the median over the runs of our time by the limit's in the same run: what is noise to both cancels out. With
// beyond it is that of the difference, in seconds.
func ratio(ours, limit []usage, beyond bool) float64 {
	var all []float64
	for i := range min(len(ours), len(limit)) {
		a, b := ours[i].wall.Seconds(), limit[i].wall.Seconds()
		switch {
		case beyond:
			all = append(all, a-b)
		case b > 0:
			all = append(all, a/b)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// psql is a pipe's end: statements given to psql one by one, in one session.
func (b *bench) psql(ctx context.Context, database string, statements ...string) *exec.Cmd {
	var args []string
	for _, s := range statements {
		args = append(args, "-c", s)
	}
	return b.pg.Psql(ctx, database, args...)
}

// timedTo is timed with the output in a file, timedFrom with the input from one.
func timedTo(c *exec.Cmd, path string) (usage, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return usage{}, err
	}
	defer f.Close()
	c.Stdout = f
	return timed(c)
}

func timedFrom(c *exec.Cmd, path string) (usage, error) {
	f, err := os.Open(path)
	if err != nil {
		return usage{}, err
	}
	defer f.Close()
	c.Stdin = f
	return timed(c)
}
