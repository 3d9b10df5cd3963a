package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

// The traps of the log tracker.

type logged struct {
	*testing.T
	s        system
	r        lockstep.Read
	dsn      string
	settings lockstep.Settings
}

const goods = `CREATE TABLE goods (id int PRIMARY KEY, v text, big text)`

// follow makes tables and follows goods by log.
func follow(t *testing.T, statements ...string) *logged {
	return followBy(t, lockstep.Settings{}, statements...)
}

func followBy(t *testing.T, settings lockstep.Settings, statements ...string) *logged {
	t.Helper()
	dsn := testkit.Postgres(t)
	exec(t, dsn, statements...)
	settings["dsn"] = dsn
	f := &logged{t, open(t, settings), lockstep.Read{Stream: "goods", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Log}}, dsn, settings}
	install(t, f.s, f.r)
	return f
}

func (f *logged) exec(statements ...string) { f.Helper(); exec(f.T, f.dsn, statements...) }

// one is the first cell of a query.
func (f *logged) one(sql string) string {
	f.Helper()
	var out string
	if err := connect(f.T, f.dsn).QueryRow(f.Context(), sql).Scan(&out); err != nil {
		f.Fatalf("%s: %v", sql, err)
	}
	return out
}

func (f *logged) read(from lockstep.Position, rows int) (lockstep.Page, error) {
	return f.s.Changes(f.Context(), f.r, from, lockstep.Limit{Rows: rows, Bytes: 8 << 20})
}

func (f *logged) page(from lockstep.Position, rows int) lockstep.Page {
	f.Helper()
	p, err := f.read(from, rows)
	if err != nil {
		f.Fatal(err)
	}
	return p
}

func (f *logged) now() lockstep.Position { f.Helper(); return f.page(nil, 1).Next }

// all are the changes from a position to the end, each as a line, and the position behind them.
func (f *logged) all(from lockstep.Position) ([]string, lockstep.Position) {
	f.Helper()
	var out []string
	for {
		p := f.page(from, 100)
		for _, c := range p.Changes {
			out = append(out, line(c))
		}
		if from = p.Next; !p.More {
			return out, from
		}
	}
}

func line(c lockstep.Change) string {
	switch {
	case c.Fault != nil:
		return string(c.Fault.Code) + " " + string(c.Record.Key)
	case c.Hint:
		return "hint " + string(c.Record.Key)
	case c.Op == lockstep.Delete:
		return "delete " + string(c.Record.Key)
	}
	return "upsert " + string(c.Record.Key) + " " + string(value.AppendFields(nil, c.Record.Fields))
}

