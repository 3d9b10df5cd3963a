package trial

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

const pimcoreProducts = `
store: store.db
systems:
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    classes:
      Product:
        fields: {price: "price decimal(12,2)", codes: "categories[].code", maker: manufacturer.name}
  db: {type: sqlite, path: target.sqlite, create: true}
flows:
  products:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate}}
    to: {system: db, stream: products}
    map: {id: id, sku: sku, name: name_en, price: price, maker: maker, cats: codes}
`

// A relation that vanishes because its end is unpublished keeps what the target has, a full sync and a verify find
// nothing to do afterwards, and what comes back is sent again.
func TestPimcoreKeepsWhatVanished(t *testing.T) {
	srv, err := sandbox.New(sandbox.Options{Products: 40})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ids, cats, makers := srv.IDs("Product"), srv.IDs("Category"), srv.IDs("Manufacturer")
	must(srv.Save(ids[0], map[string]any{"categories": sandbox.Refs(cats[0], cats[1]), "manufacturer": sandbox.Ref{ID: makers[0]}}))
	must(srv.Save(ids[1], map[string]any{"categories": nil, "manufacturer": nil}))

	p := newPlace(t)
	db := openDB(t, "sqlite", p.path("target.sqlite"))
	if _, err := db.Exec("CREATE TABLE products (id TEXT PRIMARY KEY, sku TEXT, name TEXT, price NUMERIC, maker TEXT, cats JSON)"); err != nil {
		t.Fatal(err)
	}
	h := p.house(fmt.Sprintf(pimcoreProducts, web.URL+srv.Path(), srv.Key()))
	if n := do(t, h, app.Request{Do: app.DoSync})["products"].Counts.Created; n != int64(len(ids)) {
		t.Errorf("%d created of %d", n, len(ids))
	}
	level(t, h)
	query := "SELECT id, maker, cats FROM products ORDER BY id"
	before := rows(t, db, query)

	must(srv.Unpublish(cats[0]))
	must(srv.Unpublish(makers[0]))
	must(srv.Save(ids[0], map[string]any{"price": 12.34}))
	do(t, h, app.Request{Do: app.DoSync})
	sameRows(t, "relations", rows(t, db, query), before)
	if got := rows(t, db, fmt.Sprintf("SELECT price FROM products WHERE id = '%d'", ids[0])); len(got) != 1 || got[0] != "'12.34'" {
		t.Errorf("the rest of the record is not sent: %v", got)
	}
	for round := range 3 {
		r := do(t, h, app.Request{Do: app.DoSync, Full: true})["products"].Counts
		if round > 0 && r.Updated+r.Created+r.Deleted > 0 {
			t.Errorf("full sync %d: %+v", round, r)
		}
	}
	level(t, h)
	sameRows(t, "relations after full syncs", rows(t, db, query), before)

	must(srv.Publish(cats[0]))
	must(srv.Publish(makers[0]))
	must(srv.Save(ids[0], map[string]any{"categories": sandbox.Refs(cats[0])}))
	must(srv.Save(ids[1], map[string]any{"categories": sandbox.Refs()}))
	do(t, h, app.Request{Do: app.DoSync})
	got := rows(t, db, fmt.Sprintf("SELECT cats FROM products WHERE id = '%d'", ids[0]))
	if len(got) != 1 || strings.Count(got[0], ",") != 0 || !strings.Contains(got[0], `["`) {
		t.Errorf("a category that was really taken away: %v", got)
	}
	level(t, h)
}

// Folder moves and deletes have no date: a full sync finds them.
func TestPimcoreFullSyncFindsWhatDatesDoNotShow(t *testing.T) {
	srv, err := sandbox.New(sandbox.Options{Products: 40})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	p := newPlace(t)
	db := openDB(t, "sqlite", p.path("target.sqlite"))
	if _, err := db.Exec("CREATE TABLE products (id TEXT PRIMARY KEY, sku TEXT, name TEXT, price NUMERIC, maker TEXT, cats JSON)"); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(fmt.Sprintf(pimcoreProducts, web.URL+srv.Path(), srv.Key()), "maker: maker", "maker: fullpath", 1)
	h := p.house(text)
	do(t, h, app.Request{Do: app.DoSync})
	ids := srv.IDs("Product")
	if err := srv.Rename(srv.ByPath("/Products"), "Goods"); err != nil {
		t.Fatal(err)
	}
	if err := srv.Delete(ids[len(ids)-1]); err != nil {
		t.Fatal(err)
	}
	do(t, h, app.Request{Do: app.DoSync, Full: true, AllowDeletes: true})
	level(t, h)
	if got := rows(t, db, "SELECT count(*) FROM products WHERE maker LIKE '/Goods/%'"); got[0] != fmt.Sprintf("'%d'", len(srv.IDs("Product"))) {
		t.Errorf("%v of %d", got, len(srv.IDs("Product")))
	}
}
