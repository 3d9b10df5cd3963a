package sqlite_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// The traps of the timestamp tracker (law 8). Each test names the line that it guards: without it, the test fails.
// The overlap is 0, so that no change is seen by luck.

type feed struct {
	*testing.T
	s    system
	r    lockstep.Read
	db   *sql.DB
	path string
}

func newFeed(t *testing.T, create ...string) *feed {
	path := filepath.Join(t.TempDir(), "source.db")
	db := raw(t, path)
	f := &feed{t, nil, lockstep.Read{Stream: "items", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "at"}}, db, path}
	f.do(append([]string{"PRAGMA journal_mode = WAL"}, create...)...)
	f.s = open(t, lockstep.Settings{"path": path, "busy_timeout": 100 * time.Millisecond})
	return f
}

const items = `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, at DATETIME DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')))`

func (f *feed) do(statements ...string) {
	f.Helper()
	for _, s := range statements {
		if _, err := f.db.Exec(s); err != nil {
			f.Fatalf("%s: %v", s, err)
		}
	}
}

func (f *feed) page(from lockstep.Position, rows int) lockstep.Page {
	f.Helper()
	p, err := f.s.Changes(f.Context(), f.r, from, lockstep.Limit{Rows: rows})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

func (f *feed) drain(from lockstep.Position, rows int) (seen map[lockstep.Key]string, next lockstep.Position) {
	f.Helper()
	seen = map[lockstep.Key]string{}
	for range 1000 {
		p := f.page(from, rows)
		if len(p.Changes) > rows {
			f.Fatalf("%d changes on a page of %d", len(p.Changes), rows)
		}
		for _, c := range p.Changes {
			v, _ := c.Record.Fields.Get("v")
			seen[c.Record.Key] = v.String()
		}
		from = p.Next
		if !p.More {
			return seen, from
		}
	}
	f.Fatal("the sweep does not end")
	return nil, nil
}

func (f *feed) want(seen map[lockstep.Key]string, keys ...lockstep.Key) {
	f.Helper()
	for _, k := range keys {
		if _, ok := seen[k]; !ok {
			f.Errorf("the change of %s was not seen; seen were %v", k, seen)
		}
	}
}

// Guards the key in the order and the row comparison of sweeper.query.
func TestEqualTimesOnAPagesEdge(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 3).Next
	f.do(`INSERT INTO items (id, v) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i, 'x' FROM n`, `UPDATE items SET at = (SELECT max(at) FROM items)`)
	if seen, _ := f.drain(from, 3); len(seen) != 10 {
		t.Errorf("%d of 10 seen: %v", len(seen), seen)
	}
}

// wait outlasts the whole second that a sweep reads again.
func wait() { time.Sleep(1100 * time.Millisecond) }

// Guards the barrier in horizon, and that the position stays where it cannot be had.
func TestLateCommitWithAnOlderTime(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 10).Next
	conn, err := f.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	write := func(s string) {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	write(`BEGIN`)
	write(`INSERT INTO items (id, v) VALUES (1, 'late')`)
	for range 2 {
		wait()
		_, from = f.drain(from, 10)
	}
	write(`COMMIT`)
	seen, from := f.drain(from, 10)
	f.want(seen, "1")
	wait()
	_, from = f.drain(from, 10)
	if seen, _ = f.drain(from, 10); len(seen) != 0 {
		t.Errorf("read again without need: %v", seen)
	}
}

// Guards Blind: who may not write cannot wait for the writers, and reads two minutes again.
func TestReadOnlyFile(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root may write everything: the file system's rights are not tested, a read-only database is")
	}
	f := newFeed(t, items)
	f.do("PRAGMA journal_mode = DELETE")
	if err := os.Chmod(f.path, 0o444); err != nil {
		t.Fatal(err)
	}
	page, err := f.s.Changes(t.Context(), f.r, nil, lockstep.Limit{Rows: 10})
	if err != nil {
		t.Fatal(err)
	}
	if blind := strings.Contains(string(page.Next), `"blind":true`); blind != (os.Getuid() != 0) {
		t.Errorf("position %s", page.Next)
	}
}

// Guards rollBack: a process that is killed while it writes leaves a journal, and a reader may not roll it back.
func TestJournalOfADeadWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	for _, s := range []string{
		"PRAGMA cache_size = 1", // so that what is not committed goes to the file
		"CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)",
		"INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) SELECT i, printf('old %100d', i) FROM n",
		"BEGIN", "UPDATE item SET name = replace(name, 'old', 'new')",
	} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	dead := filepath.Join(t.TempDir(), "dead.db")
	for _, end := range []string{"", "-journal"} {
		text, err := os.ReadFile(path + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dead+end, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, lockstep.Settings{"path": dead, "busy_timeout": 200 * time.Millisecond})
	records, err := s.Fetch(t.Context(), lockstep.Read{Stream: "item", Fields: []string{"name"}}, []lockstep.Key{"1"})
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	if name, _ := records[0].Fields.Get("name"); !strings.HasPrefix(fmt.Sprint(name), "old") {
		t.Errorf("what was never committed: %v", name)
	}
}

