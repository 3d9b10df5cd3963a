package trial

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const shopSourceYAML = `
systems:
  shop: {type: magento, url: %s, token: %s}
  erp: {type: postgres, dsn: %q}
flows:
  products:
    from: {system: shop, stream: products, track: {by: timestamp, field: updated_at, every: 1s, sweep: 24h}}
    to: {system: erp, stream: products}
    deletes: &all {max_share: 100%%}
    map: {sku: sku, name: name, name_de: name_de, status: status, note: short_description, note_de: short_description_de}
  places:
    from: {system: shop, stream: products, track: &look {by: snapshot, every: 1m}}
    to: {system: erp, stream: places}
    deletes: *all
    map: {sku: sku, categories: 'join(sort(map(category_ids, text(#))), ",")'}
  stock:
    from: {system: shop, stream: stock, track: *look}
    to: {system: erp, stream: stock}
    deletes: *all
  base_prices:
    from: {system: shop, stream: base_prices, track: *look}
    to: {system: erp, stream: base_prices}
    deletes: *all
  special_prices:
    from: {system: shop, stream: special_prices, track: *look}
    to: {system: erp, stream: special_prices}
    deletes: *all
  tier_prices:
    from: {system: shop, stream: tier_prices, track: *look}
    to: {system: erp, stream: tier_prices}
    deletes: *all
`

// shopSource is a Magento that a database follows.
type shopSource struct {
	*shopWorld
	erp        *sql.DB
	rng        *rand.Rand
	ahead      *atomic.Int64 // of the shop's clock
	categories []int
}

