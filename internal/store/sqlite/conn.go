package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
)

// conn is one connection with its prepared statements. It speaks to the driver below database/sql, which would cost
// about as much per row as SQLite itself. It is for one goroutine at a time, inside sql.Conn.Raw.
type conn struct {
	held  *sql.Conn
	dc    driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

func newConn(ctx context.Context, db *sql.DB) (*conn, error) {
	held, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{held: held, stmts: map[string]driver.Stmt{}}
	return c, held.Raw(func(dc any) error {
		c.dc = dc.(driver.Conn)
		return nil
	})
}

// use runs f while the connection is ours.
func (c *conn) use(f func() error) error {
	return c.held.Raw(func(any) error { return f() })
}

// close drops the statements and gives the connection back to be closed. What was not committed is gone.
func (c *conn) close() error {
	err := c.use(func() error {
		var errs []error
		for _, s := range c.stmts {
			errs = append(errs, s.Close())
		}
		return errors.Join(errs...)
	})
	return errors.Join(err, c.held.Close())
}

func (c *conn) stmt(query string) (driver.Stmt, error) {
	s := c.stmts[query]
	if s == nil {
		var err error
		if s, err = c.dc.Prepare(query); err != nil {
			return nil, err
		}
		c.stmts[query] = s
	}
	return s, nil
}

// bind puts args into the connection's own list: the driver does not keep it.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case bool:
			a = int64(0)
			if v {
				a = int64(1)
			}
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// exec runs a statement and says how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query hands each row to scan. The row is used again for the next one; its texts and blobs are the caller's.
func (c *conn) query(query string, args []any, scan func(row []driver.Value) error) error {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.bind(args))
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err = rows.Next(row); err != nil {
			break
		}
		if err = scan(row); err != nil {
			break
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

// number is the first column of the first row, 0 for none or null.
func (c *conn) number(query string, args ...any) (n int64, err error) {
	err = c.query(query, args, func(row []driver.Value) error {
		n = whole(row[0])
		return nil
	})
	return n, err
}

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
func (c *conn) insert(in inserter, n int, fill func(args []any, i int) []any) (int64, error) {
	var changed int64
	var args []any
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
		k, err := c.exec(query, args...)
		if err != nil {
			return changed, err
		}
		changed += k
	}
	return changed, nil
}

func whole(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func str(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func blob(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}

// orNull is s, or null where it is empty.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
