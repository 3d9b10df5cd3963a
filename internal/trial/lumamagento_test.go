package trial

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// lumaChoices are the catalogue's attributes with several choices, lumaFlags those that say yes or no: by the names of the
// shop, with those of the class in Pimcore.
var (
	lumaChoices = map[string]string{"material": "material", "climate": "climate", "pattern": "pattern", "style_general": "styleGeneral", "style_bottom": "styleBottom"}
	lumaFlags   = map[string]string{"eco_collection": "ecoCollection", "performance_fabric": "performanceFabric", "erin_recommends": "erinRecommends", "new": "isNew", "sale": "isSale"}
)

// lumaToMagento keeps the shop in step with Pimcore.
const lumaToMagento = `
systems:
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    classes:
      Product: {fields: {price: "price decimal(12,2)", weight: "weight decimal(12,2)", category_keys: "categories[].id", variant_keys: "variants[].id"}}
      Category: {}
  shop:
    type: magento
    url: %s
    token: %s
    create: [options, attribute_sets]
    media_hosts: ["127.0.0.1"]
    grace: 1s
flows:
  categories:
    from: {system: pim, stream: Category, track: &track {by: timestamp, field: modificationDate, every: 1s}}
    to:   {system: shop, stream: categories}
    match: [parent_id, name]
    deliver: &deliver {retry: {attempts: 60, from: 20ms, to: 500ms}}
    map:
      parent_id: 'parentId == "%d" ? 2 : link("categories", parentId)'
      name: name_en
      name_de: name_de
      is_active: published
      include_in_menu: {const: true}
  products:
    from: {system: pim, stream: Product, track: *track}
    to:   {system: shop, stream: products, on_delete: disable, disable: {status: 2}}
    deliver: *deliver
    map:
      sku: sku
      type_id: kind
      attribute_set: attributeSet
      name: name_en
      name_de: name_de
      description: description_en
      description_de: description_de
      price: {expr: 'kind == "simple" ? price : nil', null: skip}
      weight: {expr: weight, null: skip}
      status: 'published ? 1 : 2'
      visibility: visibility
      tax_class_id: taxClass
      url_key: {expr: urlKey, null: skip}
      size: size
      color: color
%s
      category_ids: 'map(category_keys, link("categories", #))'
      configurable_attributes: {expr: 'kind == "configurable" ? ["size", "color"] : nil', null: skip}
      children: 'map(variant_keys, link("products", #))'
      images: 'map(gallery, ({hash: left(sha256(.fullpath + " " + text(.modificationDate)), 24), roles: #index == 0 ? ["image", "small_image", "thumbnail"] : []}))'
      image_urls: 'map(gallery, ({hash: left(sha256(.fullpath + " " + text(.modificationDate)), 24), url: "%s" + .fullpath}))'
  stock:
    from: {system: pim, stream: Product, track: *track}
    to:   {system: shop, stream: stock}
    deliver: *deliver
    where: kind == "simple"
    map:
      sku: link("products", id)
      source_code: {const: default}
      quantity: qty
      status: 'qty > 0 ? 1 : 0'
`

// lumaShop is a shop that has the catalogue's attributes, and nothing else of it.
func lumaShop(t *testing.T, o magento.Options) *shopWorld {
	t.Helper()
	w := newShopWorld(t, o)
	w.manyOptions(100)
	w.attribute("size", "select", "global")
	w.assign(4, "color")
	for code := range lumaChoices {
		w.attribute(code, "multiselect", "global")
	}
	for code := range lumaFlags {
		w.attribute(code, "boolean", "global")
	}
	return w
}

// lumaBetween is the configuration between the two.
func lumaBetween(pim *pimWorld, shop *shopWorld) string {
	var more []string
	for code, field := range lumaChoices {
		more = append(more, "      "+code+": "+field)
	}
	for code, field := range lumaFlags {
		more = append(more, "      "+code+": "+field)
	}
	slices.Sort(more)
	host := strings.TrimSuffix(pim.url, pim.srv.Path())
	root := pim.srv.ByPath("/Categories")
	return fmt.Sprintf(lumaToMagento, pim.url, pim.srv.Key(), shop.url, shop.token(), root, strings.Join(more, "\n"), host)
}

// The real input of the pair: the Luma catalogue, which is in Pimcore, goes to Magento with its categories, options, images and
// configurables, and the shop holds what the file says, by a reader that is not ours. Then 200 products are edited, each
// arrives as one write, and what is taken off sale is disabled, not deleted, and comes back.
func TestLumaFromPimcoreToMagento(t *testing.T) {
	t.Parallel()
	pim, shop := lumaPimcore(t), lumaShop(t, magento.Options{})
	h := newPlace(t).house(lumaBetween(pim, shop))
	shop.counted()
	began := time.Now()
	do(t, h, app.Request{Do: app.DoSync})
	calls, writes := shop.counted()
	t.Logf("the first sync made %d writes in %v: %v", writes, time.Since(began), calls)
	level(t, h)
	shop.sameAsLuma()

	shop.counted()
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	if _, writes := shop.counted(); writes != 0 {
		t.Errorf("a second full sync made %d writes", writes)
	}

	editLuma(t, h, pim, shop)
	level(t, h)
	offSale(t, h, pim, shop)
}

