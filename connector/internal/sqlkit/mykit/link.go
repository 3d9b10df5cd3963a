package mykit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
)

// Link is a connection taken from a pool.
type Link struct{ conn *sql.Conn }

// Acquire takes a connection from a pool.
func Acquire(ctx context.Context, pool *sql.DB) (Link, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return Link{}, ConnectFault(err)
	}
	return Link{conn}, nil
}

// Release gives it back.
func (c Link) Release() { _ = c.conn.Close() } // a broken one is dropped by the pool

// ErrDrop ends rows early: so much is left that a new connection is cheaper than reading it.
var ErrDrop = errors.New("drop the connection")

// Rows runs a statement and hands out its rows; what is handed out is valid until the next row.
func (c Link) Rows(ctx context.Context, statement string, args []driver.Value, row func(cells []driver.Value) error) error {
	var failed error
	err := c.conn.Raw(func(conn any) error {
		failed = Query(ctx, conn.(driver.Conn), statement, args, row)
		if errors.Is(failed, ErrDrop) {
			return driver.ErrBadConn
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// Query runs a statement of a bare connection and hands out its rows.
func Query(ctx context.Context, conn driver.Conn, statement string, args []driver.Value, row func(cells []driver.Value) error) error {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, statement, named(args))
	if err != nil {
		return tooLong(err)
	}
	cells := make([]driver.Value, len(rows.Columns()))
	for {
		if err = rows.Next(cells); err != nil {
			break
		}
		if err = row(cells); err != nil {
			break
		}
	}
	if errors.Is(err, ErrDrop) { // closing it would read what is left
		return errors.Join(err, conn.Close())
	}
	closing := rows.Close()
	if err == io.EOF {
		return closing
	}
	return err
}

// Exec runs a statement without rows.
func (c Link) Exec(ctx context.Context, statement string, args ...driver.Value) (done driver.Result, err error) {
	failed := c.conn.Raw(func(conn any) error {
		done, err = conn.(driver.ExecerContext).ExecContext(ctx, statement, named(args))
		return nil
	})
	if err == nil {
		err = failed
	}
	return done, tooLong(err)
}

// Transaction does what it is given in a transaction.
func (c Link) Transaction(ctx context.Context, work func() error) error {
	if _, err := c.Exec(ctx, "START TRANSACTION"); err != nil {
		return err
	}
	err := work()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.rollback(ctx)
		return err
	}
	return c.commit(ctx)
}

// commit ends the transaction. Once COMMIT is sent, only an answer of the server says what became of it (law 5).
func (c Link) commit(ctx context.Context) error {
	_, err := c.Exec(ctx, "COMMIT")
	if err == nil {
		return nil
	}
	f := lockstep.FaultOf(Fault(err))
	if Answered(err) {
		return f
	}
	return f.Maybe()
}

func (c Link) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = c.Exec(ctx, "ROLLBACK") // if it fails, the connection is gone, and the transaction with it
}

// tooLong is the driver's word for a statement that is longer than it sends.
func tooLong(err error) error {
	if errors.Is(err, driver.ErrSkip) {
		return mysql.ErrPktTooLarge
	}
	return err
}

// One runs a statement that gives one row and returns its cells as texts.
func (c Link) One(ctx context.Context, statement string, args ...driver.Value) ([]string, error) {
	var out []string
	err := c.Rows(ctx, statement, args, func(cells []driver.Value) error {
		out = make([]string, len(cells))
		for i, v := range cells {
			out[i] = TextOf(v)
		}
		return nil
	})
	if err == nil && out == nil {
		err = lockstep.Faultf(lockstep.CodeInvariant, "a statement that gives one row gave none")
	}
	return out, err
}

func named(args []driver.Value) []driver.NamedValue {
	if len(args) == 0 {
		return nil
	}
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

// TextOf is a cell as text.
func TextOf(cell driver.Value) string { return string(AppendCell(nil, cell)) }

// AppendCell appends a cell as the server wrote it.
func AppendCell(b []byte, cell driver.Value) []byte {
	switch cell := cell.(type) {
	case nil:
		return b
	case []byte:
		return append(b, cell...)
	case string:
		return append(b, cell...)
	case int64:
		return strconv.AppendInt(b, cell, 10)
	case uint64:
		return strconv.AppendUint(b, cell, 10)
	case float32:
		return strconv.AppendFloat(b, float64(cell), 'g', -1, 32)
	case float64:
		return strconv.AppendFloat(b, cell, 'g', -1, 64)
	}
	return b
}
