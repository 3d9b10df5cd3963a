package sqlite

import (
	"slices"
	"testing"

	lockstep "github.com/lockstep-sync/lockstep"
)

// TestOldMark looks that a mark older than what is remembered sends nothing past the queue, that memory is bounded,
// and that remembering ends when nobody marks any more.
func TestOldMark(t *testing.T) {
	s := openBench(t, Options{})
	r, err := s.StartRun(t.Context(), lockstep.Run{Flow: "f", Kind: lockstep.FullRun})
	must(t, err)
	touch := func(n int) {
		must(t, s.change(t.Context(), func(tx *tx) error {
			for i := range n {
				tx.touch(s.flows["f"], lockstep.Key(key(i)))
			}
			return nil
		}))
	}
	begin := func(since lockstep.Seq, at int, want bool) {
		t.Helper()
		send, err := s.BeginPage(t.Context(), r.ID, "f", since, []lockstep.PageWrite{{Change: product(at)}})
		must(t, err)
		if !slices.Equal(send, []bool{want}) {
			t.Fatalf("since %d: send %v, want %v", since, send, want)
		}
	}
	touch(10) // before anybody marks nothing is remembered
	old, err := s.Mark(t.Context())
	must(t, err)
	touch(generation) // the generation is full
	begin(old, 10*generation+1, true)
	begin(old, 3, false)
	fresh, err := s.Mark(t.Context())
	must(t, err)
	begin(fresh, 10*generation+2, true)
	touch(generation + 10)
	begin(old, 10*generation+3, false) // forgotten: it goes by the queue
	begin(fresh, 10*generation+4, true)
	if n := len(s.touched.now) + len(s.touched.old); n > 2*generation {
		t.Fatalf("%d keys are remembered", n)
	}
	touch(3 * generation)
	if s.touched.on || s.touched.now != nil {
		t.Fatal("remembering goes on though nobody marks")
	}
	begin(fresh, 10*generation+5, false)
}