// sameAsLuma holds the shop against the file.
func (w *shopWorld) sameAsLuma() {
	w.t.Helper()
	header, rows := lumaCatalogue(w.t)
	products := w.products("all")
	if len(products) != len(rows) {
		w.t.Errorf("%d products, want %d", len(products), len(rows))
	}
	options := map[string]map[string]string{"size": w.options("size"), "color": w.options("color")}
	for code := range lumaChoices {
		options[code] = w.options(code)
	}
	paths, byID := w.categoryPaths(), map[int]string{}
	for sku, p := range products {
		byID[p.ID] = sku
	}
	wrong := 0
	for _, row := range rows {
		at := func(name string) string { return row[slices.Index(header, name)] }
		p := products[at("sku")]
		if p == nil {
			w.t.Fatalf("the shop has no %s", at("sku"))
		}
		attributes := map[string]string{}
		for _, part := range strings.Split(at("additional_attributes"), ",") {
			name, value, _ := strings.Cut(part, "=")
			attributes[name] = value
		}
		check := func(what, got, want string) {
			w.t.Helper()
			if got != want && wrong < 20 {
				wrong++
				w.t.Errorf("%s: %s is %q, want %q", at("sku"), what, got, want)
			}
		}
		check("name", p.Name, at("name"))
		check("description", p.text("description"), at("description"))
		check("type", p.TypeID, at("product_type"))
		check("status", strconv.Itoa(p.Status), "1")
		check("visibility", strconv.Itoa(p.Visibility), map[bool]string{true: "4", false: "1"}[at("visibility") == "Catalog, Search"])
		if at("product_type") == "simple" {
			if !sameNumber(p.Price.String(), at("price")) || !sameNumber(p.Weight.String(), at("weight")) {
				check("price and weight", p.Price.String()+" "+p.Weight.String(), at("price")+" "+at("weight"))
			}
			check("url_key", p.text("url_key"), at("url_key"))
			check("size", strings.Join(p.labels("size", options["size"]), "|"), attributes["size"])
			check("color", strings.Join(p.labels("color", options["color"]), "|"), attributes["color"])
		}
		for code := range lumaChoices {
			got, want := p.labels(code, options[code]), strings.Split(attributes[code], "|")
			slices.Sort(got)
			slices.Sort(want)
			if !strings.EqualFold(strings.Join(got, "|"), strings.Join(want, "|")) { // the file spells a material in two ways
				check(code, strings.Join(got, "|"), strings.Join(want, "|"))
			}
		}
		for code := range lumaFlags {
			check(code, p.text(code), map[bool]string{true: "1", false: "0"}[attributes[code] == "Yes"])
		}
		var in []string
		for _, id := range p.categories() {
			in = append(in, paths[id])
		}
		want := slices.DeleteFunc(strings.Split(at("categories"), ","), func(s string) bool { return s == "Default Category" })
		slices.Sort(in)
		slices.Sort(want)
		check("categories", strings.Join(in, ","), strings.Join(want, ","))
		var children, variants []string
		for _, id := range p.ends() {
			children = append(children, byID[id])
		}
		for _, part := range strings.Split(at("configurable_variations"), "|") {
			if sku, _, ok := strings.Cut(strings.TrimPrefix(part, "sku="), ","); ok {
				variants = append(variants, sku)
			}
		}
		slices.Sort(children)
		slices.Sort(variants)
		check("children", strings.Join(children, ","), strings.Join(variants, ","))
		w.samePictures(p, at("base_image"), at("additional_images"), check)
	}
}

// samePictures holds a gallery against the file's names: as many, in their order, the first with the roles, and each with the
// bytes that Pimcore had under the name.
func (w *shopWorld) samePictures(p *shopProduct, base, more string, check func(what, got, want string)) {
	w.t.Helper()
	var names []string
	for _, name := range append([]string{base}, strings.Split(more, ",")...) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(p.Media, func(a, b struct {
		ID       int
		Label    *string
		Position int
		Types    []string
		File     string
	}) int {
		return a.Position - b.Position
	})
	check("pictures", strconv.Itoa(len(p.Media)), strconv.Itoa(len(names)))
	for i, m := range p.Media {
		if i >= len(names) {
			return
		}
		types := slices.Sorted(slices.Values(m.Types))
		check("roles of picture "+strconv.Itoa(i), strings.Join(types, ","), map[bool]string{true: "image,small_image,thumbnail"}[i == 0])
		if p.ID%50 == 0 { // the bytes of some
			check("bytes of picture "+strconv.Itoa(i), w.bytes("/media/catalog/product"+m.File), string(pixels(w.t, names[i])))
		}
	}
}

