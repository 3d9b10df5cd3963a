package mysql_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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
	s, dsn := fresh(t)
	exec(t, dsn, create)
	return &feed{t, s, readItems(), dsn}
}

func readItems() lockstep.Read {
	return lockstep.Read{Stream: "items", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: "at"}}
}

const items = `CREATE TABLE items (id int PRIMARY KEY, v text, at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY (at))`

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

func session(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	conn, err := connect(t, dsn).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func do(t *testing.T, conn *sql.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// fade outlasts what is remembered of open transactions: one that has just ended is still among them.
func fade() { time.Sleep(400 * time.Millisecond) }

// wait outlasts what a sweep reads again: the second before a transaction's start, and the whole second.
func wait() { time.Sleep(3100 * time.Millisecond) }

// Guards the key in sweep's order and comparison: by time alone, a page of 3 would go on behind all ten.
func TestEqualTimesOnAPagesEdge(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 3).Next
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (1,'x'),(2,'x'),(3,'x'),(4,'x'),(5,'x'),(6,'x'),(7,'x'),(8,'x'),(9,'x'),(10,'x')`)
	seen, _ := f.drain(from, 3)
	if len(seen) != 10 {
		t.Errorf("%d of 10 seen: %v", len(seen), seen)
	}
}

// Guards Horizon.Open: by the clock alone, a time older than the last poll is never read.
func TestLateCommitWithAnOlderTime(t *testing.T) {
	f := newFeed(t, items)
	writer := session(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, writer, `BEGIN`, `INSERT INTO items (id, v) VALUES (1, 'late')`)
	wait()
	_, from = f.drain(from, 10)
	wait()
	_, from = f.drain(from, 10)
	do(t, writer, `COMMIT`)
	fade()
	seen, from := f.drain(from, 10)
	f.want(seen, "1")
	wait()
	if seen, _ = f.drain(from, 10); len(seen) != 0 {
		t.Errorf("read again without need: %v", seen)
	}
}

// Guards runningSQL: a statement that waits for the end of a table lock, as a backup holds it, has its NOW() already,
// and InnoDB does not know of it yet.
func TestStatementThatWaitsForALock(t *testing.T) {
	f := newFeed(t, items)
	locker, writer := session(t, f.dsn), session(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, locker, `LOCK TABLES items READ`)
	done := make(chan error, 1)
	go func() {
		_, err := writer.ExecContext(context.WithoutCancel(t.Context()), `INSERT INTO items (id, v) VALUES (1, 'waited')`)
		done <- err
	}()
	for range 2 {
		wait()
		_, from = f.drain(from, 10)
	}
	do(t, locker, `UNLOCK TABLES`)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	fade()
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards openedBefore: the same, within a transaction that stays open behind the statement. InnoDB says that it began
// when the lock was gone, which is seconds after the time that the row bears.
func TestTransactionThatBeganBehindALock(t *testing.T) {
	f := newFeed(t, items)
	locker, writer := session(t, f.dsn), session(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, locker, `LOCK TABLES items READ`)
	do(t, writer, `SET autocommit = 0`)
	done := make(chan error, 1)
	go func() {
		_, err := writer.ExecContext(context.WithoutCancel(t.Context()), `INSERT INTO items (id, v) VALUES (1, 'waited')`)
		done <- err
	}()
	wait()
	_, from = f.drain(from, 10)
	wait()
	_, from = f.drain(from, 10)
	do(t, locker, `UNLOCK TABLES`)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, from = f.drain(from, 10)
		wait()
	}
	do(t, writer, `COMMIT`)
	fade()
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards the mark in openSQL: where somebody has just read the list of transactions, the server shows that same list
// again, and a transaction that began since is not on it.
func TestListOfTransactionsThatIsOld(t *testing.T) {
	f := newFeed(t, items)
	writer, other := session(t, f.dsn), session(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, writer, `BEGIN`)
	turn := time.Now().Truncate(time.Second).Add(2 * time.Second) // of a second: what was before is not read again for being in it
	time.Sleep(time.Until(turn.Add(-40 * time.Millisecond)))
	do(t, other, `SELECT COUNT(*) FROM information_schema.INNODB_TRX`)
	do(t, writer, `INSERT INTO items (id, v) VALUES (1, 'late')`)
	time.Sleep(time.Until(turn.Add(5 * time.Millisecond)))
	_, from = f.drain(from, 10)
	do(t, writer, `COMMIT`)
	fade()
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards that the horizon is taken before the rows are read, and that the one of a sweep under way is kept
// (Sweep.Next): what commits between two pages, with an older time than the place, is in the next sweep.
func TestCommitBetweenTwoPages(t *testing.T) {
	f := newFeed(t, items)
	from := f.page(nil, 10).Next
	writer := session(t, f.dsn)
	do(t, writer, `BEGIN`, `INSERT INTO items (id, v) VALUES (0, 'late')`)
	wait()
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	wait()
	p := f.page(from, 2)
	if !p.More {
		t.Fatal("the sweep has one page only")
	}
	do(t, writer, `COMMIT`)
	fade()
	_, from = f.drain(p.Next, 2)
	seen, _ := f.drain(from, 2)
	f.want(seen, "0")
}

// Guards the truncation of a sweep's begin to whole seconds: 10.2 s and 10.6 s are both kept as 10 s.
func TestSecondsOnlyPrecision(t *testing.T) {
	f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)`)
	exec(t, f.dsn, `INSERT INTO items VALUES (1, 'old', '2020-01-01')`)
	from := f.page(nil, 10).Next
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // early in a second
	exec(t, f.dsn, `UPDATE items SET v = 'first'`)
	seen, from := f.drain(from, 10)
	if seen["1"] != "first" {
		t.Fatalf("seen %v", seen)
	}
	exec(t, f.dsn, `UPDATE items SET v = 'second'`)
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
	f.r.Track.Overlap = time.Minute // a small step is within the overlap: what the clock gives out again is read again
	exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (1, 'x')`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards that a prepared transaction, which has no thread, counts as open.
func TestPreparedTransaction(t *testing.T) {
	f := newFeed(t, items)
	writer := session(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, writer, `XA START 'lockstep'`, `INSERT INTO items (id, v) VALUES (1, 'two phases')`, `XA END 'lockstep'`)
	_, from = f.drain(from, 10)
	do(t, writer, `XA PREPARE 'lockstep'`)
	for range 2 {
		wait()
		_, from = f.drain(from, 10)
	}
	do(t, writer, `XA COMMIT 'lockstep'`)
	fade()
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards Blind: a user who is not shown the others' transactions reads two minutes again, and doctor says what that
// cannot see.
func TestWithoutTheRightToSeeTransactions(t *testing.T) {
	dsn := testkit.MariaDB(t)
	exec(t, dsn, items)
	name, asUser := testkit.MariaUser(t, dsn)
	exec(t, dsn, `GRANT SELECT ON items TO `+name)
	f := &feed{t, open(t, lockstep.Settings{"dsn": asUser}), readItems(), dsn}
	from := f.page(nil, 10).Next
	writer := session(t, dsn)
	do(t, writer, `BEGIN`, `INSERT INTO items (id, v) VALUES (1, 'late')`)
	for range 2 {
		wait()
		_, from = f.drain(from, 10)
	}
	do(t, writer, `COMMIT`)
	fade()
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
	what := findings(t, f.s, f.r)
	if !strings.Contains(what, "GRANT PROCESS") || !strings.Contains(what, "2m0s") {
		t.Errorf("doctor does not say what is missed: %s", what)
	}
	exec(t, dsn, `GRANT PROCESS ON *.* TO `+name)
	if what = findings(t, open(t, lockstep.Settings{"dsn": asUser}), f.r); strings.Contains(what, "PROCESS") {
		t.Errorf("with the right, doctor says: %s", what)
	}
}

func findings(t *testing.T, s system, r lockstep.Read) string {
	t.Helper()
	found, err := s.Examine(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, f.Level+": "+f.What+" "+f.Next)
	}
	return strings.Join(lines, "\n")
}

// Guards the zone in bound: the test server's zone is behind UTC, so that compared as UTC a time written there lies
// hours in the past. With a comment UTC, or a zone, it is read as that.
func TestTimesWithoutZone(t *testing.T) {
	for column, now := range map[string]string{"datetime": "NOW()", "datetime(6)": "NOW(6)", "date": "CURRENT_DATE", "datetime COMMENT 'UTC'": "UTC_TIMESTAMP()"} {
		t.Run(column, func(t *testing.T) {
			f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at `+column+`)`)
			from := f.page(nil, 10).Next
			exec(t, f.dsn, `INSERT INTO items VALUES (0, 'long ago', `+now+` - INTERVAL 2 DAY), (1, 'x', `+now+`)`)
			seen, _ := f.drain(from, 10)
			f.want(seen, "1")
			if len(seen) != 1 {
				t.Errorf("seen %v", seen)
			}
		})
	}
	t.Run("zone", func(t *testing.T) {
		_, dsn := fresh(t)
		exec(t, dsn, `CREATE TABLE items (id int PRIMARY KEY, v text, at datetime)`)
		s := open(t, lockstep.Settings{"dsn": dsn, "streams": map[string]lockstep.Settings{"items": {"zone": "Pacific/Honolulu"}}})
		f := &feed{t, s, readItems(), dsn}
		from := f.page(nil, 10).Next
		exec(t, dsn, `INSERT INTO items VALUES (1, 'x', UTC_TIMESTAMP() - INTERVAL 10 HOUR), (2, 'y', UTC_TIMESTAMP() - INTERVAL 11 HOUR)`)
		seen, _ := f.drain(from, 10)
		f.want(seen, "1")
		if len(seen) != 1 {
			t.Errorf("seen %v", seen)
		}
	})
}

