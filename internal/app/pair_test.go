package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

const pairYAML = `
systems:
  erp:  {type: sqlite, path: erp.db}
  shop: {type: sqlite, path: shop.db}
flows:
  there:
    from: {system: erp, stream: item, track: {by: timestamp, field: moved, every: 200ms}}
    to:   {system: shop, stream: products}
    match: sku
    map: {sku: sku, title: name, stock: stock}
  back:
    from: {system: shop, stream: products, track: {by: timestamp, field: changed, every: 200ms}}
    to:   {system: erp, stream: item}
    match: sku
    map: {sku: sku, name: title, stock: stock}
pairs:
  items: {a: there, b: back}
`

func pairPlace(t *testing.T) *place {
	p := newPlace(t)
	p.db("erp.db",
		`CREATE TABLE item (sku TEXT PRIMARY KEY, name TEXT, stock INTEGER, moved TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')))`,
		`CREATE TRIGGER moved AFTER UPDATE ON item WHEN new.moved = old.moved BEGIN UPDATE item SET moved = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE sku = new.sku; END`,
		`INSERT INTO item (sku, name, stock) VALUES ('p1', 'boot', 1), ('p2', 'cap', 2)`)
	p.db("shop.db",
		`CREATE TABLE products (id INTEGER PRIMARY KEY, sku TEXT UNIQUE, title TEXT, stock INTEGER, changed TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')))`,
		`CREATE TRIGGER changed AFTER UPDATE ON products WHEN new.changed = old.changed BEGIN UPDATE products SET changed = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE id = new.id; END`,
		`INSERT INTO products (sku, title, stock) VALUES ('p1', 'boot', 1), ('p3', 'bowler', 3)`)
	return p
}

// Two databases are kept in step both ways; status and explain show it.
func TestPairOfDatabases(t *testing.T) {
	p := pairPlace(t)
	h := p.open(p.must(pairYAML))
	erp, shop := p.db("erp.db"), p.db("shop.db")
	sync := func() {
		t.Helper()
		for range 3 {
			ask(t, h, Request{Do: DoSync})
		}
	}
	both := func(want ...string) {
		t.Helper()
		if got := rows(t, erp, `SELECT sku, name, stock FROM item ORDER BY sku`); !slices.Equal(got, want) {
			t.Errorf("erp has %q, want %q", got, want)
		}
		if got := rows(t, shop, `SELECT sku, title, stock FROM products ORDER BY sku`); !slices.Equal(got, want) {
			t.Errorf("shop has %q, want %q", got, want)
		}
	}
	sync()
	both("p1|boot|1", "p2|cap|2", "p3|bowler|3")

	run(t, erp, `UPDATE item SET name = 'old news' WHERE sku = 'p1'`)
	time.Sleep(20 * time.Millisecond)
	run(t, shop, `UPDATE products SET title = 'news', stock = 9 WHERE sku = 'p1'`)
	run(t, erp, `UPDATE item SET stock = 8 WHERE sku = 'p3'`)
	sync()
	both("p1|news|9", "p2|cap|2", "p3|bowler|8")

	id := rows(t, shop, `SELECT id FROM products WHERE sku = 'p1'`)[0]
	told := map[string]*Conflict{}
	for _, e := range ask(t, h, Request{Do: DoExplain, Flows: []string{"there"}, Keys: []lockstep.Key{"p1"}}) {
		if e.Story.Link == nil || e.Story.Link.State != "level" {
			t.Errorf("%+v", e.Story)
		}
		if e.Story.Flow == "back" && (string(e.Story.Key) != id || e.Story.Link.To != "p1") {
			t.Errorf("%+v %+v", e.Story, e.Story.Link)
		}
		for _, step := range e.Story.Steps {
			if step.Conflict != nil {
				told[e.Story.Flow] = step.Conflict
			}
		}
	}
	c := told["back"]
	if c == nil || c.Won != "b" || c.System != "shop" || !strings.HasPrefix(c.Why, "it is newer") || fmt.Sprintf("%s", c.Fields) != `[{name "old news" "news"} {stock 1 9}]` {
		t.Errorf("%+v", c)
	}
	for _, e := range ask(t, h, Request{Do: DoStatus}) {
		if e.Status.Pair != "items" || e.Status.Face == e.Status.Flow || e.Status.Links != 3 || e.Status.Ready+e.Status.Parked > 0 {
			t.Errorf("%+v", e.Status)
		}
	}
	for _, e := range ask(t, h, Request{Do: DoVerify}) {
		if e.Drift != nil {
			t.Errorf("%+v", e.Drift)
		}
	}
}

