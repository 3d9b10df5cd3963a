package magento

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// rowBench is a shop with products, and a stream of rows of them.
type rowBench struct {
	t      *testing.T
	shop   *testShop
	sys    *System
	stream string
}

func newRowBench(t *testing.T, stream string, o sandbox.Options) *rowBench {
	shop := newTestShop(t, o)
	b := &rowBench{t, shop, shop.open(t, nil), stream}
	shop.product(t, "A", "b,1", "C/2")
	shop.post(t, "POST", "V1/inventory/sources", `{"source":{"source_code":"wh2","name":"Warehouse 2","enabled":true,"country_id":"DE","postcode":"10115"}}`)
	shop.writes()
	return b
}

func rowOf(fields ...any) lockstep.Write {
	return lockstep.Write{Op: lockstep.Upsert, Fields: value.F(fields...)}
}

func gone(parts ...string) lockstep.Write {
	return lockstep.Write{Op: lockstep.Delete, Key: lockstep.MakeKey(parts...)}
}

// apply makes writes and checks what kind of fault each has: 0 is none.
func (b *rowBench) apply(writes []lockstep.Write, kinds ...lockstep.FaultKind) []lockstep.Result {
	b.t.Helper()
	got, err := b.sys.Apply(b.t.Context(), b.stream, writes)
	if err != nil || len(got) != len(writes) {
		b.t.Fatalf("%+v, %v", got, err)
	}
	for i, r := range got {
		want := lockstep.FaultKind(0)
		if i < len(kinds) {
			want = kinds[i]
		}
		if (r.Err == nil) != (want == 0) || r.Err != nil && lockstep.KindOf(r.Err) != want {
			b.t.Errorf("write %d: %+v", i, r)
		}
	}
	return got
}

