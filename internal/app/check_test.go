package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/value"
)

// problems are the problems of an error, as "line:column path code message; hint".
func problems(t *testing.T, err error) []string {
	t.Helper()
	all, ok := errors.AsType[*config.Errors](err)
	if !ok {
		t.Fatalf("no problems of a configuration: %v", err)
	}
	var out []string
	for _, p := range all.Problems {
		text := fmt.Sprintf("%d:%d %s %s %s", p.Pos.Line, p.Pos.Col, p.Path, p.Code, p.Message)
		if p.Hint != "" {
			text += "; " + p.Hint
		}
		out = append(out, text)
	}
	return out
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("one too many: %s", got[i])
		case got[i] != want[i]:
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

// YAML takes what stands behind " #" for a comment, without a word; the mapping then ends in the middle.
func TestCheckExpressionCutByAComment(t *testing.T) {
	p := newPlace(t)
	p.conns = []lockstep.Connector{memory.Connector}
	const text = `systems:
  pim:  {type: memory}
  shop: {type: memory}
flows:
  a:
    from: {system: pim, stream: a, track: {by: snapshot}}
    to: {system: shop, stream: a}
    map:
      ids: map(list, text(2, #))
`
	if _, err := Check(p.must(text)); err == nil || !strings.Contains(err.Error(), "into quotes") {
		t.Errorf("%v", err)
	}
	if _, err := Check(p.must(strings.ReplaceAll(text, "2, #", "2, 1 + "))); err == nil || strings.Contains(err.Error(), "quotes") {
		t.Errorf("another mistake: %v", err)
	}
}

// What a record is built from is checked as its mapping is: the flow must be there, the expression right. A ring that is
// broken by later() is none.
func TestCheckReferences(t *testing.T) {
	p := newPlace(t)
	p.conns = []lockstep.Connector{memory.Connector}
	const head = `systems:
  pim:  {type: memory}
  shop: {type: memory}
flows:
`
	flow := func(name, rest string) string {
		return "  " + name + ":\n    from: {system: pim, stream: " + name + ", track: {by: snapshot}}\n    to: {system: shop, stream: " + name + "}\n" + rest
	}
	notes, err := Check(p.must(head + flow("a", "    built_from: {b: other, a: 'map(list, .id)'}\n    map: {id: id, other: 'later(link(\"b\", other))'}\n") + flow("b", "    map: {id: id, other: 'link(\"a\", other)'}\n")))
	if err != nil || len(notes) > 0 {
		t.Errorf("%v %v", notes, err)
	}
	_, err = Check(p.must(head + flow("a", "    built_from: {bb: other, b: 'other +'}\n    map: {id: id, other: later(other)}\n") + flow("b", "")))
	got := problems(t, err)
	for i, part := range []string{"flows.a.map.other LS-CONFIG later() has a link() in it", "flows.a.built_from.b LS-CONFIG"} {
		if i >= len(got) || !strings.Contains(strings.Join(got, "\n"), part) {
			t.Errorf("%q has no %q", got, part)
		}
	}
	_, err = Check(p.must(head + flow("a", "    built_from: {bb: other}\n    map: {id: id}\n") + flow("b", "")))
	same(t, problems(t, err), []string{`8:18 flows.a.built_from.bb LS-NO-FLOW built_from names the flow "bb", which is not there; did you mean ` + "`b`?"})
}

func TestCheckWithoutSystems(t *testing.T) {
	p := newPlace(t)
	p.conns = []lockstep.Connector{memory.Connector}
	cfg := p.must(`systems:
  pim:  {type: memory}
  shop: {type: memory}
flows:
  products:
    from: {system: pim, stream: products, track: {by: snapshot}}
    to:   {system: shop, stream: products}
    where: 'let n = name; len(n) > 0 && "yes'
    map:
      sku: Product Number
      name: uper(name)
      price: 'round(price * , 2)'
      text: |
        trim(text) +
          lowr(text)
      brand: link("barnds", brand)
      again: $env["Unit Price"] ?? price
  brands:
    from: {system: pim, stream: brands, track: {by: snapshot}}
    to:   {system: shop, stream: brands}
    map: {id: id, best: 'link("products", best)'}
`)
	_, err := Check(cfg)
	got := problems(t, err)
	for i := range got { // the parser's own words are not ours to test
		got[i], _, _ = strings.Cut(got[i], " LS-")
	}
	same(t, got, []string{"8:45 flows.products.where", "11:13 flows.products.map.name", "12:29 flows.products.map.price", "15:11 flows.products.map.text"})
	if !strings.Contains(err.Error(), `there is no function uper; did you mean "upper"?`) {
		t.Errorf("no hint in %v", err)
	}
}

func TestCheckLinks(t *testing.T) {
	p := newPlace(t)
	p.conns = []lockstep.Connector{memory.Connector}
	flow := func(name, expr string) string {
		return fmt.Sprintf("  %s:\n    from: {system: pim, stream: %s, track: {by: snapshot}}\n    to: {system: shop, stream: %s}\n    map:\n      id: id\n      other: %s\n",
			name, name, name, expr)
	}
	head := "systems: {pim: {type: memory}, shop: {type: memory}}\nflows:\n"
	notes, err := Check(p.must(head + flow("tree", `link("tree", parent)`) + flow("a", `link("b", x)`) + flow("b", `link("c", x)`) + flow("c", `link("a", x)`) + flow("d", `link("a", x)`)))
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "a -> b -> c -> a") {
		t.Errorf("notes %q", notes)
	}
	_, err = Check(p.must(head + flow("brands", "name") + flow("a", `iif(true, null, link("barnds", x))`)))
	same(t, problems(t, err), []string{"14:35 flows.a.map.other LS-NO-FLOW link() names the flow \"barnds\", which is not there; did you mean `brands`?"})
}

