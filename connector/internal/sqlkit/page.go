package sqlkit

import (
	"unsafe"

	"github.com/lockstep-sync/lockstep/value"
)

// Arena gives out copies of bytes that share few large buffers. What it gave out is never written again.
type Arena struct{ chunk []byte }

const arenaChunk = 256 << 10

// Reserve makes room for n bytes in one buffer.
func (a *Arena) Reserve(n int) {
	if cap(a.chunk)-len(a.chunk) < n {
		a.chunk = make([]byte, 0, max(n, arenaChunk))
	}
}

// Text copies b.
func (a *Arena) Text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	a.Reserve(len(b))
	start := len(a.chunk)
	a.chunk = append(a.chunk, b...)
	return unsafe.String(&a.chunk[start], len(b))
}

// Room is n bytes to be written once, before anything else is asked of the arena.
func (a *Arena) Room(n int) []byte {
	a.Reserve(n)
	start := len(a.chunk)
	a.chunk = a.chunk[:start+n]
	return a.chunk[start : start+n : start+n]
}

// Slab gives out lists of values of one width that share few large allocations.
type Slab struct {
	width int
	free  []value.Value
}

const slabRows = 128

// NewSlab is a slab of rows of that many values.
func NewSlab(width int) Slab { return Slab{width: width} }

// Row is a row of nulls.
func (s *Slab) Row() []value.Value {
	if s.width == 0 {
		return nil
	}
	if len(s.free) < s.width {
		s.free = make([]value.Value, s.width*slabRows)
	}
	row := s.free[:s.width:s.width]
	s.free = s.free[s.width:]
	return row
}