// all is the stream as text, by Scan in small pages.
func (b *rowBench) all() []string {
	b.t.Helper()
	streams, err := b.sys.Streams(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	at := slices.IndexFunc(streams, func(s lockstep.Stream) bool { return s.Name == b.stream })
	var names []string
	for _, f := range streams[at].Fields {
		names = append(names, f.Name)
	}
	var out []string
	var keys []lockstep.Key
	read := lockstep.Read{Stream: b.stream, Fields: names}
	var from lockstep.Position
	for more := true; more; {
		page, err := b.sys.Scan(b.t.Context(), read, from, lockstep.Limit{Rows: 2, Bytes: 1 << 20})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, c := range page.Changes {
			out = append(out, string(value.AppendFields(nil, c.Record.Fields)))
			keys = append(keys, c.Record.Key)
		}
		from, more = page.Next, page.More
	}
	fetched, err := b.sys.Fetch(b.t.Context(), read, append(keys, lockstep.MakeKey(slices.Repeat([]string{"1"}, len(streams[at].Key))...)))
	if err != nil || len(fetched) != len(keys) {
		b.t.Fatalf("%d of %d are fetched, %v", len(fetched), len(keys), err)
	}
	for _, rec := range fetched {
		if !slices.Contains(out, string(value.AppendFields(nil, rec.Fields))) || !slices.Contains(keys, rec.Key) {
			b.t.Errorf("fetched is %s", value.AppendFields(nil, rec.Fields))
		}
	}
	found, err := b.sys.Find(b.t.Context(), read, []string{"sku"}, [][]value.Value{{value.Text("a")}, {value.Text("NOPE")}})
	if err != nil || len(found) != 2 || len(found[1]) != 0 {
		b.t.Fatalf("%+v, %v", found, err)
	}
	slices.Sort(out)
	return out
}

func (b *rowBench) is(want ...string) {
	b.t.Helper()
	if got := b.all(); !slices.Equal(got, want) {
		b.t.Errorf("there is\n%s\nwanted is\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (b *rowBench) sent(n int) {
	b.t.Helper()
	if w := b.shop.writes(); len(w) != n {
		b.t.Errorf("%d writes and not %d: %v", len(w), n, w)
	}
}

func TestStock(t *testing.T) {
	b := newRowBench(t, stockStream, sandbox.Options{})
	b.apply([]lockstep.Write{
		rowOf("sku", "A", "source_code", "default", "quantity", 5, "status", 1),
		rowOf("sku", "A", "source_code", "wh2", "quantity", 2.5),
		rowOf("sku", "NOPE", "source_code", "default", "quantity", 1), // would be a row that nobody finds again
		rowOf("sku", "A", "source_code", "nope", "quantity", 1),
		rowOf("sku", "b,1", "source_code", "default", "quantity", 0),
		rowOf("sku", "C/2", "source_code", "default", "quantity", 1, "status", 7),
		rowOf("sku", "", "source_code", "default"),
	}, 0, 0, lockstep.Waiting, lockstep.Invalid, 0, lockstep.Invalid, lockstep.Invalid)
	b.sent(1)
	level := []string{
		`{"sku":"A","source_code":"default","quantity":5,"status":1}`,
		`{"sku":"A","source_code":"wh2","quantity":2.5,"status":1}`,
		`{"sku":"C/2","source_code":"default","quantity":0,"status":0}`, // Magento made it with the product
		`{"sku":"b,1","source_code":"default","quantity":0,"status":0}`,
	}
	b.is(level...)
	// What is level is not sent, whatever the letters of the SKU; a part of a row keeps the rest.
	b.apply([]lockstep.Write{rowOf("sku", "a", "source_code", "default", "quantity", 5, "status", 1)})
	b.sent(0)
	b.apply([]lockstep.Write{{Key: lockstep.MakeKey("a", "default"), Fields: value.F("status", 0)}, gone("A", "wh2"), gone("A", "nope"), gone("NOPE", "default")})
	b.sent(2)
	b.is(`{"sku":"A","source_code":"default","quantity":5,"status":0}`, level[2], level[3])
	// A row that moves is not left where it was.
	move := rowOf("sku", "A", "source_code", "wh2")
	move.Key = lockstep.MakeKey("A", "default")
	b.apply([]lockstep.Write{move})
	b.is(`{"sku":"A","source_code":"wh2","quantity":0,"status":0}`, level[2], level[3])
	if orphans := b.shop.post(t, "GET", "V1/inventory/source-items?searchCriteria[filterGroups][0][filters][0][field]=sku&searchCriteria[filterGroups][0][filters][0][value]=NOPE", ""); !strings.Contains(orphans, `"total_count":0`) {
		t.Errorf("an orphan: %s", orphans)
	}
}

// A shop that takes few rows at a time is sent as many as it takes.
func TestAShopThatTakesFewRows(t *testing.T) {
	for stream, field := range map[string]string{stockStream: "quantity", basePrices: "price"} {
		shop := newTestShop(t, sandbox.Options{Products: 45, Limits: sandbox.InputLimits{On: true, MaxList: 20}})
		b := &rowBench{t, shop, shop.open(t, nil), stream}
		var writes []lockstep.Write
		for i := range 45 {
			w := []any{"sku", fmt.Sprint("P-", i+1), field, i + 3}
			if stream == stockStream {
				w = append(w, "source_code", "default")
			} else {
				w = append(w, "store_id", 0)
			}
			writes = append(writes, rowOf(w...))
		}
		b.apply(writes)
		b.apply(writes)
		b.sent(3 + 1) // by the one that is refused the limit is learned
	}
}

// One row that cannot be stored takes no other with it.
func TestABatchOfStockWithABadRow(t *testing.T) {
	b := newRowBench(t, stockStream, sandbox.Options{})
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		bad := strings.HasSuffix(r.URL.Path, "/source-items") && strings.Contains(string(body), `"C/2"`)
		if bad {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"Validation Failed","errors":[{"message":"\"%field\" should be numeric.","parameters":{"field":"quantity"}}]}`))
		}
		return bad
	}, nil)
	b.apply([]lockstep.Write{
		rowOf("sku", "A", "source_code", "default", "quantity", 1), rowOf("sku", "C/2", "source_code", "default", "quantity", 1),
		rowOf("sku", "b,1", "source_code", "default", "quantity", 1),
	}, 0, lockstep.Invalid, 0)
	b.shop.interfere(nil, nil)
	b.is(`{"sku":"A","source_code":"default","quantity":1,"status":1}`, `{"sku":"C/2","source_code":"default","quantity":0,"status":0}`, `{"sku":"b,1","source_code":"default","quantity":1,"status":1}`)
	// The words of a lock that was not had are for another try, for all of them.
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodPost {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"Could not save Source Item"}`))
		}
		return r.Method == http.MethodPost
	}, nil)
	b.shop.writes()
	b.apply([]lockstep.Write{rowOf("sku", "A", "source_code", "default", "quantity", 7), rowOf("sku", "b,1", "source_code", "default", "quantity", 7)}, lockstep.Transient, lockstep.Transient)
	b.sent(1)
}

