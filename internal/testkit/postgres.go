// Package testkit starts private servers for tests.
package testkit

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is the PostgreSQL of this test binary.
type server struct {
	dir  string
	bin  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the server has ended
	err  error
}

var (
	once    sync.Once
	running *server
	serial  atomic.Int64
)

// Main runs the tests of a package that uses Postgres or MariaDB, and stops the servers behind them. Use it as TestMain.
func Main(m *testing.M) {
	code := m.Run()
	stopMaria()
	if running != nil {
		running.stop()
	}
	os.Exit(code)
}

// Postgres is the DSN of a fresh, empty database of a private server, which is started once per test binary. The
// user is the superuser "postgres". Without PostgreSQL's programs the test is skipped; with LOCKSTEP_CI=1 it fails.
func Postgres(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", serial.Add(1))
	admin := connect(t, ServerDSN(t))
	exe(t, admin, `CREATE DATABASE `+name)
	t.Cleanup(func() {
		admin := connect(t, ServerDSN(t))
		exe(t, admin, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
	})
	return dsn(running.dir, "postgres", "", name)
}

// ServerDSN is the DSN of the server's maintenance database.
func ServerDSN(t testing.TB) string {
	t.Helper()
	once.Do(func() { running = start() })
	if running.err != nil {
		message := "NO POSTGRESQL: " + running.err.Error() + " (Debian: apt-get install postgresql)"
		if os.Getenv("LOCKSTEP_CI") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return dsn(running.dir, "postgres", "", "postgres")
}

// Role makes a login role without any right and gives the DSN of the same database for it. Grant what the test needs
// to the role by the name returned. It is dropped with its rights at the end of the test.
func Role(t testing.TB, database string) (name, asRole string) {
	t.Helper()
	name = fmt.Sprintf("role_%d", serial.Add(1))
	admin := connect(t, database)
	exe(t, admin, `CREATE ROLE `+name+` LOGIN NOSUPERUSER NOINHERIT PASSWORD 'secret-`+name+`'`)
	t.Cleanup(func() {
		admin := connect(t, database)
		exe(t, admin, `DROP OWNED BY `+name+`; DROP ROLE `+name)
	})
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	return name, dsn(running.dir, name, "secret-"+name, strings.TrimPrefix(u.Path, "/"))
}

// StopPostgres stops the server hard, as a power cut would, and starts it again with what was on disk. All sessions
// of the binary end.
func StopPostgres(t testing.TB) (startAgain func()) {
	t.Helper()
	ServerDSN(t)
	running.signal(syscall.SIGQUIT)
	<-running.done
	return func() {
		if err := running.launch(); err != nil {
			t.Fatal(err)
		}
	}
}

func dsn(dir, user, password, database string) string {
	u := url.URL{Scheme: "postgres", Path: "/" + database, User: url.User(user)}
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	u.RawQuery = url.Values{"host": {dir}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil && t.Context().Err() != nil { // in a cleanup
		conn, err = pgx.Connect(background(), dsn)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(background()) })
	return conn
}

func exe(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(background(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func start() *server {
	s := &server{}
	s.err = s.prepare()
	if s.err == nil {
		s.err = s.launch()
	}
	return s
}

// prepare makes the data folder. The path is short: a unix socket's path has at most 107 bytes.
func (s *server) prepare() error {
	var err error
	if s.bin, err = binaries(); err != nil {
		return err
	}
	sweep()
	if s.dir, err = os.MkdirTemp("", fmt.Sprintf("lockstep-pg-%d-", os.Getpid())); err != nil {
		return err
	}
	if owner, err := asUser(); err != nil {
		return err
	} else if owner != nil {
		if err := os.Chown(s.dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if cmd.SysProcAttr, err = attributes(); err != nil {
		return err
	}
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// launch starts the server and waits until it answers. It dies with us: the kernel ends it when the thread that
// started it ends, which is why that thread is kept.
func (s *server) launch() error {
	s.done = make(chan struct{})
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "max_connections=60", "-c", "max_prepared_transactions=10", "-c", "shared_buffers=64MB",
		"-c", "max_wal_size=2GB", "-c", "wal_level=logical", "-c", "max_replication_slots=60", "-c", "max_wal_senders=30", "-c", "autovacuum=off", "-c", "timezone=America/New_York")
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.dir
	if cmd.SysProcAttr, err = attributes(); err != nil {
		return err
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: this thread's life is the server's
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd = cmd
	return s.wait()
}

func (s *server) wait() error {
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := pgx.Connect(background(), dsn(s.dir, "postgres", "", "postgres"))
		if err == nil {
			return conn.Close(background())
		}
		select {
		case <-s.done:
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("postgres ended: %s", text)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.New("postgres does not answer")
		}
	}
}

func (s *server) signal(sig syscall.Signal) {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(sig)
	}
}

func (s *server) stop() {
	if s.cmd != nil {
		s.signal(syscall.SIGQUIT)
		<-s.done
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// binaries is the folder of the newest PostgreSQL here.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errors.New("the program postgres was not found")
	}
	return filepath.Dir(path), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// attributes run a program as the user postgres where we are root: the server refuses to run as root.
func attributes() (*syscall.SysProcAttr, error) {
	owner, err := asUser()
	return &syscall.SysProcAttr{Credential: owner}, err
}

func asUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

// sweep removes what binaries that were killed left behind.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), "lockstep-pg-*-*"))
	for _, dir := range left {
		pid, err := strconv.Atoi(strings.Split(filepath.Base(dir), "-")[2])
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}
