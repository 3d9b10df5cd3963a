package trial

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const examplesYAML = `
api: {listen: "%s", tokens: {program: {token: ` + callerToken + `, may: [push, pull]}}}
systems:
  erp:  {type: api, streams: {items: {key: [sku], fields: [sku text, name text, "price decimal(10,2)"]}}}
  mid:  {type: sqlite, path: mid.db}
  shop: {type: api, streams: {items: {key: [sku], fields: [sku text, name text, "price decimal(10,2)"]}}}
flows:
  inbound:
    from: {system: erp, stream: items, track: {by: push}}
    to:   {system: mid, stream: items}
  outbound:
    from: {system: mid, stream: items, track: {by: trigger, every: 100ms}}
    to:   {system: shop, stream: items}
    deliver: {retry: {from: 100ms, to: 1s}}
`

// python is an interpreter. Without it the test is skipped; with LOCKSTEP_CI=1 it fails.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil && os.Getenv("LOCKSTEP_CI") != "1" {
		t.Skip("NO PYTHON: ", err)
	}
	if err != nil {
		t.Fatal("python3: ", err)
	}
	return path
}

// The programs of examples/ carry a file through lockstep into a database: one pushes, one pulls, and is killed in between.
func TestExamplePrograms(t *testing.T) {
	t.Parallel()
	py := python(t)
	d := newDaemon(t, examplesYAML)
	mid := openDB(t, "sqlite", filepath.Join(d.dir, "mid.db")+"?_pragma=busy_timeout(20000)")
	shop := openDB(t, "sqlite", filepath.Join(d.dir, "shop.db")+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)")
	execAll(t, mid, `CREATE TABLE items (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(10,2))`)
	execAll(t, shop, `CREATE TABLE items (sku TEXT PRIMARY KEY, name TEXT CHECK (name <> 'nobody wants it'), price DECIMAL(10,2))`)
	d.command("track", "install", "outbound")
	d.start()
	program := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), py, append([]string{filepath.Join("..", "..", "examples", name), "http://" + d.address}, args...)...)
		cmd.Env = append(os.Environ(), "LOCKSTEP_TOKEN="+callerToken, "LOCKSTEP_TTL=5s")
		return cmd
	}
	pull := func() *exec.Cmd {
		cmd := program("pull.py", "outbound", filepath.Join(d.dir, "shop.db"), "items", "sku")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	kill := func(cmd *exec.Cmd) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	puller := pull()
	defer func() { kill(puller) }()
	var want []string
	write := func(round int) string {
		want = nil
		file := filepath.Join(d.dir, "items.csv")
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		w := csv.NewWriter(f)
		_ = w.Write([]string{"sku", "name", "price"})
		for i := range 2500 {
			sku, name, price := fmt.Sprintf("S%04d", i), fmt.Sprintf("čaj %d of %d", i, round), fmt.Sprintf("%d.5", i)
			if i == 7 {
				name = "nobody wants it"
			} else {
				want = append(want, fmt.Sprintf("'%s'|'%s'|'%s'", sku, name, price))
			}
			_ = w.Write([]string{sku, name, price})
		}
		w.Flush()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for round := range 2 {
		if out, err := program("push.py", "inbound", write(round)).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v: %s", err, out)
		}
		if round == 0 {
			time.Sleep(300 * time.Millisecond)
			kill(puller)
			puller = pull()
		}
	}
	got := func() []string { return rows(t, shop, "SELECT sku, name, price FROM items ORDER BY sku") }
	slices.Sort(want)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.log())
		}
	})
	until(t, "the shop has what the file has", func() bool { return slices.Equal(got(), want) })
	sameRows(t, "items", got(), want)
	if out := d.command("parked", "list", "outbound"); !strings.Contains(out, "LS-PULL-FAILED") || !strings.Contains(out, "S0007") {
		t.Errorf("parked: %s", out)
	}
}
