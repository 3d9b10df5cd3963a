package trial

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// csvRows reads a CSV file: its header, and its rows by sku and column.
func csvRows(t *testing.T, path string) (header []string, bySKU map[string]map[string]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil || len(all) < 2 {
		t.Fatalf("%s: %d rows, %v", path, len(all), err)
	}
	bySKU = map[string]map[string]string{}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = cells[i]
		}
		bySKU[row["sku"]] = row
	}
	if len(bySKU) != len(all)-1 {
		t.Errorf("%s: %d rows of %d products", path, len(all)-1, len(bySKU))
	}
	return all[0], bySKU
}

// examples/pimcore-magento-files.yaml writes what Magento's product import takes, and writes it again when Pimcore changed.
func TestPimcoreToMagentoFiles(t *testing.T) {
	t.Parallel()
	w := newPimWorld(t, sandbox.Options{Products: 90, Seed: 5})
	text, err := os.ReadFile("../../examples/pimcore-magento-files.yaml")
	w.must(err)
	p := newPlace(t)
	p.mkdir("import")
	sync := func(req app.Request) {
		h := p.house(strings.NewReplacer("${PIMCORE_URL}", w.url, "${PIMCORE_KEY}", w.srv.Key()).Replace(string(text)))
		do(t, h, req)
		p.close(h) // the files are complete now
		w.inMagentoFiles(p)
	}
	sync(app.Request{Do: app.DoSync})

	ids := w.srv.IDs("Product")
	w.must(w.srv.Save(ids[0], map[string]any{"name@en": "Stiefel, \"groß\"\nnew", "price": 5.5, "color": "blue"}))
	w.must(w.srv.Unpublish(ids[1]))
	w.must(w.srv.Delete(ids[len(ids)-1]))
	w.must(w.srv.RandomEdits(100, 7))
	sync(app.Request{Do: app.DoSync, Full: true, AllowDeletes: true})
}

// inMagentoFiles compares the files with the stand-in.
func (w *pimWorld) inMagentoFiles(p *place) {
	w.t.Helper()
	header, rows := csvRows(w.t, filepath.Join(p.dir, "import/products.csv"))
	for _, need := range []string{"sku", "attribute_set_code", "product_type", "product_websites", "name", "price", "visibility", "tax_class_name", "product_online", "url_key", "qty"} {
		if !slices.Contains(header, need) {
			w.t.Errorf("Magento's import wants a column %s: %v", need, header)
		}
	}
	_, german := csvRows(w.t, filepath.Join(p.dir, "import/products_de.csv"))
	slugs, translated := map[string]bool{}, 0
	for ids := range slices.Chunk(w.srv.IDs("Product"), 200) {
		for i, n := range w.nodes(ids) {
			o, _ := w.srv.Get(ids[i])
			row := rows[*n.SKU]
			delete(rows, *n.SKU)
			visible := map[string]string{"object": "Catalog, Search", "variant": "Not Visible Individually"}[o.Kind]
			online := map[bool]string{true: "1", false: "2"}[o.Published]
			stock := "0"
			if n.Stock != nil {
				stock = strconv.Itoa(*n.Stock)
			}
			for column, want := range map[string]string{
				"attribute_set_code": "Default", "product_type": "simple", "product_websites": "base", "tax_class_name": "Taxable Goods", "visibility": visible,
				"product_online": online, "qty": stock, "is_in_stock": map[bool]string{true: "1", false: "0"}[stock != "0"],
				"name": strings.ReplaceAll(cell(n.NameEN), null, ""), "price": strings.ReplaceAll(cell(n.Price), null, ""),
			} {
				if row[column] != want {
					w.t.Errorf("%s: %s is %q, not %q", *n.SKU, column, row[column], want)
				}
			}
			if got := strings.Count(row["categories"], "Default Category/"); got != len(n.Categories) {
				w.t.Errorf("%s: %q for %d categories", *n.SKU, row["categories"], len(n.Categories))
			}
			if n.Weight != nil {
				kg := *n.Weight.Value
				if n.Weight.Unit.ID == "g" {
					kg /= 1000
				}
				if got, err := strconv.ParseFloat(row["weight"], 64); err != nil || got-kg > 0.0001 || kg-got > 0.0001 {
					w.t.Errorf("%s: %s kg for %+v", *n.SKU, row["weight"], *n.Weight)
				}
			}
			if key := row["url_key"]; key == "" || slugs[key] {
				w.t.Errorf("%s: the url_key %q", *n.SKU, key)
			}
			slugs[row["url_key"]] = true
			if n.NameDE != nil && *n.NameDE != "" && (n.NameEN == nil || *n.NameDE != *n.NameEN) {
				translated++
				if de := german[*n.SKU]; de["name"] != *n.NameDE || de["store_view_code"] != "de" {
					w.t.Errorf("%s in German: %v", *n.SKU, de)
				}
			}
		}
	}
	if len(rows) > 0 || translated == 0 || translated != len(german) {
		w.t.Errorf("%d rows of nobody; %d in German, %d translated", len(rows), len(german), translated)
	}
}
