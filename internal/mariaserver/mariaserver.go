// Package mariaserver starts a private MariaDB for a test or a measurement: its own folder, reached by a Unix socket in
// it, gone when it is stopped. No port is opened and nothing of the machine's own servers is touched.
package mariaserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrMissing says that MariaDB is not installed.
var ErrMissing = errors.New("needs MariaDB 10.6 or later (apt-get install mariadb-server-core mariadb-client)")

// Fast are settings for tests: what a power failure does is no matter.
var Fast = map[string]string{
	"innodb_flush_log_at_trx_commit": "0", "sync_binlog": "0", "innodb_doublewrite": "0", "innodb_fast_shutdown": "2",
	"innodb_log_file_size": "64M", "innodb_buffer_pool_size": "128M", "performance_schema": "OFF",
}

// Binlog are the settings that a reader of the binary log needs.
var Binlog = map[string]string{
	"log_bin": "binlog", "server_id": "1", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL",
}

// Server is a MariaDB, running or stopped.
type Server struct {
	dir  string
	args []string
	zone string
	cred *syscall.Credential // whom it runs as; nil is ourselves
	cmd  *exec.Cmd           // nil while it does not run
	done chan error
}

// Programs are the paths of the server and of what makes its folder.
func Programs() (server, install string, err error) {
	for _, p := range [...]struct {
		path *string
		name string
	}{{&server, "mariadbd"}, {&install, "mariadb-install-db"}} {
		*p.path, err = exec.LookPath(p.name)
		if err != nil { // it may stand where users do not look
			*p.path, err = exec.LookPath("/usr/sbin/" + p.name)
		}
		if err != nil {
			return "", "", ErrMissing
		}
	}
	return server, install, nil
}

// Start makes a server with the settings given, a later one of a name before an earlier, and waits until it answers.
// "TZ" is the zone of the machine, as the server sees it. Its superuser is root, without a password; the socket's folder is for the caller and root only.
func Start(ctx context.Context, settings ...map[string]string) (*Server, error) {
	program, install, err := Programs()
	if err != nil {
		return nil, err
	}
	sweep()
	s := &Server{}
	if s.dir, err = os.MkdirTemp("", fmt.Sprintf("lockstep-maria-%d-", os.Getpid())); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, install); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.args = []string{program, "--no-defaults", "--datadir=" + s.data(), "--socket=" + s.Socket(), "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--skip-networking", "--skip-name-resolve", "--tmpdir=" + s.dir, "--log-warnings=1"}
	all := map[string]string{}
	for _, some := range settings {
		maps.Copy(all, some)
	}
	s.zone = all["TZ"]
	delete(all, "TZ")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s.args = append(s.args, "--"+strings.ReplaceAll(name, "_", "-")+"="+all[name])
	}
	if err := s.Launch(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Dir is the server's own folder, which it may write to.
func (s *Server) Dir() string { return s.dir }

// Socket is the path of the server's socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, "s") }

func (s *Server) prepare(ctx context.Context, install string) error {
	data := s.data()
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-log-bin", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=8M")
	if os.Geteuid() == 0 { // MariaDB refuses to run as root
		if err := s.asUser(); err != nil {
			return err
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	}
	// A server that starts takes away the temporary tables that it finds: two that are prepared side by side must not
	// have theirs in one folder.
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "TMPDIR="+s.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return nil
}

// asUser gives the folder to the user that Debian's server has, or to nobody where only the programs are installed.
func (s *Server) asUser() error {
	u, err := user.Lookup("mysql")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return errors.Join(os.Chown(s.dir, int(uid), int(gid)), os.Chown(s.data(), int(uid), int(gid)))
}

// Launch starts the server on what is in its folder, so that it dies with us, however we end. The kernel ties it to the
// thread that started it, so that thread stays for as long as the server lives.
func (s *Server) Launch(ctx context.Context) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if s.zone != "" {
		cmd.Env = append(os.Environ(), "TZ="+s.zone)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: s.cred}
	started, done := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			done <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.done = cmd, done
	return s.ready(ctx)
}

// ready waits until the server listens.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
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
			return fmt.Errorf("mariadbd ended at its start: %w\n%s", err, said)
		case <-ctx.Done():
			return fmt.Errorf("mariadbd does not answer: %w", ctx.Err())
		case <-tick.C:
			// The pid file is written when the server has opened its socket and is ready for connections.
			if _, err := os.Stat(filepath.Join(s.dir, "pid")); err == nil {
				return nil
			}
		}
	}
}

// Kill ends the server as a power cut would; Launch starts it again with what was on disk.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := <-s.done; err == nil {
		return errors.New("mariadbd ended by itself before it was killed")
	}
	s.cmd = nil
	return os.RemoveAll(filepath.Join(s.dir, "pid"))
}

// Stop ends the server, its sessions with it, and removes its folder. The error says that it had ended badly, or would
// not end. It may be called twice.
func (s *Server) Stop() error {
	err := s.end()
	s.cmd = nil
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) end() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-s.done:
		return err
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("mariadbd did not end in 30 s"), s.cmd.Process.Kill(), <-s.done)
	}
}

// DSN is the address of a database, as the driver takes it.
func (s *Server) DSN(database string) string { return s.UserDSN("root", "", database) }

// UserDSN is DSN for another user.
func (s *Server) UserDSN(name, password, database string) string {
	if password != "" {
		name += ":" + password
	}
	return fmt.Sprintf("%s@unix(%s)/%s", name, s.Socket(), database)
}

// Client is the command-line client on a database: no configuration file, ending at the first error. Its commands are
// its arguments (-e) or its input.
func (s *Server) Client(ctx context.Context, database string, args ...string) *exec.Cmd {
	args = append([]string{"--no-defaults", "--default-character-set=utf8mb4", "--socket=" + s.Socket(), "--user=root", "--batch"}, args...)
	if database != "" {
		args = append(args, "--database="+database)
	}
	return exec.CommandContext(ctx, "mariadb", args...)
}

// Exec runs statements by the client, in one session.
func (s *Server) Exec(ctx context.Context, database string, statements ...string) error {
	cmd := s.Client(ctx, database)
	cmd.Stdin = strings.NewReader(strings.Join(statements, ";\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb: %w\n%s", err, out)
	}
	return nil
}

// sweep removes what programs that were killed left behind.
func sweep() {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "lockstep-maria-*-*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		pid, err := strconv.Atoi(strings.Split(filepath.Base(dir), "-")[2])
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}
