package trial

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

const shopPairYAML = `
systems:
  shop: {type: magento, url: %s, token: %s, grace: 1s}
  erp: {type: sqlite, path: erp.db}
flows:
  out:
    from: {system: shop, stream: products, track: {by: timestamp, field: updated_at, every: 1s}}
    to: {system: erp, stream: products}
    match: sku
    deletes: {max_share: 100%%}
    map: {sku: sku, name: name, name_de: name_de, price: price, weight: weight, status: status, note: short_description}
  back:
    from: {system: erp, stream: products, track: {by: timestamp, field: updated_at, every: 1s}}
    to: {system: shop, stream: products}
    match: sku
    deletes: {max_share: 100%%}
    map: {sku: sku, name: name, name_de: name_de, price: price, weight: weight, status: status, short_description: note}
pairs:
  products: {a: out, b: back, wins: %s}
`

const shopPairTable = `CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, name_de TEXT, price DECIMAL(12,2), weight DECIMAL(12,2), status INTEGER, note TEXT, updated_at TIMESTAMPTZ NOT NULL DEFAULT (` + shopNow + `))`

// shopPair is a table of products and those of a Magento that are kept in step both ways.
type shopPair struct {
	*shopWorld
	erp   *sql.DB
	rng   *rand.Rand
	edits int
}

