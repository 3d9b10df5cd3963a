package trial

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// A SQLite table and a class of Pimcore are kept in step both ways and edited at random on both sides. In the end both
// hold the same, Pimcore's own state read without lockstep, and at rest nobody saves any more: a Pimcore that is written
// an equal value saves all the same, and would echo for ever.
func TestPairWithPimcore(t *testing.T) {
	srv, err := sandbox.New(sandbox.Options{Products: 12, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	p := newPlace(t)
	db := openDB(t, "sqlite", p.path("lite.db"))
	db.SetMaxOpenConns(1)
	const now = `strftime('%Y-%m-%d %H:%M:%fZ', 'now')`
	exe(t, db, `PRAGMA journal_mode = WAL`, `PRAGMA busy_timeout = 10000`,
		`CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, name_de TEXT, price DECIMAL(12,2), published BOOLEAN, updated_at TIMESTAMPTZ DEFAULT (`+now+`))`,
		`CREATE TRIGGER touched AFTER UPDATE ON products WHEN new.updated_at = old.updated_at BEGIN UPDATE products SET updated_at = `+now+` WHERE sku = new.sku; END`)
	h := p.house(fmt.Sprintf(`
store: store.db
systems:
  lite: {type: sqlite, path: lite.db}
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    user_id: 7
    classes:
      Product: {variants: false, parent: /Products, object_key: sku, delete_children: true, fields: {price: "price decimal(12,2)"}}
flows:
  there:
    from: {system: lite, stream: products, track: {by: trigger}}
    to: {system: pim, stream: Product}
    match: sku
    deletes: {max_share: 100%%}
    map: {sku: sku, name_en: name, name_de: name_de, price: price, published: published}
  back:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate}}
    to: {system: lite, stream: products}
    deletes: {max_share: 100%%}
    map: {sku: sku, name: name_en, name_de: name_de, price: price, published: published}
pairs:
  products: {a: there, b: back}
`, web.URL+srv.Path(), srv.Key()))
	defer p.close(h)
	ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackInstall})
	do(t, h, app.Request{Do: app.DoSync})

	objects := func() []sandbox.Object {
		var out []sandbox.Object
		for _, id := range srv.IDs("Product") {
			if o, _ := srv.Get(id); o.Kind == "object" {
				out = append(out, o)
			}
		}
		return out
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	theirs := func() []string {
		var out []string
		for _, o := range objects() {
			de := o.Values["name@de"]
			if de == nil || de == "" {
				de = o.Values["name@en"] // the fallback
			}
			price := ""
			if v, ok := o.Values["price"].(float64); ok {
				price = strconv.FormatFloat(v, 'f', 2, 64)
			}
			out = append(out, fmt.Sprintf("'%v'|'%v'|'%v'|'%s'|'%d'", o.Values["sku"], o.Values["name@en"], de, price, map[bool]int{true: 1}[o.Published]))
		}
		slices.Sort(out)
		return out
	}
	ours := func() []string {
		got := rows(t, db, `SELECT sku, name, name_de, CASE WHEN price IS NULL THEN '' ELSE printf('%.2f', price) END, published FROM products`)
		slices.Sort(got)
		return got
	}

	n := 200
	if testing.Short() {
		n = 80
	}
	rng := rand.New(rand.NewPCG(20261125, 4))
	for round := range 4 {
		for i := range n / 4 {
			text := fmt.Sprintf("n%d-%d", round, i)
			switch all := objects(); rng.IntN(10) {
			case 0: // a new one on either side
				exe(t, db, fmt.Sprintf(`INSERT INTO products (sku, name, name_de, price, published) VALUES ('L-%s', '%s', 'de %s', 1.5, 1)`, text, text, text))
			case 1:
				_, err := srv.Create(sandbox.NewObject{Class: "Product", Path: "/Products", Key: "p-" + text, Values: map[string]any{"sku": "P-" + text, "name@en": text, "name@de": "de " + text, "price": 2.25}})
				must(err)
			case 2:
				if len(all) > 6 {
					must(srv.Delete(all[rng.IntN(len(all))].ID))
				}
			case 3:
				exe(t, db, `DELETE FROM products WHERE sku = (SELECT sku FROM products ORDER BY updated_at LIMIT 1)`)
			case 4: // a conflict
				o := all[rng.IntN(len(all))]
				must(srv.Save(o.ID, map[string]any{"name@en": "pim " + text}))
				exe(t, db, fmt.Sprintf(`UPDATE products SET name = 'lite %s' WHERE sku = '%v'`, text, o.Values["sku"]))
			case 5:
				o := all[rng.IntN(len(all))]
				must(srv.Save(o.ID, map[string]any{"name@de": "de " + text, "price": float64(i) + 0.25}))
				must(srv.Save(o.ID, nil)) // saves that change nothing
			case 6:
				o := all[rng.IntN(len(all))]
				if o.Published {
					must(srv.Unpublish(o.ID))
				} else {
					must(srv.Publish(o.ID))
				}
			default:
				exe(t, db, fmt.Sprintf(`UPDATE products SET name_de = 'de %s', price = price + 1 WHERE sku = (SELECT sku FROM products ORDER BY updated_at LIMIT 1)`, text))
			}
		}
		do(t, h, app.Request{Do: app.DoSync})
	}
	do(t, h, app.Request{Do: app.DoSync, Full: true, AllowDeletes: true}) // a delete in Pimcore leaves no trace
	state := func() string {
		var counts []string
		for _, o := range objects() {
			counts = append(counts, fmt.Sprint(o.ID, " ", o.VersionCount))
		}
		return strings.Join(append(counts, rows(t, db, `SELECT sku, updated_at FROM products ORDER BY sku`)...), "\n")
	}
	before := ""
	for round := 0; ; round++ {
		do(t, h, app.Request{Do: app.DoSync})
		after := state()
		if after == before {
			break
		}
		if before = after; round == 6 {
			t.Fatal("the two sides do not come to rest")
		}
		time.Sleep(1100 * time.Millisecond) // the date has whole seconds
	}
	sameRows(t, "SQLite and Pimcore", ours(), theirs())
	for _, o := range objects() {
		if o.VersionCount > 3*n {
			t.Errorf("object %d was saved %d times", o.ID, o.VersionCount)
		}
	}
	if len(ours()) < 6 {
		t.Errorf("only %d products are left", len(ours()))
	}
}

// Answers are lost, cut and refused while objects are made and changed in Pimcore: nothing is doubled, nothing is left.
func TestPimcoreTargetUnderFaults(t *testing.T) {
	srv, err := sandbox.New(sandbox.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Create(sandbox.NewObject{Path: "/", Key: "Products"}); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	p := newPlace(t)
	db := openDB(t, "sqlite", p.path("lite.db"))
	db.SetMaxOpenConns(1)
	exe(t, db, `PRAGMA journal_mode = WAL`, `CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, name_de TEXT, rev INTEGER)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO products SELECT 'F-' || i, 'n' || i, 'de ' || i, 1 FROM n`)
	h := p.house(fmt.Sprintf(`
store: store.db
systems:
  lite: {type: sqlite, path: lite.db}
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    grace: 10ms
    classes:
      Product: {parent: /Products, object_key: sku}
flows:
  there:
    from: {system: lite, stream: products, track: {by: version, field: rev, every: 1s}}
    to: {system: pim, stream: Product}
    match: sku
    deliver: {retry: {attempts: 40, from: 10ms, to: 100ms}}
    map: {sku: sku, name_en: name, name_de: name_de}
`, web.URL+srv.Path(), srv.Key()))
	defer p.close(h)
	// The connection check is left alone; what follows is not.
	ask(t, h, app.Request{Do: app.DoPlan, Sample: 1})
	for fault, share := range map[sandbox.Fault]float64{sandbox.FaultLost: 0.15, sandbox.Fault502: 0.05, sandbox.FaultHTML: 0.05, sandbox.Fault500: 0.05} {
		srv.Fail(fault, share)
	}
	sync := func() {
		for range 30 {
			if _, err := try(h, app.Request{Do: app.DoSync}); err == nil && len(ask(t, h, app.Request{Do: app.DoQueue})) == 0 {
				return
			}
		}
		t.Error("the queue does not get empty")
	}
	sync()
	exe(t, db, `UPDATE products SET name_de = name_de || '!', rev = 2 WHERE rowid % 2 = 0`)
	sync()
	for _, fault := range sandbox.Faults() {
		srv.Fail(fault, 0)
	}
	if made := len(srv.IDs("Product")); made != 60 {
		t.Errorf("%d objects were made of 60", made)
	}
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
}
