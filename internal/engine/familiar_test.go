package engine

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/store/memory"
)

// A record with the print that its link keeps is level without being mapped; a print is believed only where it was made
// by this mapping over these types, and where the link says that both sides were level.
func TestFamiliarRecordsAreNotMapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t, flowDef{name: "products", rules: map[string]string{"id": "id", "name": "upper(name)", "price": "price"}}), memory.New()
		defer s.Close()
		w.put("products", 1, "one", "1.00")
		e := w.engine(s)
		row := w.sync(e, true)[0]
		link := func() lockstep.Link {
			t.Helper()
			links, err := s.ScanLinks(context.Background(), "products", "", 10)
			if err != nil || len(links) != 1 {
				t.Fatal(links, err)
			}
			return links[0]
		}
		save := func(l lockstep.Link) {
			t.Helper()
			if err := s.SettlePage(context.Background(), "products", lockstep.PageEnd{Run: row, Links: []lockstep.Link{l}}); err != nil {
				t.Fatal(err)
			}
		}
		first := link()
		if d := first.A.Digest; len(d) != 17 || d[0] != printMark {
			t.Fatalf("the link keeps the print %q", d)
		}

		// A digest that mapping would not give shows that nothing is mapped.
		other := first
		other.B.Digest = first.B.Digest[:len(first.B.Digest)-1] + "x"
		save(other)
		w.b.ResetCounts()
		w.sync(e, true)
		if n := w.b.AllWrites("products"); n != 0 {
			t.Fatalf("a familiar record was sent %d times", n)
		}

		// Without its print the same link is compared, and so is one that does not say what the target held.
		for _, change := range []func(*lockstep.Link){
			func(l *lockstep.Link) { l.A.Digest = first.A.Digest[:16] + "x" },
			func(l *lockstep.Link) { l.B.Digest = "" },
			func(l *lockstep.Link) { l.B.Digest = gone },
		} {
			l := other
			change(&l)
			save(l)
			w.sync(e, true)
			if got := link(); got.A.Digest != first.A.Digest || got.B.Digest != first.B.Digest {
				t.Fatalf("after a sync the link has %x and %x, want %x and %x", got.A.Digest, got.B.Digest, first.A.Digest, first.B.Digest)
			}
		}

		// A link from before there were prints gets one, and nothing is sent.
		old := first
		old.A.Digest = ""
		save(old)
		w.b.ResetCounts()
		w.sync(e, true)
		if n := w.b.AllWrites("products"); n != 0 || link().A.Digest != first.A.Digest {
			t.Fatalf("%d writes, print %q", n, link().A.Digest)
		}

		// Another mapping has other prints.
		w.defs[0].rules["name"] = "lower(name)"
		w.sync(w.engine(s), true)
		if got := link(); got.A.Digest == first.A.Digest || got.B.Digest == first.B.Digest {
			t.Fatal("the new mapping was not applied")
		}
	})
}
