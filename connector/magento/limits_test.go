package magento

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// A shop may give few records at a time, and an old one gives its last page again for ever: each look keeps to `page`,
// not only those that read a stream.
func TestAShopThatGivesFewRecordsAtATime(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{
		Products: 8, Limits: sandbox.InputLimits{On: true, MaxPage: 4}, Quirks: sandbox.Quirks{RepeatLastPage: true},
	})
	s := shop.open(t, lockstep.Settings{"page": int64(4)})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	apply := func(stream string, writes ...lockstep.Write) []lockstep.Result {
		t.Helper()
		got, err := s.Apply(ctx, stream, writes)
		if err != nil {
			t.Fatalf("%s: %v", stream, err)
		}
		for i, r := range got {
			if r.Err != nil {
				t.Errorf("%s %d: %v", stream, i, r.Err)
			}
		}
		return got
	}
	var products, stock, prices []lockstep.Write
	var related []any
	for i := range 8 {
		sku := fmt.Sprint("P-", i+1)
		related = append(related, sku)
		products = append(products, lockstep.Write{Key: lockstep.Key(sku), Fields: value.F("sku", sku, "name", "Now "+sku)})
		stock = append(stock, rowOf("sku", sku, "source_code", "default", "quantity", i+1))
		prices = append(prices, rowOf("sku", sku, "store_id", 0, "price", i+3))
	}
	apply(productsStream, products...)
	apply(productsStream, lockstep.Write{Key: "NEW", Fields: value.F("sku", "NEW", "name", "New", "price", 1, "related", related)})
	apply(stockStream, stock...)
	apply(basePrices, prices...)
	made := apply(categoriesStream, rowOf("parent_id", 2, "name", "Men"))
	apply(categoriesStream, lockstep.Write{Key: made[0].Key, Fields: value.F("name", "Gentlemen")})
	people := apply(customersStream, rowOf("email", "a@example.com", "firstname", "A", "lastname", "B", "website_id", 1))
	apply(customersStream, lockstep.Write{Key: people[0].Key, Fields: value.F("firstname", "C")})
	keys := make([]lockstep.Key, 8)
	for i := range keys {
		keys[i] = lockstep.MakeKey(fmt.Sprint("P-", i+1), "default")
	}
	rows, err := s.Fetch(ctx, lockstep.Read{Stream: stockStream, Fields: []string{"sku", "quantity"}}, keys)
	if err != nil || len(rows) != 8 {
		t.Errorf("%d rows of stock, %v", len(rows), err)
	}
	seen, from := 0, lockstep.Position(nil)
	for more := true; more; {
		page, err := s.Scan(ctx, lockstep.Read{Stream: stockStream, Fields: []string{"sku"}}, from, lockstep.Limit{})
		if err != nil {
			t.Fatal(err)
		}
		seen, from, more = seen+len(page.Changes), page.Next, page.More
	}
	if seen != 9 {
		t.Errorf("a scan shows %d rows of stock", seen)
	}
}

// Rows whose SKUs are one to the database stay together on a page: a search for what is greater passes over all of them.
func TestRowsOfSKUsThatAreOneToTheDatabase(t *testing.T) {
	s := newTestShop(t, sandbox.Options{}).open(t, nil)
	got, err := s.wholeSKUs(t.Context(), []sourceItem{{SKU: "A", Source: "x"}, {SKU: "cafe", Source: "x"}, {SKU: "Café", Source: "x"}})
	if err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
