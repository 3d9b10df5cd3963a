package engine

import (
	"math/bits"

	"github.com/lockstep-sync/lockstep"
)

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
		chunk := make([]byte, chunkBits/8)
		copy(chunk, c.Bits)
		b.chunks[c.No] = chunk
	}
	return b
}

// add says whether id was new.
func (b *bitmap) add(id int64) bool {
	no, bit := id/chunkBits, id%chunkBits
	chunk := b.chunks[no]
	if chunk == nil {
		chunk = make([]byte, chunkBits/8)
		b.chunks[no] = chunk
	}
	mask := byte(1) << (bit % 8)
	if chunk[bit/8]&mask != 0 {
		return false
	}
	chunk[bit/8] |= mask
	b.dirty[no] = true
	return true
}

func (b *bitmap) has(id int64) bool {
	chunk := b.chunks[id/chunkBits]
	bit := id % chunkBits
	return chunk != nil && chunk[bit/8]&(1<<(bit%8)) != 0
}

// upTo is how many IDs up to max are in the set.
func (b *bitmap) upTo(max int64) int64 {
	n := 0
	for no, chunk := range b.chunks {
		for i, set := range chunk {
			from := no*chunkBits + int64(i)*8
			if from+7 <= max {
				n += bits.OnesCount8(set)
				continue
			}
			for bit := int64(0); from+bit <= max; bit++ {
				n += int(set >> bit & 1)
			}
		}
	}
	return int64(n)
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
