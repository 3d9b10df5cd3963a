package wal

import (
	"bufio"
	"encoding/binary"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// frames takes the server's messages off the connection. Each body is a copy of its own in a larger buffer.
type frames struct {
	in    *bufio.Reader
	limit int // a longer message is cut
	chunk []byte
	head  [5]byte
}

const chunkSize = 256 << 10

// cellKept is the longest value that stays in a message that is cut.
const cellKept = 64 << 10

func (f *frames) room(n int) []byte {
	if cap(f.chunk)-len(f.chunk) < n {
		f.chunk = make([]byte, 0, max(n, chunkSize))
	}
	start := len(f.chunk)
	f.chunk = f.chunk[:start+n]
	return f.chunk[start : start+n : start+n]
}

// next is the next message: its type and its body.
func (f *frames) next() (byte, []byte, error) {
	if _, err := io.ReadFull(f.in, f.head[:]); err != nil {
		return 0, nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(f.head[1:]))) - 4
	if err := f.plausible(size); err != nil {
		return 0, nil, err
	}
	if size <= f.limit || f.head[0] != 'd' {
		body := f.room(size)
		_, err := io.ReadFull(f.in, body)
		return f.head[0], body, err
	}
	body, err := (&cutter{in: f.in, left: size, keep: f.limit}).cut()
	return 'd', body, err
}

// words is how long a message can be that carries no data: an error or a notice.
const words = 1 << 20

// plausible refuses what can be no message of a replication, before it is read: whoever took rows for the head of a
// message would wait for millions of bytes, and pass over the changes in them.
func (f *frames) plausible(size int) error {
	switch f.head[0] {
	case 'E', 'N', 'S', 'W', 'c', 'C', 'Z':
		if size >= 0 && size <= words {
			return nil
		}
	case 'd':
		if size < 1 {
			break
		}
		switch kind, err := f.in.Peek(1); {
		case err != nil:
			return err
		case kind[0] == 'w' && size > dataHead, kind[0] == 'k' && size == aliveSize:
			return nil
		}
	}
	return ErrFormat // what was taken for a length may be a record's text: it is not told (law 12)
}

// serverError is the error that an ErrorResponse tells.
func serverError(body []byte) error {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return ErrFormat
	}
	return pgconn.ErrorResponseToPgError(&m)
}

// cutter reads a row that is larger than may be held, and leaves out its large values: each becomes a cell of kind Cut
// with its size.
type cutter struct {
	in   *bufio.Reader
	out  []byte
	left int // of the message
	keep int // how much more may be kept
	bad  error
}

// cut reads the message: the header of the log's data, the kind, the table, and one or two rows.
func (c *cutter) cut() ([]byte, error) {
	if head := c.copy(dataHead + 1 + 4 + 1); c.bad == nil {
		kind, mark := head[dataHead], head[len(head)-1]
		if head[0] != 'w' || kind != Insert && kind != Update && kind != Delete {
			return nil, ErrFormat
		}
		c.row()
		if mark != 'N' && kind == Update {
			c.copy(1)
			c.row()
		}
	}
	if c.bad == nil && c.left != 0 {
		c.bad = ErrFormat
	}
	return c.out, c.bad
}

func (c *cutter) row() {
	b := c.copy(2)
	if c.bad != nil {
		return
	}
	for n := int(binary.BigEndian.Uint16(b)); n > 0 && c.bad == nil; n-- {
		c.cell()
	}
}

func (c *cutter) cell() {
	kind := c.copy(1)
	if c.bad != nil || kind[0] != Text {
		return
	}
	b := c.copy(4)
	if c.bad != nil {
		return
	}
	size := int(int32(binary.BigEndian.Uint32(b)))
	if size >= 0 && size <= cellKept && size <= c.keep {
		c.keep -= size
		c.copy(size)
		return
	}
	if size < 0 || size > c.left {
		c.bad = ErrFormat
		return
	}
	c.out[len(c.out)-5] = Cut
	c.left -= size
	_, c.bad = c.in.Discard(size)
}

// copy moves n bytes of the message to what is kept, and shows them.
func (c *cutter) copy(n int) []byte {
	if c.bad != nil {
		return nil
	}
	if n > c.left {
		c.bad = ErrFormat
		return nil
	}
	c.left -= n
	start := len(c.out)
	c.out = append(c.out, make([]byte, n)...)
	_, c.bad = io.ReadFull(c.in, c.out[start:])
	return c.out[start:]
}
