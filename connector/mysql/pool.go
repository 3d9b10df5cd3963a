package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
)

// parseDSN reads a URL or the driver's own form.
func parseDSN(text string) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(text)
	if scheme, rest, ok := strings.Cut(text, "://"); ok && (scheme == "mysql" || scheme == "mariadb") {
		cfg, err = parseURL("mysql://" + rest)
	}
	if err != nil { // its text may show parts of the DSN (law 12)
		return nil, lockstep.Faultf(lockstep.CodeConfig, "the dsn cannot be understood; it looks like mysql://user:password@host:3306/database")
	}
	if cfg.DBName == "" {
		return nil, lockstep.Faultf(lockstep.CodeConfig, "the dsn names no database; it looks like mysql://user:password@host:3306/database")
	}
	return cfg, nil
}

func parseURL(text string) (*mysql.Config, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	place := "tcp(" + u.Host + ")"
	if socket := query.Get("socket"); socket != "" {
		place = "unix(" + socket + ")"
		query.Del("socket")
	} else if u.Port() == "" {
		place = "tcp(" + u.Host + ":3306)"
	}
	cfg, err := mysql.ParseDSN(place + "/" + strings.TrimPrefix(u.EscapedPath(), "/") + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	return cfg, nil
}

func (s *System) newPool(cfg *mysql.Config, settings lockstep.Settings, write bool) (*sql.DB, error) {
	cfg = cfg.Clone()
	// What our readers and writers build on is not the user's to choose.
	cfg.InterpolateParams, cfg.ClientFoundRows = true, true
	cfg.ParseTime, cfg.MultiStatements, cfg.AllowAllFiles, cfg.ColumnsWithAlias, cfg.RejectReadOnly = false, false, false, false, false
	cfg.MaxAllowedPacket = 1 << 30 // statements are made to fit the server's
	cfg.Params, cfg.Collation = nil, ""
	cfg.Logger = &mysql.NopLogger{}
	cfg.Timeout = 10 * time.Second
	if d := settings.Duration("connect_timeout"); d > 0 {
		cfg.Timeout = d
	}
	if cfg.ConnectionAttributes == "" {
		cfg.ConnectionAttributes = "program_name:lockstep"
	}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, lockstep.Faultf(lockstep.CodeConfig, "the dsn has a setting that the driver does not take")
	}
	db := sql.OpenDB(&opener{inner: inner, sys: s, write: write, timeout: cfg.Timeout})
	size := int(max(2, min(settings.Int("pool"), 100)))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(time.Minute) // before wait_timeout, and what stands between us, drop it
	db.SetConnMaxLifetime(time.Hour)
	return db, nil
}

// opener makes connections with the session settings that we need.
type opener struct {
	inner   driver.Connector
	sys     *System
	write   bool
	timeout time.Duration
}

func (o *opener) Driver() driver.Driver { return o.inner.Driver() }

