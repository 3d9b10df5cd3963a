package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// The traps of the version tracker (law 8). Each test names what it guards: without it, the test fails.

const countedItems = `CREATE SEQUENCE counter; CREATE TABLE items (id int PRIMARY KEY, v text, n bigint NOT NULL DEFAULT nextval('counter')); CREATE INDEX ON items (n)`

// newCounted makes a stream "items" whose changes are found by the number n.
func newCounted(t *testing.T, create string) *feed {
	f := newFeed(t, create)
	f.r = lockstep.Read{Stream: "items", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Version, Field: "n"}}
	return f
}

// news drains and wants exactly these keys.
func (f *feed) news(what string, from lockstep.Position, rows int, keys ...lockstep.Key) lockstep.Position {
	f.Helper()
	seen, next := f.drain(from, rows)
	if len(seen) != len(keys) {
		f.Errorf("%s: seen were %v, want %v", what, seen, keys)
	}
	f.want(seen, keys...)
	return next
}

// Guards Numbers.Open, and Above in it: by the highest number alone, what commits late is never read.
func TestVersionLateCommitWithALowerNumber(t *testing.T) {
	f := newCounted(t, countedItems)
	exec(t, f.dsn, `INSERT INTO items VALUES (1, 'x')`)
	a, b := connect(t, f.dsn), connect(t, f.dsn)
	from := f.news("at first", f.page(nil, 10).Next, 10)
	do(t, a, `BEGIN`, `INSERT INTO items VALUES (2, 'late')`)
	exec(t, f.dsn, `INSERT INTO items VALUES (3, 'x')`)
	from = f.news("one is late", from, 10, "3")
	do(t, b, `BEGIN`, `INSERT INTO items VALUES (4, 'later')`)
	exec(t, f.dsn, `INSERT INTO items VALUES (5, 'x')`)
	from = f.news("two are late", from, 10, "5")
	from = f.news("nothing new", from, 10)
	do(t, a, `COMMIT`)
	from = f.news("the first one", from, 10, "2", "3", "5") // from where it began
	from = f.news("nothing new", from, 10)
	do(t, b, `COMMIT`)
	from = f.news("the second one", from, 10, "4", "5")
	f.news("nothing new", from, 10)
}

// Guards the order in numbers: the highest number is read before the list of open transactions, the rows behind it.
func TestVersionTransactionOpenAtTheStart(t *testing.T) {
	f := newCounted(t, countedItems)
	late := connect(t, f.dsn)
	exec(t, f.dsn, `INSERT INTO items SELECT n, 'old' FROM generate_series(100, 200) n`)
	do(t, late, `BEGIN`, `INSERT INTO items VALUES (1, 'late')`, `SAVEPOINT s`, `INSERT INTO items VALUES (2, 'late')`)
	exec(t, f.dsn, `INSERT INTO items VALUES (3, 'x')`)
	from := f.page(nil, 10).Next
	from = f.news("before", from, 10)
	do(t, late, `COMMIT`)
	from = f.news("after", from, 10, "1", "2", "3") // of what was there only what was written by then: rows tell who wrote them
	f.news("nothing new", from, 10)
}

// A prepared transaction goes on under another name, and its numbers are as old as it is.
func TestVersionPreparedTransaction(t *testing.T) {
	f := newCounted(t, countedItems)
	late := connect(t, f.dsn)
	from := f.page(nil, 10).Next
	do(t, late, `BEGIN`, `INSERT INTO items VALUES (1, 'late')`)
	exec(t, f.dsn, `INSERT INTO items VALUES (2, 'x')`)
	from = f.news("open", from, 10, "2")
	do(t, late, `PREPARE TRANSACTION 'version'`)
	exec(t, f.dsn, `INSERT INTO items VALUES (3, 'x')`)
	from = f.news("prepared", from, 10, "2", "3")
	exec(t, f.dsn, `INSERT INTO items VALUES (4, 'x')`)
	from = f.news("still", from, 10, "4")
	exec(t, f.dsn, `COMMIT PREPARED 'version'`)
	seen, _ := f.drain(from, 10)
	f.want(seen, "1")
}