// bytes is what the shop serves at a path.
func (w *shopWorld) bytes(path string) string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Test", "1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
	return string(text)
}

// categories are the ids that a product is in.
func (p *shopProduct) categories() []string {
	var ext struct {
		Links []struct {
			ID string `json:"category_id"`
		} `json:"category_links"`
	}
	_ = json.Unmarshal(p.Extension, &ext) // an empty list where there is nothing
	var out []string
	for _, l := range ext.Links {
		out = append(out, l.ID)
	}
	return out
}

// categoryPaths are the names from the root category down, by id.
func (w *shopWorld) categoryPaths() map[string]string {
	w.t.Helper()
	type node struct {
		ID       int
		Name     string
		Children []node `json:"children_data"`
	}
	var root node
	w.call(http.MethodGet, "/rest/all/V1/categories?rootCategoryId=2", nil, &root)
	out := map[string]string{}
	var walk func(n node, above string)
	walk = func(n node, above string) {
		at := path.Join(above, n.Name)
		out[strconv.Itoa(n.ID)] = at
		for _, c := range n.Children {
			walk(c, at)
		}
	}
	walk(root, "")
	return out
}

// editLuma edits 200 products, and looks that each edit arrives as one write.
func editLuma(t *testing.T, h *app.House, pim *pimWorld, shop *shopWorld) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 11))
	ids := pim.srv.IDs("Product")
	rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	want := map[string]func(all, de *shopProduct) (got, want string){}
	for i, id := range ids[:200] {
		o, _ := pim.srv.Get(id)
		sku := o.Values["sku"].(string)
		text := fmt.Sprintf("edit %d <b>č</b>", i)
		switch kind := rng.IntN(4); {
		case kind == 0 && o.Values["kind"] == "simple":
			pim.must(pim.srv.Save(id, map[string]any{"price": float64(1000+i) / 4}))
			want[sku] = func(all, _ *shopProduct) (string, string) {
				f, _ := all.Price.Float64()
				return fmt.Sprint(f), fmt.Sprint(float64(1000+i) / 4)
			}
		case kind == 1:
			pim.must(pim.srv.Save(id, map[string]any{"name@de": text}))
			want[sku] = func(all, de *shopProduct) (string, string) {
				return all.Name + "|" + de.Name, o.Values["name@en"].(string) + "|" + text
			}
		case kind == 2:
			pim.must(pim.srv.Save(id, map[string]any{"description@en": text}))
			want[sku] = func(all, de *shopProduct) (string, string) {
				return all.text("description") + de.text("description"), text + text
			}
		default:
			pim.must(pim.srv.Save(id, map[string]any{"name@en": text}))
			want[sku] = func(all, _ *shopProduct) (string, string) { return all.Name, text }
		}
	}
	shop.counted()
	do(t, h, app.Request{Do: app.DoSync})
	calls, writes := shop.counted()
	if writes != 200 {
		t.Errorf("200 edits made %d writes: %v", writes, calls)
	}
	all, de := shop.products("all"), shop.products("de")
	for sku, look := range want {
		if got, want := look(all[sku], de[sku]); got != want {
			t.Errorf("%s: %q, want %q", sku, got, want)
		}
	}
}

// offSale unpublishes products and deletes others: the shop has both, disabled. Published again they are for sale again.
func offSale(t *testing.T, h *app.House, pim *pimWorld, shop *shopWorld) {
	t.Helper()
	ids := pim.srv.IDs("Product")
	skuOf := func(id int) string {
		o, _ := pim.srv.Get(id)
		return o.Values["sku"].(string)
	}
	hidden, gone := ids[10:15], ids[20:23]
	var dead []string
	for _, id := range hidden {
		pim.must(pim.srv.Unpublish(id))
	}
	for _, id := range gone {
		dead = append(dead, skuOf(id))
		pim.must(pim.srv.Delete(id))
	}
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	now := shop.products("all")
	for _, sku := range append(dead, skuOf(hidden[0]), skuOf(hidden[4])) {
		if p := now[sku]; p == nil || p.Status != 2 {
			t.Errorf("%s: %+v, want it disabled", sku, p)
		}
	}
	for _, id := range hidden {
		pim.must(pim.srv.Publish(id))
	}
	do(t, h, app.Request{Do: app.DoSync})
	now = shop.products("all")
	for _, id := range hidden {
		if p := now[skuOf(id)]; p == nil || p.Status != 1 {
			t.Errorf("%s: %+v, want it for sale again", skuOf(id), p)
		}
	}
	level(t, h)
}
