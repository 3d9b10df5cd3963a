package binlog

import (
	"context"
	"sync"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/lockstep-sync/lockstep"
)

// item is what the stream found in the log: rows of our table, a statement that concerns it, or the end of a
// transaction of anybody.
type item struct {
	kind itemKind
	at   uint32 // when, in seconds

	table *tableMap
	op    rowOp
	head  rowsHead

	id      gtid // of the transaction that ended
	named   bool // it has one
	file    string
	born    int64
	offset  uint64
	dirty   bool   // it had rows of our table
	xa      string // the XA transaction that it prepared
	settled string // the XA transaction that it committed or rolled back
	commits bool   // settled by a commit

	err error
}

type itemKind uint8

const (
	rowsItem    itemKind = iota
	endItem              // a transaction's end, or a new file
	alteredItem          // the table's columns may be others
	lostItem             // err: what follows cannot be told
)

// rowOp is what happened to a row.
type rowOp uint8

const (
	insertRow rowOp = iota
	updateRow
	deleteRow
	partialRow // an update whose JSON values are differences
)

// tableMap describes the rows that follow it.
type tableMap struct {
	*replication.TableMapEvent
	signature string // equal for equal descriptions
}

// Bounds of what is read ahead. Behind them the server waits.
const (
	maxAhead      = 8 << 20
	maxAheadItems = 8192
)

// stream reads a connection's log ahead of the feed, in a goroutine of its own, until it is closed or fails.
type stream struct {
	conn  *conn
	ended chan struct{}
	stop  chan struct{}

	mu     sync.Mutex
	items  []item
	first  int // of items: those before are taken
	bytes  int
	wanted int           // items that are more than the end of a transaction of others
	err    error         // why it ended
	news   chan struct{} // closed when items or err came
	room   chan struct{}
}

func startStream(c *conn, f *follower) *stream {
	s := &stream{conn: c, ended: make(chan struct{}), stop: make(chan struct{}), news: make(chan struct{}), room: make(chan struct{}, 1)}
	f.push = s.push
	go s.run(f)
	return s
}

func (s *stream) run(f *follower) {
	defer close(s.ended)
	for {
		event, err := s.conn.next()
		if err == nil {
			err = f.event(event)
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.wake()
			s.mu.Unlock()
			return
		}
	}
}

// close ends the stream and waits for its goroutine.
func (s *stream) close() {
	close(s.stop)
	_ = s.conn.Close() // that is what ends a read in it
	<-s.ended
}

func (s *stream) wake() {
	close(s.news)
	s.news = make(chan struct{})
}

// push hands an item over, and waits while there are too many. False: the stream was closed.
func (s *stream) push(it item) bool {
	s.mu.Lock()
	for s.bytes > maxAhead || len(s.items)-s.first > maxAheadItems {
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-s.stop:
			return false
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	s.items = append(s.items, it)
	s.bytes += len(it.head.body)
	half := len(s.items)-s.first == maxAheadItems/2
	if it.kind != endItem {
		s.wanted++
	}
	if it.kind != endItem || it.dirty || half || s.first == len(s.items)-1 {
		s.wake()
	}
	return true
}

// take is the next item. Without one it gives why there will be no more, or a channel that is closed when there is news.
func (s *stream) take() (it item, ok bool, news <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == len(s.items) {
		return item{}, false, s.news, s.err
	}
	it = s.items[s.first]
	s.items[s.first] = item{}
	s.first++
	if s.first == len(s.items) {
		s.items, s.first = s.items[:0], 0
	} else if s.first > maxAheadItems {
		s.items, s.first = append(s.items[:0], s.items[s.first:]...), 0
	}
	s.bytes -= len(it.head.body)
	if it.kind != endItem {
		s.wanted--
	}
	select {
	case s.room <- struct{}{}:
	default:
	}
	return it, true, nil, nil
}

// wait returns when there is something for the feed, or so much of others that its position should move on.
func (s *stream) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		ready := s.wanted > 0 || s.err != nil || len(s.items)-s.first >= maxAheadItems/2 || s.bytes > maxAhead
		news := s.news
		s.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-news:
		case <-s.stop: // another read began
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errClosed = lockstep.Faultf(lockstep.CodeNetwork, "the connection to the binary log was closed")