// Guards the truncation of a sweep's begin to whole seconds, and the layout of textBound: CURRENT_TIMESTAMP keeps 10.2 s
// and 10.6 s as 10 s, and so do applications that cut the fraction off and write it as zeros all the same.
func TestSecondsOnlyPrecision(t *testing.T) {
	for _, now := range []string{`CURRENT_TIMESTAMP`, `strftime('%Y-%m-%d %H:%M:%S.000', 'now')`, `unixepoch()`, `unixepoch() * 1000`} {
		f := newFeed(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, at TIMESTAMP)`, `INSERT INTO items VALUES (1, 'old', '2020-01-01 00:00:00')`)
		from := f.page(nil, 10).Next
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // early in a second
		f.do(`UPDATE items SET v = 'first', at = ` + now)
		seen, from := f.drain(from, 10)
		if seen["1"] != "first" {
			t.Fatalf("%s: seen %v", now, seen)
		}
		f.do(`UPDATE items SET v = 'second', at = ` + now)
		if seen, _ = f.drain(from, 10); seen["1"] != "second" {
			t.Errorf("%s: the second change within a second was not seen: %v", now, seen)
		}
	}
}

// Guards the comparison of clocks in Begin.
func TestClockThatStepsBack(t *testing.T) {
	f := newFeed(t, items)
	var p map[string]any
	if err := json.Unmarshal(f.page(nil, 10).Next, &p); err != nil {
		t.Fatal(err)
	}
	p["clock"] = time.Now().Add(30 * time.Second).UTC().Format(time.RFC3339Nano)
	from, _ := json.Marshal(p)
	_, err := f.s.Changes(t.Context(), f.r, from, lockstep.Limit{Rows: 10})
	if fault := lockstep.FaultOf(err); fault == nil || fault.Code != lockstep.CodeClock || fault.Kind != lockstep.Lost {
		t.Errorf("a clock 30 s behind the position: %v", err)
	}
	f.r.Track.Overlap = time.Minute
	f.do(`INSERT INTO items (id, v) VALUES (1, 'x')`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards that a sweep has no upper bound and ends at the horizon taken before it.
func TestRowsThatMoveBetweenPages(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 10).Next
	for i := range 20 {
		f.do(fmt.Sprintf(`INSERT INTO items (id, v) VALUES (%d, 'new')`, i))
		time.Sleep(2 * time.Millisecond)
	}
	seen := map[lockstep.Key]string{}
	for n := 0; ; n++ {
		p := f.page(from, 3)
		for _, c := range p.Changes {
			v, _ := c.Record.Fields.Get("v")
			seen[c.Record.Key] = v.String()
		}
		from = p.Next
		if !p.More && n > 15 {
			break
		}
		if n < 15 { // one already read, one not yet
			f.do(fmt.Sprintf(`UPDATE items SET v = 'moved', at = strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now') WHERE id IN (%d, %d)`, n, 19-n))
		}
	}
	rest, _ := f.drain(from, 3)
	for k, v := range rest {
		seen[k] = v
	}
	for i := range 20 {
		if key := lockstep.Key(fmt.Sprint(i)); seen[key] != "moved" {
			t.Errorf("%s was last seen as %q", key, seen[key])
		}
	}
}

