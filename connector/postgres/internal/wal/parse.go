package wal

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrFormat says that a message is not what the protocol says it is.
var ErrFormat = errors.New("the server sent a message of logical replication that cannot be understood")

// reader takes a message apart. Once something is missing, all that follows is zero and ok is false.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) text() string {
	for i, c := range r.b {
		if c == 0 && !r.bad {
			s := string(r.b[:i])
			r.b = r.b[i+1:]
			return s
		}
	}
	r.bad = true
	return ""
}

func (r *reader) err() error {
	if r.bad {
		return ErrFormat
	}
	return nil
}

// BeginMessage opens a transaction.
type BeginMessage struct {
	Commit LSN // where its commit stands
	At     time.Time
	XID    uint32
}

// ParseBegin reads the body of a Begin.
func ParseBegin(body []byte) (BeginMessage, error) {
	r := reader{b: body}
	m := BeginMessage{Commit: LSN(r.uint64()), At: timeOf(int64(r.uint64())), XID: r.uint32()}
	return m, r.err()
}

// CommitMessage closes a transaction.
type CommitMessage struct {
	Commit LSN // what Begin said
	End    LSN // the place behind it
	At     time.Time
}

// ParseCommit reads the body of a Commit.
func ParseCommit(body []byte) (CommitMessage, error) {
	r := reader{b: body}
	r.byte() // flags
	m := CommitMessage{Commit: LSN(r.uint64()), End: LSN(r.uint64()), At: timeOf(int64(r.uint64()))}
	return m, r.err()
}

// RelationMessage describes a table as it was when the rows behind it were written.
type RelationMessage struct {
	OID      uint32
	Identity byte // d, n, f or i: what old rows hold
	Columns  []RelationColumn
}

// RelationColumn is a column of a relation.
type RelationColumn struct {
	Name     string
	Identity bool // part of the replica identity
	Type     uint32
}

// ParseRelation reads the body of a Relation.
func ParseRelation(body []byte) (RelationMessage, error) {
	r := reader{b: body}
	m := RelationMessage{OID: r.uint32()}
	r.text() // schema
	r.text() // name
	m.Identity = r.byte()
	n := r.uint16()
	for i := 0; i < n && !r.bad; i++ {
		flags := r.byte()
		c := RelationColumn{Identity: flags&1 != 0, Name: r.text(), Type: r.uint32()}
		r.uint32() // modifier
		m.Columns = append(m.Columns, c)
	}
	return m, r.err()
}

// The kinds of cells.
const (
	Null      = 'n'
	Unchanged = 'u' // stored apart, and not sent because it did not change
	Text      = 't'
	Cut       = 'x' // too large to be kept; made by this package
)

// Cell is one value of a row.
type Cell struct {
	Kind byte
	Text []byte
	Size int // of what was Cut
}

// Row is a change of a row. The lists are good until the next use of the Row.
type Row struct {
	OID uint32
	Old []Cell // nil where the message has none
	New []Cell // nil for a Delete
}

// Parse reads the body of an Insert, Update or Delete into row.
func (row *Row) Parse(kind byte, body []byte) error {
	r := reader{b: body}
	row.OID = r.uint32()
	old, fresh := row.Old[:0], row.New[:0]
	row.Old, row.New = nil, nil
	mark := r.byte()
	if mark == 'K' || mark == 'O' {
		if kind == Insert {
			return ErrFormat
		}
		row.Old = r.cells(old)
		if kind == Delete {
			return r.err()
		}
		mark = r.byte()
	}
	if mark != 'N' || kind == Delete {
		return ErrFormat
	}
	row.New = r.cells(fresh)
	return r.err()
}

func (r *reader) cells(into []Cell) []Cell {
	n := r.uint16()
	if into == nil {
		into = make([]Cell, 0, min(n, 64))
	}
	for i := 0; i < n && !r.bad; i++ {
		c := Cell{Kind: r.byte()}
		switch c.Kind {
		case Null, Unchanged:
		case Text:
			c.Text = r.take(int(int32(r.uint32())))
		case Cut:
			c.Size = int(r.uint32())
		default:
			r.bad = true
		}
		into = append(into, c)
	}
	return into
}

// ParseTruncate reads the body of a Truncate: the tables that were emptied.
func ParseTruncate(body []byte) ([]uint32, error) {
	r := reader{b: body}
	n := r.uint32()
	r.byte() // options
	var out []uint32
	for i := uint32(0); i < n && !r.bad; i++ {
		out = append(out, r.uint32())
	}
	return out, r.err()
}
