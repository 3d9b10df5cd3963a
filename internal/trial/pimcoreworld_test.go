package trial

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// pimWorld is a stand-in for Pimcore that is edited at random, and a target that is to follow.
type pimWorld struct {
	t   *testing.T
	srv *sandbox.Server
	url string
}

func newPimWorld(t *testing.T, o sandbox.Options) *pimWorld {
	t.Helper()
	srv, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	return &pimWorld{t, srv, web.URL + srv.Path()}
}

func (w *pimWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// pimEdits is how many edits the trials make.
func pimEdits() int {
	if testing.Short() {
		return 400
	}
	return 2000
}

// pimYAML is the configuration's part that all ways share: the system's settings go on with more, the flow's with what
// tracks it.
const pimYAML = `
systems:
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    classes:
      Product:
        fields:
          price: price decimal(12,2)
          codes: categories[].code
          maker: manufacturer.name
          material: attributes.Apparel.material
          length: attributes.Apparel.length decimal(12,2)
%s
  db: {type: postgres, dsn: %q}
flows:
  products:
    from: {system: pim, stream: Product, track: {%s}}
    to: {system: db, stream: products}
    deletes: {max_share: 100%%}
    map:
      id: id
      sku: sku
      kind: type
      published: published
      path: fullpath
      name_en: name_en
      name_de: name_de
      price: price
      stock: stock
      weight: weight
      weight_unit: weight_unit
      cats: codes
      maker: maker
      power: power
      voltage: voltage
      material: material
      length: length
`

const pimTable = `CREATE TABLE products (id text PRIMARY KEY, sku text, kind text, published boolean, path text, name_en text, name_de text,
	price numeric(12,2), stock integer, weight double precision, weight_unit text, cats jsonb, maker text, power double precision, voltage text,
	material text, length numeric(12,2))`

// inTarget is the target's rows, by SQL.
func (w *pimWorld) inTarget(db *sql.DB) []string {
	w.t.Helper()
	return rows(w.t, db, `SELECT id, sku, kind, published::text, path, name_en, name_de, price::text, stock::text, weight::text, weight_unit,
		coalesce((SELECT string_agg(c, ',') FROM jsonb_array_elements_text(coalesce(cats, '[]')) c), ''), maker, power::text, voltage, material, length::text
		FROM products ORDER BY id::int`)
}

// pimNode is an object as the endpoint shows it, values that are inherited and languages that fall back with it.
type pimNode struct {
	ID             string
	NameEN, NameDE *string
	SKU            *string
	Price          *json.Number
	Stock          *int
	Weight         *struct {
		Value *float64
		Unit  struct{ ID string }
	}
	Categories   []struct{ Code string }
	Manufacturer *struct{ Name *string }
	Power        *float64
	Voltage      *string
	Attributes   []struct {
		Name     string
		Features []struct {
			Name         string
			Text, Number *string
		}
	}
}

const pimQuery = `{getProductListing(ids:%q,published:false,sortBy:["id"]){edges{node{id nameEN:name(language:"en") nameDE:name(language:"de")
	sku price stock weight{value unit{id}} categories{... on object_Category{code}} manufacturer{... on object_Manufacturer{name}} power voltage
	attributes{name features{... on csFeatureInput{name text} ... on csFeatureNumeric{name number}}}}}}}`

// nodes asks the endpoint for objects, by a request that is nobody's but the test's.
func (w *pimWorld) nodes(ids []int) []pimNode {
	w.t.Helper()
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.Itoa(id)
	}
	body, err := json.Marshal(map[string]string{"query": fmt.Sprintf(pimQuery, strings.Join(texts, ","))})
	w.must(err)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.url, bytes.NewReader(body))
	w.must(err)
	req.Header.Set("X-API-Key", w.srv.Key())
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	text, err := io.ReadAll(resp.Body)
	w.must(err)
	w.must(resp.Body.Close())
	var answer struct {
		Errors json.RawMessage
		Data   struct {
			GetProductListing struct{ Edges []struct{ Node pimNode } }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Errors != nil {
		w.t.Fatalf("%v %.300s", err, text)
	}
	var out []pimNode
	for _, e := range answer.Data.GetProductListing.Edges {
		out = append(out, e.Node)
	}
	return out
}

// inPim is what the target is to hold: what stands in the objects themselves is taken from them, what is computed is as
// the endpoint shows it.
func (w *pimWorld) inPim() (out []string) {
	w.t.Helper()
	for ids := range slices.Chunk(w.srv.IDs("Product"), 200) {
		nodes := w.nodes(ids)
		if len(nodes) != len(ids) {
			w.t.Fatalf("the endpoint shows %d of %d objects", len(nodes), len(ids))
		}
		for i, n := range nodes {
			o, _ := w.srv.Get(ids[i])
			if n.ID != strconv.Itoa(o.ID) {
				w.t.Fatalf("the endpoint shows %s for %d", n.ID, o.ID)
			}
			out = append(out, n.row(o))
		}
	}
	return out
}

// row is an object as a row of the target.
func (n *pimNode) row(o sandbox.Object) string {
	cells := []string{n.ID, cell(n.SKU), o.Kind, strconv.FormatBool(o.Published), o.Fullpath, cell(n.NameEN), cell(n.NameDE), fixed(n.Price), cell(n.Stock)}
	if n.Weight == nil {
		cells = append(cells, null, null)
	} else {
		cells = append(cells, float(n.Weight.Value), n.Weight.Unit.ID)
	}
	var codes []string
	for _, c := range n.Categories {
		codes = append(codes, c.Code)
	}
	cells = append(cells, strings.Join(codes, ","))
	if n.Manufacturer == nil {
		cells = append(cells, null)
	} else {
		cells = append(cells, cell(n.Manufacturer.Name))
	}
	material, length := null, null
	for _, g := range n.Attributes {
		for _, f := range g.Features {
			switch {
			case g.Name == "Apparel" && f.Name == "material":
				material = cell(f.Text)
			case g.Name == "Apparel" && f.Name == "length" && f.Number != nil:
				number := json.Number(*f.Number)
				length = fixed(&number)
			}
		}
	}
	cells = append(cells, float(n.Power), cell(n.Voltage), material, length)
	for i, c := range cells {
		if c != null {
			cells[i] = "'" + c + "'"
		}
	}
	return strings.Join(cells, "|")
}

const null = "NULL"

func cell[T any](v *T) string {
	if v == nil {
		return null
	}
	return fmt.Sprint(*v)
}

func float(v *float64) string {
	if v == nil {
		return null
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// fixed is a number with two digits behind the point.
func fixed(v *json.Number) string {
	if v == nil {
		return null
	}
	f, err := v.Float64()
	if err != nil {
		return err.Error()
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// apart is how many rows of two lists are not in the other.
func apart(a, b []string) (n int) {
	in := map[string]int{}
	for _, row := range a {
		in[row]++
	}
	for _, row := range b {
		in[row]--
	}
	for _, k := range in {
		n += max(k, -k)
	}
	return n
}

// pathless is the rows without their path.
func pathless(rows []string) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		cells := strings.Split(row, "|")
		out[i] = strings.Join(slices.Delete(cells, 4, 5), "|")
	}
	return out
}

// identities are the rows' keys.
func identities(rows []string) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i], _, _ = strings.Cut(row, "|")
	}
	return out
}
