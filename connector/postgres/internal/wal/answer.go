package wal

import (
	"encoding/binary"
	"errors"
	"time"
)

// soon is how often a new confirmation is sent at most: it is a message and a wake-up of the server.
const soon = 100 * time.Millisecond

// beat tells the server that we live, and what was confirmed meanwhile.
func (s *Stream) beat() {
	tick := time.NewTicker(soon)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		confirmed, ended := s.confirmed, s.ended
		s.mu.Unlock()
		s.out.Lock()
		news, due := confirmed != s.told, time.Since(s.sent) >= s.o.Beat
		s.out.Unlock()
		if !ended && (news || due) {
			s.send(due)
		}
	}
}

// Confirm tells the server, soon, that it may forget what was committed before a place.
func (s *Stream) Confirm(upTo LSN) {
	s.mu.Lock()
	s.confirmed = max(s.confirmed, upTo)
	s.mu.Unlock()
}

// Ask makes the server say at once how far it has read its log.
func (s *Stream) Ask() { s.send(true) }

// send tells the server how far we have read and what is confirmed. A connection that takes nothing is closed: the
// reading side then ends the stream.
func (s *Stream) send(ask bool) {
	s.mu.Lock()
	received, confirmed := s.received, s.confirmed
	s.mu.Unlock()
	b := make([]byte, 0, 1+4+34)
	b = append(b, 'd', 0, 0, 0, 4+34, 'r')
	for _, at := range [...]LSN{max(received, confirmed), confirmed, confirmed} { // written, flushed, applied
		b = binary.BigEndian.AppendUint64(b, uint64(at))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(time.Since(epoch).Microseconds()))
	if ask {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	s.out.Lock()
	defer s.out.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.conn.Write(b); err != nil {
		_ = s.conn.Close()
		return
	}
	s.told, s.sent = confirmed, time.Now()
}

// errClosed is the end of a stream that we ended.
var errClosed = errors.New("the stream was closed")

// farewell is how long the server may take to let go of the slot.
const farewell = 5 * time.Second

// ErrShutdown says that the server wants to shut down.
var ErrShutdown = errors.New("the server shuts down")

// impatient is how often in a second a server that shuts down asks for an answer at least. In peace it asks twice in
// wal_sender_timeout.
const impatient = 20

// asked answers the server. One that shuts down waits until all is confirmed, and asks again after each answer: it
// would wait for as long as we live, for what it sent is confirmed only when it is in the queue. So we go.
func (s *Stream) asked(now time.Time) error {
	if now.Sub(s.since) > time.Second {
		s.asks, s.since = 0, now
	}
	if s.asks++; s.asks >= impatient {
		s.end(ErrShutdown)
		s.leave()
		return nil
	}
	s.send(false)
	return nil
}

// leave ends the server's side.
func (s *Stream) leave() {
	s.out.Lock()
	defer s.out.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(farewell))
	_, _ = s.conn.Write([]byte{'X', 0, 0, 0, 4})
}

// Close says good-bye, with what was confirmed, and waits until the server has let go of the slot: then it can be used
// again. It may be called once.
func (s *Stream) Close() {
	close(s.stop)
	if s.Err() == nil {
		s.send(false)
	}
	s.end(errClosed)
	s.leave()
	late := time.AfterFunc(farewell, func() { _ = s.conn.Close() })
	s.done.Wait() // the reader ends when the server closes its end
	late.Stop()
	_ = s.conn.Close()
}