// Guards the key in the order of a sweep, and that a sweep goes on behind equal numbers in another process.
func TestVersionEqualNumbers(t *testing.T) {
	f := newCounted(t, countedItems)
	from := f.page(nil, 3).Next
	exec(t, f.dsn, `INSERT INTO items SELECT n, 'x', 7 FROM generate_series(1, 100) n`)
	p := f.page(from, 30)
	f.s = open(t, lockstep.Settings{"dsn": f.dsn})
	seen, from := f.drain(p.Next, 30)
	if len(seen) != 70 {
		t.Errorf("%d of 70 seen behind the first page", len(seen))
	}
	f.news("nothing new", from, 30)
}

func TestVersionGapsAndRollbacks(t *testing.T) {
	f := newCounted(t, countedItems)
	from := f.page(nil, 10).Next
	conn := connect(t, f.dsn)
	do(t, conn, `BEGIN`, `INSERT INTO items SELECT n, 'x' FROM generate_series(1, 50) n`, `ROLLBACK`)
	exec(t, f.dsn, `INSERT INTO items VALUES (1, 'a')`)
	from = f.news("behind a gap", from, 10, "1")
	do(t, conn, `BEGIN`, `INSERT INTO items VALUES (2, 'x')`)
	from = f.news("open", from, 10)
	do(t, conn, `ROLLBACK`)
	exec(t, f.dsn, `DELETE FROM items WHERE id = 1`, `INSERT INTO items VALUES (3, 'c')`)
	f.news("after", from, 10, "3")
}

// Guards SetBack.
func TestVersionCounterSetBack(t *testing.T) {
	free := strings.Replace(countedItems, "DEFAULT nextval('counter')", "", 1)
	fill := `INSERT INTO items SELECT n, 'x', n + 100 FROM generate_series(1, 20) n`
	for name, c := range map[string]struct {
		create, sql string
		lost        bool
	}{
		"sequence reset":          {countedItems, `SELECT setval('counter', 5)`, true},
		"identity restarted":      {`CREATE TABLE items (id int PRIMARY KEY, v text, n int GENERATED ALWAYS AS IDENTITY)`, `ALTER TABLE items ALTER n RESTART`, true},
		"a row has an older one":  {free, `UPDATE items SET n = n - 50 WHERE id = 20`, true},
		"all of the highest gone": {free, `DELETE FROM items WHERE id > 5`, true},
		"the highest deleted":     {free, `DELETE FROM items WHERE id > 15`, false},
		"emptied with a sequence": {countedItems, `DELETE FROM items WHERE id > 15`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newCounted(t, c.create)
			from := f.page(nil, 10).Next
			if c.create == free {
				exec(t, f.dsn, fill)
			} else {
				exec(t, f.dsn, `INSERT INTO items SELECT n, 'x' FROM generate_series(1, 20) n`)
			}
			_, from = f.drain(from, 100)
			exec(t, f.dsn, c.sql)
			_, err := f.s.Changes(t.Context(), f.r, from, lockstep.Limit{})
			if lost := lockstep.KindOf(err) == lockstep.Lost; lost != c.lost || !lost && err != nil {
				t.Errorf("%v; want lost: %v", err, c.lost)
			}
		})
	}
}

// Guards Blind and Seen: without a look at the transactions of others, the numbers of the last polls are read again.
func TestVersionBlind(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, countedItems)
	role, as := testkit.Role(t, dsn)
	exec(t, dsn, `GRANT SELECT ON items TO `+role, `INSERT INTO items VALUES (1, 'x')`)
	f := &feed{t, open(t, lockstep.Settings{"dsn": as}), lockstep.Read{Stream: "items", Fields: []string{"id", "v"}, Track: lockstep.Track{By: lockstep.Version, Field: "n"}}, dsn}
	older, late := connect(t, dsn), connect(t, dsn)
	do(t, older, `BEGIN`, `INSERT INTO items VALUES (2, 'older')`)
	exec(t, dsn, `INSERT INTO items VALUES (3, 'x')`)
	from := f.page(nil, 10).Next
	do(t, late, `BEGIN`, `INSERT INTO items VALUES (4, 'late')`)
	for n := range 3 {
		exec(t, dsn, fmt.Sprintf(`INSERT INTO items VALUES (%d, 'x')`, 10+n))
		var seen map[lockstep.Key]string
		seen, from = f.drain(from, 10)
		f.want(seen, lockstep.Key(fmt.Sprint(10+n)))
	}
	for conn, key := range map[*pgx.Conn]lockstep.Key{older: "2", late: "4"} {
		do(t, conn, `COMMIT`)
		var seen map[lockstep.Key]string
		seen, from = f.drain(from, 10)
		f.want(seen, key)
	}
}
