package wal

import (
	"context"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Conn is a connection that replication can be started on.
//
// The driver may have a read in flight when it hands a connection over: where one of its writes took long, a goroutine
// of it reads meanwhile, and goes on until that read has brought something. Who read from the socket beside it would
// miss those bytes, be it the half of a message or whole transactions. So all that comes is read through the driver's
// own reader, which has what that goroutine read.
type Conn struct {
	*pgconn.PgConn
	in io.Reader
}

// Connect opens a connection for replication.
func Connect(ctx context.Context, cfg *pgconn.Config) (*Conn, error) {
	c, cfg := &Conn{}, cfg.Copy()
	cfg.RuntimeParams["replication"] = "database"
	cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		c.in = r // the last call is for the connection that is kept
		return pgproto3.NewFrontend(r, w)
	}
	var err error
	c.PgConn, err = pgconn.ConnectConfig(ctx, cfg)
	return c, err
}

// takeOver is the connection to write to. What was read of it and not looked at comes by c.in.
func (c *Conn) takeOver(ctx context.Context) (net.Conn, error) {
	for c.Frontend().ReadBufferLen() > 0 { // a notice, say, that came behind the last answer
		if _, err := c.ReceiveMessage(ctx); err != nil {
			return nil, err
		}
	}
	raw, err := c.Hijack()
	if err != nil {
		return nil, err
	}
	return raw.Conn, nil
}
