package postgres_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// The traps of the timestamp tracker (law 8). Each test names the line that it guards: without it, the test fails.
// The overlap is 0, so that no change is seen by luck.

type feed struct {
	*testing.T
	s   system
	r   lockstep.Read
	dsn string
}

func newFeed(t *testing.T, create string) *feed {
	dsn := testkit.Postgres(t)
	exec(t, dsn, create)
	return &feed{t, open(t, lockstep.Settings{"dsn": dsn}), readItems(), dsn}
}

func readItems() lockstep.Read {
	return lockstep.Read{Stream: "items", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "at"}}
}

const items = `CREATE TABLE items (id int PRIMARY KEY, v text, at timestamptz NOT NULL DEFAULT now())`

func (f *feed) page(from lockstep.Position, rows int) lockstep.Page {
	f.Helper()
	p, err := f.s.Changes(f.Context(), f.r, from, lockstep.Limit{Rows: rows})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// drain reads all pages from a position and returns the texts seen, by key, and the position behind.
func (f *feed) drain(from lockstep.Position, rows int) (seen map[lockstep.Key]string, next lockstep.Position) {
	f.Helper()
	seen = map[lockstep.Key]string{}
	for range 1000 {
		p := f.page(from, rows)
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

func do(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// Guards the key in sweep's order and row comparison: by time alone, a page of 3 would go on behind all ten.
func TestEqualTimesOnAPagesEdge(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 3).Next
	exec(t, f.dsn, `INSERT INTO items SELECT n, 'x' FROM generate_series(1, 10) n`) // one transaction: one time
	seen, _ := f.drain(from, 3)
	if len(seen) != 10 {
		t.Errorf("%d of 10 seen: %v", len(seen), seen)
	}
}

// Guards Horizon.Open: by the clock alone, a time older than the last poll is never read.
func TestLateCommitWithAnOlderTime(t *testing.T) {
	f := newFeed(t, items)
	writer := connect(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, writer, `BEGIN`, `INSERT INTO items VALUES (1, 'late')`)
	wait() // whole seconds are read again: get out of this one
	_, from = f.drain(from, 10)
	wait()
	_, from = f.drain(from, 10)
	do(t, writer, `COMMIT`)
	seen, from := f.drain(from, 10)
	f.want(seen, "1")
	wait()
	if seen, _ = f.drain(from, 10); len(seen) != 0 {
		t.Errorf("read again without need: %v", seen)
	}
}

// wait outlasts the whole second that a sweep reads again.
func wait() { time.Sleep(1100 * time.Millisecond) }

// Guards that a transaction that is still open stays in the position (next.Open), and that each one that has ended
// counts by itself (the loop in Begin).
func TestSeveralOverlappingTransactions(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 10).Next
	var writers []*pgx.Conn
	for i := range 4 {
		conn := connect(t, f.dsn)
		do(t, conn, `BEGIN`, fmt.Sprintf(`INSERT INTO items VALUES (%d, 'n')`, i))
		writers = append(writers, conn)
		if i%2 == 0 {
			wait()
			_, from = f.drain(from, 10)
		}
	}
	for _, i := range []int{2, 0, 3, 1} {
		do(t, writers[i], `COMMIT`)
		wait()
		var seen map[lockstep.Key]string
		seen, from = f.drain(from, 10)
		f.want(seen, lockstep.Key(fmt.Sprint(i)))
	}
}

// Guards that the horizon is taken before the rows are read, and that the one of a sweep under way is kept
// (Sweep.Next): what commits between two pages, with an older time than the place, is in the next sweep.
func TestCommitBetweenTwoPages(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 10).Next
	writer := connect(t, f.dsn)
	do(t, writer, `BEGIN`, `INSERT INTO items VALUES (0, 'late')`)
	wait()
	exec(t, f.dsn, `INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	wait()
	p := f.page(from, 2)
	if !p.More {
		t.Fatal("the sweep has one page only")
	}
	do(t, writer, `COMMIT`)
	_, from = f.drain(p.Next, 2)
	seen, _ := f.drain(from, 2)
	f.want(seen, "0")
}

// Guards the truncation of a sweep's begin to whole seconds: 10.2 s and 10.6 s are both kept as 10 s.
func TestSecondsOnlyPrecision(t *testing.T) {
	f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at timestamptz(0) NOT NULL)`)
	conn := connect(t, f.dsn)
	do(t, conn, `INSERT INTO items VALUES (1, 'old', '2020-01-01')`)
	from := f.page(nil, 10).Next
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // early in a second
	do(t, conn, `UPDATE items SET v = 'first', at = date_trunc('second', clock_timestamp())`)
	seen, from := f.drain(from, 10)
	if seen["1"] != "first" {
		t.Fatalf("seen %v", seen)
	}
	do(t, conn, `UPDATE items SET v = 'second', at = date_trunc('second', clock_timestamp())`)
	if seen, _ = f.drain(from, 10); seen["1"] != "second" {
		t.Errorf("the second change within a second was not seen: %v", seen)
	}
}

// Guards the comparison of clocks in Begin.
func TestClockThatStepsBack(t *testing.T) {
	f := newFeed(t, items)
	shift := func(from lockstep.Position, by time.Duration) lockstep.Position {
		var p map[string]any
		if err := json.Unmarshal(from, &p); err != nil {
			t.Fatal(err)
		}
		p["clock"] = time.Now().Add(by).UTC().Format(time.RFC3339Nano)
		b, _ := json.Marshal(p)
		return b
	}
	from := shift(f.page(nil, 10).Next, 30*time.Second)
	_, err := f.s.Changes(t.Context(), f.r, from, lockstep.Limit{Rows: 10})
	if fault := lockstep.FaultOf(err); fault == nil || fault.Code != lockstep.CodeClock || fault.Kind != lockstep.Lost {
		t.Errorf("a clock 30 s behind the position: %v", err)
	}
	// A small step is within the overlap: what the clock gives out again is read again.
	f.r.Track.Overlap = time.Minute
	exec(t, f.dsn, `INSERT INTO items VALUES (1, 'x')`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards that a sweep has no upper bound and ends at the horizon taken before it: rows that move ahead of the place
// between pages are met again, none is jumped over.
func TestRowsThatMoveBetweenPages(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 10).Next
	conn := connect(t, f.dsn)
	for i := range 20 {
		do(t, conn, fmt.Sprintf(`INSERT INTO items VALUES (%d, 'new')`, i))
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
			do(t, conn, fmt.Sprintf(`UPDATE items SET v = 'moved', at = now() WHERE id IN (%d, %d)`, n, 19-n))
		}
	}
	rest, _ := f.drain(from, 3)
	for k, v := range rest {
		seen[k] = v
	}
	for i := range 20 {
		key := lockstep.Key(fmt.Sprint(i))
		if want := map[bool]string{true: "moved", false: "new"}[i < 15 || i > 4]; seen[key] != want {
			t.Errorf("%s was last seen as %q, want %q", key, seen[key], want)
		}
	}
}

// Guards preparedSQL: a prepared transaction is in no session, and would count as ended before it is committed.
func TestPreparedTransaction(t *testing.T) {
	f := newFeed(t, items)
	conn := connect(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, conn, `BEGIN`, `INSERT INTO items VALUES (1, 'two phases')`)
	_, from = f.drain(from, 10)
	do(t, conn, `PREPARE TRANSACTION 'lockstep-test'`)
	for range 2 {
		wait()
		_, from = f.drain(from, 10)
	}
	do(t, conn, `COMMIT PREPARED 'lockstep-test'`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards Blind: a user who is not shown the others' transactions reads two minutes again, and doctor says what that
// cannot see.
func TestWithoutTheRightToSeeTransactions(t *testing.T) {
	dsn := testkit.Postgres(t)
	role, asRole := testkit.Role(t, dsn)
	exec(t, dsn, items, `GRANT SELECT ON items TO `+role)
	f := &feed{t, open(t, lockstep.Settings{"dsn": asRole}), readItems(), dsn}
	from := f.page(nil, 10).Next
	writer := connect(t, dsn)
	do(t, writer, `BEGIN`, `INSERT INTO items VALUES (1, 'late')`)
	for range 2 {
		wait()
		_, from = f.drain(from, 10)
	}
	do(t, writer, `COMMIT`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")

	what := findings(t, f.s, f.r)
	if !strings.Contains(what, "pg_read_all_stats") || !strings.Contains(what, "2m0s") {
		t.Errorf("doctor does not say what is missed: %s", what)
	}
	exec(t, dsn, `GRANT pg_read_all_stats TO `+role, `ALTER ROLE `+role+` INHERIT`)
	if what = findings(t, f.s, f.r); strings.Contains(what, "pg_read_all_stats") {
		t.Errorf("with the right, doctor says: %s", what)
	}
}

func findings(t *testing.T, s lockstep.System, r lockstep.Read) string {
	t.Helper()
	found, err := s.(lockstep.Examiner).Examine(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, f.Level+": "+f.What+" "+f.Next)
	}
	return strings.Join(lines, "\n")
}

// Guards wallSQL's zone: the test server's zone is behind UTC, so that compared as UTC a time written there lies
// hours in the past.
func TestTimesWithoutZone(t *testing.T) {
	for _, column := range []string{"timestamp", "timestamp(0)", "date"} {
		t.Run(column, func(t *testing.T) {
			f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at `+column+` NOT NULL DEFAULT now())`)
			from := f.page(nil, 10).Next
			exec(t, f.dsn, `INSERT INTO items VALUES (1, 'x')`)
			seen, _ := f.drain(from, 10)
			f.want(seen, "1")
		})
	}
}

func TestTimesAsNumbers(t *testing.T) {
	for _, unit := range []string{"1", "1000", "1000000"} {
		f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at bigint NOT NULL)`)
		exec(t, f.dsn, `INSERT INTO items VALUES (0, 'old', (extract(epoch FROM now() - interval '1 hour') * `+unit+`)::bigint)`)
		from := f.page(nil, 10).Next
		exec(t, f.dsn, `INSERT INTO items VALUES (1, 'x', (extract(epoch FROM now()) * `+unit+`)::bigint)`)
		seen, _ := f.drain(from, 10)
		f.want(seen, "1")
		if len(seen) != 1 {
			t.Errorf("unit %s: seen %v", unit, seen)
		}
	}
}

func TestSoftDelete(t *testing.T) {
	for _, column := range []string{"gone boolean", "gone timestamptz", "gone int", "gone text"} {
		t.Run(column, func(t *testing.T) {
			f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at timestamptz DEFAULT now(), `+column+`)`)
			f.r.Track.Deleted = "gone"
			exec(t, f.dsn, `INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
			from := f.page(nil, 10).Next
			value := map[string]string{"gone timestamptz": "now()", "gone boolean": "true"}[column]
			if value == "" {
				value = "'1'"
			}
			exec(t, f.dsn, `UPDATE items SET gone = `+value+`, at = now() WHERE id = 2`)
			var ops []string
			for _, c := range f.page(from, 10).Changes {
				if c.Record.Key == "2" {
					ops = append(ops, c.Op.String())
				}
			}
			if !slices.Equal(ops, []string{"delete"}) {
				t.Errorf("changes of 2: %v", ops)
			}
			left, err := f.s.Fetch(t.Context(), f.r, []lockstep.Key{"1", "2", "3"})
			if err != nil || len(left) != 2 {
				t.Errorf("fetched %d, %v", len(left), err)
			}
			page, err := f.s.Scan(t.Context(), f.r, nil, lockstep.Limit{Rows: 10})
			if err != nil || len(page.Changes) != 2 {
				t.Errorf("scanned %d, %v", len(page.Changes), err)
			}
		})
	}
}

func TestUpToAndVersion(t *testing.T) {
	f := newFeed(t, items)
	before := time.Now().Add(-time.Second)
	from := f.page(nil, 10).Next
	exec(t, f.dsn, `INSERT INTO items VALUES (1, 'a', '2099-01-01 10:00:00.5+00')`)
	p := f.page(from, 10)
	if len(p.Changes) != 1 || p.More || p.UpTo.Before(before) || p.UpTo.After(time.Now().Add(time.Second)) {
		t.Fatalf("page %+v", p)
	}
	rec := p.Changes[0].Record
	if !rec.At.Equal(time.Date(2099, 1, 1, 10, 0, 0, 5e8, time.UTC)) || rec.Version != "2099-01-01 10:00:00.5+00" {
		t.Errorf("at %s, version %s", rec.At, rec.Version)
	}
}