// Guards the phases of a sweep and the bounds of each: however a time is written, and several ways in one column, it
// is found; and what is old is not read again.
func TestTimesAsTheyAreWritten(t *testing.T) {
	forms := map[string]string{
		"text":            `strftime('%%Y-%%m-%%d %%H:%%M:%%S', %s)`,
		"text, fraction":  `strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s)`,
		"text, T and Z":   `strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', %s)`,
		"text, T":         `strftime('%%Y-%%m-%%dT%%H:%%M:%%f', %s)`,
		"text, offset":    `strftime('%%Y-%%m-%%dT%%H:%%M:%%S', %s, '+2 hours') || '+02:00'`,
		"text, west":      `strftime('%%Y-%%m-%%dT%%H:%%M:%%S', %s, '-8 hours') || '-08:00'`,
		"text, minutes":   `strftime('%%Y-%%m-%%d %%H:%%M', %s)`,
		"text, date only": `strftime('%%Y-%%m-%%d', %s)`,
		"seconds":         `CAST(unixepoch(%s) AS INTEGER)`,
		"milliseconds":    `CAST(unixepoch(%s, 'subsec') * 1000 AS INTEGER)`,
		"microseconds":    `CAST(unixepoch(%s, 'subsec') * 1000000 AS INTEGER)`,
		"seconds, real":   `unixepoch(%s, 'subsec')`,
		"julian":          `julianday(%s)`,
	}
	old := `'now', '-40 days'`
	for name, form := range forms {
		for _, column := range []string{"at DATETIME", "at"} {
			t.Run(name+" in "+column, func(t *testing.T) {
				f := newFeed(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, `+column+`)`,
					`INSERT INTO items VALUES (1, 'old', `+fmt.Sprintf(form, old)+`), (2, 'x', `+fmt.Sprintf(form, old)+`)`)
				from := f.page(nil, 10).Next
				f.do(`UPDATE items SET at = ` + fmt.Sprintf(form, `'now'`) + ` WHERE id = 2`)
				page := f.page(from, 10)
				if len(page.Changes) != 1 || page.Changes[0].Record.Key != "2" {
					t.Fatalf("page %+v", page)
				}
				if at := page.Changes[0].Record.At; time.Since(at).Abs() > 24*time.Hour {
					t.Errorf("read as %s", at)
				}
			})
		}
	}
	t.Run("all in one", func(t *testing.T) {
		f := newFeed(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, at)`, `CREATE INDEX items_at ON items (at)`)
		n := 0
		for _, form := range forms {
			n++
			f.do(fmt.Sprintf(`INSERT INTO items VALUES (%d, 'x', %s)`, n, fmt.Sprintf(form, old)))
		}
		from := f.page(nil, 10).Next
		n = 0
		for _, form := range forms {
			n++
			f.do(fmt.Sprintf(`UPDATE items SET at = %s WHERE id = %d`, fmt.Sprintf(form, `'now'`), n))
		}
		for _, rows := range []int{1, 2, 5, 100} {
			if seen, _ := f.drain(from, rows); len(seen) != len(forms) {
				t.Errorf("pages of %d: %d of %d seen: %v", rows, len(seen), len(forms), seen)
			}
		}
	})
}

// Guards oldestWall: compared as UTC, a time written in a zone behind it lies hours in the past.
func TestTimesInAZone(t *testing.T) {
	f := newFeed(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, at DATETIME)`)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip(err)
	}
	f.s = open(t, lockstep.Settings{"path": f.path, "streams": map[string]lockstep.Settings{"items": {"zone": "America/New_York"}}})
	f.do(`INSERT INTO items VALUES (1, 'old', '2020-01-01 00:00:00')`)
	from := f.page(nil, 10).Next
	f.do(`INSERT INTO items VALUES (2, 'x', '` + time.Now().In(zone).Format("2006-01-02 15:04:05") + `')`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "2")
}

func TestTextsThatAreNoTimes(t *testing.T) {
	f := newFeed(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, at TEXT)`, `INSERT INTO items VALUES (1, 'x', '23.11.2026')`)
	_, err := f.s.Changes(t.Context(), f.r, nil, lockstep.Limit{Rows: 10})
	if fault := lockstep.FaultOf(err); fault == nil || fault.Code != lockstep.CodeCannot {
		t.Errorf("%v", err)
	}
}

func TestSoftDelete(t *testing.T) {
	for _, gone := range []string{"1", "'true'", "'2026-01-01'"} {
		f := newFeed(t, `CREATE TABLE items (id INTEGER PRIMARY KEY, v TEXT, at DATETIME DEFAULT CURRENT_TIMESTAMP, gone)`)
		f.r.Track.Deleted = "gone"
		f.do(`INSERT INTO items (id, gone) VALUES (1, NULL), (2, 0), (3, 'false'), (4, '')`)
		from := f.page(nil, 10).Next
		f.do(`UPDATE items SET gone = ` + gone + `, at = CURRENT_TIMESTAMP WHERE id = 2`)
		for _, c := range f.page(from, 10).Changes {
			if (c.Op == lockstep.Delete) != (c.Record.Key == "2") {
				t.Errorf("%s of %s", c.Op, c.Record.Key)
			}
		}
		left, err := f.s.Fetch(t.Context(), f.r, []lockstep.Key{"1", "2", "3", "4"})
		if err != nil || len(left) != 3 {
			t.Errorf("fetched %d, %v", len(left), err)
		}
	}
}

func TestExamine(t *testing.T) {
	f := newFeed(t, items, `INSERT INTO items (id, at) VALUES (1, NULL)`)
	found, err := f.s.(lockstep.Examiner).Examine(t.Context(), f.r)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprint(found)
	for _, want := range []string{"have no at", "no index begins with at", "deletes are not seen"} {
		if !strings.Contains(all, want) {
			t.Errorf("doctor does not say %q: %s", want, all)
		}
	}
}