func TestBasePrices(t *testing.T) {
	b := newRowBench(t, basePrices, sandbox.Options{})
	b.apply([]lockstep.Write{
		rowOf("sku", "A", "store_id", 0, "price", 55.5),
		rowOf("sku", "NOPE", "store_id", 0, "price", 1),
		rowOf("sku", "b,1", "store_id", 0, "price", -1),
		rowOf("sku", "C/2", "store_id", 1, "price", 2), // prices are global here
		rowOf("sku", "c/2", "store_id", 0, "price", "x"),
		rowOf("sku", "A", "store_id", 0, "price", int64(1e15)),
	}, 0, lockstep.Waiting, lockstep.Invalid, lockstep.Invalid, lockstep.Invalid, lockstep.Invalid)
	b.sent(1)
	b.is(`{"sku":"A","store_id":0,"price":55.5}`, `{"sku":"C/2","store_id":0,"price":1}`, `{"sku":"b,1","store_id":0,"price":1}`)
	b.apply([]lockstep.Write{rowOf("sku", "a", "store_id", 0, "price", 55.50)})
	b.sent(0)
	b.apply([]lockstep.Write{gone("A", "0"), gone("NOPE", "0")}, lockstep.Invalid, 0)
	b.sent(0)
}

func TestPricesOfAWebsite(t *testing.T) {
	b := newRowBench(t, basePrices, sandbox.Options{WebsitePrices: true})
	b.apply([]lockstep.Write{rowOf("sku", "A", "store_id", 1, "price", 2), rowOf("sku", "A", "store_id", 77, "price", 2), rowOf("sku", "b,1", "store_id", 77, "price", 3)}, 0, lockstep.Invalid, lockstep.Invalid)
	b.is(`{"sku":"A","store_id":0,"price":1}`, `{"sku":"A","store_id":1,"price":2}`, `{"sku":"C/2","store_id":0,"price":1}`, `{"sku":"b,1","store_id":0,"price":1}`)
}

// Where an answer does not say which row failed, it is found by halves, and the good ones are level.
func TestAFailureThatNamesNoRow(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Products: 30})
	b := &rowBench{t, shop, shop.open(t, nil), basePrices}
	shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if strings.HasSuffix(r.URL.Path, "/base-prices") && strings.Contains(a.Body.String(), "P-") {
			a.Body.Reset()
			a.Body.WriteString(`[{"message":"Something is wrong.","parameters":[]}]`)
		}
	})
	var writes []lockstep.Write
	kinds := make([]lockstep.FaultKind, 30)
	for i := range 30 {
		sku := fmt.Sprint("P-", i+1)
		if i == 7 || i == 23 {
			sku, kinds[i] = sku+"-not", lockstep.Invalid
		}
		writes = append(writes, rowOf("sku", sku, "store_id", 0, "price", 777))
	}
	b.apply(writes, kinds...)
	shop.writes()
	b.apply(writes, kinds...)
	b.sent(3) // the two are sent again, as one batch and each for itself; the others are level
}

func TestSpecialPrices(t *testing.T) {
	b := newRowBench(t, specialPrices, sandbox.Options{})
	from, to, later := value.Time(day("2026-11-01")), value.Time(day("2026-12-31")), value.Time(day("2026-12-01"))
	b.apply([]lockstep.Write{
		rowOf("sku", "A", "store_id", 0, "price_from", from, "price_to", to, "price", 40),
		rowOf("sku", "b,1", "store_id", 0, "price_from", from, "price", 3),
		rowOf("sku", "NOPE", "store_id", 0, "price_from", from, "price", 3),
		rowOf("sku", "C/2", "store_id", 0, "price_from", from),
	}, 0, 0, lockstep.Waiting, lockstep.Invalid)
	b.sent(1)
	row := `{"sku":"A","store_id":0,"price_from":"2026-11-01T00:00:00Z","price_to":"2026-12-31T00:00:00Z","price":40}`
	second := `{"sku":"b,1","store_id":0,"price_from":"2026-11-01T00:00:00Z","price_to":null,"price":3}`
	b.is(row, second)
	b.apply([]lockstep.Write{{Key: lockstep.MakeKey("A", "0", "2026-11-01T00:00:00Z"), Fields: value.F("price", 40)}})
	b.sent(0)
	// A product has one in a store: the new one takes the old one's place, and the old one's delete takes nothing.
	b.apply([]lockstep.Write{rowOf("sku", "A", "store_id", 0, "price_from", later, "price", 30), gone("b,1", "0", "2026-11-01T00:00:00Z")})
	b.apply([]lockstep.Write{gone("A", "0", "2026-11-01T00:00:00Z")})
	b.is(`{"sku":"A","store_id":0,"price_from":"2026-12-01T00:00:00Z","price_to":null,"price":30}`)
}

