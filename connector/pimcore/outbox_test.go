package pimcore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // what Pimcore writes is written by SQL

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// boxed is a stand-in with a mirror in a database, and a class of which the changes are found there.
type boxed struct {
	*stand
	dsn string
	db  *sql.DB
	r   lockstep.Read
	at  lockstep.Position
}

func newBoxed(t *testing.T, o sandbox.Options, settings ...any) *boxed {
	t.Helper()
	if o.Products == 0 {
		o.Products = 12
	}
	b := &boxed{stand: newStand(t, o), dsn: testkit.MariaDB(t), r: lockstep.Read{
		Stream: "Product", Fields: []string{"sku", "price", "name_de", "fullpath", "published"}, Track: lockstep.Track{By: lockstep.Trigger},
	}}
	b.do(b.srv.Mirror(t.Context(), b.dsn))
	b.db = session(t, b.dsn)
	b.sys = b.open(append([]any{"dsn", b.dsn}, settings...)...)
	b.install()
	b.at = b.page(nil, 10).Next
	return b
}

func session(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (b *boxed) install() {
	b.Helper()
	if _, err := b.sys.Install(b.Context(), b.r, false); err != nil {
		b.Fatal(err)
	}
}

func (b *boxed) page(from lockstep.Position, rows int) lockstep.Page {
	b.Helper()
	p, err := b.sys.Changes(b.Context(), b.r, from, lockstep.Limit{Rows: rows})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func (b *boxed) ack(upTo lockstep.Position) {
	b.Helper()
	if err := b.sys.Ack(b.Context(), b.r, upTo); err != nil {
		b.Fatal(err)
	}
}

// drain reads and acknowledges all there is, as the engine does: a field's text, "gone" for a delete, "look" for a hint.
func (b *boxed) drain(field string) map[int]string {
	b.Helper()
	seen := map[int]string{}
	for range 1000 {
		p := b.page(b.at, 3)
		for _, c := range p.Changes {
			id, _ := strconv.Atoi(string(c.Record.Key))
			switch {
			case c.Fault != nil:
				b.Fatalf("%d: %v", id, c.Fault)
			case c.Hint:
				seen[id] = "look"
			case c.Op == lockstep.Delete:
				seen[id] = "gone"
			default:
				seen[id] = text(c.Record.Fields, field)
			}
		}
		b.ack(p.Next)
		if b.at = p.Next; !p.More {
			return seen
		}
	}
	b.Fatal("it does not end")
	return nil
}

func (b *boxed) want(what, field string, want map[int]string) {
	b.Helper()
	if got := b.drain(field); !maps.Equal(got, want) {
		b.Errorf("%s: seen were %v, want %v", what, got, want)
	}
	if got := b.drain(field); len(got) > 0 {
		b.Errorf("%s: what was acknowledged came again: %v", what, got)
	}
}

// family is a product with variants that inherit from it.
func (b *boxed) family() (parent int, variants []int) {
	b.Helper()
	for _, id := range b.srv.IDs("Product") {
		for _, kid := range b.srv.IDs("Product") {
			if o, _ := b.srv.Get(kid); o.Parent == id {
				variants = append(variants, kid)
			}
		}
		if len(variants) > 0 {
			return id, variants
		}
	}
	b.Fatal("there is none")
	return 0, nil
}

// single is a product without variants.
func (b *boxed) single(n int) int {
	b.Helper()
	var with []int
	for _, id := range b.srv.IDs("Product") {
		o, _ := b.srv.Get(id)
		with = append(with, o.Parent)
	}
	for _, id := range b.srv.IDs("Product") {
		if o, _ := b.srv.Get(id); o.Kind == "object" && !slices.Contains(with, id) {
			if n--; n < 0 {
				return id
			}
		}
	}
	b.Fatal("there is none")
	return 0
}

// What dates do not show, and what they do: the rows of the contract's table that a database can see.
func TestOutboxSees(t *testing.T) {
	for _, version := range []int{10, 11} {
		t.Run(fmt.Sprint("Pimcore ", version), func(t *testing.T) {
			b := newBoxed(t, sandbox.Options{Version: version})
			parent, variants := b.family()
			one, other := b.single(0), b.single(1)

			b.do(b.srv.Save(one, map[string]any{"price": 4711.0}))
			b.want("a save", "price", map[int]string{one: "4711"})
			b.do(b.srv.Save(one, nil))
			b.want("a save of nothing", "price", map[int]string{one: "4711"})
			b.do(b.srv.Save(one, map[string]any{"name@de": "Neu"}))
			b.want("a text in one language", "name_de", map[int]string{one: "Neu"})
			b.do(b.srv.Save(one, map[string]any{"categories": []sandbox.Ref{{ID: b.srv.IDs("Category")[2]}}}))
			b.want("a list of relations", "price", map[int]string{one: "4711"})
			b.do(b.srv.SaveVersion(one, map[string]any{"price": 1.0}))
			b.want("a draft", "price", map[int]string{})
			b.do(b.srv.SaveUnversioned(one, map[string]any{"price": 2.0}))
			b.want("a save without a version", "price", map[int]string{one: "2"})
			b.do(b.srv.SaveWithDate(one, map[string]any{"price": 3.0}, 1_000_000_000))
			b.want("a save with an old date", "price", map[int]string{one: "3"})
			b.do(b.srv.SilentEdit(one, map[string]any{"price": 4.0}))
			b.want("an edit by SQL", "price", map[int]string{one: "4"})
			b.do(b.srv.SilentEdit(one, map[string]any{"name@de": "Still"}))
			b.want("an edit of a text by SQL", "name_de", map[int]string{one: "Still"})

			b.do(b.srv.Unpublish(other))
			b.want("unpublished", "published", map[int]string{other: "false"})
			b.do(b.srv.Publish(other))
			b.want("published", "published", map[int]string{other: "true"})

			for _, id := range variants {
				b.do(b.srv.Save(id, map[string]any{"price": nil, "name@de": nil}))
			}
			b.drain("price")
			b.do(b.srv.Save(parent, map[string]any{"price": 99.0}))
			want := map[int]string{parent: "99"}
			for _, id := range variants {
				want[id] = "99"
			}
			b.want("a value that is inherited", "price", want)
			b.do(b.srv.Save(parent, map[string]any{"name@de": "Erbe"}))
			for id := range want {
				want[id] = "Erbe"
			}
			b.want("a text that is inherited", "name_de", want)

			folder := b.srv.ByPath("/Products/home")
			b.do(b.srv.Rename(folder, "house"))
			moved := map[int]string{}
			for _, id := range b.srv.IDs("Product") {
				if o, _ := b.srv.Get(id); len(o.Fullpath) > 16 && o.Fullpath[:16] == "/Products/house/" {
					moved[id] = o.Fullpath
				}
			}
			if len(moved) == 0 {
				t.Fatal("nothing lies in the folder")
			}
			b.want("a folder that is renamed", "fullpath", moved)

			id, err := b.srv.Create(sandbox.NewObject{Class: "Product", Path: "/Products", Key: "fresh", Values: map[string]any{"sku": "FRESH"}, Unchecked: true})
			b.do(err)
			b.want("a create", "sku", map[int]string{id: "FRESH"})
			b.do(b.srv.Delete(id))
			b.want("a delete", "sku", map[int]string{id: "gone"})
			b.do(b.srv.Delete(parent))
			want = map[int]string{parent: "gone"}
			for _, id := range variants {
				want[id] = "gone"
			}
			b.want("a delete with what lies below", "sku", want)

			cat := b.srv.IDs("Category")[0]
			b.do(b.srv.Save(cat, map[string]any{"name@en": "Other"}))
			b.want("an object of another class", "sku", map[int]string{})
			b.do(b.srv.Delete(cat))
			b.want("a delete of another class", "sku", map[int]string{})
		})
	}
}

// A set of keys has no order that could be read past: late commits and rollbacks, which leave gaps, take nothing away.
func TestOutboxLateCommitsAndRollbacks(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	late, one := b.single(0), b.single(1)
	commit := b.srv.SaveLate(late, map[string]any{"price": 77.0})
	b.do(b.srv.Save(one, map[string]any{"price": 1.0}))
	b.want("while a save is open", "price", map[int]string{one: "1"})
	b.do(b.srv.SaveRolledBack(one, map[string]any{"price": 5.0}))
	b.want("a save that was rolled back", "price", map[int]string{})
	b.do(b.srv.Save(one, map[string]any{"price": 2.0}))
	b.want("behind it", "price", map[int]string{one: "2"})
	b.do(commit())
	b.want("the late save", "price", map[int]string{late: "77"})
}

// A change between a read and its acknowledgement stays.
func TestOutboxChangeBeforeAck(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	one := b.single(0)
	b.do(b.srv.Save(one, map[string]any{"price": 1.0}))
	p := b.page(b.at, 10)
	b.do(b.srv.Save(one, map[string]any{"price": 2.0}))
	b.ack(p.Next)
	b.at = p.Next
	b.want("the second", "price", map[int]string{one: "2"})
	b.do(b.srv.Save(one, map[string]any{"price": 3.0}))
	p = b.page(b.at, 10)
	b.do(b.srv.Delete(one))
	b.ack(p.Next)
	b.at = p.Next
	b.want("the delete", "price", map[int]string{one: "gone"})
}

// What a crash between append and acknowledgement left comes again.
func TestOutboxComesAgainUntilAcknowledged(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	var all []int
	for n := range 5 {
		all = append(all, b.single(n))
		b.do(b.srv.Save(all[n], map[string]any{"price": 1.0}))
	}
	p := b.page(b.at, 2)
	if len(p.Changes) != 2 || !p.More {
		t.Fatalf("%d changes, more: %v", len(p.Changes), p.More)
	}
	b.at = p.Next // stored, and not acknowledged: another process goes on
	b.sys = b.open("dsn", b.dsn)
	want := map[int]string{}
	for _, id := range all[2:] {
		want[id] = "1"
	}
	if got := b.drain("price"); !maps.Equal(got, want) {
		t.Errorf("the rest: %v", got)
	}
	b.want("what was not acknowledged", "price", map[int]string{all[0]: "1", all[1]: "1"})
}

// An acknowledgement waits for no save, and what it cannot delete is not read by GraphQL over and over.
func TestOutboxAckNeverWaits(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	one, free := b.single(0), b.single(1)
	b.do(b.srv.Save(one, map[string]any{"price": 1.0}))
	b.do(b.srv.Save(free, map[string]any{"price": 1.0}))
	commit := b.srv.SaveLate(one, map[string]any{"price": 2.0})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p, err := b.sys.Changes(ctx, b.r, b.at, lockstep.Limit{Rows: 10})
	b.do(err)
	if len(p.Changes) != 2 {
		t.Fatalf("%d changes", len(p.Changes))
	}
	b.do(b.sys.Ack(ctx, b.r, p.Next))
	b.at = p.Next
	asked := b.srv.Requests()
	for range 5 {
		if p = b.page(b.at, 10); len(p.Changes) > 0 {
			t.Fatal("it came again")
		}
		b.at = p.Next
	}
	if n := b.srv.Requests() - asked; n != 0 {
		t.Errorf("GraphQL was asked %d times for nothing", n)
	}
	b.do(commit())
	b.want("after the commit", "price", map[int]string{one: "2"})
}

// A save that is open holds up the acknowledgement of no other object, however little else is in the outbox.
func TestOutboxAckOfOthersNeverWaits(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	commit := b.srv.SaveLate(b.single(0), map[string]any{"price": 2.0})
	want := map[int]string{}
	for n := 1; n < 6; n++ {
		id := b.single(n)
		b.do(b.srv.Save(id, map[string]any{"price": 3.0}))
		want[id] = "3"
	}
	b.want("beside an open save", "price", want)
	b.do(commit())
	b.want("after the commit", "price", map[int]string{b.single(0): "2"})
}

// The outbox makes no deadlock: a parent's save that writes a child's inherited values, and a save of that child, meet
// in the child's own rows only.
func TestOutboxMakesNoDeadlock(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	_, variants := b.family()
	child := strconv.Itoa(variants[0])
	first, second := session(t, b.dsn), session(t, b.dsn)
	run(t, first, "BEGIN", "UPDATE objects SET modificationDate = modificationDate + 1 WHERE id = "+child)
	run(t, second, "SET innodb_lock_wait_timeout = 5", "BEGIN", "UPDATE object_query_PR SET price = 1 WHERE oo_id = "+child) // would wait for the first
	done := make(chan error, 1)
	go func() {
		_, err := first.ExecContext(t.Context(), "UPDATE object_query_PR SET price = 2 WHERE oo_id = "+child)
		done <- err
	}()
	run(t, second, "COMMIT")
	b.do(<-done)
	run(t, first, "ROLLBACK")
}

// Pimcore answers from its caches for a moment after a commit: an answer older than the row is no news.
func TestOutboxWaitsForStaleAnswers(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	one, gone := b.single(0), b.single(1)
	was, _ := b.srv.Get(one)
	run(t, b.db, fmt.Sprintf("UPDATE objects SET modificationDate = %d WHERE id = %d", was.Modified+5, one), fmt.Sprintf("DELETE FROM objects WHERE id = %d", gone))
	for range 3 {
		if got := b.drain("price"); len(got) > 0 {
			t.Fatalf("a stale answer counts: %v", got)
		}
	}
	b.do(b.srv.SaveWithDate(one, map[string]any{"price": 8.0}, was.Modified+5))
	if got := b.drain("price"); !maps.Equal(got, map[int]string{one: "8"}) {
		t.Errorf("after the cache: %v", got)
	}
	// What stays so is looked at by itself, and nothing is deleted that GraphQL shows.
	run(t, b.db, "UPDATE "+b.boxName()+" SET lockstep_generation = 1 WHERE lockstep_own = 0")
	b.want("after a while", "price", map[int]string{gone: "look"})
}

func (b *boxed) boxName() (name string) {
	b.Helper()
	b.do(b.db.QueryRowContext(b.Context(), "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_COMMENT LIKE 'lockstep%'").Scan(&name))
	return name
}

// An object whose row is gone without a delete that was seen is looked at by itself.
func TestOutboxGoneUnseen(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	one := b.single(0)
	b.do(b.srv.Save(one, map[string]any{"price": 1.0}))
	b.do(b.srv.Delete(one))
	run(t, b.db, "DELETE FROM "+b.boxName()+" WHERE via = 'deleted'")
	b.want("gone unseen", "price", map[int]string{one: "look"})
	if recs := b.fetch(b.r, one); len(recs) > 0 {
		t.Errorf("%v", recs)
	}
}
