package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// listener is the one connection that hears what triggers notify, for all who wait. What was heard is counted: a feed
// notes the count before it reads, and need not wait where it has moved since.
type listener struct {
	dial func(context.Context) (*pgx.Conn, error)

	mu      sync.Mutex
	heard   map[string]uint64 // channel to how often it was heard of; 0 before it is listened to
	seen    map[string]uint64 // feed to the count before it was read last
	wanted  []string          // channels to be listened to from now on
	changed chan struct{}     // closed when anything was heard, or went wrong
	stir    context.CancelFunc
	err     error // why the last connection ended
	stop    context.CancelFunc
	ended   chan struct{}
	closed  bool
}

// before notes how much was heard of a channel before a feed is read.
func (l *listener) before(feed, channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]uint64{}
	}
	l.seen[feed] = l.heard[channel]
}

// wait returns when the channel was heard of after before, or at once where it was not listened to by then.
func (l *listener) wait(ctx context.Context, feed, channel string) error {
	for {
		l.mu.Lock()
		count, listening := l.heard[channel]
		switch {
		case l.closed:
			l.mu.Unlock()
			return context.Canceled
		case listening && count != l.seen[feed]:
			l.mu.Unlock()
			return nil
		case l.ended == nil:
			l.start()
		}
		if !listening {
			l.listen(channel)
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
		l.mu.Lock()
		err := l.err
		l.err = nil
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// start begins to listen. The lock is held.
func (l *listener) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop, l.ended = cancel, make(chan struct{})
	l.changed, l.wanted, l.err = make(chan struct{}), nil, nil
	l.heard, l.seen = map[string]uint64{}, map[string]uint64{}
	l.stir = func() {}
	go l.run(ctx, l.ended)
}

// listen asks for a channel. The lock is held.
func (l *listener) listen(channel string) {
	for _, c := range l.wanted {
		if c == channel {
			return
		}
	}
	l.wanted = append(l.wanted, channel)
	l.stir()
}

// run owns the connection.
func (l *listener) run(ctx context.Context, ended chan struct{}) {
	defer close(ended)
	err := l.serve(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() == nil {
		l.err = err
	}
	l.ended, l.heard = nil, nil // whoever waits next starts anew, and reads before it waits
	l.wake()
}

func (l *listener) serve(ctx context.Context) error {
	conn, err := l.dial(ctx)
	if err != nil {
		return connectFault(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for {
		stirred, cancel := context.WithCancel(ctx)
		l.mu.Lock()
		wanted := l.wanted
		l.wanted, l.stir = nil, cancel
		l.mu.Unlock()
		for _, channel := range wanted {
			if _, err := conn.PgConn().Exec(ctx, "LISTEN "+sqlkit.Quote(channel)).ReadAll(); err != nil {
				cancel()
				return err
			}
			l.note(channel)
		}
		if len(wanted) > 0 { // others may have come meanwhile
			cancel()
			continue
		}
		n, err := conn.WaitForNotification(stirred)
		stir := stirred.Err() != nil
		cancel()
		switch {
		case err == nil:
			l.note(n.Channel)
		case ctx.Err() != nil || !stir || conn.IsClosed():
			return err
		}
	}
}

// note counts what was heard, and wakes those who wait.
func (l *listener) note(channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard != nil {
		l.heard[channel]++
	}
	l.wake()
}

// wake wakes all. The lock is held.
func (l *listener) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// close ends the connection, and waits for it.
func (l *listener) close() {
	l.mu.Lock()
	l.closed = true
	ended, stop := l.ended, l.stop
	if l.changed != nil {
		l.wake()
	}
	l.mu.Unlock()
	if ended != nil {
		stop()
		<-ended
	}
}
