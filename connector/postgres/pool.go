package postgres

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// setup sets what our parsers and encoders build on. The time zone that the session began with is kept: it is
// where the server's own applications write times without a zone.
const setup = `SELECT set_config('lockstep.zone', current_setting('TimeZone'), false);
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex';
SET extra_float_digits = 1; SET client_min_messages = error; SET standard_conforming_strings = on`

func newPool(s lockstep.Settings, o sqlkit.Options, write bool) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(s.Text("dsn"))
	if err != nil { // its text shows most of the DSN (law 12)
		return nil, lockstep.Faultf(lockstep.CodeConfig, "the dsn cannot be understood; it looks like postgres://user:password@host:5432/database")
	}
	cfg.MaxConns = int32(max(2, min(s.Int("pool"), 100)))
	cfg.MinConns = 0
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	if d := s.Duration("connect_timeout"); d > 0 {
		cfg.ConnConfig.ConnectTimeout = d
	}
	params := cfg.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "lockstep"
	}
	params["client_encoding"] = "UTF8"
	commands := setup + fmt.Sprintf("; SET statement_timeout = %s", strconv.FormatInt(o.Timeout.Milliseconds(), 10))
	if !write {
		commands += "; SET default_transaction_read_only = on"
	}
	// The driver reads 8 KiB at a time; fewer, larger reads save a tenth of our time.
	cfg.ConnConfig.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, 64<<10), w)
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, commands).ReadAll()
		return err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, fault(err)
	}
	return pool, nil
}

// link is a connection taken from a pool.
type link struct {
	conn *pgxpool.Conn
	pg   *pgconn.PgConn
}

func (s *System) acquire(ctx context.Context, pool *pgxpool.Pool) (link, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return link{}, connectFault(err)
	}
	return link{conn, conn.Conn().PgConn()}, nil
}

func (c link) release() { c.conn.Release() }

// rows runs a statement and hands out its rows; what is handed out is valid until the next row.
func (c link) rows(ctx context.Context, sql string, args [][]byte, row func(cells [][]byte) error) error {
	rr := c.pg.ExecParams(ctx, sql, args, nil, nil, nil)
	var failed error
	for failed == nil && rr.NextRow() {
		failed = row(rr.Values())
	}
	_, err := rr.Close()
	if failed != nil {
		return failed
	}
	return err
}

// one runs a statement that gives one row and returns its cells as texts.
func (c link) one(ctx context.Context, sql string, args ...string) ([]string, error) {
	var out []string
	err := c.rows(ctx, sql, bytesOf(args), func(cells [][]byte) error {
		out = make([]string, len(cells))
		for i, b := range cells {
			out[i] = string(b)
		}
		return nil
	})
	return out, err
}

func bytesOf(texts []string) [][]byte {
	out := make([][]byte, len(texts))
	for i, s := range texts {
		out[i] = []byte(s)
	}
	return out
}
