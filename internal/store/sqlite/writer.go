package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

// call is somebody's wish to write.
type call struct {
	work  func(*tx) error
	done  chan error
	taken atomic.Bool // by the writer, which will answer; or by the caller, who has gone
}

// most is how many calls share a transaction.
const most = 256

// tx is the group's transaction as one call sees it. What the call changes in memory it changes at once, for the
// calls after it in the group must see it, and says how to undo it.
type tx struct {
	*conn
	s     *Store
	now   time.Time
	undo  []func()
	after []func() // once it is committed
}

func (t *tx) rollback(to int) {
	for i := len(t.undo) - 1; i >= to; i-- {
		t.undo[i]()
	}
	t.undo = t.undo[:to]
}

// change runs work in a transaction. A ctx that ends before the writer has taken the call withdraws it; later the
// call goes on to its end, so that its outcome is always known.
func (s *Store) change(ctx context.Context, work func(*tx) error) error {
	if err := s.alive(ctx); err != nil {
		return err
	}
	c := &call{work: work, done: make(chan error, 1)}
	select {
	case s.calls <- c:
	case <-s.closing:
		return closed()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		if c.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-c.done
	}
}

// write is the writer's goroutine. It ends when the store is closed.
func (s *Store) write() {
	defer close(s.ended)
	var group []*call
	for {
		select {
		case c := <-s.calls:
			group = s.gather(append(group[:0], c))
		case <-s.closing:
			return
		}
		s.commit(group)
		clear(group)
	}
}

// gather takes whoever else waits.
func (s *Store) gather(group []*call) []*call {
	for len(group) < most {
		select {
		case c := <-s.calls:
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

// commit runs the group in one transaction and answers each.
func (s *Store) commit(group []*call) {
	errs := make([]error, len(group))
	t, err := s.run(group, errs)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
	} else if !s.dead.Load() {
		for _, f := range t.after {
			f()
		}
	}
	for i, c := range group {
		c.done <- fault(errs[i])
	}
}

var errDead = lockstep.Faultf(lockstep.CodeStore, "the store has died")

// run does the work of the group. Its error is the whole group's; errs get the errors of single calls.
func (s *Store) run(group []*call, errs []error) (t *tx, err error) {
	t = &tx{conn: s.writer, s: s}
	if s.dead.Load() || !s.hook(PointBegin) {
		return t, errDead
	}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return t, err
	}
	defer func() {
		if err != nil && err != errDead {
			t.rollback(0)
			_, _ = t.exec("ROLLBACK") // fails where SQLite has done so itself
		}
	}()
	for i, c := range group {
		if !c.taken.CompareAndSwap(false, true) {
			continue // its caller has gone
		}
		if errs[i], err = s.one(t, c); err != nil {
			return t, err
		}
		if !s.hook(PointSavepoint) {
			return t, errDead
		}
	}
	if !s.hook(PointCommit) {
		return t, errDead
	}
	if _, err := t.exec("COMMIT"); err != nil {
		return t, err
	}
	if !s.hook(PointCommitted) {
		return t, errDead
	}
	return t, nil
}

// one does the work of one call under a savepoint. The second error ends the group.
func (s *Store) one(t *tx, c *call) (own, all error) {
	if _, err := t.exec("SAVEPOINT one"); err != nil {
		return nil, err
	}
	undo, after := len(t.undo), len(t.after)
	t.now = time.Now()
	own = c.work(t)
	if own != nil {
		t.rollback(undo)
		t.after = t.after[:after]
		if breaks(own) {
			return nil, own
		}
		if _, err := t.exec("ROLLBACK TO one"); err != nil {
			return nil, errors.Join(own, err)
		}
	}
	_, err := t.exec("RELEASE one")
	return own, err
}

// hook calls the test's hook and tells whether the store still lives.
func (s *Store) hook(point string) (alive bool) {
	if s.opts.Hook == nil {
		return true
	}
	defer func() {
		if recover() != nil {
			s.dead.Store(true)
			close(s.died)
			alive = false
		}
	}()
	s.opts.Hook(point)
	return !s.dead.Load()
}
