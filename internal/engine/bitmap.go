package engine

import "github.com/lockstep-sync/lockstep"

// bitmap is a set of link IDs, kept in chunks so that only those that changed are saved with a run's place (law 9).
// A million links take 125 kB.
type bitmap struct {
	chunks map[int64][]byte
	dirty  map[int64]bool
}

const chunkBits = 4096 * 8

func newBitmap(chunks []lockstep.Chunk) *bitmap {
	b := &bitmap{chunks: map[int64][]byte{}, dirty: map[int64]bool{}}
	for _, c := range chunks {
		bits := make([]byte, chunkBits/8)
		copy(bits, c.Bits)
		b.chunks[c.No] = bits
	}
	return b
}

// add says whether id was new.
func (b *bitmap) add(id int64) bool {
	no, bit := id/chunkBits, id%chunkBits
	bits := b.chunks[no]
	if bits == nil {
		bits = make([]byte, chunkBits/8)
		b.chunks[no] = bits
	}
	mask := byte(1) << (bit % 8)
	if bits[bit/8]&mask != 0 {
		return false
	}
	bits[bit/8] |= mask
	b.dirty[no] = true
	return true
}

func (b *bitmap) has(id int64) bool {
	bits := b.chunks[id/chunkBits]
	bit := id % chunkBits
	return bits != nil && bits[bit/8]&(1<<(bit%8)) != 0
}

// changed are the chunks that changed since the last call. The bits are copies.
func (b *bitmap) changed() []lockstep.Chunk {
	out := make([]lockstep.Chunk, 0, len(b.dirty))
	for no := range b.dirty {
		out = append(out, lockstep.Chunk{No: no, Bits: append([]byte(nil), b.chunks[no]...)})
	}
	clear(b.dirty)
	return out
}
