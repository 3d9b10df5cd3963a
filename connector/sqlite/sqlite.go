// Package sqlite connects SQLite databases: a file, by the pure Go driver.
//
// A source is read through connections that cannot write, a target is written through one. Reading goes on while
// somebody writes where the file is in WAL mode; otherwise both wait for each other up to busy_timeout.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Connector opens SQLite files.
var Connector lockstep.Connector = connector{}

type connector struct{}

func (connector) Spec() lockstep.Spec {
	return lockstep.Spec{
		Kind:     "sqlite",
		Summary:  "SQLite database files. Tables and views are streams.",
		Source:   true,
		Target:   true,
		Trackers: []lockstep.Tracker{lockstep.Timestamp, lockstep.Version, lockstep.Flag, lockstep.Trigger, lockstep.Snapshot},
		Settings: sqlkit.Settings(
			lockstep.Setting{Name: "path", Type: lockstep.TextSetting, Required: true, Help: "The database file."},
			lockstep.Setting{Name: "create", Type: lockstep.BoolSetting, Help: "Make the file where it is missing; for a target."},
			lockstep.Setting{Name: "busy_timeout", Type: lockstep.DurationSetting, Default: 5 * time.Second,
				Help: "How long to wait for a lock that somebody else holds."},
			lockstep.Setting{Name: "pool", Type: lockstep.IntSetting, Default: int64(4), Help: "The most connections that read at a time."},
		),
		Example: "type: sqlite\npath: shop.db\ncreate: true\n",
	}
}

// Open checks the settings; the file is opened by the first use.
func (connector) Open(_ context.Context, s lockstep.Settings) (lockstep.System, error) {
	path := s.Text("path")
	if path == "" {
		return nil, lockstep.Faultf(lockstep.CodeConfig, "sqlite needs a path")
	}
	busy := s.Duration("busy_timeout")
	if busy <= 0 {
		busy = 5 * time.Second
	}
	return &System{
		options: sqlkit.ReadOptions(s), path: path, create: s.Bool("create"), busy: busy, pool: max(1, int(s.Int("pool"))),
	}, nil
}

// System is an open database file.
type System struct {
	options sqlkit.Options
	path    string
	create  bool
	busy    time.Duration
	pool    int
	plans   sqlkit.Plans
	unacked sqlkit.Unacked[changed]
	marked  sqlkit.Unacked[markedRows]
	watcher watcher

	mu      sync.Mutex
	reader  *sql.DB
	writer  *sql.DB
	tables  map[string]*sqlkit.Table
	tracked map[string]*trackedColumn
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

// Close closes the file.
func (s *System) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer, s.watcher.close()} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	s.reader, s.writer = nil, nil
	return errors.Join(errs...)
}

// read is the database for reading.
func (s *System) read() (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader != nil {
		return s.reader, nil
	}
	if err := s.exists(); err != nil {
		return nil, err
	}
	s.rollBack()
	db, err := s.open("ro", "query_only(1)")
	if err != nil {
		return nil, fault(err)
	}
	db.SetMaxOpenConns(s.pool)
	db.SetMaxIdleConns(s.pool)
	s.reader = db
	return db, nil
}

// rollBack ends the transaction of a process that died while it wrote, ours among them: a reader finds its journal and
// may not. It is a look that writes only where one is needed, and where it fails the reader says why.
func (s *System) rollBack() {
	if _, err := os.Stat(s.path + "-journal"); err != nil {
		return
	}
	if db, err := s.open("rw", "query_only(1)"); err == nil {
		var n int64
		_ = db.QueryRowContext(context.Background(), "SELECT count(*) FROM sqlite_schema").Scan(&n)
		_ = db.Close()
	}
}

// write is the database for writing: one connection, so that our own writes queue up here and not at the file's lock.
func (s *System) write() (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer != nil {
		return s.writer, nil
	}
	if err := s.exists(); err != nil {
		return nil, err
	}
	db, err := s.open("rw", "foreign_keys(1)")
	if err != nil {
		return nil, fault(err)
	}
	db.SetMaxOpenConns(1)
	s.writer = db
	return db, nil
}

// exists makes sure that there is a file: SQLite itself would tell a missing one only by "unable to open".
func (s *System) exists() error {
	_, err := os.Stat(s.path)
	if errors.Is(err, os.ErrNotExist) && s.create {
		f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o640)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return lockstep.NewFault(lockstep.CodeFile, err)
		}
		return nil
	}
	if err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	return nil
}

func (s *System) open(mode, pragma string) (*sql.DB, error) {
	query := url.Values{"mode": {mode}}
	query.Add("_pragma", "busy_timeout("+strconv.FormatInt(s.busy.Milliseconds(), 10)+")")
	query.Add("_pragma", pragma)
	return sql.Open("sqlite", "file:"+(&url.URL{Path: s.path}).EscapedPath()+"?"+query.Encode())
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
	if _, err := s.discover(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t = s.tables[stream]; t == nil {
		return nil, lockstep.Faultf(lockstep.CodeNoStream, "there is no table or view for stream %q", stream).On(lockstep.About{Stream: stream})
	}
	return t, nil
}

// forget makes the next use discover the tables again.
func (s *System) forget() {
	s.mu.Lock()
	s.tables = nil
	s.mu.Unlock()
}
