// Package sqlite is the store that comes with lockstep: one SQLite file in WAL mode, synced at every commit. One
// process owns it (a lock file beside it), so leases live in memory. One goroutine writes: it gathers the calls that
// wait into one transaction, each under a savepoint of its own, so that an fsync is shared and one failing call does
// not fail its neighbours. Reads go by a few connections of their own.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	lockstep "github.com/lockstep-sync/lockstep"
)

// Options are the settings of a store; the zero Options are good.
type Options struct {
	// Readers is how many connections read; 0 is 2.
	Readers int
	// Retention is how long the timeline is kept: older days are dropped at Open, and when a new day begins. 0 keeps
	// them until Prune is called.
	Retention time.Duration
	// Hook is called by the writer at the points named by the Point constants. A panic out of it leaves the store as
	// a kill would: the call's group is neither committed nor rolled back, and every later call fails. Then Abandon it.
	Hook func(point string)
}

// The points of a write, for Options.Hook.
const (
	PointBegin     = "begin"     // before the transaction begins
	PointSavepoint = "savepoint" // after the work of one call of the group
	PointCommit    = "commit"    // before the commit
	PointCommitted = "committed" // after the commit, before anybody is told
)

// Points are all points in their order.
var Points = []string{PointBegin, PointSavepoint, PointCommit, PointCommitted}

// Store implements lockstep.Store in a SQLite file.
type Store struct {
	opts   Options
	lock   *os.File
	writer *conn

	readers chan *conn // those that are free
	calls   chan *call
	closing chan struct{}
	ended   chan struct{} // the writer has gone
	once    sync.Once
	dead    atomic.Bool   // the hook panicked, or Abandon was called
	died    chan struct{} // closed when the hook panicked

	memory
}

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the store in the file at path, and makes or migrates it as needed. Its fault has CodeStoreLocked where
// another process owns it, CodeStoreVersion where a newer lockstep wrote it.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if opts.Readers <= 0 {
		opts.Readers = 2
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, lockstep.NewFault(lockstep.CodeStore, err)
	}
	held, err := lock(abs + ".lock")
	if err != nil {
		return nil, err
	}
	s := &Store{opts: opts, lock: held, readers: make(chan *conn, opts.Readers), calls: make(chan *call),
		closing: make(chan struct{}), ended: make(chan struct{}), died: make(chan struct{})}
	if err := s.open(ctx, abs); err != nil {
		s.disconnect()
		_ = held.Close()
		return nil, fault(err)
	}
	go s.write()
	return s, nil
}

// open makes the connections and reads what the store keeps in memory.
func (s *Store) open(ctx context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // before SQLite makes it readable for others
	if err != nil {
		return err
	}
	_ = f.Close()
	if err := migrate(ctx, path); err != nil {
		return err
	}
	if s.writer, err = newConn(path, writerCache); err != nil {
		return err
	}
	for range s.opts.Readers {
		c, err := newConn(path, readerCache)
		if err != nil {
			return err
		}
		s.readers <- c
	}
	return s.load(s.writer, s.opts.Retention)
}

// migrate makes or migrates the tables. It goes by database/sql, as goose does, and is done with it when it returns.
func migrate(ctx context.Context, path string) (err error) {
	v := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"}, "_dqs": {"0"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: v.Encode()}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithTableName("schema_versions"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > knows {
		return lockstep.Faultf(lockstep.CodeStoreVersion, "the store has schema %d, this lockstep knows %d", has, knows)
	}
	if has == knows {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	return nil
}

// disconnect closes what an Open that failed had opened.
func (s *Store) disconnect() {
	if s.writer != nil {
		s.writer.close()
	}
	for len(s.readers) > 0 {
		(<-s.readers).close()
	}
}

// Close lets the writer finish what waits and closes the store. Whoever waits in Wait gets an error.
func (s *Store) Close() error { return s.shut(false) }

// Abandon closes the store as a kill would: what is not committed is gone. It is meant for tests of crashes.
func (s *Store) Abandon() error { return s.shut(true) }

func (s *Store) shut(kill bool) (err error) {
	s.once.Do(func() {
		if kill {
			s.dead.Store(true)
		}
		close(s.closing)
		<-s.ended
		idle := make([]*conn, s.opts.Readers)
		for i := range idle {
			idle[i] = <-s.readers // once its reader is done
		}
		for _, c := range append(idle, s.writer) {
			c.close()
		}
		if own := s.lock.Close(); !kill {
			err = fault(own)
		}
	})
	return err
}

// alive is the error of a call that comes too late.
func (s *Store) alive(ctx context.Context) error {
	select {
	case <-s.closing:
		return closed()
	case <-s.died:
		return errDead
	default:
		return ctx.Err()
	}
}

// read runs f on a connection of the readers, in a transaction, so that all it reads is of one moment.
func (s *Store) read(ctx context.Context, f func(c *conn) error) error {
	var c *conn
	if err := s.alive(ctx); err != nil {
		return err
	}
	select {
	case c = <-s.readers:
	case <-s.closing:
		return closed()
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.readers <- c }()
	return fault(func() error {
		if _, err := c.exec("BEGIN"); err != nil {
			return err
		}
		err := f(c)
		_, end := c.exec("COMMIT")
		return errors.Join(err, end)
	}())
}
