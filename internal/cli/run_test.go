package cli

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const runConfig = `systems:
  pim:  {type: sqlite, path: pim.db}
  shop: {type: sqlite, path: shop.db, create: true}
flows:
  products:
    from: {system: pim, stream: product, track: {by: timestamp, field: changed_at, every: 100ms}}
    to:   {system: shop, stream: product, create: true}
`

// folder is a folder with a source of n products and a configuration.
func folder(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(runConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	execSQL(t, filepath.Join(dir, "pim.db"),
		`CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, body TEXT, changed_at TIMESTAMP)`,
		fmt.Sprintf(`INSERT INTO product WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			SELECT i, 'Thing ' || i, hex(randomblob(200)), '2026-01-01 10:00:00.000' FROM n`, n))
	return dir
}

func execSQL(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func queryText(t *testing.T, file, query string) (text string) {
	t.Helper()
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// child is the real program, started in a folder.
type child struct {
	*exec.Cmd
	lines  chan string // of stderr; closed at its end
	stderr bytes.Buffer
}

func start(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(filepath.Join(binary(t), "lockstep"), args...), lines: make(chan string, 1000)}
	c.Dir = dir
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(pipe); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	return c
}

// until reads stderr up to a line with the text.
func (c *child) until(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				t.Fatalf("it ended before it said %q:\n%s", text, c.stderr.String())
			}
			c.stderr.WriteString(line + "\n")
			if strings.Contains(line, text) {
				return
			}
		case <-limit:
			t.Fatalf("it never said %q:\n%s", text, c.stderr.String())
		}
	}
}

// exit is the code that the child ends with; -1 is a signal.
func (c *child) exit(t *testing.T) int {
	t.Helper()
	for line := range c.lines {
		c.stderr.WriteString(line + "\n")
	}
	_ = c.Wait()
	return c.ProcessState.ExitCode()
}

func command(t *testing.T, dir string, args ...string) (stdout string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(binary(t), "lockstep"), args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// The first signal ends the daemon in good order, and the commands find it while it runs.
func TestRunEndsInGoodOrder(t *testing.T) {
	dir := folder(t, 2000)
	c := start(t, dir, "run")
	c.until(t, "full sync ended")
	out, code := command(t, dir, "status", "--json")
	var event struct {
		Status struct {
			State string
			Links int
		}
	}
	if err := json.Unmarshal([]byte(out), &event); err != nil || code != 0 || event.Status.State != "running" || event.Status.Links != 2000 {
		t.Errorf("status beside the daemon: code %d, %v\n%s", code, err, out)
	}
	if out, code = command(t, dir, "sync", "--full"); code != 0 || !strings.Contains(out, "2,000") {
		t.Errorf("sync by the daemon: code %d\n%s", code, out)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.stderr.String())
	}
	if !strings.Contains(c.stderr.String(), "a second signal ends at once") || !strings.Contains(c.stderr.String(), "msg=stopped") {
		t.Errorf("it did not say that it stopped:\n%s", c.stderr.String())
	}
	if out, code = command(t, dir, "verify"); code != 0 {
		t.Errorf("verify after it: code %d\n%s", code, out)
	}
}

// A sync that is interrupted settles what it has, says so, ends with 130, and is gone on with.
func TestSyncInterrupted(t *testing.T) {
	dir := folder(t, 30_000)
	c := start(t, dir, "sync", "-v")
	c.until(t, "full sync started")
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(t); code != int(ExitInterrupted) {
		t.Fatalf("exit code %d\n%s", code, c.stderr.String())
	}
	out, _ := command(t, dir, "runs", "--json")
	if !strings.Contains(out, `"state":"interrupted"`) {
		t.Errorf("the run is not interrupted:\n%s", out)
	}
	if out, code := command(t, dir, "sync"); code != 0 {
		t.Errorf("going on: code %d\n%s", code, out)
	}
	if out, code := command(t, dir, "verify"); code != 0 || !strings.Contains(out, "30,000") {
		t.Errorf("verify: code %d\n%s", code, out)
	}
}

// A second signal ends the process at once, even where the first cannot be obeyed.
func TestSecondSignal(t *testing.T) {
	dir := folder(t, 10)
	// Somebody holds the target's lock: the step in hand cannot end.
	db, err := sql.Open("sqlite", filepath.Join(dir, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range []string{`CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, body TEXT, changed_at TIMESTAMP)`, `BEGIN IMMEDIATE`} {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(runConfig, "create: true}\nflows", "create: true, busy_timeout: 10m}\nflows", 1)
	if err := os.WriteFile(filepath.Join(dir, "lockstep.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, "run")
	c.until(t, "full sync started")
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.until(t, "a second signal ends at once")
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(t); code != int(ExitInterrupted) {
		t.Errorf("exit code %d, want %d\n%s", code, ExitInterrupted, c.stderr.String())
	}
	if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if out, code := command(t, dir, "sync"); code != 0 {
		t.Errorf("the next start: code %d\n%s", code, out)
	}
	if out, code := command(t, dir, "verify"); code != 0 {
		t.Errorf("verify: code %d\n%s", code, out)
	}
}

// A flow that cannot go on stops, says why and what to do, and goes on when told; the other commands' exit codes say so.
func TestStoppedFlow(t *testing.T) {
	dir := folder(t, 10)
	c := start(t, dir, "run")
	c.until(t, "full sync ended")
	if out, code := command(t, dir, "resume"); code != 0 || !strings.Contains(out, "no flow") {
		t.Errorf("resume where nothing stopped: code %d\n%s", code, out)
	}
	execSQL(t, filepath.Join(dir, "shop.db"), `PRAGMA busy_timeout = 10000; ALTER TABLE product RENAME TO away`)
	execSQL(t, filepath.Join(dir, "pim.db"), `PRAGMA busy_timeout = 10000; UPDATE product SET name = 'New', changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = 3`)
	c.until(t, "flow stopped")
	out, code := command(t, dir, "status")
	if code != int(ExitAsks) {
		t.Errorf("status of a stopped flow: code %d\n%s", code, out)
	}
	for _, want := range []string{"products +stopped", "LS-NO-STREAM", "next: ", "lockstep resume products"} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
	execSQL(t, filepath.Join(dir, "shop.db"), `PRAGMA busy_timeout = 10000; ALTER TABLE away RENAME TO product`)
	if out, code := command(t, dir, "resume", "products"); code != 0 {
		t.Errorf("resume: code %d\n%s", code, out)
	}
	if out, code := command(t, dir, "sync"); code != 0 {
		t.Errorf("sync after it: code %d\n%s", code, out)
	}
	if got := queryText(t, filepath.Join(dir, "shop.db"), `SELECT name FROM product WHERE id = 3`); got != "New" {
		t.Errorf("the change did not arrive: %s", got)
	}
	if out, code := command(t, dir, "run"); code != int(ExitUnavailable) {
		t.Errorf("a second daemon: code %d\n%s", code, out)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.stderr.String())
	}
}
