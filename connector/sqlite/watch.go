package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// look is the pause between two looks at the version of the file. A look reads no table.
const look = 10 * time.Millisecond

// watcher tells when somebody has written to the file. PRAGMA data_version moves with each commit of another
// connection, so it has a connection of its own, on which nothing else is done.
type watcher struct {
	mu   sync.Mutex
	db   *sql.DB
	seen map[string]int64 // feed to the version before it was read last
}

// version is the file's version now. The lock is held.
func (w *watcher) version(ctx context.Context, s *System) (version int64, err error) {
	if w.db == nil {
		if w.db, err = s.open("ro", "query_only(1)"); err != nil {
			return 0, err
		}
		w.db.SetMaxOpenConns(1)
		w.db.SetMaxIdleConns(1)
	}
	err = w.db.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, err
}

// before notes the version before a feed is read.
func (w *watcher) before(ctx context.Context, s *System, feed string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	version, err := w.version(ctx, s)
	if err != nil {
		return err
	}
	if w.seen == nil {
		w.seen = map[string]int64{}
	}
	w.seen[feed] = version
	return nil
}

// wait returns when the file was written to after before.
func (w *watcher) wait(ctx context.Context, s *System, feed string) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		moved, err := w.moved(ctx, s, feed)
		if err != nil || moved {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (w *watcher) moved(ctx context.Context, s *System, feed string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	version, err := w.version(ctx, s)
	return version != w.seen[feed], err
}

// close gives up the connection; the caller closes the database.
func (w *watcher) close() *sql.DB {
	w.mu.Lock()
	defer w.mu.Unlock()
	db := w.db
	w.db, w.seen = nil, nil
	return db
}
