package binlog

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/mariaserver"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func startServer(t *testing.T, settings ...map[string]string) *mariaserver.Server {
	t.Helper()
	s, err := mariaserver.Start(context.Background(), append([]map[string]string{mariaserver.Fast, mariaserver.Binlog}, settings...)...)
	if errors.Is(err, mariaserver.ErrMissing) && os.Getenv("LOCKSTEP_CI") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bench is a database with a table, followed.
type bench struct {
	*testing.T
	maria  *mariaserver.Server
	db     *sql.DB
	server *Server
	name   string
	feed   *Feed
	shape  Shape
}

// begin makes a database of its own with a table t, by the columns given, keyed by its first one.
func begin(t *testing.T, columns string) *bench {
	t.Helper()
	return beginOn(t, testkit.MariaServer(t), columns)
}

func beginOn(t *testing.T, maria *mariaserver.Server, columns string) *bench {
	t.Helper()
	b := &bench{T: t, maria: maria, name: "b" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	root := open(t, maria, "")
	if _, err := root.Exec("CREATE DATABASE " + b.name + " CHARACTER SET utf8mb4"); err != nil {
		t.Fatal(err)
	}
	b.db = open(t, maria, b.name)
	b.exec("CREATE TABLE t (" + columns + ")")
	b.server = &Server{DB: b.db, Address: Address{Network: "unix", Address: maria.Socket(), User: "root"}}
	b.reopen()
	b.shape = b.shapeOf()
	return b
}

func open(t *testing.T, maria *mariaserver.Server, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", maria.DSN(database)+"?interpolateParams=true&time_zone=%27%2B00%3A00%27&charset=utf8mb4")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// reopen is another process: it knows the positions only.
func (b *bench) reopen() {
	if b.feed != nil {
		b.feed.Close()
	}
	b.feed = NewFeed(&Server{DB: b.db, Address: b.server.Address}, b.name, "t")
	b.Cleanup(b.feed.Close)
}

func (b *bench) exec(statements ...string) {
	b.Helper()
	for _, s := range statements {
		if _, err := b.db.Exec(s); err != nil {
			b.Fatalf("%.200s: %v", s, err)
		}
	}
}

// shapeOf takes all columns of t as texts.
func (b *bench) shapeOf() Shape {
	b.Helper()
	c, err := b.server.catalog(b.Context(), table{b.name, "t"})
	if err != nil {
		b.Fatal(err)
	}
	var s Shape
	for i := range c {
		s.Columns = append(s.Columns, c[i].name)
	}
	names := value.NewNames(s.Columns...)
	s.Key = []int{0}
	s.MakeKey = func(cells []Cell) (lockstep.Key, error) {
		text, ok := cellText(cells[0])
		if !ok {
			return "", lockstep.Faultf(lockstep.CodeNullKey, "the key is null")
		}
		return lockstep.MakeKey(text), nil
	}
	s.Change = func(cells []Cell) lockstep.Change {
		key, _ := s.MakeKey(cells)
		values := make([]value.Value, len(cells))
		for i := range cells {
			if text, ok := cellText(cells[i]); ok {
				values[i] = value.Text(text)
			}
		}
		return lockstep.Change{Record: lockstep.Record{Key: key, Fields: names.Fields(values)}}
	}
	return s
}

// cellText is a cell as the text protocol would give it; bytes as they are.
func cellText(c Cell) (string, bool) {
	switch c.Kind {
	case Int:
		return strconv.FormatInt(c.Int(), 10), true
	case Uint:
		return strconv.FormatUint(c.Uint(), 10), true
	case Float32:
		return strconv.FormatFloat(c.Float(), 'g', -1, 32), true
	case Float64:
		return strconv.FormatFloat(c.Float(), 'g', -1, 64), true
	case Text, Bytes:
		return string(c.Data()), true
	}
	return "", false
}

func (b *bench) page(from lockstep.Position, rows int) (lockstep.Page, error) {
	return b.feed.Changes(b.Context(), from, lockstep.Limit{Rows: rows, Bytes: 1 << 20}, b.shape)
}

func (b *bench) now() lockstep.Position {
	b.Helper()
	p, err := b.page(nil, 10)
	if err != nil {
		b.Fatal(err)
	}
	return p.Next
}

// all reads until the end of the log and shows the changes as texts: "+1 a b", "-2", "?3" for hints, "!..." for faults.
func (b *bench) all(from lockstep.Position, rows int) ([]string, lockstep.Position) {
	b.Helper()
	var out []string
	for range 100_000 {
		p, err := b.page(from, rows)
		if err != nil {
			b.Fatalf("from %s: %v", from, err)
		}
		if len(p.Changes) > rows {
			b.Fatalf("%d changes on a page of %d", len(p.Changes), rows)
		}
		for _, c := range p.Changes {
			out = append(out, show(c))
		}
		from = p.Next
		if len(p.Changes) == 0 && !p.More {
			return out, from
		}
	}
	b.Fatal("the log has no end")
	return nil, nil
}

func show(c lockstep.Change) string {
	switch {
	case c.Fault != nil:
		return "!" + string(c.Fault.Code)
	case c.Op == lockstep.Delete:
		return "-" + string(c.Record.Key)
	case c.Hint:
		return "?" + string(c.Record.Key)
	}
	texts := []string{}
	for _, v := range c.Record.Fields.Values() {
		if v.IsNull() {
			texts = append(texts, "NULL")
		} else {
			texts = append(texts, v.Text())
		}
	}
	return "+" + strings.Join(texts, "|")
}

func (b *bench) want(from lockstep.Position, want ...string) lockstep.Position {
	b.Helper()
	got, next := b.all(from, 100)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.Fatalf("got  %q\nwant %q", got, want)
	}
	return next
}

// wantLost reads on until the feed is lost.
func (b *bench) wantLost(from lockstep.Position) {
	b.Helper()
	for range 1000 {
		p, err := b.page(from, 100)
		if err != nil {
			if lockstep.KindOf(err) != lockstep.Lost {
				b.Fatalf("%v, want a fault of kind lost", err)
			}
			b.Log(err)
			return
		}
		if len(p.Changes) == 0 && !p.More {
			b.Fatalf("from %s nothing was lost", from)
		}
		from = p.Next
	}
}
