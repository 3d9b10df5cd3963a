package mykit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
)

// ParseDSN reads a URL or the driver's own form.
func ParseDSN(text string) (*mysql.Config, error) {
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

// Fixed is a configuration in which what our readers and writers build on is not the user's to choose.
func Fixed(cfg *mysql.Config) *mysql.Config {
	cfg = cfg.Clone()
	cfg.InterpolateParams, cfg.ClientFoundRows = true, true
	cfg.ParseTime, cfg.MultiStatements, cfg.AllowAllFiles, cfg.ColumnsWithAlias, cfg.RejectReadOnly = false, false, false, false, false
	cfg.MaxAllowedPacket = 1 << 30 // statements are made to fit the server's
	cfg.Params, cfg.Collation = nil, ""
	cfg.Logger = &mysql.NopLogger{}
	cfg.Timeout = 10 * time.Second
	if cfg.ConnectionAttributes == "" {
		cfg.ConnectionAttributes = "program_name:lockstep"
	}
	return cfg
}

// NewPool is a pool of that many connections, each set up before its first use.
func NewPool(cfg *mysql.Config, size int, setUp func(context.Context, driver.Conn) error) (*sql.DB, error) {
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, lockstep.Faultf(lockstep.CodeConfig, "the dsn has a setting that the driver does not take")
	}
	db := sql.OpenDB(&opener{inner: inner, setUp: setUp, timeout: cfg.Timeout})
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(time.Minute) // before wait_timeout, and what stands between us, drop it
	db.SetConnMaxLifetime(time.Hour)
	return db, nil
}

type opener struct {
	inner   driver.Connector
	setUp   func(context.Context, driver.Conn) error
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

// SessionSQL is what all sessions have. Zero for an AUTO_INCREMENT column means zero, as everywhere; notes are no
// warnings; values that do not fit are errors.
const SessionSQL = "SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', " +
	"autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_notes = 0, sql_safe_updates = 0, sql_select_limit = DEFAULT"
