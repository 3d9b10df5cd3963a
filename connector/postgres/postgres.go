// Package postgres connects PostgreSQL databases, version 12 and later.
//
// Rows are read by keyset paging and taken from the wire as text, without a detour by Go types; many rows are written
// by COPY into a staging table and one INSERT … ON CONFLICT. Reading happens in sessions that are read-only. Sessions
// carry settings, so a pooler in front must pool by session.
package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Connector opens PostgreSQL databases.
var Connector lockstep.Connector = connector{}

type connector struct{}

func (connector) Spec() lockstep.Spec {
	return lockstep.Spec{
		Kind:     "postgres",
		Summary:  "PostgreSQL databases. Tables, views and materialized views are streams.",
		Source:   true,
		Target:   true,
		Trackers: []lockstep.Tracker{lockstep.Timestamp, lockstep.Version, lockstep.Flag, lockstep.Trigger, lockstep.Log, lockstep.Snapshot},
		Settings: sqlkit.Settings(
			lockstep.Setting{Name: "dsn", Type: lockstep.TextSetting, Required: true, Secret: true,
				Help: "How to connect: postgres://user:password@host:5432/database?sslmode=verify-full"},
			lockstep.Setting{Name: "schema", Type: lockstep.TextSetting,
				Help: "The schema whose tables are named without it; others are schema.table. Without it, the first of the search path."},
			lockstep.Setting{Name: "pool", Type: lockstep.IntSetting, Default: int64(4), Help: "The most connections for reading, and the most for writing."},
			lockstep.Setting{Name: "connect_timeout", Type: lockstep.DurationSetting, Default: 10 * time.Second, Help: "How long to wait for a connection."},
		),
		Example: "type: postgres\ndsn: ${SHOP_DSN}\nstreams:\n  orders:\n    key: [order_no]\n",
	}
}

// Open checks the settings; the first use connects.
func (connector) Open(_ context.Context, s lockstep.Settings) (lockstep.System, error) {
	if s.Text("dsn") == "" {
		return nil, lockstep.Faultf(lockstep.CodeConfig, "postgres needs a dsn")
	}
	sys := &System{options: sqlkit.ReadOptions(s), schema: s.Text("schema"), cursors: map[*sqlkit.Plan]*cursor{}}
	for _, p := range []struct {
		pool  **pgxpool.Pool
		write bool
	}{{&sys.reader, false}, {&sys.writer, true}} {
		pool, err := newPool(s, sys.options, p.write)
		if err != nil {
			_ = sys.Close()
			return nil, err
		}
		*p.pool = pool
	}
	sys.listener.dial = func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, sys.reader.Config().ConnConfig)
	}
	return sys, nil
}

// System is an open database.
type System struct {
	options sqlkit.Options
	schema  string
	reader  *pgxpool.Pool
	writer  *pgxpool.Pool
	plans   sqlkit.Plans

	unacked  sqlkit.Unacked[changed]
	held     sqlkit.Held
	listener listener

	mu     sync.Mutex
	tables map[string]*sqlkit.Table
	wastes map[string]waste     // by change table
	wholes map[string]time.Time // when a change table was last seen to be whole, with its triggers
	direct map[string]bool      // streams found empty: COPY goes straight into them
	// cursors are those of sweeps under way; nil once the system is closed.
	cursors map[*sqlkit.Plan]*cursor
	logs    map[string]*logFeed // by slot
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
	s.closeCursors()
	s.listener.close()
	s.closeLogs()
	for _, pool := range []*pgxpool.Pool{s.reader, s.writer} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
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
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "there is no table or view for stream %q, or the user may neither read nor write it", stream).
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
