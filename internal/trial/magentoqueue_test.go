package trial

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

const queueYAML = `
systems:
  pim: {type: sqlite, path: pim.db}
  shop:
    type: magento
    url: %s
    token: t
    async_from: 1
    async_deadline: 2s
    grace: 1s
flows:
  products:
    from: {system: pim, stream: products, track: {by: timestamp, field: updated_at}}
    to: {system: shop, stream: products}
    match: sku
    deletes: {max_share: 100%%}
    deliver: {retry: {attempts: 40, from: 20ms, to: 500ms}}
    map: {sku: sku, name: name, name_de: name_de, price: price, weight: weight}
`

// Products go by Magento's queue, and all that can go wrong with it does: consumers that overtake each other and die,
// operations that lie, are done twice or not at all, and answers that are lost. Both sides are equal in the end, and no
// SKU is there twice.
func TestMagentosQueueAtItsWorst(t *testing.T) {
	t.Parallel()
	shop, err := sandbox.New(sandbox.Options{Open: true, Consumers: 2, Shuffle: true, Broker: true})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(shop)
	t.Cleanup(func() {
		srv.Close()
		_ = shop.Close()
	})
	pl := newPlace(t)
	db := openDB(t, "sqlite", pl.path("pim.db"))
	db.SetMaxOpenConns(1)
	exe(t, db, `PRAGMA journal_mode = WAL`, `PRAGMA busy_timeout = 10000`,
		`CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, name_de TEXT, price DECIMAL(12,2), weight DECIMAL(12,2), updated_at TIMESTAMPTZ NOT NULL DEFAULT (`+shopNow+`))`)
	rng := rand.New(rand.NewPCG(5, 8))
	for i := range 60 {
		exe(t, db, fmt.Sprintf(`INSERT INTO products (sku, name, name_de, price, weight) VALUES ('Q/%d', 'Name %d', 'Der Name %d', %d.5, 1)`, i, i, i, i+1))
	}
	shop.SetSlow(50 * time.Millisecond) // for so long PHP is at it after an answer of 504: less than the grace time
	for fault, share := range map[sandbox.Fault]float64{
		sandbox.FaultDeadlock: 0.03, sandbox.FaultLost: 0.03, sandbox.Fault504: 0.02, sandbox.FaultOpDead: 0.05, sandbox.FaultOpRetry: 0.05,
		sandbox.FaultOpLies: 0.05, sandbox.FaultOpNothing: 0.05, sandbox.FaultOpTwice: 0.05, sandbox.FaultOpKill: 0.01,
	} {
		shop.Fail(fault, share)
	}
	// A supervisor starts consumers anew when they die.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				if n := shop.Consumers(); n < 2 {
					shop.StartConsumers(2 - n)
				}
			}
		}
	}()
	text := fmt.Sprintf(queueYAML, srv.URL)
	h := pl.house(text)
	for round := range 6 {
		for range 15 {
			switch i := rng.IntN(60); rng.IntN(4) {
			case 0:
				exe(t, db, fmt.Sprintf(`UPDATE products SET name = 'Name %d of round %d', updated_at = %s WHERE sku = 'Q/%d'`, i, round, shopNow, i))
			case 1:
				exe(t, db, fmt.Sprintf(`UPDATE products SET name_de = 'Der %d der Runde %d', updated_at = %s WHERE sku = 'Q/%d'`, i, round, shopNow, i))
			case 2:
				exe(t, db, fmt.Sprintf(`UPDATE products SET price = %d.25, weight = %d, updated_at = %s WHERE sku = 'Q/%d'`, round+i, round+1, shopNow, i))
			default:
				exe(t, db, fmt.Sprintf(`INSERT INTO products (sku, name, name_de, price) VALUES ('N/%d/%d', 'New %d', NULL, 3) ON CONFLICT DO NOTHING`, round, i, i))
			}
		}
		if _, err := try(h, app.Request{Do: app.DoSync}); err != nil {
			t.Logf("round %d: %v", round, err)
		}
		if round%2 == 1 { // what was accepted is in the store, not in the process
			pl.close(h)
			h = pl.house(text)
		}
	}
	for _, fault := range sandbox.Faults() {
		shop.Fail(fault, 0)
	}
	do(t, h, app.Request{Do: app.DoSync})
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	level(t, h)
	close(stop)
	<-stopped

	skus := shop.SKUs()
	slices.Sort(skus)
	if twice := len(skus) - len(slices.Compact(slices.Clone(skus))); twice > 0 {
		t.Errorf("%d SKUs are there twice", twice)
	}
	want := rows(t, db, `SELECT sku, name, coalesce(name_de, name), printf('%.2f', price) FROM products ORDER BY sku`)
	var have []string
	for _, sku := range skus {
		have = append(have, fmt.Sprintf("'%s'|'%s'|'%s'|'%.2f'", sku, shopValue(t, shop, "all", sku, "name"), shopValue(t, shop, "de", sku, "name"), shopValue(t, shop, "all", sku, "price")))
	}
	slices.Sort(want)
	sameRows(t, "in the end", want, have)
	bulks := 0
	_, counts := shop.Counts()
	for route, n := range counts {
		if strings.Contains(route, "bulk") {
			bulks += n.Requests
		}
	}
	t.Logf("%d products, %d requests of bulks", len(skus), bulks)
	if bulks == 0 {
		t.Error("nothing went by the queue")
	}
}

// shopValue is a member of a product as a view has it.
func shopValue(t *testing.T, shop *sandbox.Server, scope, sku, name string) any {
	t.Helper()
	raw, err := shop.Rest("GET", "/rest/"+scope+"/V1/products/"+strings.ReplaceAll(sku, "/", "%2F"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var p map[string]any
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return p[name]
}
