package wal

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Options say how a stream is read.
type Options struct {
	Command string        // START_REPLICATION …
	Beat    time.Duration // how often the server is told that we live
	Largest int           // the longest message that is held whole
	Held    int           // about how many bytes may wait to be taken
}

// silence is how long the server may say nothing, although it is asked with every beat.
const silence = 3 * time.Minute

// Stream is a running replication. Two goroutines belong to it, which Close waits for: one reads what the server sends
// until enough waits to be taken, the other tells the server that we live, so that it bears with us for as long as
// whoever takes the messages is busy.
type Stream struct {
	conn net.Conn
	in   frames
	o    Options

	mu      sync.Mutex
	space   *sync.Cond // signalled when messages were taken
	queue   []Message
	taken   int // of queue
	held    int // bytes in queue
	whole   int // ends of transactions in queue
	fresh   int // bytes that came since somebody was woken
	ended   bool
	err     error
	waiting chan struct{} // closed when something comes; nil where nobody waits

	out       sync.Mutex // of the sending side
	sent      time.Time
	told      LSN // the confirmed place that was sent last
	received  LSN // under mu
	confirmed LSN // under mu

	asks  int // how often the server has asked for an answer since
	since time.Time

	stop chan struct{}
	done sync.WaitGroup
}

// Start takes the connection over and starts replication.
func Start(ctx context.Context, conn *Conn, o Options) (*Stream, error) {
	raw, err := conn.takeOver(ctx)
	if err != nil {
		return nil, err
	}
	s := &Stream{conn: raw, o: o, stop: make(chan struct{}), in: frames{in: bufio.NewReaderSize(conn.in, 64<<10), limit: o.Largest}}
	s.space = sync.NewCond(&s.mu)
	if err := s.command(ctx); err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	s.done.Go(s.read)
	s.done.Go(s.beat)
	return s, nil
}

// command sends the command and waits until the server agrees.
func (s *Stream) command(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	ask, err := (&pgproto3.Query{String: s.o.Command}).Encode(nil)
	if err != nil {
		return err
	}
	if _, err := s.conn.Write(ask); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	for {
		kind, body, err := s.in.next()
		switch {
		case err != nil:
			return errors.Join(ctx.Err(), err)
		case kind == 'E':
			return serverError(body)
		case kind == 'W': // CopyBothResponse
			if !stop() {
				return ctx.Err()
			}
			return nil
		case kind != 'N' && kind != 'S':
			return ErrFormat
		}
	}
}

// dataHead is the length of the header in front of the log's data: 'w', start, end, clock.
const dataHead = 1 + 8 + 8 + 8

// aliveSize is the length of a keepalive: 'k', end, clock, and whether an answer is asked for.
const aliveSize = 1 + 8 + 8 + 1

// read takes what the server sends, until the server closes its end. After an error it still has to, for the slot is
// free only then; but nothing of it is looked at: once a message is not understood, nobody knows where one begins.
func (s *Stream) read() {
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(silence))
		if err := s.message(); err != nil {
			s.end(err)
			_, _ = io.Copy(io.Discard, s.in.in)
			return
		}
	}
}

func (s *Stream) message() error {
	kind, body, err := s.in.next()
	if err != nil {
		return err
	}
	switch kind {
	case 'E':
		return serverError(body)
	case 'c', 'Z': // the server ends the stream
		return io.EOF
	case 'd':
		return s.data(body)
	}
	return nil
}

// data takes what frames have found plausible.
func (s *Stream) data(body []byte) error {
	switch body[0] {
	case 'w':
		if kind := body[dataHead]; wanted(kind) {
			s.push(Message{Kind: kind, Body: body[dataHead+1:]}, LSN(binary.BigEndian.Uint64(body[1:])))
		}
	case 'k':
		end := LSN(binary.BigEndian.Uint64(body[1:]))
		s.push(Message{Kind: Alive, LSN: end}, end)
		if body[17] == 1 {
			return s.asked(time.Now())
		}
	}
	return nil
}

func wanted(kind byte) bool {
	switch kind {
	case Begin, Commit, Relation, Insert, Update, Delete, Truncate:
		return true
	}
	return false // origins, types
}

// push adds a message. It waits while too much waits to be taken.
func (s *Stream) push(m Message, at LSN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = max(s.received, at)
	if s.ended { // being closed: what still comes is read and dropped
		return
	}
	last := len(s.queue) - 1
	switch {
	case last < s.taken: // nothing waits
	case m.Kind == Alive && s.queue[last].Kind == Alive:
		s.queue[last] = m
		return
	case m.Kind == Commit && s.queue[last].Kind == Begin: // a transaction without a row of ours, before PostgreSQL 15
		if c, err := ParseCommit(m.Body); err == nil {
			s.held -= s.queue[last].size()
			s.queue = s.queue[:last]
			m = Message{Kind: Alive, LSN: c.End}
		}
	}
	for s.held >= s.o.Held && !s.ended {
		s.space.Wait()
	}
	s.queue = append(s.queue, m)
	s.held += m.size()
	s.fresh += m.size()
	if m.Kind == Commit {
		s.whole++
	}
	if m.Kind == Commit || m.Kind == Alive || s.fresh >= enough {
		s.wake()
	}
}

// enough is how much of a transaction is worth waking somebody before its end is there: each row by itself is not.
const enough = 64 << 10

// wake tells those who wait; mu is held.
func (s *Stream) wake() {
	s.fresh = 0
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// Next takes the oldest message; ok is false where none waits.
func (s *Stream) Next() (m Message, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == len(s.queue) {
		return m, false
	}
	m = s.queue[s.taken]
	s.queue[s.taken] = Message{}
	s.taken++
	full := s.held >= s.o.Held
	s.held -= m.size()
	if m.Kind == Commit {
		s.whole--
	}
	switch {
	case s.taken == len(s.queue):
		s.queue, s.taken = s.queue[:0], 0
	case s.taken >= 4096 && s.taken > len(s.queue)/2:
		n := copy(s.queue, s.queue[s.taken:])
		clear(s.queue[n:])
		s.queue, s.taken = s.queue[:n], 0
	}
	if full && s.held < s.o.Held {
		s.space.Signal()
	}
	return m, true
}

// Pending tells whether it is worth to take messages: there is a whole transaction, much of one, or the end of the
// stream. Else the channel is closed when that may have changed.
func (s *Stream) Pending() (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole > 0 || s.held >= enough || s.ended, s.wait()
}

// More is closed when the end of a transaction comes, or much of one, or the stream ends; it is nil, with ok, where a
// message waits already.
func (s *Stream) More() (wait <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken < len(s.queue) {
		return nil, true
	}
	return s.wait(), false
}

func (s *Stream) wait() <-chan struct{} {
	if s.ended {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

// Err is why the stream ended, nil while it runs. Messages may still wait.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.err = true, err
	}
	s.space.Broadcast()
	s.wake()
}
