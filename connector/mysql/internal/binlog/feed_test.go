package binlog

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

func TestChanges(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, name VARCHAR(50), n INT")
	b.exec("INSERT INTO t VALUES (1, 'before', 1)")
	from := b.now()
	from = b.want(from)
	b.exec("INSERT INTO t VALUES (2, 'čšž 😀', 2), (3, NULL, -3)")
	from = b.want(from, "+2|čšž 😀|2", "+3|NULL|-3")
	b.exec("UPDATE t SET name = 'x' WHERE id < 3", "DELETE FROM t WHERE id = 3")
	b.want(from, "+1|x|1", "+2|x|2", "-3")
}

func TestKeyChangeIsADeleteAndAnUpsert(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, name VARCHAR(50)")
	b.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	from := b.now()
	b.exec("UPDATE t SET id = id + 10 ORDER BY id")
	b.want(from, "-1", "+11|a", "-2", "+12|b")
	for rows := 1; rows <= 3; rows++ { // also where a page ends between the two, in another process
		var got []string
		for at := from; ; {
			b.reopen()
			p, err := b.page(at, rows)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Changes {
				got = append(got, show(c))
			}
			if at = p.Next; len(p.Changes) == 0 {
				break
			}
		}
		if s := strings.Join(got, " "); s != "-1 +11|a -2 +12|b" {
			t.Errorf("by pages of %d: %s", rows, s)
		}
	}
}

// A position that was not saved gives the same page again, and every position can be gone on from by another process.
func TestEveryPositionCanBeReadAgain(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, name VARCHAR(50)")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1, 'a'), (2, 'a'), (3, 'a'), (4, 'a'), (5, 'a')", "UPDATE t SET name = 'b'", "DELETE FROM t WHERE id > 2")
	type step struct {
		at   lockstep.Position
		page string
	}
	text := func(p lockstep.Page) string {
		var s []string
		for _, c := range p.Changes {
			s = append(s, show(c))
		}
		return strings.Join(s, " ")
	}
	var steps []step
	for at := from; ; {
		p, err := b.page(at, 2)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.page(at, 2)
		if err != nil || text(p) != text(again) || string(p.Next) != string(again.Next) {
			t.Fatalf("from %s once %q and once %q, %v", at, text(p), text(again), err)
		}
		if len(p.Changes) == 0 {
			break
		}
		steps = append(steps, step{at, text(p)})
		at = p.Next
	}
	if len(steps) < 6 {
		t.Fatalf("%d pages", len(steps))
	}
	for i := len(steps) - 1; i >= 0; i-- {
		b.reopen()
		if p, err := b.page(steps[i].at, 2); err != nil || text(p) != steps[i].page {
			t.Errorf("from %s once %q and once %q, %v", steps[i].at, steps[i].page, text(p), err)
		}
	}
}