func TestTimesAsNumbers(t *testing.T) {
	for _, unit := range []string{"1", "1000", "1000000"} {
		f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at bigint NOT NULL)`)
		exec(t, f.dsn, `INSERT INTO items VALUES (0, 'old', (UNIX_TIMESTAMP() - 3600) * `+unit+`)`)
		from := f.page(nil, 10).Next
		exec(t, f.dsn, `INSERT INTO items VALUES (1, 'x', UNIX_TIMESTAMP() * `+unit+`)`)
		seen, _ := f.drain(from, 10)
		f.want(seen, "1")
		if len(seen) != 1 {
			t.Errorf("unit %s: seen %v", unit, seen)
		}
	}
}

func TestSoftDelete(t *testing.T) {
	for column, gone := range map[string]string{"boolean": "true", "bit(1)": "b'1'", "timestamp NULL": "NOW()", "datetime NOT NULL DEFAULT '0000-00-00 00:00:00'": "NOW()", "int": "1", "text": "'1'", "enum('no','yes')": "'yes'"} {
		t.Run(column, func(t *testing.T) {
			f := newFeed(t, `CREATE TABLE items (id int PRIMARY KEY, v text, at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), gone `+column+`)`)
			f.r.Track.Deleted = "gone"
			exec(t, f.dsn, `INSERT INTO items (id, v) VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
			from := f.page(nil, 10).Next
			exec(t, f.dsn, `UPDATE items SET gone = `+gone+` WHERE id = 2`)
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
	exec(t, f.dsn, `SET time_zone = '+00:00'`, `INSERT INTO items VALUES (1, 'a', '2037-01-01 10:00:00.5')`)
	p := f.page(from, 10)
	if len(p.Changes) != 1 || p.More || p.UpTo.Before(before) || p.UpTo.After(time.Now().Add(time.Second)) {
		t.Fatalf("page %+v", p)
	}
	rec := p.Changes[0].Record
	if !rec.At.Equal(time.Date(2037, 1, 1, 15, 0, 0, 5e8, time.UTC)) && !rec.At.Equal(time.Date(2037, 1, 1, 10, 0, 0, 5e8, time.UTC)) || !strings.HasPrefix(rec.Version, "2037-01-01 1") {
		t.Errorf("at %s, version %s", rec.At, rec.Version)
	}
}

