package sqlite

import (
	"context"
	"hash/maphash"

	lockstep "github.com/lockstep-sync/lockstep"
)

// touches remember when keys were last appended, leased or settled: for BeginPage. They begin with the first Mark and
// are kept in two generations of a bounded size: when both are full the older one is forgotten, and if no Mark was
// made since the generation before, remembering ends. A mark older than what is remembered finds every key touched,
// and the page goes by the queue, as hints: slower, and right. So a mark needs no release, and one that is never used
// costs nothing. Keys are hashes: two keys with one hash cost a hint.
type touches struct {
	seed     maphash.Seed
	on       bool
	marked   bool // a mark was made in this generation
	floor    lockstep.Seq
	old, now map[uint64]lockstep.Seq
	began    lockstep.Seq // when now began; floor is when old began
}

const generation = 1 << 16

func (h *touches) hash(flow int64, key lockstep.Key) uint64 {
	var m maphash.Hash
	m.SetSeed(h.seed)
	maphash.WriteComparable(&m, flow)
	_, _ = m.WriteString(string(key))
	return m.Sum64()
}

// changed is what is touched, beside the key, where its record has changed in the source.
func changed(key lockstep.Key) lockstep.Key { return "\x00" + key }

// touch notes that the key was appended, leased or settled.
func (t *tx) touch(f *flow, key lockstep.Key) {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	h := &s.touched
	if !h.on {
		return
	}
	if len(h.now) >= generation {
		if !h.marked {
			h.on, h.old, h.now = false, nil, nil
			return
		}
		if h.old == nil {
			h.old = make(map[uint64]lockstep.Seq)
		}
		clear(h.old) // it is as large as it has to be: a new one would grow once more
		h.old, h.now, h.floor, h.began, h.marked = h.now, h.old, h.began, s.seq-1, false
	}
	h.now[h.hash(f.id, key)] = s.seq
}

// touchedSince tells whether the key was touched since the mark, or may have been.
func (t *tx) touchedSince(f *flow, key lockstep.Key, since lockstep.Seq) bool {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	h := &t.s.touched
	if !h.on || since < h.floor {
		return true
	}
	k := h.hash(f.id, key)
	return h.now[k] > since || h.old[k] > since
}

// Mark is the moment before a page is read.
func (s *Store) Mark(ctx context.Context) (lockstep.Seq, error) {
	if err := s.alive(ctx); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &s.touched
	if !h.on {
		h.on, h.now, h.old, h.floor, h.began = true, make(map[uint64]lockstep.Seq), nil, s.seq, s.seq
	}
	h.marked = true
	return s.seq, nil
}