// A flow that becomes one of a pair keeps its links.
func TestFlowBecomesPair(t *testing.T) {
	p := pairPlace(t)
	one, _, _ := strings.Cut(pairYAML, "  back:")
	h, err := Open(t.Context(), p.must(one), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, h, Request{Do: DoSync})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	erp, shop := p.db("erp.db"), p.db("shop.db")
	run(t, erp, `UPDATE item SET name = 'renamed' WHERE sku = 'p2'`)
	h = p.open(p.must(pairYAML))
	for range 2 {
		ask(t, h, Request{Do: DoSync})
	}
	want := []string{"p1|boot", "p2|renamed", "p3|bowler"}
	if got := rows(t, erp, `SELECT sku, name FROM item ORDER BY sku`); !slices.Equal(got, want) {
		t.Errorf("erp has %q", got)
	}
	if got := rows(t, shop, `SELECT sku, title FROM products ORDER BY sku`); !slices.Equal(got, want) {
		t.Errorf("shop has %q", got)
	}
}

// What cannot work in a pair is refused, and what may surprise is said.
func TestPairChecks(t *testing.T) {
	p := pairPlace(t)
	notes := func(yaml string) string {
		t.Helper()
		h, err := Open(t.Context(), p.must(yaml), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		events, err := try(t.Context(), h, Request{Do: DoDoctor})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, e := range events {
			if e.Finding != nil {
				all = append(all, e.Finding.Level+" "+e.Finding.What)
			}
		}
		return strings.Join(all, "\n")
	}
	if got := notes(pairYAML); strings.Contains(got, "pair") || strings.Contains(got, "error") {
		t.Errorf("%s", got)
	}
	for _, c := range []struct{ was, is, want string }{
		{"pairs:\n  items: {a: there, b: back}", "", "warning the flows there and back face each other and are no pair"},
		{"    match: sku\n    map: {sku: sku, name", "    match: name\n    map: {sku: sku, name", "error the two flows of the pair items find records by different fields: there by sku, which is made of sku, and back by name"},
		{"map: {sku: sku, name", "map: {sku: upper(sku), name", "warning the field sku, by which records are found, is computed"},
		{"track: {by: timestamp, field: changed, every: 200ms}", "track: {by: snapshot}", "note nobody can tell when a record of shop/products was changed, so side a wins"},
		{"flows:\n", "flows:\n  other:\n    from: {system: shop, stream: products, track: {by: snapshot}}\n    to: {system: erp, stream: item}\n    map: {sku: sku}\n", "note it writes erp/item, too, which the pair items keeps in step"},
		{"erp:  {type: sqlite, path: erp.db}", "erp:  {type: sqlite, path: erp.db, allow: {item: [sku, name]}}", "does not `allow` the field \"stock\""},
		{"title: name, stock: stock}", "title: name, stock: stock, changed: moved}", ""},
	} {
		got := notes(strings.Replace(pairYAML, c.was, c.is, 1))
		if !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant %s", c.is, got, c.want)
		}
	}
	if all, err := Check(p.must(strings.Replace(pairYAML, "pairs:\n  items: {a: there, b: back}", "", 1))); err != nil || len(all) != 3 || !strings.Contains(all[2], "back: deletes, and records that come with an old value of `changed`, are seen by a full sync on request only") {
		t.Errorf("%v %v", all, err)
	}
	chain := strings.Replace(pairYAML, "pairs:\n  items: {a: there, b: back}", "", 1)
	chain = strings.Replace(chain, "title: name, stock: stock}", "title: name, stock: stock, changed: moved}", 1)
	if got := notes(chain); !strings.Contains(got, "it writes changed, by which the flow back tracks shop/products") {
		t.Errorf("%s", got)
	}
}
