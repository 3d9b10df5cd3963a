package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The exit codes of lockstep that are no failure here (`lockstep help exit-codes`).
const (
	exitOK          = 0
	exitFailed      = 1 // where systems fail on purpose: the command's first look at one found it so
	exitWaiting     = 4 // records are parked, or wait for a retry
	exitUnavailable = 6 // of the store: another process owns it; of the daemon: it went away
)

// tool is the binary in its folder.
type tool struct {
	binary, dir string
	log         *os.File // what all its processes said
}

func newTool(binary, dir string) (*tool, error) {
	full, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "lockstep.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	return &tool{full, dir, log}, err
}

func (t *tool) close() { _ = t.log.Close() } // everything in it was written by others

// process is one running command.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start runs a command in the folder.
func (t *tool) start(args ...string) (*process, error) {
	p := &process{name: strings.Join(args, " "), cmd: exec.Command(t.binary, append(args, "--config", "lockstep.yaml")...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = t.dir, t.log, t.log
	fmt.Fprintf(t.log, "--- lockstep %s\n", p.name)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState says it all
		close(p.done)
	}()
	return p, nil
}

// kill sends SIGKILL and tells whether the process died of it: it may have ended before.
func (p *process) kill() bool {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// well tells whether a process that has ended did so in one of the ways that are no failure.
func (p *process) well(also ...int) bool {
	return slices.Contains(append(also, exitOK, exitWaiting), p.cmd.ProcessState.ExitCode())
}

// ended waits until the process has ended or the time is over.
func (p *process) ended(ctx context.Context, d time.Duration) (bool, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		p.kill()
		return false, ctx.Err()
	}
}

// drain repeats a command until nothing waits any more: a record may wait for its retry. It may end by also, too.
func (t *tool) drain(ctx context.Context, also []int, args ...string) error {
	for range 40 {
		p, err := t.start(args...)
		if err != nil {
			return err
		}
		if over, err := p.ended(ctx, 3*time.Minute); err != nil {
			return err
		} else if !over {
			_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
			<-p.done
			return fmt.Errorf("lockstep %s does not end\n%s", p.name, t.tail())
		}
		if p.cmd.ProcessState.ExitCode() == exitOK {
			return nil
		}
		if !p.well(also...) {
			return t.unexpected(p)
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("records are parked or wait for ever\n%s\n%s", t.says(ctx, "parked", "list"), t.says(ctx, "queue"))
}

// unexpected is a process that ended by itself and must not have.
func (t *tool) unexpected(p *process) error {
	return fmt.Errorf("lockstep %s ended by itself: %s\n%s", p.name, p.cmd.ProcessState, t.tail())
}

// says is what a command prints, or why it cannot.
func (t *tool) says(ctx context.Context, args ...string) string {
	cmd := exec.CommandContext(ctx, t.binary, append(args, "--config", "lockstep.yaml")...)
	cmd.Dir = t.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); !ended {
			return err.Error()
		}
	}
	return string(bytes.TrimSpace(out))
}

// tail is the end of the log.
func (t *tool) tail() string {
	const most = 8 << 10
	info, err := t.log.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(0, info.Size()-most)
	b := make([]byte, info.Size()-from)
	if _, err := t.log.ReadAt(b, from); err != nil {
		return err.Error()
	}
	return string(b)
}

// once runs a command that must end well.
func (t *tool) once(ctx context.Context, args ...string) error {
	p, err := t.start(args...)
	if err != nil {
		return err
	}
	if over, err := p.ended(ctx, time.Minute); err != nil || !over {
		return errors.Join(err, fmt.Errorf("lockstep %s does not end\n%s", p.name, t.tail()))
	}
	if !p.well() {
		return t.unexpected(p)
	}
	return nil
}
