package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	lockstep "github.com/lockstep-sync/lockstep"
)

func code(err error) lockstep.Code {
	if err == nil {
		return ""
	}
	return lockstep.FaultOf(err).Code
}

func TestOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lockstep.db")
	if os.Getenv("LOCKSTEP_OWNED") != "" {
		path = os.Getenv("LOCKSTEP_OWNED")
	}
	s, err := Open(t.Context(), path, Options{})
	if os.Getenv("LOCKSTEP_OWNED") != "" { // the other process
		fmt.Println("other:", err)
		return
	}
	must(t, err)
	_, err = Open(t.Context(), path, Options{})
	if code(err) != lockstep.CodeStoreLocked {
		t.Fatalf("got %v", err)
	}
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestOneOwner$")
	cmd.Env = append(os.Environ(), "LOCKSTEP_OWNED="+path)
	out, err := cmd.CombinedOutput()
	must(t, err)
	if want := fmt.Sprintf("LS-STORE-LOCKED: process %d owns the store", os.Getpid()); !strings.Contains(string(out), want) {
		t.Fatalf("got %s, want %q", out, want)
	}
	must(t, s.Close())
	must(t, openAt(t, path, Options{}).Close())
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lockstep.db")
	must(t, openAt(t, path, Options{}).Close())
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec("INSERT INTO schema_versions (version_id, is_applied) VALUES (99999, 1)")
	must(t, errors.Join(err, db.Close()))
	_, err = Open(t.Context(), path, Options{})
	if code(err) != lockstep.CodeStoreVersion {
		t.Fatalf("got %v", err)
	}
	_, err = Open(t.Context(), path, Options{}) // the lock was given back
	if code(err) != lockstep.CodeStoreVersion {
		t.Fatalf("got %v", err)
	}
}

func TestUnusableFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lockstep.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("this is no database. ", 500)), 0o600))
	for _, path := range []string{path, filepath.Join(dir, "no", "such", "folder.db"), dir} {
		if _, err := Open(t.Context(), path, Options{}); code(err) != lockstep.CodeStore {
			t.Errorf("got %v", err)
		}
	}
}

func TestOnlyOwnerCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20?c.db") // a name that is no URL
	s := openAt(t, path, Options{})
	defer func() { must(t, s.Close()) }()
	for _, suffix := range []string{"", "-wal", ".lock"} {
		info, err := os.Stat(path + suffix)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", suffix, info.Mode())
		}
	}
}

