package trial

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

const pimPairYAML = `
systems:
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    user_id: 7
    classes:
      Product:
        parent: /Products
        object_key: sku
        fields: {price: "price decimal(12,2)"}
  shop: {type: sqlite, path: shop.db}
flows:
  out:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate}}
    to: {system: shop, stream: products}
    match: sku
    deletes: {max_share: 100%%}
    map: {sku: sku, name: name_en, price: price, stock: stock, color: color, online: published}
  back:
    from: {system: shop, stream: products, track: {by: timestamp, field: updated_at}}
    to: {system: pim, stream: Product}
    match: sku
    deletes: {max_share: 100%%}
    map: {sku: sku, name_en: name, price: price, stock: stock, color: color, published: online}
pairs:
  products: {a: out, b: back, wins: newest}
`

// pimPair is a table of a shop and a class of Pimcore that are kept in step both ways.
type pimPair struct {
	*pimWorld
	shop  *sql.DB
	rng   *rand.Rand
	edits int
}

func (p *pimPair) inShop() []string {
	return rows(p.t, p.shop, `SELECT sku, name, printf('%.2f', price), stock, color, online FROM products ORDER BY sku`)
}

func (p *pimPair) inPimcore() (out []string) {
	for _, id := range p.srv.IDs("Product") {
		o, _ := p.srv.Get(id)
		v := func(key string) string {
			if o.Values[key] == nil {
				return null
			}
			return fmt.Sprintf("'%v'", o.Values[key])
		}
		online := map[bool]string{true: "'1'", false: "'0'"}[o.Published]
		price := "'0.00'" // as printf shows NULL
		if f, ok := o.Values["price"].(float64); ok {
			price = fmt.Sprintf("'%.2f'", f)
		}
		out = append(out, v("sku")+"|"+v("name@en")+"|"+price+"|"+v("stock")+"|"+v("color")+"|"+online)
	}
	slices.Sort(out)
	return out
}

// state is all that a write of anybody would move: versions and dates of Pimcore, times of the shop.
func (p *pimPair) state() string {
	var versions []string
	for _, id := range p.srv.IDs("Product") {
		o, _ := p.srv.Get(id)
		versions = append(versions, fmt.Sprint(id, o.VersionCount, o.Modified, o.UserModification))
	}
	return fmt.Sprint(versions, rows(p.t, p.shop, `SELECT sku, name, price, stock, color, online, updated_at FROM products ORDER BY sku`))
}

const shopNow = `strftime('%Y-%m-%d %H:%M:%fZ', 'now')`

// edit makes one edit on a side, or a conflict.
func (p *pimPair) edit() {
	p.t.Helper()
	p.edits++
	name, price := fmt.Sprintf("Näme %d \"x\"", p.edits), float64(p.rng.IntN(100000))/100
	ids := p.srv.IDs("Product")
	id := ids[p.rng.IntN(len(ids))]
	o, _ := p.srv.Get(id)
	inPim := func() { p.must(p.srv.Save(id, map[string]any{"name@en": name + " p", "price": price})) }
	inShop := func(sku any) {
		exe(p.t, p.shop, fmt.Sprintf(`UPDATE products SET name = '%s s', stock = %d, color = CASE WHEN color IS NULL THEN 'red' END, updated_at = %s WHERE sku = '%v'`, name, p.rng.IntN(500), shopNow, sku))
	}
	switch p.rng.IntN(12) {
	case 0:
		p.must(p.srv.Delete(id))
	case 1:
		exe(p.t, p.shop, fmt.Sprintf(`DELETE FROM products WHERE sku = '%v'`, o.Values["sku"]))
	case 2:
		_, err := p.srv.Create(sandbox.NewObject{Class: "Product", Path: "/Products", Key: fmt.Sprint("new-", p.edits), Values: map[string]any{"sku": fmt.Sprint("P-", p.edits), "name@en": name}})
		p.must(err)
	case 3:
		exe(p.t, p.shop, fmt.Sprintf(`INSERT INTO products (sku, name, price, stock, online, updated_at) VALUES ('S-%d', '%s', %.2f, 3, 1, %s)`, p.edits, name, price, shopNow))
	case 4:
		if o.Published {
			p.must(p.srv.Unpublish(id))
		} else {
			p.must(p.srv.Publish(id))
		}
	case 5: // a conflict
		inPim()
		inShop(o.Values["sku"])
	case 6:
		p.must(p.srv.Save(id, nil))
	case 7, 8, 9:
		inShop(o.Values["sku"])
	default:
		inPim()
	}
}

// A table of a shop and a class of Pimcore are edited at random on both sides, also the same records at once. Both come to
// rest, equal, and then nothing is written any more: Pimcore's counters of versions stand still.
func TestPairOfPimcoreAndSQLite(t *testing.T) {
	t.Parallel()
	w := newPimWorld(t, sandbox.Options{Products: 60, VariantsPerThird: -1, Seed: 9})
	pl := newPlace(t)
	p := &pimPair{pimWorld: w, shop: openDB(t, "sqlite", pl.path("shop.db")), rng: rand.New(rand.NewPCG(1, 7))}
	p.shop.SetMaxOpenConns(1)
	exe(t, p.shop, `PRAGMA journal_mode = WAL`, `PRAGMA busy_timeout = 10000`,
		`CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, price DECIMAL(12,2), stock INTEGER, color TEXT, online BOOLEAN, updated_at TIMESTAMPTZ NOT NULL DEFAULT (`+shopNow+`))`)
	h := pl.house(fmt.Sprintf(pimPairYAML, w.url, w.srv.Key()))
	do(t, h, app.Request{Do: app.DoSync})
	sameRows(t, "after the first sync", p.inShop(), p.inPimcore())

	before := w.srv.Requests()
	for range 10 {
		for range 20 {
			p.edit()
		}
		do(t, h, app.Request{Do: app.DoSync})
	}
	do(t, h, app.Request{Do: app.DoSync, Full: true, AllowDeletes: true})
	calls, last := w.srv.Requests()-before, ""
	for round := 0; ; round++ {
		do(t, h, app.Request{Do: app.DoSync})
		now := p.state()
		if now == last {
			break
		}
		if last = now; round == 6 {
			t.Fatal("the two sides do not come to rest")
		}
		time.Sleep(1100 * time.Millisecond) // an echo would have another date
	}
	sameRows(t, "at rest", p.inShop(), p.inPimcore())
	level(t, h)
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	do(t, h, app.Request{Do: app.DoSync})
	if p.state() != last {
		t.Error("what is level was written")
	}
	t.Logf("%d edits, %d calls, %d products", p.edits, calls, len(p.inShop()))
}