func newShopSource(t *testing.T, products int) (p *shopSource, dsn string) {
	t.Helper()
	ahead := &atomic.Int64{}
	w := newShopWorld(t, sandbox.Options{Products: products, Seed: 3, Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	dsn = testkit.Postgres(t)
	p = &shopSource{shopWorld: w, erp: openDB(t, "pgx", dsn), rng: rand.New(rand.NewPCG(3, 11)), ahead: ahead}
	for i := range 4 {
		var made struct{ ID int }
		w.call(http.MethodPost, "/rest/all/V1/categories", map[string]any{"category": map[string]any{"name": fmt.Sprint("C", i), "parent_id": 2, "is_active": true}}, &made)
		p.categories = append(p.categories, made.ID)
	}
	exe(t, p.erp,
		`CREATE TABLE products (sku text PRIMARY KEY, name text, name_de text, status int, note text, note_de text)`,
		`CREATE TABLE places (sku text PRIMARY KEY, categories text)`,
		`CREATE TABLE stock (sku text, source_code text, quantity numeric(12,4), status int, PRIMARY KEY (sku, source_code))`,
		`CREATE TABLE base_prices (sku text, store_id int, price numeric(20,6), PRIMARY KEY (sku, store_id))`,
		`CREATE TABLE special_prices (sku text, store_id int, price_from timestamptz, price_to timestamptz, price numeric(20,6), PRIMARY KEY (sku, store_id, price_from))`,
		`CREATE TABLE tier_prices (sku text, website_id int, customer_group text, quantity numeric(12,4), price numeric(20,6), price_type text, PRIMARY KEY (sku, website_id, customer_group, quantity))`)
	return p, dsn
}

// owner does something in the shop past all that is counted.
func (p *shopSource) owner(method, path string, body any) {
	p.t.Helper()
	if _, err := p.srv.Rest(method, path, body); err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// quietly changes what moves no updated_at.
func (p *shopSource) quietly() {
	p.t.Helper()
	all := p.srv.SKUs()
	sku := all[p.rng.IntN(len(all))]
	price := float64(1+p.rng.IntN(9000)) / 100
	category := p.categories[p.rng.IntN(len(p.categories))]
	special := map[string]any{"sku": sku, "store_id": 0, "price": price, "price_from": fmt.Sprintf("2026-01-%02d 00:00:00", 1+p.rng.IntN(3)), "price_to": "2027-01-01 00:00:00"}
	tier := map[string]any{"sku": sku, "website_id": 0, "customer_group": "ALL GROUPS", "quantity": 2 + p.rng.IntN(3), "price": price, "price_type": "fixed"}
	const at = "/rest/all/V1/"
	switch p.rng.IntN(13) { // few are taken away: a shop with no such price at all is a short read
	case 0, 1, 2:
		p.owner(http.MethodPost, at+"products/special-price", map[string]any{"prices": []any{special}})
	case 3:
		for _, row := range p.prices("special-price", sku) {
			p.owner(http.MethodPost, at+"products/special-price-delete", map[string]any{"prices": []any{row}})
		}
	case 4, 5, 6:
		p.owner(http.MethodPost, at+"products/tier-prices", map[string]any{"prices": []any{tier}})
	case 7:
		for _, row := range p.prices("tier-prices", sku) {
			p.owner(http.MethodPost, at+"products/tier-prices-delete", map[string]any{"prices": []any{row}})
		}
	case 8:
		if slices.Contains(p.places()[sku], strconv.Itoa(category)) {
			p.owner(http.MethodDelete, fmt.Sprintf("%scategories/%d/products/%s", at, category, url.PathEscape(sku)), nil)
		}
	default:
		p.owner(http.MethodPost, fmt.Sprintf("%scategories/%d/products", at, category), map[string]any{"productLink": map[string]any{"sku": sku, "position": 1, "category_id": strconv.Itoa(category)}})
	}
}

// prices are the rows of a price endpoint.
func (p *shopSource) prices(kind string, skus ...string) (out []map[string]any) {
	p.t.Helper()
	p.call(http.MethodPost, "/rest/all/V1/products/"+kind+"-information", map[string]any{"skus": skus}, &out)
	return out
}

// places are the categories of the products.
func (p *shopSource) places() map[string][]string {
	p.t.Helper()
	out := map[string][]string{}
	for sku, one := range p.products("all") {
		var ext struct {
			Links []struct {
				ID string `json:"category_id"`
			} `json:"category_links"`
		}
		_ = json.Unmarshal(one.Extension, &ext)
		out[sku] = nil
		for _, l := range ext.Links {
			out[sku] = append(out[sku], l.ID)
		}
		slices.Sort(out[sku])
	}
	return out
}

// lateSave is a save that is stamped when it begins and seen minutes of the shop's clock later; meanwhile others read.
func (p *shopSource) lateSave(sku, name string, meanwhile func()) {
	p.t.Helper()
	p.srv.Configure(func(o *sandbox.Options) { o.Delay = time.Second })
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPut, p.url+"/rest/all/V1/products/"+url.PathEscape(sku), strings.NewReader(`{"product":{"name":"`+name+`"}}`))
	if err != nil {
		p.t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + p.token(), "Content-Type": "application/json", "X-Test": "1"} {
		req.Header.Set(k, v)
	}
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			err = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
		}
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	p.srv.Configure(func(o *sandbox.Options) { o.Delay = 0 })
	p.ahead.Add(int64(200 * time.Second))
	meanwhile()
	if err := <-done; err != nil {
		p.t.Fatal(err)
	}
}

// inERP and inShop are all that is followed, table by table.
func (p *shopSource) inERP() map[string][]string {
	out := map[string][]string{}
	for name, query := range map[string]string{
		"products":       `SELECT sku, name, coalesce(name_de, name), status, coalesce(note, ''), coalesce(note_de, note, '') FROM products`,
		"places":         `SELECT sku, coalesce(categories, '') FROM places`,
		"stock":          `SELECT sku, source_code, quantity::numeric(12,2), status FROM stock`,
		"base_prices":    `SELECT sku, store_id, price::numeric(12,2) FROM base_prices`,
		"special_prices": `SELECT sku, store_id, to_char(price_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), to_char(price_to AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), price::numeric(12,2) FROM special_prices`,
		"tier_prices":    `SELECT sku, website_id, lower(customer_group), quantity::numeric(12,2), price::numeric(12,2), price_type FROM tier_prices`,
	} {
		out[name] = rows(p.t, p.erp, query)
		slices.Sort(out[name])
	}
	return out
}

func (p *shopSource) inShop() map[string][]string {
	out := map[string][]string{}
	put := func(table string, cells ...any) {
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = fmt.Sprintf("'%v'", c)
		}
		out[table] = append(out[table], strings.Join(line, "|"))
	}
	money := func(v any) string { return strconv.FormatFloat(v.(float64), 'f', 2, 64) }
	german, skus := p.products("de"), []string{}
	for sku, one := range p.products("all") {
		skus = append(skus, sku)
		put("products", sku, one.Name, german[sku].Name, one.Status, one.text("short_description"), german[sku].text("short_description"))
	}
	for sku, ids := range p.places() {
		put("places", sku, strings.Join(ids, ","))
	}
	for _, r := range p.prices("base-prices", skus...) {
		put("base_prices", r["sku"], r["store_id"], money(r["price"]))
	}
	for _, r := range p.prices("special-price", skus...) {
		put("special_prices", r["sku"], r["store_id"], r["price_from"], r["price_to"], money(r["price"]))
	}
	for _, r := range p.prices("tier-prices", skus...) {
		put("tier_prices", r["sku"], r["website_id"], strings.ToLower(fmt.Sprint(r["customer_group"])), money(r["quantity"]), money(r["price"]), r["price_type"])
	}
	var page struct{ Items []map[string]any }
	p.call(http.MethodGet, "/rest/all/V1/inventory/source-items?searchCriteria[pageSize]=2000", nil, &page)
	for _, r := range page.Items {
		put("stock", r["sku"], r["source_code"], money(r["quantity"]), r["status"])
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

// sameTables compares them all.
func (p *shopSource) sameTables(when string, want, have map[string][]string) {
	p.t.Helper()
	for name := range want {
		sameRows(p.t, when+": "+name, have[name], want[name])
	}
}

// A database follows a Magento: products by updated_at, under saves that are seen minutes after their time, and deletes by
// a sweep; stock, prices and places in categories, which move no updated_at, by snapshots of their own.
func TestMagentoAsASource(t *testing.T) {
	t.Parallel()
	rounds, n, products := 20, 50, 200
	if testing.Short() {
		rounds, n, products = 4, 25, 60
	}
	p, dsn := newShopSource(t, products)
	pl := newPlace(t)
	h := pl.house(fmt.Sprintf(shopSourceYAML, p.url, p.token(), dsn))
	for range 20 {
		p.quietly()
	}
	do(t, h, app.Request{Do: app.DoSync})
	p.sameTables("after the first sync", p.inShop(), p.inERP())
	calls, _ := p.counted()
	t.Logf("the first sync: %v", calls)

	lates := 0
	for round := range rounds {
		if err := p.srv.RandomEdits(n, uint64(round)); err != nil {
			t.Fatal(err)
		}
		for range n / 2 {
			p.quietly()
		}
		all := p.srv.SKUs()
		late, name := all[p.rng.IntN(len(all))], fmt.Sprintf("Late %d", round)
		p.lateSave(late, name, func() {
			do(t, h, app.Request{Do: app.DoSync})
			if p.products("all")[late].Name != name {
				lates++
			}
		})
		do(t, h, app.Request{Do: app.DoSync})
		p.changesAreThere(fmt.Sprintf("round %d", round))
	}
	if lates == 0 {
		t.Error("no save was late: the test proves nothing")
	}
	calls, _ = p.counted()
	t.Logf("%d edits in %d rounds, %d late ones, %d products: %v", rounds*(n+n/2+1), rounds, lates, len(p.srv.SKUs()), calls)
	do(t, h, app.Request{Do: app.DoSync, Sweep: true, Flows: []string{"products"}})
	calls, _ = p.counted()
	t.Logf("the sweep: %v", calls)
	p.sameTables("by polls, snapshots and a sweep", p.inShop(), p.inERP())
	full := 0
	for _, e := range ask(t, h, app.Request{Do: app.DoRuns, Max: 1000}) {
		if e.Run != nil && e.Run.Kind == "full" && e.Run.Flow == "products" {
			full++
		}
	}
	if full != 2 {
		t.Errorf("%d full runs, not the first one and the sweep: they would hide a change that is not seen", full)
	}
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	p.sameTables("by a full sync", p.inShop(), p.inERP())
	level(t, h)
}

// changesAreThere checks what needs no sweep: all products that are in the shop are in the table, as they are.
func (p *shopSource) changesAreThere(when string) {
	p.t.Helper()
	have, lost := p.inERP(), 0
	for name, want := range p.inShop() {
		if name != "products" {
			sameRows(p.t, when+": "+name, have[name], want)
			continue
		}
		for _, row := range want {
			if _, is := slices.BinarySearch(have[name], row); !is {
				if lost++; lost < 4 {
					p.t.Errorf("%s: not in the table: %s", when, row)
				}
			}
		}
	}
}
