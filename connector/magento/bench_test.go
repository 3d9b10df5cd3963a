package magento

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

const benchProducts = 2000

func benchShop(b *testing.B, delay time.Duration) string {
	b.Helper()
	shop, err := sandbox.New(sandbox.Options{Open: true, Products: benchProducts, Delay: delay})
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(shop)
	b.Cleanup(func() {
		srv.Close()
		_ = shop.Close()
	})
	return srv.URL
}

// BenchmarkScan reads a catalogue with texts of one store view, and what a bare client does that only asks for the same
// pages and decodes their JSON.
func BenchmarkScan(b *testing.B) {
	url := benchShop(b, 5*time.Millisecond)
	perSecond := func(b *testing.B) {
		b.ReportMetric(float64(benchProducts*b.N)/b.Elapsed().Seconds(), "products/s")
	}
	b.Run("connector", func(b *testing.B) {
		sys, err := Connector.Open(b.Context(), lockstep.Settings{"url": url, "token": "t"})
		if err != nil {
			b.Fatal(err)
		}
		defer sys.Close()
		r := lockstep.Read{Stream: productsStream, Fields: []string{"sku", "name", "name_de", "price", "status", "meta_title", websitesField}}
		for b.Loop() {
			n := 0
			var from lockstep.Position
			for more := true; more; {
				page, err := sys.(*System).Scan(b.Context(), r, from, lockstep.Limit{})
				if err != nil {
					b.Fatal(err)
				}
				n, from, more = n+len(page.Changes), page.Next, page.More
			}
			if n != benchProducts {
				b.Fatal(n)
			}
		}
		perSecond(b)
	})
	b.Run("bare", func(b *testing.B) {
		get := func(view string, after, size int) int {
			req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, fmt.Sprintf("%s/rest/%s/V1/products?searchCriteria[filterGroups][0][filters][0][field]=entity_id&searchCriteria[filterGroups][0][filters][0][value]=%d&searchCriteria[filterGroups][0][filters][0][conditionType]=gt&searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=ASC&searchCriteria[pageSize]=%d&fields=items[id,sku,updated_at,name,price,status,custom_attributes,extension_attributes[website_ids]],total_count", url, view, after, size), http.NoBody)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			var body struct{ Items []map[string]any }
			if err := json.Unmarshal(text, &body); err != nil {
				b.Fatal(err)
			}
			return len(body.Items)
		}
		for b.Loop() {
			for after := 0; after < benchProducts; after += 100 {
				if get("all", after, 100) != 100 || get("de", after, 100) != 100 {
					b.Fatal("half a page")
				}
			}
		}
		perSecond(b)
	})
}
