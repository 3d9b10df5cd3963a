package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// daemon is a `lockstep run` that this process started, in a folder of its own.
type daemon struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when it has ended
	err   error         // set before
}

// startDaemon starts this program again as `run`; it writes to the file log.
func startDaemon(dir, config, log string) (*daemon, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.Create(log)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeFile, err)
	}
	defer out.Close()
	cmd := exec.Command(exe, "run", "--config", config) //nolint:noctx // it is stopped by a signal, in good order
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	ownGroup(cmd) // Ctrl-C is for us: we tell it in good time
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s run: %w", exe, err)
	}
	d := &daemon{cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		d.err = cmd.Wait()
		close(d.ended)
	}()
	return d, nil
}

// dead is an error with the end of the log where the daemon has ended.
func (d *daemon) dead() error {
	select {
	case <-d.ended:
	default:
		return nil
	}
	text := "lockstep run ended"
	if d.err != nil {
		text += " (" + d.err.Error() + ")"
	}
	if b, err := os.ReadFile(d.log); err == nil {
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		text += "; it said last:\n" + strings.Join(lines[max(0, len(lines)-12):], "\n")
	}
	return errors.New(text)
}

// until waits for a condition, while the daemon lives; it is an error if that takes longer than most.
func (d *daemon) until(ctx context.Context, what string, most time.Duration, there func() (bool, error)) error {
	limit := time.NewTimer(most)
	defer limit.Stop()
	for {
		ok, err := there()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return fmt.Errorf("waited %s in vain: %s", span(most), what)
		case <-d.ended:
			return d.dead()
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// stop asks the daemon to end in good order, and kills it if it does not.
func (d *daemon) stop() error {
	select {
	case <-d.ended:
		return nil
	default:
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, d.cmd.Process.Kill())
	}
	select {
	case <-d.ended:
		return d.err
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("lockstep run did not end within 30s"), d.cmd.Process.Kill())
	}
}