func (o *opener) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	conn, err := o.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.setUp(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// sessionSQL is what all sessions have. Zero for an AUTO_INCREMENT column means zero, as everywhere; notes are no
// warnings; values that do not fit are errors.
const sessionSQL = "SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', " +
	"autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_notes = 0, sql_safe_updates = 0, sql_select_limit = DEFAULT"

func (o *opener) setUp(ctx context.Context, conn driver.Conn) error {
	facts, err := o.sys.learn(ctx, conn)
	if err != nil {
		return err
	}
	session := sessionSQL
	if timeout := o.sys.options.Timeout; timeout > 0 && facts.maria {
		session += ", max_statement_time = " + strconv.FormatFloat(timeout.Seconds(), 'f', 3, 64)
	} else if timeout > 0 && !o.write {
		session += ", max_execution_time = " + strconv.FormatInt(timeout.Milliseconds(), 10)
	}
	if facts.maria { // it would make a subquery of a long list of keys
		session += ", in_predicate_conversion_threshold = 0"
	}
	// Read committed: a row that is not there is not locked. With a binary log of statements the server refuses to
	// write so.
	isolation := "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
	if facts.statements && o.write {
		isolation = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
	}
	if !o.write {
		isolation += ", READ ONLY"
	}
	for _, statement := range []string{session, isolation} {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

// facts are what is to be known of the server.
type facts struct {
	maria      bool
	version    int    // 10.11.4 is 101104
	packet     int    // max_allowed_packet
	zone       string // in which applications that set none write DATETIME
	statements bool   // the binary log keeps statements
	infile     bool   // LOAD DATA LOCAL is allowed
}

const factsSQL = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'max_allowed_packet', 'time_zone', 'log_bin', 'binlog_format', 'local_infile')`

// learn asks for the server's facts once, and again after a while: they are settings that can be changed.
func (s *System) learn(ctx context.Context, conn driver.Conn) (*facts, error) {
	var f facts
	logs := map[string]string{}
	err := query(ctx, conn, factsSQL, nil, func(cells []driver.Value) error {
		name, text := strings.ToLower(textOf(cells[0])), textOf(cells[1])
		switch name {
		case "version":
			f.maria, f.version = strings.Contains(text, "MariaDB"), versionNumber(text)
		case "max_allowed_packet":
			f.packet, _ = strconv.Atoi(text)
		case "time_zone":
			f.zone = text
		case "local_infile":
			f.infile = text == "ON"
		default:
			logs[name] = text
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.statements = logs["log_bin"] == "ON" && logs["binlog_format"] == "STATEMENT"
	if f.packet == 0 {
		f.packet = 1 << 20
	}
	s.mu.Lock()
	s.facts = &f
	s.mu.Unlock()
	return &f, nil
}

// known are the facts; there is a connection already.
func (s *System) known() *facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts
}

// versionNumber reads "10.11.4-MariaDB-log", and the "5.5.5-" that old MariaDB puts in front.
func versionNumber(text string) int {
	var major, minor, patch int
	_, _ = fmt.Sscanf(strings.TrimPrefix(text, "5.5.5-"), "%d.%d.%d", &major, &minor, &patch) // what is not there is 0
	return major*10000 + minor*100 + patch
}

// link is a connection taken from a pool.
type link struct{ conn *sql.Conn }

func (s *System) acquire(ctx context.Context, pool *sql.DB) (link, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return link{}, connectFault(err)
	}
	return link{conn}, nil
}

func (c link) release() { _ = c.conn.Close() } // a broken one is dropped by the pool

// errDrop ends rows early: so much is left that a new connection is cheaper than reading it.
var errDrop = errors.New("drop the connection")

// rows runs a statement and hands out its rows; what is handed out is valid until the next row.
func (c link) rows(ctx context.Context, statement string, args []driver.Value, row func(cells []driver.Value) error) error {
	var failed error
	err := c.conn.Raw(func(conn any) error {
		failed = query(ctx, conn.(driver.Conn), statement, args, row)
		if errors.Is(failed, errDrop) {
			return driver.ErrBadConn
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	return err
}

func query(ctx context.Context, conn driver.Conn, statement string, args []driver.Value, row func(cells []driver.Value) error) error {
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
	if errors.Is(err, errDrop) { // closing it would read what is left
		return errors.Join(err, conn.Close())
	}
	closing := rows.Close()
	if err == io.EOF {
		return closing
	}
	return err
}

// exec runs a statement without rows.
func (c link) exec(ctx context.Context, statement string, args ...driver.Value) (done driver.Result, err error) {
	failed := c.conn.Raw(func(conn any) error {
		done, err = conn.(driver.ExecerContext).ExecContext(ctx, statement, named(args))
		return nil
	})
	if err == nil {
		err = failed
	}
	return done, tooLong(err)
}

// tooLong is the driver's word for a statement that is longer than it sends.
func tooLong(err error) error {
	if errors.Is(err, driver.ErrSkip) {
		return mysql.ErrPktTooLarge
	}
	return err
}

// one runs a statement that gives one row and returns its cells as texts.
func (c link) one(ctx context.Context, statement string, args ...driver.Value) ([]string, error) {
	var out []string
	err := c.rows(ctx, statement, args, func(cells []driver.Value) error {
		out = make([]string, len(cells))
		for i, v := range cells {
			out[i] = textOf(v)
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

// quote is name as a quoted identifier.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
