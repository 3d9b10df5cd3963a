// Package wal reads the stream of a logical replication slot (plugin pgoutput, protocol 1): the frames, the messages in
// them, and the answers that keep the server's end alive. It knows nothing of tables beyond what the messages say.
package wal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// LSN is a place in the server's log.
type LSN uint64

func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// ParseLSN reads "16/B374D848".
func ParseLSN(text string) (LSN, error) {
	high, low, ok := strings.Cut(text, "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%.40q is no log sequence number", text)
	}
	return LSN(h<<32 | l), nil
}

// MarshalText writes the LSN as PostgreSQL shows it.
func (l LSN) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads it.
func (l *LSN) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLSN(string(b))
	return err
}

// epoch is where PostgreSQL's microseconds begin.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func timeOf(micros int64) time.Time { return epoch.Add(time.Duration(micros) * time.Microsecond) }

// The kinds of messages that matter, by pgoutput's letters; Alive is a keepalive.
const (
	Begin    = 'B'
	Commit   = 'C'
	Relation = 'R'
	Insert   = 'I'
	Update   = 'U'
	Delete   = 'D'
	Truncate = 'T'
	Alive    = 'k'
)

// Message is one message of the stream.
type Message struct {
	Kind byte
	// LSN of an Alive: all that was committed before it has been sent.
	LSN LSN
	// Body is what stands behind the kind.
	Body []byte
}

func (m Message) size() int { return len(m.Body) + 48 }
