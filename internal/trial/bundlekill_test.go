package trial

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const hookSecret = "a-secret-nobody-may-ever-read-in-a-log"

// Nothing but hints can bring what is new here: the tracker looks at a time that does not move, once a day.
const hookYAML = `
api: {listen: %s}
systems:
  pim:  {type: sqlite, path: pim.db}
  shop: {type: sqlite, path: shop.db, create: true}
flows:
  products:
    from: {system: pim, stream: product, track: {by: timestamp, field: changed_at, every: 24h}}
    to:   {system: shop, stream: product, create: true}
    hook: {secrets: [` + hookSecret + `]}
`

// daemon is the real program, to be killed and started again.
type daemon struct {
	t       *testing.T
	binary  string
	dir     string
	address string
	cmd     *exec.Cmd
}

// newDaemon builds the program, and writes its configuration, which listens at %s, into a new folder.
func newDaemon(t *testing.T, yaml string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), address: steadyAddress(t)}
	d.binary = filepath.Join(d.dir, "lockstep")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", d.binary, "github.com/lockstep-sync/lockstep/cmd/lockstep")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "lockstep.yaml"), fmt.Appendf(nil, yaml, d.address), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	return d
}

// steadyAddress is an address that stays free while nobody listens: below the ports that systems give to connections that go out.
func steadyAddress(t *testing.T) string {
	t.Helper()
	var where net.ListenConfig
	for range 100 {
		l, err := where.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// command runs the program to its end.
func (d *daemon) command(args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.binary, args...)
	cmd.Dir = d.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("lockstep %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start starts the daemon; it need not answer yet.
func (d *daemon) start() {
	d.t.Helper()
	log, err := os.OpenFile(filepath.Join(d.dir, "run.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	d.cmd = exec.Command(d.binary, "run") // it is killed by us, at the latest in the cleanup
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = d.dir, log, log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
}

// kill is kill -9.
func (d *daemon) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

// log is what the daemons said.
func (d *daemon) log() string {
	text, _ := os.ReadFile(filepath.Join(d.dir, "run.log"))
	return string(text)
}

// until waits for something that other processes do.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to that: ", what)
		}
	}
}

// job is what a process of contrib/pimcore/tests/saver.php does.
type job struct {
	Settings map[string]any `json:"settings"`
	From     int            `json:"from,omitempty"`
	To       int            `json:"to,omitempty"`
	Class    string         `json:"class,omitempty"`
	Span     int            `json:"transaction,omitempty"`
	PauseUS  int            `json:"pause_us,omitempty"`
	Progress int            `json:"progress,omitempty"`
	Events   []pimEvent     `json:"events,omitempty"`
	Send     bool           `json:"send,omitempty"`
}

// said is what it says at its end.
type said struct {
	Saves   int      `json:"saves"`
	Slowest float64  `json:"slowest"`
	Log     []string `json:"log"`
	Reports map[string]struct {
		Sent    int    `json:"sent"`
		Waiting int    `json:"waiting"`
		Why     string `json:"why"`
	} `json:"reports"`
}

// saver is a process of PHP that saves.
type saver struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	in    io.WriteCloser
}

func save(t *testing.T, j job) *saver {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	s := &saver{cmd: exec.CommandContext(t.Context(), php(t), filepath.Join(bundleDir, "tests/saver.php"), string(text))}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(out)
	return s
}

// saved is the next id that was saved, 0 when there are no more.
func (s *saver) saved() (id int) {
	if !s.lines.Scan() {
		return 0
	}
	_, _ = fmt.Sscanf(s.lines.Text(), "saved %d", &id)
	return id
}

// end waits for the end and gives what was said.
func (s *saver) end(t *testing.T) (out said) {
	t.Helper()
	for last := s.lines.Text(); ; last = s.lines.Text() {
		if !s.lines.Scan() {
			if err := json.Unmarshal([]byte(last), &out); err != nil {
				t.Errorf("it said %q", last)
			}
			break
		}
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if strings.Contains(strings.Join(out.Log, ""), hookSecret) {
		t.Errorf("the secret is in the log: %s", out.Log)
	}
	return out
}

// 10,000 saves by several processes of PHP, one of them killed, lose no hint while lockstep is killed and started again.
func TestBundleLosesNoHint(t *testing.T) {
	t.Parallel()
	php(t)
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
	d := newDaemon(t, hookYAML)
	pim := openDB(t, "sqlite", filepath.Join(d.dir, "pim.db"))
	execAll(t, pim, `CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, changed_at TIMESTAMP)`,
		fmt.Sprintf(`INSERT INTO product WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			SELECT i, 'old', '2026-01-01 10:00:00.000' FROM n`, n))
	d.command("sync")
	execAll(t, pim, `UPDATE product SET name = 'new'`)
	d.start()

	settings := map[string]any{
		"spool": filepath.Join(d.dir, "spool"), "batch": 40, "hold": 0, "pause": 0.05, "timeout": 2,
		"targets": map[string]any{"t": map[string]any{"url": "http://" + d.address + "/hooks/products", "secret": hookSecret, "body": "keys"}},
	}
	part := n / 10
	steady := save(t, job{Settings: settings, From: 1, To: 5 * part, PauseUS: 500, Progress: part / 10})
	spans := save(t, job{Settings: settings, From: 5*part + 1, To: 8 * part, Span: 25, PauseUS: 700})
	doomed := save(t, job{Settings: settings, From: 8*part + 1, To: n, PauseUS: 700, Progress: 7})
	var wg sync.WaitGroup
	wg.Go(func() {
		last := doomed.saved()
		for last < 9*part {
			id := doomed.saved()
			if id == 0 {
				t.Error("it ended by itself")
				return
			}
			last = id
		}
		_ = doomed.cmd.Process.Kill()
		_ = doomed.cmd.Wait()
		if out := save(t, job{Settings: settings, From: last + 1, To: n}).end(t); out.Saves != n-last {
			t.Errorf("the last process saved %d of %d", out.Saves, n-last)
		}
	})
	kills := 0
	for id := steady.saved(); id > 0; id = steady.saved() { // 50 times
		switch step := id / (part / 10); {
		case step%6 == 2:
			d.kill()
			kills++
		case step%6 == 4:
			d.start()
		}
	}
	if kills < 8 {
		t.Errorf("only %d kills", kills)
	}
	out := []said{steady.end(t), spans.end(t)}
	wg.Wait()
	if out[0].Saves != 5*part || out[1].Saves != 3*part {
		t.Fatalf("%+v", out)
	}
	t.Logf("%d kills; the slowest save took %.0f and %.0f ms", kills, 1000*out[0].Slowest, 1000*out[1].Slowest)

	if d.cmd == nil {
		d.start()
	}
	last := said{}
	t.Cleanup(func() { t.Logf("the last look at the spool: %+v\n%s", last, d.log()) })
	until(t, "the spool is empty", func() bool {
		last = save(t, job{Settings: settings, Send: true}).end(t)
		report := last.Reports["t"]
		return report.Waiting == 0 && report.Why == ""
	})
	shop := openDB(t, "sqlite", filepath.Join(d.dir, "shop.db"))
	until(t, "all that was saved is there", func() bool {
		var have int
		if err := shop.QueryRow(`SELECT count(*) FROM product WHERE name = 'new'`).Scan(&have); err != nil {
			return false // it is being written
		}
		return have == n
	})
	if full := strings.Count(d.command("runs"), " full "); full != 1 {
		t.Errorf("%d full runs: they would hide a hint that is lost", full)
	}
	if strings.Contains(d.log(), hookSecret) {
		t.Error("the secret is in lockstep's log")
	}
	left, err := filepath.Glob(filepath.Join(d.dir, "spool/t/*/*.[ol]*"))
	if left = slices.DeleteFunc(left, func(f string) bool { return strings.HasSuffix(f, "/overflow") }); err != nil || len(left) > 0 {
		t.Errorf("in the spool: %s %v", left, err)
	}
}

func execAll(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}
