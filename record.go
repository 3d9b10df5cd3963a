package lockstep

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// Key names one record within a stream, in one encoding for all systems: the plain text of a single key field, or a
// JSON array of texts for a composite key. MakeKey and Key.Parts convert.
type Key string

// MakeKey encodes the texts of the key fields, in the order of Stream.Key.
func MakeKey(parts ...string) Key {
	if len(parts) == 1 {
		return Key(parts[0])
	}
	b := []byte{'['}
	for i, p := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = value.AppendQuoted(b, p)
	}
	return Key(append(b, ']'))
}

// Parts decodes a key of n fields.
func (k Key) Parts(n int) ([]string, error) {
	if n == 1 {
		return []string{string(k)}, nil
	}
	var parts []string
	if err := json.Unmarshal([]byte(k), &parts); err != nil || len(parts) != n {
		return nil, NewFault(CodeKey, errors.New("a composite key is a JSON array with one text for each key field, such as [\"1\",\"a\"]")).On(About{Key: k})
	}
	return parts, nil
}

// Record is one business object as a system holds it now.
type Record struct {
	Key     Key
	Fields  value.Fields
	Version string    // the system's own revision (a version column, a last-modified time), "" where it has none
	At      time.Time // when the system last changed it, zero where unknown
}

// Op says what became of a record.
type Op uint8

// What can become of a record.
const (
	Upsert Op = iota // it is now so
	Delete           // it is gone
)

func (o Op) String() string {
	if o == Delete {
		return "delete"
	}
	return "upsert"
}

// Change is one record's new state, or its going. It carries state, never a difference, so that the newest change of
// a key alone brings the other side level (law 2).
type Change struct {
	Op     Op
	Record Record
	// Hint says that Record holds a key only: look at it when it is delivered (law 6).
	Hint bool
	// Fault is why this one record could not be read. It is parked; its neighbours go on (law 4). Where not even a
	// key could be read, Record.Key is a place that people find: "line 17".
	Fault *Fault
}

// Position is a place in a stream or a feed. Only its connector reads it; nil is none. It is text (JSON, by custom),
// so that people can look at it.
type Position []byte

// Limit bounds a page: whichever is reached first ends it, but a page has at least one record. A record larger than
// Bytes comes as a Change with a Fault of CodeTooLarge.
type Limit struct{ Rows, Bytes int }

// Page is a run of changes and the position behind the last of them.
type Page struct {
	Changes []Change
	Next    Position
	More    bool // there is more to read now
	// UpTo is the source's clock up to which Changes has now read everything; zero where it cannot say.
	UpTo time.Time
}
