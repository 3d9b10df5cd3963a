package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

const shopYAML = `
systems:
  pim:  {type: sqlite, path: pim.db}
  shop: {type: sqlite, path: shop.db}
flows:
  categories:
    from: {system: pim, stream: category, track: {by: timestamp, field: moved, every: 200ms}}
    to:   {system: shop, stream: categories}
    match: code
    map: {code: code, title: name}
  products:
    from: {system: pim, stream: product, track: {by: timestamp, field: moved, every: 200ms}}
    to:   {system: shop, stream: products}
    map:
      sku: sku
      title: upper(name)
      price: round(price * 1.22, 2)
      category_id: link("categories", category)
`

func shop(t *testing.T) *place {
	p := newPlace(t)
	p.db("pim.db",
		`CREATE TABLE category (code TEXT PRIMARY KEY, name TEXT NOT NULL, moved TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')))`,
		`CREATE TABLE product (sku TEXT PRIMARY KEY, name TEXT, price NUMERIC, category TEXT, moved TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')))`,
		`INSERT INTO category (code, name) VALUES ('c1', 'Shoes'), ('c2', 'Hats')`,
		`INSERT INTO product (sku, name, price, category) VALUES ('p1', 'boot', 100, 'c1'), ('p2', 'cap', 9.99, 'c2'), ('p3', 'bowler', 40, 'c2')`)
	p.db("shop.db",
		`CREATE TABLE categories (id INTEGER PRIMARY KEY, code TEXT UNIQUE, title TEXT)`,
		`CREATE TABLE products (sku TEXT PRIMARY KEY, title TEXT NOT NULL, price NUMERIC, category_id INTEGER)`)
	return p
}

const move = `moved = strftime('%Y-%m-%dT%H:%M:%fZ')`

func TestSQLiteToSQLite(t *testing.T) {
	p := shop(t)
	h := p.open(p.must(shopYAML))
	pim, target := p.db("pim.db"), p.db("shop.db")

	for _, e := range ask(t, h, Request{Do: DoSync}) {
		if e.Event != RunEvent || e.Run.State != "finished" || e.Run.Kind != "full" {
			t.Errorf("first sync: %+v", e.Run)
		}
	}
	want := []string{"p1|BOOT|122|Shoes", "p2|CAP|12.19|Hats", "p3|BOWLER|48.8|Hats"}
	const all = `SELECT sku, products.title, price, c.title FROM products LEFT JOIN categories c ON c.id = category_id ORDER BY sku`
	if got := rows(t, target, all); !slices.Equal(got, want) {
		t.Fatalf("after the first sync %q, want %q", got, want)
	}

	run(t, pim, `UPDATE product SET price = 10, `+move+` WHERE sku = 'p2'`)
	events := ask(t, h, Request{Do: DoSync, Flows: []string{"products"}})
	if len(events) != 1 || events[0].Run.Kind != "delta" || events[0].Run.Counts.Updated != 1 {
		t.Errorf("second sync: %+v", events)
	}
	want[1] = "p2|CAP|12.2|Hats"
	if got := rows(t, target, all); !slices.Equal(got, want) {
		t.Fatalf("after an edit %q, want %q", got, want)
	}
	for _, e := range ask(t, h, Request{Do: DoVerify}) {
		if e.Event == DriftEvent {
			t.Errorf("not level: %+v", e.Drift)
		}
	}
	byEitherKey(t, h)
	parkedAndRetried(t, p, h)
	lookedAt(t, h)
}

// byEitherKey explains a category by the keys of both sides.
func byEitherKey(t *testing.T, h Runner) {
	t.Helper()
	events := ask(t, h, Request{Do: DoExplain, Flows: []string{"categories"}, Keys: []lockstep.Key{"c2"}})
	if len(events) != 1 {
		t.Fatalf("explain answers %d events", len(events))
	}
	s := events[0].Story
	if s.Link == nil || s.Asked != "source" || s.Link.State != "level" || !strings.HasPrefix(s.Why, "level: it is "+string(s.TargetKey)+" in shop/categories") || len(s.Runs) == 0 {
		t.Errorf("the story of c2: %+v, link %+v", s, s.Link)
	}
	events = ask(t, h, Request{Do: DoExplain, Flows: []string{"categories"}, Keys: []lockstep.Key{s.TargetKey}})
	if len(events) != 1 || events[0].Story.Key != "c2" || events[0].Story.Asked != "target" {
		t.Errorf("the story by the target's key %s: %+v", s.TargetKey, events)
	}
	events = ask(t, h, Request{Do: DoExplain, Flows: []string{"categories"}, Keys: []lockstep.Key{"c9"}})
	if len(events) != 1 || !strings.Contains(events[0].Story.Why, "not in pim/category") {
		t.Errorf("the story of nobody: %+v", events[0].Story)
	}
}

