package engine

import (
	"testing"

	"pgregory.net/rapid"
)

func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.Int64Range(1, 3*chunkBits)).Draw(t, "ids")
		max := rapid.Int64Range(0, 3*chunkBits).Draw(t, "max")
		b, want := newBitmap(nil), map[int64]bool{}
		for _, id := range ids {
			if b.add(id) == want[id] {
				t.Fatalf("add(%d) says it was new: %v", id, want[id])
			}
			want[id] = true
		}
		b = newBitmap(b.changed()) // as a run that is resumed has it
		n := int64(0)
		for id := range want {
			if !b.has(id) {
				t.Fatalf("%d is missing", id)
			}
			if id <= max {
				n++
			}
		}
		if got := b.upTo(max); got != n {
			t.Fatalf("upTo(%d) = %d, want %d", max, got, n)
		}
	})
}
