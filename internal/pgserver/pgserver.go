// Package pgserver starts a private PostgreSQL for a test or a measurement: its own folder, reached by a Unix socket in
// it, gone when it is stopped. No port is opened and nothing of the machine's own servers is touched.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ErrMissing says that PostgreSQL is not installed, or that root has no user postgres to run it as.
var ErrMissing = errors.New("needs PostgreSQL 13 or later and, for root, the user postgres (apt-get install postgresql)")

// Fast are settings for tests: what a power failure does is no matter.
var Fast = map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

// Server is a running PostgreSQL.
type Server struct {
	dir  string
	bin  string
	cred *syscall.SysProcAttr // whom it runs as; nil is ourselves
	cmd  *exec.Cmd
	done chan error
}

// Bin is the folder of PostgreSQL's programs: the newest of Debian's, else that of initdb on the PATH.
func Bin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		version := func(p string) int {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p)))) // 0 for a name that is no version: the last choice
			return n
		}
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	p, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrMissing
	}
	if p, err = filepath.EvalSymlinks(p); err != nil { // its siblings lie beside it, not beside a link to it
		return "", err
	}
	return filepath.Dir(p), nil
}

// Start makes a cluster with the settings given and waits until it answers. Its superuser is postgres, without a
// password; the socket's folder is for the caller and root only.
func Start(ctx context.Context, settings map[string]string) (*Server, error) {
	bin, err := Bin()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, done: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "lockstep-server-"); err != nil {
		return nil, err
	}
	if err := s.start(ctx, settings); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, settings map[string]string) error {
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		if err := s.asPostgres(); err != nil {
			return err
		}
	}
	data := filepath.Join(s.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--no-locale", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = s.cred, s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	args := []string{"-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "log_min_messages=fatal"}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	if err := s.launch(); err != nil {
		s.cmd = nil
		return err
	}
	return s.ready(ctx)
}

// launch starts the server so that it dies with us, however we end. The kernel ties it to the thread that started it,
// so that thread stays for as long as the server lives.
func (s *Server) launch() error {
	attr := syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if s.cred != nil {
		attr.Credential = s.cred.Credential
	}
	s.cmd.SysProcAttr = &attr
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.done <- s.cmd.Wait()
		}
	}()
	return <-started
}

func (s *Server) asPostgres() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return errors.Join(ErrMissing, err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	s.cred = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(s.dir, uid, gid)
}

// ready waits until the server answers.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		select {
		case err := <-s.done:
			s.cmd = nil
			said, readErr := os.ReadFile(filepath.Join(s.dir, "log"))
			if readErr != nil {
				said = []byte(readErr.Error())
			}
			return fmt.Errorf("postgres ended at its start: %w\n%s", err, said)
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", ctx.Err())
		case <-tick.C:
			err := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_isready"), "-q", "-h", s.dir).Run()
			if _, notYet := errors.AsType[*exec.ExitError](err); !notYet {
				return err
			}
		}
	}
}

// Stop ends the server at once, its sessions with it, and removes its folder. The error says that it had ended badly,
// or would not end. It may be called twice.
func (s *Server) Stop() error {
	err := s.end()
	s.cmd = nil
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) end() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) { // fast shutdown
		return err
	}
	select {
	case err := <-s.done:
		return err
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("postgres did not end in 30 s"), s.cmd.Process.Kill(), <-s.done)
	}
}

// DSN is the address of a database, as pgx and libpq take it.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s", database, s.dir)
}

// Psql is psql on a database: no configuration file, quiet, ending at the first error. Its commands are its arguments
// (-c) or its input.
func (s *Server) Psql(ctx context.Context, database string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, filepath.Join(s.bin, "psql"),
		append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", s.DSN(database)}, args...)...)
}

// Exec runs statements by psql, each of its own.
func (s *Server) Exec(ctx context.Context, database string, statements ...string) error {
	var args []string
	for _, st := range statements {
		args = append(args, "-c", st)
	}
	if out, err := s.Psql(ctx, database, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w\n%s", err, out)
	}
	return nil
}
