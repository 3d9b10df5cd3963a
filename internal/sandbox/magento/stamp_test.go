package magento

import (
	"testing"
	"time"
)

// Which writes move updated_at, by the table of recordings: a save always does, be nothing changed by it.
func TestWritesThatMoveUpdatedAt(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 999, time.UTC)
	s, err := New(Options{Open: true, Products: 2, Clock: func() time.Time { return now }, Websites: []Website{{Code: "base"}, {Code: "b2b"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		method, path, body string
		moves              bool
	}{
		{"PUT", "/rest/all/V1/products/P-1", `{"product":{"name":"Product 1"}}`, true},
		{"PUT", "/rest/all/V1/products/P-1", `{"product":{"sku":"P-1"}}`, true},
		{"PUT", "/rest/de/V1/products/P-1", `{"product":{"name":"Eins"}}`, true},
		{"POST", "/rest/V1/products/P-1/websites", `{"productWebsiteLink":{"sku":"P-1","website_id":2}}`, true},
		{"DELETE", "/rest/V1/products/P-1/websites/2", "", true},
		{"GET", "/rest/all/V1/products/P-1", "", false},
	} {
		before := s.world.products.byID(1).updated
		now = now.Add(time.Second)
		if code, body := post(s, w.method, w.path, w.body); code != 200 {
			t.Fatalf("%s %s: %d %s", w.method, w.path, code, body)
		}
		if moved := s.world.products.byID(1).updated != before; moved != w.moves {
			t.Errorf("%s %s %s: moves %v, recorded %v", w.method, w.path, w.body, moved, w.moves)
		}
	}
}