// TestViews looks that people find in the views what is there, with times they can read.
func TestViews(t *testing.T) {
	s := openBench(t, Options{})
	must(t, s.Append(t.Context(), "feed", nil, products(0, 3), place(1), time.Now()))
	ds, err := s.Lease(t.Context(), "f", 3, time.Minute)
	must(t, err)
	must(t, s.Settle(t.Context(),
		lockstep.Outcome{Delivery: ds[0], Verdict: lockstep.Done, Link: link(ds[0].Change.Record.Key)},
		lockstep.Outcome{Delivery: ds[1], Verdict: lockstep.Park, Fault: lockstep.Faultf(lockstep.CodeValue, "too long")},
		lockstep.Outcome{Delivery: ds[2], Verdict: lockstep.Wait, For: &lockstep.Ref{Flow: "f", Key: "x"}, RetryAt: time.Now().Add(time.Hour)}))
	_, err = s.StartRun(t.Context(), lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
	must(t, err)
	today := time.Now().UTC().Format(time.DateOnly)
	for query, want := range map[string]string{
		"SELECT key || ' ' || code || ' ' || why || ' ' || substr(captured, 1, 10) FROM parked":   "sku-0000001 LS-VALUE too long " + today,
		"SELECT key || ' ' || for_flow || ' ' || for_key FROM waits":                              "sku-0000002 f x",
		"SELECT group_concat(state) FROM queue":                                                   "parked,waiting",
		`SELECT "set" || ' ' || a_key || ' ' || b_key FROM links`:                                 "f sku-0000000 sku-0000000",
		"SELECT feed || ' ' || position || ' ' || substr(captured_up_to, 1, 10) FROM checkpoints": "feed 1 " + today,
		"SELECT flow || ' ' || kind || ' ' || state || ' ' || substr(started, 1, 10) FROM runs":   "f full running " + today,
		"SELECT flow || ' ' || key || ' ' || substr(settled, 1, 10) FROM timeline":                "f sku-0000000 " + today,
	} {
		got := ""
		must(t, s.read(t.Context(), func(c *conn) error {
			return c.query(query, nil, func(v cells) error {
				got += v.text(0)
				return nil
			})
		}))
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
}

// TestIndexes looks that what is asked often is answered from an index and passes over nothing else.
func TestIndexes(t *testing.T) {
	s := openBench(t, Options{})
	for query, want := range map[string]string{
		"SELECT id, captured FROM entry_rows WHERE flow_id = 1 AND priority = 0 AND state = 0 ORDER BY captured, id LIMIT 9": "COVERING INDEX entry_rows_ready (flow_id=? AND priority=?)",
		"SELECT id, state FROM entry_rows WHERE flow_id = 1 AND not_before <= 5 ORDER BY not_before LIMIT 9":                 "INDEX entry_rows_due (flow_id=? AND not_before<?)",
		"SELECT id, flow_id FROM entry_rows WHERE for_flow = 'f' AND for_key IN (SELECT value FROM json_each('[]'))":         "INDEX entry_rows_for (for_flow=? AND for_key=?)",
		"SELECT MIN(captured) FROM entry_rows WHERE flow_id = 1 AND state IN (1, 2)":                                         "INDEX entry_rows_held (flow_id=?)",
		"SELECT key FROM entry_rows WHERE flow_id = 1 AND id > 5 AND state = 3 ORDER BY id LIMIT 9":                          "INDEX entry_rows_parked (flow_id=? AND rowid>?)",
		"SELECT " + columns + " FROM entry_rows WHERE flow_id = ? AND key IN (SELECT value FROM json_each(?))":               "INDEX entry_rows_key (flow_id=? AND key=?)",
		"SELECT state, COUNT(*) FROM entry_rows WHERE flow_id = 1 AND not_before <= 5":                                       "INDEX entry_rows_due (flow_id=? AND not_before<?)",
		findA:     "SEARCH l USING PRIMARY KEY (set_id=? AND a_key=?)",
		findSame:  "SEARCH l USING PRIMARY KEY (set_id=? AND a_key=?)",
		findOther: "SEARCH l USING INDEX link_rows_b (set_id=? AND b_key=?)",
		scanOther: "SEARCH l USING INDEX link_rows_b (set_id=? AND b_key>?)",
	} {
		plan := ""
		must(t, s.read(t.Context(), func(c *conn) error {
			return c.query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?")), func(v cells) error {
				plan += v.text(3) + "\n"
				return nil
			})
		}))
		if !strings.Contains(plan, want) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
}

// TestDiskFull fills a small disk. What is refused leaves nothing, what was there stays, and with space again the
// store goes on.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	defer func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
	s := openAt(t, filepath.Join(dir, "lockstep.db"), Options{})
	must(t, s.Attach(t.Context(), []lockstep.FlowDef{flowF}))
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 6<<20), 0o600))
	n, at := 0, lockstep.Position(nil)
	var err error
	for {
		if err = s.Append(t.Context(), "feed", at, products(n, 100), place(n+100), time.Time{}); err != nil {
			break
		}
		n += 100
		at = place(n)
	}
	if code(err) != lockstep.CodeStoreFull || n == 0 {
		t.Fatalf("after %d: %v", n, err)
	}
	same := func() {
		t.Helper()
		st, err := s.Status(t.Context(), "f")
		must(t, err)
		es, err := s.Entries(t.Context(), "f", "", 0, 100_000)
		must(t, err)
		if st.Ready+st.Leased != int64(n) || len(es) != n {
			t.Fatalf("%+v, %d in the file, want %d", st, len(es), n)
		}
	}
	same()
	must(t, os.Remove(ballast))
	must(t, s.Append(t.Context(), "feed", at, products(n, 100), place(n+100), time.Time{}))
	n += 100
	same()
	must(t, s.Close())
	s = openAt(t, filepath.Join(dir, "lockstep.db"), Options{})
	same()
	must(t, s.Close())
}

// TestRetention looks that old days go when a new one begins, and at Open.
func TestRetention(t *testing.T) {
	s := openBench(t, Options{Retention: 48 * time.Hour})
	for i := range 5 {
		must(t, s.change(t.Context(), func(tx *tx) error {
			tx.now = time.Date(2026, 1, 1+i, 12, 0, 0, 0, time.UTC)
			return tx.tell([]told{{&row{flow: s.flows["f"], key: "a"}, ""}})
		}))
	}
	if got := strings.Join(s.days, " "); got != "20260103 20260104 20260105" {
		t.Fatalf("kept %s", got)
	}
}
