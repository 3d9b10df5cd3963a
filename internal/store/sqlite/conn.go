package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// conn is one connection with its prepared statements. It is for one goroutine at a time.
type conn struct {
	*native
	stmts map[string]*statement
}

// pragmas are what every connection begins with.
var pragmas = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(OFF)", "temp_store(MEMORY)"}

// The page caches, in KiB. The writer's holds the upper pages of every index, and what it writes until it commits; a
// reader's need only be as large as the ranges that it reads: 8 MiB each made nothing faster and 16 MiB more of the process.
const (
	writerCache = 4000
	readerCache = 2000
)

func newConn(path string, cache int) (*conn, error) {
	n, err := openNative(path)
	if err != nil {
		return nil, err
	}
	c := &conn{native: n, stmts: map[string]*statement{}}
	for _, p := range append(pragmas, fmt.Sprintf("cache_size(-%d)", cache)) {
		if err := c.query("PRAGMA "+p, nil, nil); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// close drops the statements and closes the connection. What was not committed is gone.
func (c *conn) close() {
	for _, s := range c.stmts {
		s.finalize()
	}
	c.native.close()
}

func (c *conn) stmt(query string) (*statement, error) {
	s := c.stmts[query]
	if s == nil {
		var err error
		if s, err = c.prepare(query); err != nil {
			return nil, err
		}
		c.stmts[query] = s
	}
	return s, nil
}

// arg is an argument of a statement. The zero arg is null.
type arg struct {
	kind   argKind
	number int64
	text   string
}

type argKind uint8

const (
	argNull argKind = iota
	argNumber
	argText
	argBlob
)

func number(n int64) arg { return arg{kind: argNumber, number: n} }
func text(s string) arg  { return arg{kind: argText, text: s} }

func truth(b bool) arg {
	if b {
		return number(1)
	}
	return number(0)
}

// orNull is a text, or null where it is empty.
func orNull(s string) arg {
	if s == "" {
		return arg{}
	}
	return text(s)
}

// blobOrNull is a blob, or null where it is empty.
func blobOrNull[T ~string](s T) arg {
	if s == "" {
		return arg{}
	}
	return arg{kind: argBlob, text: string(s)}
}

// micros is a moment as the tables hold it; null for the zero time.
func micros(t time.Time) arg {
	if t.IsZero() {
		return arg{}
	}
	return number(t.UnixMicro())
}

// argsOf takes what is not hot in its own types.
func argsOf(values []any) []arg {
	args := make([]arg, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
		case arg:
			args[i] = v
		case int:
			args[i] = number(int64(v))
		case int64:
			args[i] = number(v)
		case bool:
			args[i] = truth(v)
		case string:
			args[i] = text(v)
		case []byte:
			args[i] = arg{kind: argBlob, text: string(v)}
		default:
			panic(fmt.Sprintf("sqlite: an argument of type %T", v)) // of a statement of ours
		}
	}
	return args
}

// exec runs a statement and says how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) { return c.execArgs(query, argsOf(args)) }

func (c *conn) execArgs(query string, args []arg) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	if err := s.run(args, nil); err != nil {
		return 0, err
	}
	return c.changes(), nil
}

// query hands each row to scan.
func (c *conn) query(query string, args []any, scan func(row cells) error) error {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	return s.run(argsOf(args), scan)
}

// one is the first column of the first row, 0 for none or null.
func (c *conn) one(query string, args ...any) (n int64, err error) {
	err = c.query(query, args, func(row cells) error {
		n = row.number(0)
		return errEnough
	})
	if err == errEnough {
		err = nil
	}
	return n, err
}

var errEnough = errors.New("enough")

// bulk is how many rows go into one statement, and spread makes the text of such a statement. There are only two
// forms of each, for a full bulk and for one row, so that few statements are kept.
const bulk = 40

func spread(head, row, tail string, n int) string {
	return head + strings.Repeat(row+",", n-1) + row + tail
}

// inserter is a statement in its two forms.
type inserter struct{ many, one string }

func newInserter(head, row, tail string) inserter {
	return inserter{spread(head, row, tail, bulk), spread(head, row, tail, 1)}
}

// insert runs the statement over n rows; fill appends the arguments of row i. It says how many rows were changed.
func (c *conn) insert(in inserter, n int, fill func(args []arg, i int) []arg) (int64, error) {
	var changed int64
	var args []arg
	for i := 0; i < n; {
		size, query := 1, in.one
		if n-i >= bulk {
			size, query = bulk, in.many
		}
		args = args[:0]
		for range size {
			args = fill(args, i)
			i++
		}
		k, err := c.execArgs(query, args)
		if err != nil {
			return changed, err
		}
		changed += k
	}
	return changed, nil
}