func (p *shopPair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// inERP are the products of the table; what the German view shows is its own name, or the one for all.
func (p *shopPair) inERP() []string {
	out := rows(p.t, p.erp, `SELECT sku, name, coalesce(name_de, name), printf('%.2f', price), printf('%.2f', weight), status, coalesce(note, '') FROM products`)
	slices.Sort(out)
	return out
}

func (p *shopPair) inShop() (out []string) {
	german := p.products("de")
	for sku, one := range p.products("all") {
		out = append(out, fmt.Sprintf("'%s'|'%s'|'%s'|'%s'|'%s'|'%d'|'%s'", sku, one.Name, german[sku].Name, hundredths(one.Price.String()), hundredths(one.Weight.String()), one.Status, one.text("short_description")))
	}
	slices.Sort(out)
	return out
}

// hundredths is a number with two digits; nothing is 0, as printf shows NULL.
func hundredths(text string) string {
	f, _ := strconv.ParseFloat(text, 64)
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// state is all that a write of anybody would move.
func (p *shopPair) state() string {
	stamps := []string{}
	for sku, one := range p.products("all") {
		stamps = append(stamps, fmt.Sprint(sku, one.UpdatedAt))
	}
	slices.Sort(stamps)
	return strings.Join(append(stamps, rows(p.t, p.erp, `SELECT sku, name, name_de, price, weight, status, note, updated_at FROM products ORDER BY sku`)...), "\n")
}

// edit makes one edit on a side, or one on both.
func (p *shopPair) edit() {
	p.t.Helper()
	p.edits++
	name, price := fmt.Sprintf("Näme %d \"x\"", p.edits), float64(p.rng.IntN(100000))/100
	all := p.srv.SKUs()
	sku := all[p.rng.IntN(len(all))]
	inShop := func() { p.must(p.srv.Edit(sku, "all", map[string]any{"name": name + " s", "price": price})) }
	inERP := func() {
		exe(p.t, p.erp, fmt.Sprintf(`UPDATE products SET name = '%s e', weight = %d, note = CASE WHEN note IS NULL THEN 'n%d' END, updated_at = %s WHERE sku = '%s'`, name, 1+p.rng.IntN(50), p.edits, shopNow, sku))
	}
	switch p.rng.IntN(13) {
	case 0:
		if len(all) > 10 {
			p.must(p.srv.Delete(sku))
		}
	case 1:
		if len(all) > 10 {
			exe(p.t, p.erp, fmt.Sprintf(`DELETE FROM products WHERE sku = '%s'`, sku))
		}
	case 2:
		_, err := p.srv.Rest(http.MethodPost, "/rest/all/V1/products", map[string]any{"product": map[string]any{"sku": fmt.Sprintf("M/%d", p.edits), "name": name, "attribute_set_id": 4, "price": price, "weight": 2}})
		p.must(err)
	case 3:
		exe(p.t, p.erp, fmt.Sprintf(`INSERT INTO products (sku, name, name_de, price, weight, status, updated_at) VALUES ('E %d', '%s', 'de %d', %.2f, 3, 1, %s)`, p.edits, name, p.edits, price, shopNow))
	case 4: // a view's own name, on either side, or none
		p.must(p.srv.Edit(sku, "de", map[string]any{"name": "Deutsch " + name}))
	case 5:
		exe(p.t, p.erp, fmt.Sprintf(`UPDATE products SET name_de = CASE WHEN name_de IS NULL THEN 'de %d' END, status = 3 - status, updated_at = %s WHERE sku = '%s'`, p.edits, shopNow, sku))
	case 6: // a conflict
		inShop()
		inERP()
	case 7: // a save that changes nothing moves the date
		p.must(p.srv.Edit(sku, "all", map[string]any{}))
	case 8, 9:
		inShop()
	default:
		inERP()
	}
}

// The products of a Magento and a table are edited at random on both sides, also the same records at once. Both come to
// rest and are equal, and then nothing is written any more, though a PUT moves updated_at even where it changes nothing.
func TestPairOfMagentoAndSQLite(t *testing.T) {
	for i, wins := range []string{"newest", "a", "b"} {
		t.Run(wins, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && i > 0 {
				t.Skip("one policy in a short run")
			}
			pairOfMagento(t, wins, uint64(i))
		})
	}
}

func pairOfMagento(t *testing.T, wins string, seed uint64) {
	t.Helper()
	w := newShopWorld(t, sandbox.Options{Products: 30, Seed: 9})
	pl := newPlace(t)
	p := &shopPair{shopWorld: w, erp: openDB(t, "sqlite", pl.path("erp.db")), rng: rand.New(rand.NewPCG(seed, 7))}
	p.erp.SetMaxOpenConns(1)
	exe(t, p.erp, `PRAGMA journal_mode = WAL`, `PRAGMA busy_timeout = 10000`,
		shopPairTable)
	h := pl.house(fmt.Sprintf(shopPairYAML, w.url, w.token(), wins))
	do(t, h, app.Request{Do: app.DoSync})
	sameRows(t, "after the first sync", p.inERP(), p.inShop())
	if _, writes := w.counted(); writes > 0 {
		t.Errorf("%d writes to a shop that nobody had something for", writes)
	}
	rounds, n := 10, 20
	if testing.Short() {
		rounds = 4
	}
	for range rounds {
		for range n {
			p.edit()
		}
		do(t, h, app.Request{Do: app.DoSync})
	}
	do(t, h, app.Request{Do: app.DoSync, Full: true, AllowDeletes: true}) // a delete in Magento leaves no trace
	calls, writes := w.counted()
	p.rest(h)
	sameRows(t, "at rest", p.inERP(), p.inShop())
	level(t, h)
	still := p.state()
	w.counted()
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	do(t, h, app.Request{Do: app.DoSync})
	if _, writes := w.counted(); writes > 0 || p.state() != still {
		t.Errorf("what is level was written: %d writes to the shop", writes)
	}
	t.Logf("%d edits, %d products: %v, %d writes", p.edits, len(p.inERP()), calls, writes)
}

// rest syncs until two syncs a second apart leave all as it is.
func (p *shopPair) rest(h *app.House) {
	p.t.Helper()
	last := ""
	for round := 0; ; round++ {
		do(p.t, h, app.Request{Do: app.DoSync})
		now := p.state()
		if now == last {
			return
		}
		if last = now; round == 6 {
			p.t.Fatal("the two sides do not come to rest")
		}
		time.Sleep(1100 * time.Millisecond) // an echo would have another date
	}
}
