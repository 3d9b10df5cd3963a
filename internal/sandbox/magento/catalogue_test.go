package magento

import (
	"bytes"
	"testing"
	"time"
)

func TestAGeneratedCatalogueDependsOnItsSeedAlone(t *testing.T) {
	dump := func(seed int64) []byte {
		now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		s, err := New(Options{Open: true, Catalogue: 60, Seed: seed, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.world.products.rows); n != 60 {
			t.Errorf("%d products, want 60", n)
		}
		var all []byte
		for store := range 3 {
			c := s.internal(t.Context(), store, nil)
			for _, p := range s.world.products.rows {
				all = appendJSON(all, c.productView(p, false, nil))
			}
			c.store = store
			for _, cat := range s.world.categories.children(2) {
				all = appendJSON(all, c.categoryView(cat))
			}
		}
		return all
	}
	one, two, three := dump(1), dump(1), dump(2)
	if !bytes.Equal(one, two) {
		t.Error("the same seed made another catalogue")
	}
	if bytes.Equal(one, three) {
		t.Error("another seed made the same catalogue")
	}
}

func BenchmarkCatalogue(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{Catalogue: 2000}); err != nil {
			b.Fatal(err)
		}
	}
}
