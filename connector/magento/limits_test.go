package magento

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
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

// A shop that goes into maintenance while labels are looked for is not asked for those of each record.
func TestAShopThatIsDownIsNotAskedForEachRecord(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"create": []string{"options"}})
	b.must(b.write(shirt("A", "shade", "Red")...))
	var asked atomic.Int64
	b.shop.interfere(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}, nil)
	var writes []lockstep.Write
	for i := range 20 {
		writes = append(writes, b.write(shirt(fmt.Sprint("N-", i), "shade", fmt.Sprint("New ", i))...))
	}
	got, err := b.sys.Apply(t.Context(), productsStream, writes)
	if n := asked.Load(); n > 3 {
		t.Errorf("asked %d times", n)
	}
	if err != nil && lockstep.KindOf(err) != lockstep.Unavailable {
		t.Error(err)
	}
	for i, r := range got {
		if err == nil && lockstep.KindOf(r.Err) != lockstep.Unavailable {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// What the queue refuses goes by a call of its own, which many servers do not pass on with a slash in its path.
func TestWhatTheQueueRefusesGoesWithItsSlashInTheBody(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.Contains(r.URL.EscapedPath(), "%2F") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		if strings.Contains(r.URL.Path, "/async/bulk/") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"no"}`))
			return true
		}
		return false
	}, nil)
	w := b.write(shirt("A/1")...)
	w.Transfer = lockstep.BulkTransfer
	b.must(w)
}

// Two SKUs that the database takes for one do not race each other: the second is named.
func TestTwoNewSKUsThatAreOneToTheDatabase(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{Delay: 5 * time.Millisecond}, nil)
	got := b.apply(b.write(shirt("Keep-Me")...), b.write(shirt("Këep-Me")...))
	if f := lockstep.FaultOf(got[1].Err); got[0].Err != nil || f == nil || f.Code != lockstep.CodeUnique {
		t.Errorf("%+v", got)
	}
	// Letters of another script are others, to the database, too.
	b.must(b.write(shirt("AB-1")...), b.write(shirt("АВ-1")...), b.write(shirt("ab™")...), b.write(shirt("abtm")...))
}
