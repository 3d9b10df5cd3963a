package trial

import (
	"encoding/csv"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// lumaFormats is the declared formatting, and all of it: the fields that the first file declares as something else
// than text. They are equal by what they mean; every other field is equal byte by byte. A number has no declared form,
// so its zeros behind the point may go or come ("18", "18.0000"); a truth value is written true or false where Magento
// writes 1 or 0.
var lumaFormats = map[string]func(a, b string) bool{
	"price": sameNumber, "weight": sameNumber, "qty": sameNumber, "website_id": sameNumber,
	"product_online": sameTruth, "is_in_stock": sameTruth, "manage_stock": sameTruth,
}

func sameNumber(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return a == "" && b == "" // null
	}
	return x.Cmp(y) == 0
}

func sameTruth(a, b string) bool {
	words := map[string]string{"1": "true", "0": "false"}
	return words[a] == b
}

const lumaSystems = `
systems:
  shop:
    type: file
    path: in
    streams:
      products:
        key: sku
        fields: ["price decimal(12,4)", "weight decimal(12,4)", "qty decimal(12,4)", website_id int, product_online bool, is_in_stock bool, manage_stock bool]
  lite: {type: sqlite, path: luma.db, create: true}
  pg:   {type: postgres, dsn: %q}
  out:  {type: file, path: out}
flows:
`

var lumaFlows = []struct{ name, text string }{
	{"first", `
  first:
    from: {system: shop, stream: products, track: {by: snapshot}}
    to:   {system: lite, stream: product, create: true}
`},
	{"second", `
  second:
    from: {system: lite, stream: product, track: {by: snapshot}}
    to:   {system: pg, stream: catalogue, create: true}
`},
	{"third", `
  third:
    from: {system: pg, stream: catalogue, track: {by: snapshot}}
    to:   {system: out, stream: products, create: true}
`},
}

// The Luma catalogue from CSV to SQLite to PostgreSQL and back to CSV by three flows, one behind the other, into what
// they create: nothing differs but declared formatting. Then the first file is edited, and the edits arrive, deletes
// too.
func TestLuma(t *testing.T) {
	p := newPlace(t)
	p.mkdir("in", "out")
	copyFile(t, testkit.Data(t, "luma-products.csv"), p.path("in/products.csv"))
	dsn := testkit.Postgres(t)
	cfg := fmt.Sprintf(lumaSystems, dsn)

	// A flow's source is made by the flow before it, so the configuration grows flow by flow.
	for _, flow := range lumaFlows {
		cfg += flow.text
		h := p.house(cfg)
		if c := do(t, h, app.Request{Do: app.DoSync, Flows: []string{flow.name}})[flow.name].Counts; c.Created != 1994 || c.Read != 1994 {
			t.Errorf("%s: %+v", flow.name, c)
		}
		p.close(h)
	}
	sameCatalogue(t, p, 1994)

	h := p.house(cfg)
	level(t, h)
	header, products := readCSV(t, p.path("in/products.csv"))
	at := func(name string) int { return slices.Index(header, name) }
	products[3][at("price")] = "1234567.8901"
	products[5][at("description")] = "<p>new</p>\n\n<ul>\n<li>\"quoted\", čšž 😀</li>\n</ul>\n"
	products[6][at("weight")] = ""
	fresh := slices.Clone(products[9])
	fresh[at("sku")], fresh[at("name")], fresh[at("manage_stock")] = "NEW,\"1\"", "=1+1; a 'new' one", "1"
	products = append(slices.Delete(products, 10, 12), fresh)
	writeCSV(t, p.path("in/products.csv"), header, products)
	for _, flow := range lumaFlows {
		c := do(t, h, app.Request{Do: app.DoSync, Flows: []string{flow.name}})[flow.name].Counts
		if c.Created != 1 || c.Updated != 3 || c.Deleted != 2 || c.Level != 1989 {
			t.Errorf("%s: %+v", flow.name, c)
		}
	}
	level(t, h)
	for _, flow := range lumaFlows { // nothing to do, nothing done
		c := do(t, h, app.Request{Do: app.DoSync, Flows: []string{flow.name}})[flow.name].Counts
		if c.Created+c.Updated+c.Deleted+c.Queued+c.Failed != 0 || c.Level != 1993 {
			t.Errorf("%s again: %+v", flow.name, c)
		}
	}
	p.close(h) // the last file is folded
	sameCatalogue(t, p, 1993)
	pg := openDB(t, "pgx", dsn)
	sameRows(t, "types", rows(t, pg, `SELECT pg_typeof(price)::text, pg_typeof(manage_stock)::text, pg_typeof(description)::text FROM catalogue LIMIT 1`),
		[]string{"'numeric'|'boolean'|'text'"})
}

// sameCatalogue holds the last CSV against the first, by header and SKU, with a reader that is not ours.
func sameCatalogue(t *testing.T, p *place, want int) {
	t.Helper()
	header, first := readCSV(t, p.path("in/products.csv"))
	back, last := readCSV(t, p.path("out/products.csv"))
	if !slices.Equal(slices.Sorted(slices.Values(header)), slices.Sorted(slices.Values(back))) {
		t.Fatalf("columns: %q\nwant %q", back, header)
	}
	bySKU := map[string][]string{}
	for _, rec := range last {
		bySKU[rec[slices.Index(back, "sku")]] = rec
	}
	if len(first) != want || len(last) != want || len(bySKU) != want {
		t.Errorf("%d products in, %d out, %d SKUs; want %d", len(first), len(last), len(bySKU), want)
	}
	wrong := 0
	for _, rec := range first {
		sku := rec[slices.Index(header, "sku")]
		got, there := bySKU[sku]
		if !there {
			t.Fatalf("%s is not there", sku)
		}
		for i, name := range header {
			a, b := rec[i], got[slices.Index(back, name)]
			if same := lumaFormats[name]; (same == nil && a != b || same != nil && !same(a, b)) && wrong < 10 {
				wrong++
				t.Errorf("%s, %s: %q became %q", sku, name, a, b)
			}
		}
	}
}

func readCSV(t *testing.T, path string) (header []string, records [][]string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d rows, %v", path, len(all), err)
	}
	return all[0], all[1:]
}

func writeCSV(t *testing.T, path string, header []string, records [][]string) {
	t.Helper()
	var b strings.Builder
	if err := csv.NewWriter(&b).WriteAll(append([][]string{header}, records...)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