func TestLateCommitsAndRollbacks(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, name VARCHAR(50)")
	from := b.now()
	late, err := b.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Exec("INSERT INTO t VALUES (1, 'late')"); err != nil {
		t.Fatal(err)
	}
	b.exec("INSERT INTO t VALUES (2, 'early')")
	from = b.want(from, "+2|early")
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	from = b.want(from, "+1|late")
	for _, end := range []string{"ROLLBACK", "ROLLBACK TO SAVEPOINT s"} {
		tx, err := b.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"SAVEPOINT s", "INSERT INTO t VALUES (3, 'never')", end, "INSERT INTO t VALUES (4, 'kept')"} {
			if _, err := tx.Exec(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		from = b.want(from, "+4|kept")
		b.exec("DELETE FROM t WHERE id = 4")
		from = b.want(from, "-4")
	}
}

// A large transaction comes in pages, whose place is in the middle of it; another process goes on there.
func TestLargeTransaction(t *testing.T) {
	const rows = 50_000
	b := begin(t, "id INT PRIMARY KEY, name VARCHAR(50), n INT")
	from := b.now()
	b.exec(fmt.Sprintf("INSERT INTO t SELECT seq, CONCAT('name ', seq), 0 FROM seq_1_to_%d", rows))
	b.exec("UPDATE t SET id = -id, n = id WHERE id = 7")
	seen, pages := map[lockstep.Key]int{}, 0
	for at := from; ; pages++ {
		if pages%7 == 0 {
			b.reopen()
		}
		p, err := b.page(at, 3000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			seen[c.Record.Key]++
		}
		if at = p.Next; len(p.Changes) == 0 && !p.More {
			break
		}
	}
	if len(seen) != rows+1 || seen["7"] != 2 || pages < rows/3000 {
		t.Errorf("%d keys in %d pages", len(seen), pages)
	}
	for k, n := range seen {
		if n != 1 && k != "7" {
			t.Fatalf("key %s came %d times", k, n)
		}
	}
}

// What is read ahead is bounded, whatever waits in the log.
func TestReadingAheadIsBounded(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, name TEXT")
	from := b.now()
	b.exec("INSERT INTO t SELECT seq, REPEAT('x', 1000) FROM seq_1_to_50000") // 50 MB
	p, err := b.page(from, 1)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for range 20 {
		b.feed.cursor.stream.mu.Lock()
		most = max(most, b.feed.cursor.stream.bytes)
		b.feed.cursor.stream.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
	if most < maxAhead/2 || most > 2*maxAhead {
		t.Errorf("%d bytes are read ahead", most)
	}
	if got, _ := b.all(p.Next, 10_000); len(got) != 49_999 {
		t.Errorf("%d changes behind the first", len(got))
	}
}

// A quiet table's position moves on with the transactions of others, so that the server may drop its old log.
func TestQuietTable(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	b.exec("CREATE TABLE other (id INT PRIMARY KEY)")
	from := b.now()
	for i := range 20 {
		b.exec(fmt.Sprintf("INSERT INTO other VALUES (%d)", i))
	}
	p, err := b.page(from, 10)
	if err != nil || len(p.Changes) != 0 || string(p.Next) == string(from) || p.More {
		t.Fatalf("%d changes, from %s to %s, %v", len(p.Changes), from, p.Next, err)
	}
	if time.Since(p.UpTo) > time.Minute || time.Since(p.UpTo) < 0 {
		t.Errorf("up to %s", p.UpTo)
	}
}

func TestWait(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	b.exec("CREATE TABLE other (id INT PRIMARY KEY)")
	from := b.want(b.now())
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	b.exec("INSERT INTO other VALUES (1)")
	if err := b.feed.Wait(short, from); err == nil {
		t.Error("woken by another table")
	}
	from = b.want(from)
	woken := make(chan error, 1)
	go func() { woken <- b.feed.Wait(t.Context(), from) }()
	b.exec("INSERT INTO t VALUES (1)")
	if err := <-woken; err != nil {
		t.Error(err)
	}
	b.want(from, "+1")
}

func TestPagesByBytes(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, name TEXT")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1, REPEAT('a', 600)), (2, REPEAT('b', 600)), (3, REPEAT('c', 2000)), (4, 'd')")
	var sizes []int
	for {
		p, err := b.feed.Changes(t.Context(), from, lockstep.Limit{Rows: 100, Bytes: 1000}, b.shape)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Changes) == 0 {
			break
		}
		for _, c := range p.Changes {
			if large := c.Fault != nil && c.Fault.Code == lockstep.CodeTooLarge; large != (c.Record.Key == "3") {
				t.Errorf("key %s: %v", c.Record.Key, c.Fault)
			}
		}
		sizes, from = append(sizes, len(p.Changes)), p.Next
	}
	if fmt.Sprint(sizes) != "[1 3]" {
		t.Errorf("pages of %v", sizes)
	}
}

func TestANullKeyHarmsItsRowOnly(t *testing.T) {
	b := begin(t, "id INT UNIQUE, name VARCHAR(50)")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1, 'a'), (NULL, 'b'), (3, 'c')", "UPDATE t SET id = NULL WHERE id = 3")
	b.want(from, "+1|a", "!LS-NULL-KEY", "+3|c", "-3", "!LS-NULL-KEY")
}
