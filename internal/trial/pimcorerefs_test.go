package trial

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

const pimRefsYAML = `
store: store.db
systems:
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    classes:
      Product:
        fields: {cat_ids: "categories[].id", cat_names: "categories[].name@en", price: "price decimal(12,2)"}
  db: {type: postgres, dsn: %q}
flows:
  products:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate}}
    to: {system: db, stream: products}
    built_from:
      categories: cat_ids
      products: 'type == "variant" ? parentId : nil'
    map: {id: id, sku: sku, price: price, cats: 'join(sort(cat_names ?? []), ", ")', first_cat: 'later(link("categories", first(cat_ids ?? [])))'}
  categories:
    from: {system: pim, stream: Category, track: {by: timestamp, field: modificationDate}}
    to: {system: db, stream: categories}
    map: {id: id, code: code}
`

// A category's name that changes in Pimcore reaches exactly the products that carry it, each by one write, though the
// category's own flow does not even carry it; a price that a parent passes on reaches its variants. Nothing but the dates
// of the two objects that were saved tells of it.
func TestPimcoreCategoryRenamed(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	w := newPimWorld(t, sandbox.Options{Products: 150, Seed: 3})
	p := newPlace(t)
	db := openDB(t, "pgx", dsn)
	exe(t, db, `CREATE TABLE categories (id text PRIMARY KEY, code text)`)
	exe(t, db, `CREATE TABLE products (id text PRIMARY KEY, sku text, price numeric(12,2), cats text, first_cat text REFERENCES categories)`)
	exe(t, db, `CREATE TABLE written (id text)`)
	exe(t, db, `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (NEW.id); RETURN NEW; END $$`)
	exe(t, db, `CREATE TRIGGER note AFTER INSERT OR UPDATE ON products FOR EACH ROW EXECUTE FUNCTION note()`)
	h := p.house(fmt.Sprintf(pimRefsYAML, w.url, w.srv.Key(), dsn))
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	do(t, h, app.Request{Do: app.DoSync})
	exe(t, db, `DELETE FROM written`)
	if got := rows(t, db, `SELECT count(*) FROM products WHERE first_cat IS NULL AND cats <> ''`); got[0] != "'0'" {
		t.Errorf("%v products lack a link that is there", got)
	}

	category, parent := 0, 0
	var carry, below []string
	for _, id := range w.srv.IDs("Category") {
		if name := rows(t, db, fmt.Sprintf(`SELECT id FROM products WHERE first_cat = '%d' ORDER BY id`, id)); len(name) > len(carry) {
			category, carry = id, nil
			carry = append(carry, name...)
		}
	}
	names := rows(t, db, fmt.Sprintf(`SELECT cats FROM products WHERE id = %s`, carry[0]))
	w.must(w.srv.Save(category, map[string]any{"name@en": "Zebra crossings"}))
	do(t, h, app.Request{Do: app.DoSync})
	want := rows(t, db, `SELECT id FROM products WHERE cats LIKE '%Zebra crossings%' ORDER BY id`)
	if got := rows(t, db, `SELECT id FROM written ORDER BY id`); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("written: %v\nthat carry the name: %v", got, want)
	}
	if len(want) < len(carry) {
		t.Errorf("%d products carry the new name, %d have the category first: %v was %v", len(want), len(carry), carry[0], names)
	}
	level(t, h)

	exe(t, db, `DELETE FROM written`)
	for _, id := range w.srv.IDs("Product") {
		if o, _ := w.srv.Get(id); o.Kind == "variant" && (parent == 0 || o.Parent == parent) {
			parent, below = o.Parent, append(below, "'"+strconv.Itoa(id)+"'")
		}
	}
	before := rows(t, db, `SELECT id, price FROM products ORDER BY id`)
	w.must(w.srv.Save(parent, map[string]any{"price": 4321.5}))
	do(t, h, app.Request{Do: app.DoSync})
	var changed []string
	for i, row := range rows(t, db, `SELECT id, price FROM products ORDER BY id`) {
		if row != before[i] {
			changed = append(changed, row)
		}
	}
	if got := rows(t, db, `SELECT id FROM written`); len(got) != len(changed) || len(changed) < 2 {
		t.Errorf("%d writes changed %v; the variants of %d are %v", len(got), changed, parent, below)
	}
	level(t, h)
	if r := do(t, h, app.Request{Do: app.DoSync, Full: true}); r["products"].Counts.Updated+r["products"].Counts.Created+r["categories"].Counts.Updated > 0 {
		t.Errorf("a full sync finds more: %+v", r["products"].Counts)
	}
}