func TestTierPrices(t *testing.T) {
	b := newRowBench(t, tierPrices, sandbox.Options{})
	tier := func(website int, group string, quantity, price any) lockstep.Write {
		return rowOf("sku", "A", "website_id", website, "customer_group", group, "quantity", quantity, "price", price)
	}
	percent := rowOf("sku", "A", "website_id", 0, "customer_group", "General", "quantity", 2, "price", 10, "price_type", "discount")
	writes := []lockstep.Write{tier(0, "ALL GROUPS", 5, 30), tier(1, "ALL GROUPS", 5, 28), percent, tier(0, "General", 10, 25)}
	b.apply(append(writes, tier(0, "NoGroup", 2, 10), tier(9, "General", 2, 10)), 0, 0, 0, 0, lockstep.Invalid, lockstep.Invalid)
	b.sent(1)
	b.apply(writes)
	b.sent(0)
	rows := []string{
		`{"sku":"A","website_id":0,"customer_group":"ALL GROUPS","quantity":5,"price":30,"price_type":"fixed"}`,
		`{"sku":"A","website_id":0,"customer_group":"General","quantity":10,"price":25,"price_type":"fixed"}`,
		`{"sku":"A","website_id":0,"customer_group":"General","quantity":2,"price":10,"price_type":"discount"}`,
		`{"sku":"A","website_id":1,"customer_group":"ALL GROUPS","quantity":5,"price":28,"price_type":"fixed"}`,
	}
	b.is(rows...)
	// Magento's delete of the one for all websites takes that of website 1 with it; ours does not.
	b.apply([]lockstep.Write{gone("A", "0", "all groups", "5"), gone("A", "0", "General", "77")})
	b.is(rows[1], rows[2], rows[3])
	b.apply([]lockstep.Write{tier(0, "ALL GROUPS", 5, 30), gone("A", "0", "General", "2")})
	b.is(rows[0], rows[1], rows[3])
	b.apply([]lockstep.Write{gone("A", "0", "ALL GROUPS", "5"), gone("A", "1", "ALL GROUPS", "5"), gone("A", "0", "General", "10")})
	b.is()
}

func TestRowsWhileTheShopIsDown(t *testing.T) {
	for _, stream := range []string{stockStream, basePrices} {
		b := newRowBench(t, stream, sandbox.Options{})
		w := []lockstep.Write{rowOf("sku", "A", "source_code", "default", "quantity", 1)}
		if stream == basePrices {
			w = []lockstep.Write{rowOf("sku", "A", "store_id", 0, "price", 2)}
		}
		down := func(status int, of string) {
			b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				hit := r.Method == of && !strings.HasSuffix(r.URL.Path, "-information")
				if hit {
					w.WriteHeader(status)
				}
				return hit
			}, nil)
		}
		down(http.StatusGatewayTimeout, http.MethodPost)
		if r := b.apply(w, lockstep.Transient); !lockstep.FaultOf(r[0].Err).Unknown {
			t.Errorf("%s: %v", stream, r[0].Err)
		}
		down(http.StatusServiceUnavailable, http.MethodPost)
		b.apply(w, lockstep.Unavailable)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.sys.Apply(ctx, stream, w); err == nil {
			t.Error("no error where nothing was done")
		}
	}
}

// A 404 where prices are read does not mean that products that are there have none (law 9).
func TestPricesThatCannotBeReadAreNotGone(t *testing.T) {
	b := newRowBench(t, basePrices, sandbox.Options{})
	read, key := lockstep.Read{Stream: basePrices, Fields: []string{"price"}}, []lockstep.Key{lockstep.MakeKey("A", "0")}
	if got, err := b.sys.Fetch(t.Context(), read, key); err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		hit := strings.HasSuffix(r.URL.Path, "-information")
		if hit {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"The product that was requested doesn't exist. Verify the product and try again."}`))
		}
		return hit
	}, nil)
	if got, err := b.sys.Fetch(t.Context(), read, key); lockstep.KindOf(err) != lockstep.Transient {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := b.sys.Fetch(t.Context(), read, []lockstep.Key{lockstep.MakeKey("NOPE", "0")}); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