// TestProblemsOfSystems is what only the systems can tell, all of it at once.
func TestProblemsOfSystems(t *testing.T) {
	p, pim, shop := inMemory(t, 0)
	pim.DefineStream(lockstep.Stream{Name: "brands", Key: []string{"id"}, Fields: []lockstep.Field{{Name: "id"}, {Name: "name"}}})
	shop.DefineStream(lockstep.Stream{Name: "brands", Key: []string{"id"}, Fields: []lockstep.Field{{Name: "id", Type: value.Type{Kind: value.IntType}}}})
	h := p.open(p.must(`systems:
  pim:  {type: memory, name: pim, allow: {products: [name, moved], brands: "*", prices: "*"}}
  shop: {type: memory, name: shop}
flows:
  products:
    from: {system: pim, stream: products, track: {by: timestamp, field: move}}
    to:   {system: shop, stream: products, on_delete: disable, disable: {active: false}}
    match: nam
    ignore: [nme]
    map:
      sku: sku
      name: nme
      title: name
  costs:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved}}
    to:   {system: shop, stream: products}
    map: {sku: sku, name: 'cost > 3 ? "dear" : "cheap"'}
  brands:
    from: {system: pim, stream: brands, track: {by: snapshot}}
    to:   {system: shop, stream: brnds}
  keyless:
    from: {system: pim, stream: brands, track: {by: snapshot}}
    to:   {system: shop, stream: products}
    map: {name: name}
  prices:
    from: {system: pim, stream: prices, track: {by: snapshot}}
    to:   {system: shop, stream: brands}
`))
	err := h.Connect(t.Context(), true)
	same(t, problems(t, err), []string{
		"6:73 flows.products.from.track.field LS-NO-FIELD the stream products of pim has no field \"move\"; did you mean `moved`?",
		"12:13 flows.products.map.name LS-NO-FIELD there is no source field \"nme\"; did you mean \"name\"?",
		"13:7 flows.products.map.title LS-NO-FIELD there is no target field \"title\"",
		"17:27 flows.costs.map.name LS-RIGHTS the system pim does not `allow` the field \"cost\" of products to be read",
		"20:34 flows.brands.to.stream LS-NO-STREAM the system shop has no stream \"brnds\"; did you mean `brands`?; `create: true` makes it",
		"24:10 flows.keyless.map LS-NO-KEY the mapping gives the key field \"sku\" of products no value",
		"26:33 flows.prices.from.stream LS-NO-STREAM the system pim has no stream \"prices\"; there is brands, products",
	})
}

func TestMoreProblemsOfSystems(t *testing.T) {
	p, _, _ := inMemory(t, 0)
	h := p.open(p.must(`systems: {pim: {type: memory, name: pim}, shop: {type: memory, name: shop}}
flows:
  products:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved, deleted: gone}}
    to:   {system: shop, stream: products, on_delete: disable, disable: {active: false}}
    match: [nam]
    ignore: [nme]
    tolerance: {prce: 1}
    map: {sku: sku, name: name}
`))
	err := h.Connect(t.Context(), true)
	got := problems(t, err)
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], " LS-")
	}
	same(t, got, []string{"4:89 flows.products.from.track.deleted", "5:74 flows.products.to.disable.active", "6:12 flows.products.match[0]",
		"7:13 flows.products.ignore[0]", "8:17 flows.products.tolerance.prce"})
}

func TestAllowListOfIdentity(t *testing.T) {
	p, pim, shop := inMemory(t, 0)
	pim.Put("products", value.F("sku", "a", "name", "A", "cost", 3))
	shop.DefineStream(lockstep.Stream{Name: "products", Key: []string{"sku"}, Fields: []lockstep.Field{{Name: "sku"}, {Name: "name", Nullable: true}, {Name: "cost", Nullable: true}}})
	h := p.open(p.must(`
systems: {pim: {type: memory, name: pim, allow: {products: [name]}}, shop: {type: memory, name: shop}}
flows: {products: {from: {system: pim, stream: products, track: {by: timestamp, field: moved}}, to: {system: shop, stream: products}}}
`))
	ask(t, h, Request{Do: DoSync})
	got, _ := shop.Get("products", "a")
	if cost, _ := got.Fields.Get("cost"); !cost.IsNull() {
		t.Errorf("a field that is not allowed went out: %v", got.Fields)
	}
	if name, _ := got.Fields.Get("name"); name.IsNull() {
		t.Errorf("a field that is allowed did not: %v", got.Fields)
	}
}

