package magento

import (
	"net/http/httptest"
	"testing"
)

// BenchmarkSearch is what a sync asks for again and again, of a catalogue of 50,000 products.
func BenchmarkSearch(b *testing.B) {
	s, err := New(Options{Products: 50_000, Open: true})
	if err != nil {
		b.Fatal(err)
	}
	const list = "/rest/all/V1/products?searchCriteria[filterGroups][0][filters][0]"
	for name, query := range map[string]string{
		"sku":       list + "[field]=sku&searchCriteria[filterGroups][0][filters][0][value]=P-1,P-30000,P-49999&searchCriteria[filterGroups][0][filters][0][conditionType]=in",
		"keyset100": list + "[field]=entity_id&searchCriteria[filterGroups][0][filters][0][value]=40000&searchCriteria[filterGroups][0][filters][0][conditionType]=gt&searchCriteria[pageSize]=100",
		"changes":   list + "[field]=updated_at&searchCriteria[filterGroups][0][filters][0][value]=2099-01-01&searchCriteria[filterGroups][0][filters][0][conditionType]=gteq",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest("GET", query, nil))
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
