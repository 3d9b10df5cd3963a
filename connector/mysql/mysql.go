// Package mysql connects MariaDB, version 10.5 and later, and MySQL, version 5.7 and later.
//
// Rows are read by keyset paging and taken from the wire as they are; many rows are written by LOAD DATA into an empty
// table, and by statements of many rows otherwise. Reading happens in sessions that are read-only. Sessions carry
// settings, so a proxy in front must pool by session.
package mysql

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// Connector opens MariaDB and MySQL databases.
var Connector lockstep.Connector = connector{}

type connector struct{}

func (connector) Spec() lockstep.Spec {
	return lockstep.Spec{
		Kind:     "mysql",
		Summary:  "MariaDB and MySQL databases. Tables and views are streams.",
		Source:   true,
		Target:   true,
		Trackers: []lockstep.Tracker{lockstep.Timestamp, lockstep.Version, lockstep.Flag, lockstep.Trigger, lockstep.Log, lockstep.Snapshot},
		Settings: sqlkit.Settings(
			lockstep.Setting{Name: "dsn", Type: lockstep.TextSetting, Required: true, Secret: true,
				Help: "How to connect: mysql://user:password@host:3306/database?tls=true, or user:password@tcp(host:3306)/database. A socket: mysql://user@/database?socket=/run/mysqld/mysqld.sock"},
			lockstep.Setting{Name: "zero_dates", Type: lockstep.TextSetting, Default: "null", Choices: []string{"null", "park"},
				Help: "What a date such as 0000-00-00 or 2026-00-00 is: null, or a reason to park its record (LS-VALUE)."},
			lockstep.Setting{Name: "pool", Type: lockstep.IntSetting, Default: int64(4), Help: "The most connections for reading, and the most for writing."},
			lockstep.Setting{Name: "connect_timeout", Type: lockstep.DurationSetting, Default: 10 * time.Second, Help: "How long to wait for a connection."},
		),
		Example: "type: mysql\ndsn: ${SHOP_DSN}\nstreams:\n  orders:\n    key: [order_no]\n",
	}
}

// Open checks the settings; the first use connects.
func (connector) Open(_ context.Context, s lockstep.Settings) (lockstep.System, error) {
	if s.Text("dsn") == "" {
		return nil, lockstep.Faultf(lockstep.CodeConfig, "mysql needs a dsn")
	}
	cfg, err := mykit.ParseDSN(s.Text("dsn"))
	if err != nil {
		return nil, err
	}
	sys := &System{options: sqlkit.ReadOptions(s), database: cfg.DBName, park: s.Text("zero_dates") == "park", counting: make(chan struct{}, 1)}
	for _, p := range []struct {
		pool  **sql.DB
		write bool
	}{{&sys.reader, false}, {&sys.writer, true}} {
		if *p.pool, err = sys.newPool(cfg, s, p.write); err != nil {
			_ = sys.Close()
			return nil, err
		}
	}
	sys.log.server.DB, sys.log.server.Address = sys.reader, logAddress(cfg)
	return sys, nil
}

// System is an open database.
type System struct {
	options  sqlkit.Options
	database string
	park     bool // a zero date parks its record
	reader   *sql.DB
	writer   *sql.DB
	plans    sqlkit.Plans
	log      logFeeds

	mu     sync.Mutex
	facts  *facts // of the server, once connected
	tables map[string]*sqlkit.Table
	direct map[string]bool // streams found empty: LOAD DATA goes straight into them

	unacked  sqlkit.Unacked[changed]
	counting chan struct{} // holds who takes a census
	counted  *census       // the last one
}

var (
	_ lockstep.Source    = (*System)(nil)
	_ lockstep.Acker     = (*System)(nil)
	_ lockstep.Waiter    = (*System)(nil)
	_ lockstep.Installer = (*System)(nil)
	_ lockstep.Examiner  = (*System)(nil)
	_ lockstep.Target    = (*System)(nil)
	_ lockstep.Creator   = (*System)(nil)
)

// Close closes all connections.
func (s *System) Close() error {
	s.log.close()
	var errs []error
	for _, pool := range []*sql.DB{s.reader, s.writer} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// limit is ctx with the statement timeout.
func (s *System) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.options.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, s.options.Timeout)
}

// table is the table behind a stream, from what was discovered before if possible.
func (s *System) table(ctx context.Context, stream string) (*sqlkit.Table, error) {
	s.mu.Lock()
	t := s.tables[stream]
	s.mu.Unlock()
	if t != nil {
		return t, nil
	}
	tables, err := s.discover(ctx)
	if err != nil {
		return nil, err
	}
	if t = tables[stream]; t == nil {
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "there is no table or view for stream %q in this database, or the user has no right to it", stream).
			On(lockstep.About{Stream: stream})
	}
	return t, nil
}

// forget makes the next use discover the tables again.
func (s *System) forget() {
	s.mu.Lock()
	s.tables = nil
	s.mu.Unlock()
}