func (f *logged) want(got []string, want ...string) {
	f.Helper()
	if !slices.Equal(got, want) {
		f.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (f *logged) lost(from lockstep.Position) {
	f.Helper()
	if p, err := f.read(from, 100); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodePosition {
		f.Fatalf("got %d changes, %v; want %s", len(p.Changes), err, lockstep.CodePosition)
	}
}

func (f *logged) ack(upTo lockstep.Position) {
	f.Helper()
	if err := f.s.(lockstep.Acker).Ack(f.Context(), f.r, upTo); err != nil {
		f.Fatal(err)
	}
}

func (f *logged) reopen() {
	f.Helper()
	if err := f.s.Close(); err != nil {
		f.Fatal(err)
	}
	f.s = open(f.T, f.settings)
}

func up(id int, v string) string { return fmt.Sprintf(`upsert %d {"id":%d,"v":%q}`, id, id, v) }

// Commits come in the order of the log, whenever their transactions began.
func TestLogLateCommit(t *testing.T) {
	f := follow(t, goods)
	early := connect(t, f.dsn)
	do(t, early, `BEGIN`, `INSERT INTO goods VALUES (1, 'early')`)
	at := f.now()
	f.exec(`INSERT INTO goods VALUES (2, 'late')`)
	got, at := f.all(at)
	f.want(got, up(2, "late"))
	f.ack(at)
	do(t, early, `COMMIT`)
	got, _ = f.all(at)
	f.want(got, up(1, "early"))
}

// unseen writes a row whose commit is in the log, and waits for a standby that is not there: nobody sees it before see.
func (f *logged) unseen(insert string) (see func()) {
	f.Helper()
	admin := connect(f.T, f.dsn)
	do(f.T, admin, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`, `SELECT pg_reload_conf()`)
	off := func() {
		for _, sql := range []string{`ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`} {
			if _, err := admin.Exec(context.WithoutCancel(f.Context()), sql); err != nil {
				f.Error(err)
			}
		}
	}
	f.Cleanup(off)
	waiting := connect(f.T, f.dsn)
	done := make(chan error, 1)
	go func() {
		_, err := waiting.Exec(f.Context(), insert)
		done <- err
	}()
	for f.one(`SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()`) == "0" {
		time.Sleep(5 * time.Millisecond)
	}
	return func() {
		f.Helper()
		off()
		if err := <-done; err != nil {
			f.Fatal(err)
		}
	}
}

// Guards Snapshot in the first position: by its place in the log alone, the commit would lie before now.
func TestLogNowBesideACommitThatNobodySees(t *testing.T) {
	f := follow(t, goods)
	see := f.unseen(`INSERT INTO goods VALUES (1, 'unseen')`)
	at := f.now()
	see()
	got, _ := f.all(at)
	f.want(got, up(1, "unseen"))
}

// Guards seen: a delete that others do not see yet would be held against the record that is still there.
func TestLogHoldsBackWhatNobodySees(t *testing.T) {
	f := follow(t, goods, `INSERT INTO goods VALUES (1, 'a')`)
	at := f.now()
	see := f.unseen(`DELETE FROM goods`)
	if p := f.page(at, 10); len(p.Changes) != 0 || string(p.Next) != string(at) {
		t.Errorf("%d changes, next %s", len(p.Changes), p.Next)
	}
	see()
	got, _ := f.all(at)
	f.want(got, "delete 1")
}

// What was there before now does not come again, although the slot is behind.
func TestLogNowPassesOverWhatIsSeen(t *testing.T) {
	f := follow(t, goods)
	f.exec(`INSERT INTO goods SELECT n, 'old' FROM generate_series(1, 500) n`)
	at := f.now()
	f.exec(`UPDATE goods SET v = 'new' WHERE id = 7`)
	got, _ := f.all(at)
	f.want(got, up(7, "new"))
}

func TestLogRolledBack(t *testing.T) {
	f := follow(t, goods)
	at := f.now()
	conn := connect(t, f.dsn)
	do(t, conn, `BEGIN`, `INSERT INTO goods VALUES (1, 'a')`, `ROLLBACK`,
		`BEGIN`, `INSERT INTO goods VALUES (2, 'b')`, `SAVEPOINT s`, `INSERT INTO goods VALUES (3, 'c')`, `UPDATE goods SET v = 'x' WHERE id = 2`, `ROLLBACK TO s`,
		`SAVEPOINT k`, `INSERT INTO goods VALUES (4, 'd')`, `RELEASE k`, `COMMIT`)
	got, _ := f.all(at)
	f.want(got, up(2, "b"), up(4, "d"))
}

func TestLogKeyChange(t *testing.T) {
	f := follow(t, `CREATE TABLE goods (shop text, id int, v text, PRIMARY KEY (shop, id))`, `INSERT INTO goods VALUES ('a', 1, 'x'), ('b', 2, 'y')`)
	f.r.Fields = []string{"v"}
	at := f.now()
	f.exec(`UPDATE goods SET id = id + 10, v = 'moved' WHERE shop = 'a'`, `UPDATE goods SET v = 'stays' WHERE shop = 'b'`, `DELETE FROM goods WHERE shop = 'b'`)
	want := []string{`delete ["a","1"]`, `upsert ["a","11"] {"v":"moved"}`, `upsert ["b","2"] {"v":"stays"}`, `delete ["b","2"]`}
	got, _ := f.all(at)
	f.want(got, want...)
	// A page may end between the delete and the upsert; both places can be gone on from, also by another process.
	for _, reopen := range []bool{false, true} {
		var single []string
		for next := at; ; {
			p := f.page(next, 1)
			for _, c := range p.Changes {
				single = append(single, line(c))
			}
			if next = p.Next; !p.More {
				break
			}
			if reopen {
				f.reopen()
			}
		}
		f.want(single, want...)
	}
}

// big is a value that is stored apart: it does not compress.
const big = `(SELECT string_agg(md5(n::text || random()::text), '') FROM generate_series(1, 400) n)`

// Guards readBack: a value that is stored apart and does not change is not in the log.
func TestLogValuesStoredApart(t *testing.T) {
	f := follow(t, goods, `INSERT INTO goods SELECT n, 'old', `+big+` FROM generate_series(1, 5) n`)
	f.r.Fields = []string{"v", "big"}
	at := f.now()
	f.exec(`UPDATE goods SET v = 'new' WHERE id = 1`)
	page := f.page(at, 10)
	if len(page.Changes) != 1 {
		t.Fatalf("%d changes", len(page.Changes))
	}
	text, _ := page.Changes[0].Record.Fields.Get("big")
	if want := f.one(`SELECT big FROM goods WHERE id = 1`); page.Changes[0].Hint || text.Text() != want {
		t.Errorf("hint %v, %d bytes of big, want %d", page.Changes[0].Hint, len(text.Text()), len(want))
	}
	// Where the row is another one by now its values belong to a later change: this one is a hint.
	at = page.Next
	f.exec(`UPDATE goods SET v = 'again' WHERE id = 2`, `UPDATE goods SET big = 'small' WHERE id = 2`, `UPDATE goods SET v = 'gone' WHERE id = 3`, `DELETE FROM goods WHERE id = 3`)
	got, _ := f.all(at)
	f.want(got, "hint 2", `upsert 2 {"v":"again","big":"small"}`, "hint 3", "delete 3")
	// What nobody asked for is not read back, and what the old row holds need not be.
	f.r.Fields = []string{"v"}
	at = f.now()
	f.exec(`UPDATE goods SET v = 'a' WHERE id = 4`, `UPDATE goods SET v = 'b' WHERE id = 4`)
	got, _ = f.all(at)
	f.want(got, `upsert 4 {"v":"a"}`, `upsert 4 {"v":"b"}`)
	f.r.Fields = []string{"v", "big"}
	f.exec(`ALTER TABLE goods REPLICA IDENTITY FULL`)
	at = f.now()
	f.exec(`UPDATE goods SET v = 'c' WHERE id = 5`, `UPDATE goods SET v = 'd' WHERE id = 5`)
	for _, c := range f.page(at, 10).Changes {
		if text, _ := c.Record.Fields.Get("big"); c.Hint || len(text.Text()) != 400*32 {
			t.Errorf("hint %v, %d bytes of big", c.Hint, len(text.Text()))
		}
	}
}

func TestLogTruncate(t *testing.T) {
	f := follow(t, goods, `INSERT INTO goods VALUES (1, 'a')`)
	at := f.now()
	f.exec(`UPDATE goods SET v = 'b'`, `TRUNCATE goods`, `INSERT INTO goods VALUES (2, 'c')`)
	page := f.page(at, 10)
	if len(page.Changes) != 1 || line(page.Changes[0]) != up(1, "b") {
		t.Errorf("before the TRUNCATE: %v", page.Changes)
	}
	f.lost(page.Next)
	f.lost(page.Next)
	f.reopen()
	f.lost(page.Next)
	at = f.now()
	f.exec(`UPDATE goods SET v = 'd'`)
	got, _ := f.all(at)
	f.want(got, up(2, "d"))
}

// Guards logRelation.find: rows are read by the columns that they were written with.
func TestLogColumnsChange(t *testing.T) {
	f := follow(t, `CREATE TABLE goods (gap int, id int PRIMARY KEY, v text, n int)`, `ALTER TABLE goods DROP COLUMN gap`)
	f.r.Fields = []string{"id", "v", "n"}
	at := f.now()
	f.exec(`INSERT INTO goods VALUES (1, 'a', 1)`, `ALTER TABLE goods ADD COLUMN more text DEFAULT 'm'`, `INSERT INTO goods VALUES (2, 'b', 2, 'x')`,
		`ALTER TABLE goods ALTER COLUMN n TYPE text USING 'n' || n`, `INSERT INTO goods VALUES (3, 'c', 'n3', 'x')`)
	got, at := f.all(at)
	f.want(got, "hint 1", "hint 2", `upsert 3 {"id":3,"v":"c","n":"n3"}`)
	f.r.Fields = []string{"id", "more"}
	f.exec(`INSERT INTO goods VALUES (4, 'd', 'n4', 'y')`, `ALTER TABLE goods DROP COLUMN v`, `INSERT INTO goods VALUES (5, 'n5', 'z')`)
	got, at = f.all(at)
	f.want(got, `upsert 4 {"id":4,"more":"y"}`, `upsert 5 {"id":5,"more":"z"}`)
	f.exec(`INSERT INTO goods VALUES (6, 'n6', 'z')`, `ALTER TABLE goods ADD COLUMN late text DEFAULT 'l'`, `INSERT INTO goods VALUES (7, 'n7', 'z', 'own')`)
	f.r.Fields = []string{"id", "late"}
	got, at = f.all(at)
	f.want(got, "hint 6", `upsert 7 {"id":7,"late":"own"}`)
	f.exec(`ALTER TABLE goods DROP COLUMN late`, `INSERT INTO goods VALUES (8, 'n8', 'z')`)
	if _, err := f.read(at, 10); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeNoField {
		t.Errorf("a column that is gone: %v", err)
	}
}

func TestLogSoftDeleteAndWhere(t *testing.T) {
	f := followBy(t, lockstep.Settings{"streams": map[string]lockstep.Settings{"some": {"table": "goods", "where": "v <> 'out'"}}},
		`CREATE TABLE goods (id int PRIMARY KEY, v text, gone boolean)`)
	f.r.Track.Deleted = "gone"
	at := f.now()
	f.exec(`INSERT INTO goods VALUES (1, 'a', false), (2, 'b', true), (3, 'c', NULL)`, `UPDATE goods SET gone = true WHERE id = 1`, `UPDATE goods SET gone = false WHERE id = 2`)
	got, _ := f.all(at)
	f.want(got, up(1, "a"), "delete 2", up(3, "c"), "delete 1", up(2, "b"))

	f.r = lockstep.Read{Stream: "some", Fields: []string{"v"}, Track: lockstep.Track{By: lockstep.Log}}
	install(t, f.s, f.r)
	at = f.now()
	f.exec(`UPDATE goods SET v = 'out' WHERE id = 1`, `DELETE FROM goods WHERE id = 2`)
	got, _ = f.all(at)
	f.want(got, "hint 1", "delete 2")
	if records, err := f.s.Fetch(t.Context(), f.r, []lockstep.Key{"1"}); err != nil || len(records) != 0 {
		t.Errorf("a row that left the set is fetched: %v %v", records, err)
	}
}

// A row whose key is null cannot be linked: it is passed over, and its neighbours come.
func TestLogNullKey(t *testing.T) {
	f := followBy(t, lockstep.Settings{"streams": map[string]lockstep.Settings{"goods": {"key": []string{"v"}}}}, goods)
	at := f.now()
	f.exec(`INSERT INTO goods VALUES (1, NULL), (2, 'two')`, `UPDATE goods SET v = NULL WHERE id = 2`, `UPDATE goods SET v = 'one' WHERE id = 1`)
	got, _ := f.all(at)
	f.want(got, `upsert two {"id":2,"v":"two"}`, "delete two", `upsert one {"id":1,"v":"one"}`)
}

func TestLogWait(t *testing.T) {
	f := follow(t, goods)
	_, at := f.all(f.now())
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	w := f.s.(lockstep.Waiter)
	if err := w.Wait(short, f.r, at); !errors.Is(err, context.DeadlineExceeded) && lockstep.FaultOf(err).Code != lockstep.CodeTimeout {
		t.Errorf("Wait while nothing happens: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Wait(t.Context(), f.r, at) }()
	f.exec(`INSERT INTO goods VALUES (1, 'a')`)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got, _ := f.all(at)
	f.want(got, up(1, "a"))
}

// A position gives its page again, in this process and after a start, and never less of it.
func TestLogTheSamePageAgain(t *testing.T) {
	f := follow(t, goods)
	at := f.now()
	conn := connect(t, f.dsn)
	for i := range 400 {
		do(t, conn, fmt.Sprintf(`INSERT INTO goods VALUES (%d, 'a')`, i))
	}
	lines := func(p lockstep.Page) (out []string) {
		for _, c := range p.Changes {
			out = append(out, line(c))
		}
		return out
	}
	first := lines(f.page(at, 300))
	for range 3 {
		f.want(lines(f.page(at, 300)), first...)
	}
	f.want(lines(f.page(at, 7)), first[:7]...)
	p := f.page(at, 100)
	f.want(lines(f.page(p.Next, 100)), first[100:200]...)
	f.want(lines(f.page(p.Next, 100)), first[100:200]...)
	for range 5 {
		f.reopen()
		f.want(lines(f.page(at, 300)), first...)
	}
}