// parkedAndRetried parks a record, waits for another, mends both and retries.
func parkedAndRetried(t *testing.T, p *place, h Runner) {
	t.Helper()
	pim := p.db("pim.db")
	run(t, pim, `INSERT INTO product (sku, name, price, category) VALUES ('p4', NULL, 1, 'c1'), ('p5', 'scarf', 1, 'c3')`)
	ask(t, h, Request{Do: DoSync, Flows: []string{"products"}})
	parked := ask(t, h, Request{Do: DoParked})
	if len(parked) != 1 || parked[0].Entry.Key != "p4" || parked[0].Entry.Fault == nil || parked[0].Entry.Fields != nil {
		t.Fatalf("parked: %+v", parked)
	}
	shown := ask(t, h, Request{Do: DoParked, IDs: []int64{parked[0].Entry.ID}})
	if len(shown) != 1 || !strings.Contains(string(shown[0].Entry.Fields), `"sku":"p4"`) {
		t.Errorf("one parked entry with its record: %+v", shown)
	}
	story := ask(t, h, Request{Do: DoExplain, Flows: []string{"products"}, Keys: []lockstep.Key{"p4"}})[0].Story
	if !strings.HasPrefix(story.Why, "parked: it waits for a person (LS-") || story.Next == "" || story.Entry == nil {
		t.Errorf("the story of a parked record: %+v", story)
	}
	story = ask(t, h, Request{Do: DoExplain, Flows: []string{"products"}, Keys: []lockstep.Key{"p5"}})[0].Story
	if story.Waits == nil || story.Waits.Key != "c3" || story.Why != "it waits for c3 of flow categories (pim/category to shop/categories), and it is not in the source of categories" {
		t.Errorf("the story of a waiting record: %+v", story)
	}
	run(t, pim, `UPDATE product SET name = 'belt' WHERE sku = 'p4'`, `INSERT INTO category (code, name) VALUES ('c3', 'Scarves')`)
	if _, err := try(t.Context(), h, Request{Do: DoRetry}); code(err) != lockstep.CodeUsage {
		t.Errorf("retry of nothing in particular: %v", err)
	}
	ask(t, h, Request{Do: DoRetry, All: true})
	ask(t, h, Request{Do: DoSync})
	got := rows(t, p.db("shop.db"), `SELECT sku, products.title, c.title FROM products JOIN categories c ON c.id = category_id WHERE sku > 'p3' ORDER BY 1`)
	if want := []string{"p4|BELT|Shoes", "p5|SCARF|Scarves"}; !slices.Equal(got, want) {
		t.Errorf("after the retry %q, want %q", got, want)
	}
}

// lookedAt asks what is left to ask of a house that is level.
func lookedAt(t *testing.T, h Runner) {
	t.Helper()
	status := ask(t, h, Request{Do: DoStatus})
	if len(status) != 2 {
		t.Fatalf("status answers %d events", len(status))
	}
	for _, e := range status {
		s := e.Status
		if s.State != "idle" || s.Ready+s.Delayed+s.Waiting+s.Leased+s.Parked != 0 || s.CapturedUpTo == nil || s.LevelUpTo == nil || s.LastFull == nil || s.LastVerify == nil {
			t.Errorf("status: %+v", s)
		}
	}
	runs := ask(t, h, Request{Do: DoRuns, Flows: []string{"products"}, Kind: "delta"})
	if len(runs) != 3 || runs[0].Run.ID < runs[1].Run.ID {
		t.Errorf("runs: %+v", runs)
	}
	for _, e := range ask(t, h, Request{Do: DoDoctor}) {
		if e.Finding.Level == "error" {
			t.Errorf("doctor: %+v", e.Finding)
		}
	}
	if _, err := try(t.Context(), h, Request{Do: DoStatus, Flows: []string{"product"}}); code(err) != lockstep.CodeNoFlow || !strings.Contains(err.Error(), "did you mean `products`?") {
		t.Errorf("status of a flow that is not there: %v", err)
	}
	if _, err := try(t.Context(), h, Request{Do: DoStop}); code(err) != lockstep.CodeDaemon {
		t.Errorf("stop of what does not run: %v", err)
	}
}