// Guards the number of an enum's word in the place: by its text, the words would be passed over that sort before.
func TestKeysInTheOrderOfTheServer(t *testing.T) {
	for name, column := range map[string]string{"enum": "enum('z','m','a')", "text": "varchar(9) COLLATE utf8mb4_general_ci", "bytes": "varbinary(9)", "bit": "bit(8)", "unsigned": "bigint unsigned",
		"decimal": "decimal(30,4)", "date": "date", "wall": "datetime(3)", "uuid": "uuid", "latin1": "varchar(9) CHARACTER SET latin1"} {
		t.Run(name, func(t *testing.T) {
			s, dsn := fresh(t)
			exec(t, dsn, `CREATE TABLE k (a int, b `+column+`, v int, PRIMARY KEY (a, b))`)
			parts := map[string][]string{"enum": {"'a'", "'m'", "'z'"}, "text": {"'b'", "'A'", "'č'", "''", "'D '"}, "bytes": {"X'00'", "X'FF'", "'a'"}, "bit": {"0", "255", "7"},
				"unsigned": {"0", "18446744073709551615", "9223372036854775808"}, "decimal": {"-1.5", "12345678901234567890.1234", "12345678901234567890.1235", "0"}, "date": {"'2026-01-02'", "'1999-01-01'"},
				"wall": {"'2026-01-02 03:04:05.678'", "'2026-01-02 03:04:05.679'"}, "uuid": {"'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "'00000000-9dad-11d1-80b4-00c04fd430c8'"}, "latin1": {"'ä'", "'z'", "'A'"}}[name]
			n := 0
			for a := range 3 {
				for _, p := range parts {
					exec(t, dsn, fmt.Sprintf("INSERT INTO k VALUES (%d, %s, %d)", a, p, n))
					n++
				}
			}
			r := lockstep.Read{Stream: "k", Fields: []string{"a", "b", "v"}}
			var keys []lockstep.Key
			var from lockstep.Position
			for more := true; more; {
				p, err := s.Scan(t.Context(), r, from, lockstep.Limit{Rows: 1})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range p.Changes {
					keys = append(keys, c.Record.Key)
				}
				from, more = p.Next, p.More
			}
			if len(keys) != n {
				t.Fatalf("%d of %d rows: %q", len(keys), n, keys)
			}
			got, err := s.Fetch(t.Context(), r, keys)
			if err != nil || len(got) != n {
				t.Fatalf("fetched %d of %d, %v", len(got), n, err)
			}
			var writes []lockstep.Write
			for _, k := range keys {
				writes = append(writes, lockstep.Write{Op: lockstep.Delete, Key: k})
			}
			if _, err := s.Apply(t.Context(), "k", writes); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Scan(t.Context(), r, nil, lockstep.Limit{Rows: 1}); err != nil || len(p.Changes) != 0 {
				t.Errorf("%d left, %v", len(p.Changes), err)
			}
		})
	}
}