func TestCreate(t *testing.T) {
	p, _, shop := inMemory(t, 2)
	text := `
systems: {pim: {type: memory, name: pim}, shop: {type: memory, name: shop}}
flows:
  articles:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved}}
    to:   {system: shop, stream: articles, create: true}
    map: {number: sku, name: name}
  costs:
    from: {system: pim, stream: products, track: {by: timestamp, field: moved}}
    to:   {system: shop, stream: articles, create: true}
    map: {number: sku, cost: cost}
`
	h := p.open(p.must(text))
	plan := ask(t, h, Request{Do: DoPlan, Flows: []string{"articles"}})
	var creates int
	for _, e := range plan {
		if e.Event == PlanItemEvent && e.PlanItem.Action == "create" {
			creates++
		}
	}
	streams, _ := shop.Streams(t.Context())
	if creates != 2 || plan[0].Event != TextEvent || len(streams) != 1 {
		t.Errorf("a plan for a stream that is not there: %+v; there are %d streams", plan, len(streams))
	}
	ask(t, h, Request{Do: DoDoctor})
	ask(t, h, Request{Do: DoSync})
	streams, _ = shop.Streams(t.Context())
	i := slices.IndexFunc(streams, func(s lockstep.Stream) bool { return s.Name == "articles" })
	if i < 0 || !slices.Equal(streams[i].Key, []string{"number"}) || streams[i].Field("cost") == nil || streams[i].Field("cost").Type.Kind != value.IntType {
		t.Fatalf("the streams are %+v", streams)
	}
	if n := shop.Len("articles"); n != 2 {
		t.Errorf("%d articles", n)
	}
}

// TestNewTracker changes a flow's tracker: what happened meanwhile must not be lost (law 1).
func TestNewTracker(t *testing.T) {
	p, pim, shop := inMemory(t, 2)
	h := p.open(p.must(memoryYAML))
	ask(t, h, Request{Do: DoSync})
	cfg := p.must(strings.Replace(memoryYAML, "field: moved,", "field: moved, overlap: 5s,", 1))
	again, err := Open(t.Context(), cfg, Options{Store: h.store})
	if err != nil {
		t.Fatal(err)
	}
	pim.Edit("products", "pa", "name", "Meanwhile")
	ask(t, again, Request{Do: DoSync})
	if got := nameOf(shop, "pa"); got != "Meanwhile" {
		t.Errorf("a change under a new tracker is lost: the name is %q", got)
	}
	pim.Edit("products", "pa", "name", "Later")
	if row := ask(t, again, Request{Do: DoSync})[0].Run; row.Kind != "delta" {
		t.Errorf("one full sync is enough: %+v", row)
	}
	if got := nameOf(shop, "pa"); got != "Later" {
		t.Errorf("the new tracker does not track: the name is %q", got)
	}
}

// TestBaselineThatFails begins the first full sync of a flow while the source cannot say where it is now.
func TestBaselineThatFails(t *testing.T) {
	p, pim, shop := inMemory(t, 2)
	failing := true
	pim.SetHook(func(c memory.Call) error {
		if failing && c.Name == "Changes" && !c.After {
			return lockstep.Faultf(lockstep.CodeUnavailable, "not now")
		}
		return nil
	})
	h := p.open(p.must(memoryYAML))
	if _, err := try(t.Context(), h, Request{Do: DoSync}); code(err) != lockstep.CodeUnavailable {
		t.Fatalf("the first sync: %v", err)
	}
	failing = false
	ask(t, h, Request{Do: DoSync})
	pim.Edit("products", "pa", "name", "Edited")
	ask(t, h, Request{Do: DoSync})
	if got := nameOf(shop, "pa"); got != "Edited" {
		t.Errorf("a change behind a first sync that was begun twice is lost: the name is %q", got)
	}
}

func nameOf(sys *memory.System, key lockstep.Key) string {
	got, _ := sys.Get("products", key)
	name, _ := got.Fields.Get("name")
	return name.String()
}

func TestNotesOfTheAPI(t *testing.T) {
	p, _, _ := inMemory(t, 1)
	for api, want := range map[string]string{
		"{listen: '127.0.0.1:1'}": "nobody may come in",
		"{listen: '0.0.0.0:1', insecure: true, tokens: {a: {token: sixteen-characters-, may: run}}}": "without TLS",
		"{listen: '127.0.0.1:1', tokens: {a: {token: sixteen-characters-, may: run}}}":               "",
	} {
		notes, err := Check(p.must("api: " + api + memoryYAML))
		if err != nil {
			t.Fatal(err)
		}
		notes = slices.DeleteFunc(notes, func(note string) bool { return strings.HasPrefix(note, "products: ") }) // of the flow
		if (want == "") != (len(notes) == 0) || len(notes) > 1 || want != "" && !strings.Contains(notes[0], want) {
			t.Errorf("%s: %q", api, notes)
		}
	}
}
