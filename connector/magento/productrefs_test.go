package magento

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// child is a variant in a colour.
func child(sku, shade string, more ...any) []any {
	return append([]any{"sku", sku, "name", "Shirt " + shade, "price", 10, "visibility", 1, "shade", shade}, more...)
}

func parent(children ...any) []any {
	return []any{"sku", "P", "name", "Shirt", "type_id", "configurable", "configurable_attributes", []any{"shade"}, "children", children}
}

// childrenOf are the SKUs of a configurable product's children.
func (b *writeBench) childrenOf(sku string) []string {
	b.t.Helper()
	var all []struct{ SKU string }
	if err := json.Unmarshal([]byte(b.shop.post(b.t, "GET", "all/V1/configurable-products/"+escape(sku)+"/children", "")), &all); err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, c := range all {
		out = append(out, c.SKU)
	}
	slices.Sort(out)
	return out
}

func TestAConfigurableProductIsAssembled(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	f := b.fails(lockstep.CodeReference, b.write(parent("P-red", "P-green")...))
	if f.Kind != lockstep.Waiting || !strings.Contains(f.Error(), `"P-red"`) || len(b.shop.writes()) > 0 {
		t.Errorf("without children: %v", f)
	}
	// All in one batch, in any order: the children go first.
	got := b.must(b.write(parent("P-red", "P-green")...), b.write(child("P-red", "Red")...), b.write(child("P-green", "Green")...))
	if len(got) != 3 {
		t.Errorf("three products: %v", got)
	}
	if got := b.childrenOf("P"); !slices.Equal(got, []string{"P-green", "P-red"}) {
		t.Fatalf("its children are %v", got)
	}
	if got := b.must(b.write(parent("P-green", "p-RED")...)); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	if got := b.must(b.write("sku", "P", "name", "Blouse")); len(got) != 1 || len(b.childrenOf("P")) != 2 {
		t.Errorf("another name: %v, then the children are %v", got, b.childrenOf("P"))
	}
	b.must(b.write(child("P-blue", "Blue")...), b.write(parent("P-red", "P-blue")...))
	if got := b.childrenOf("P"); !slices.Equal(got, []string{"P-blue", "P-red"}) {
		t.Errorf("one added, one taken away: %v", got)
	}
	if got := b.must(b.write("sku", "P", "price", 12)); len(got) > 0 {
		t.Errorf("a price, which is the children's: %v", got)
	}
	b.must(b.write(parent()...))
	if got := b.childrenOf("P"); len(got) > 0 {
		t.Errorf("none wanted: %v", got)
	}
	b.want("all", "P", "type_id", "configurable")
}

func TestTheAttributesThatChildrenDifferInCanChange(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(child("P-1", "Red", "size_x", "S")...), b.write(child("P-2", "Green", "size_x", "M")...), b.write(parent("P-1", "P-2")...))
	both := parent("P-1", "P-2")
	both[7] = []any{"shade", "size_x"}
	b.must(b.write(both...))
	options := b.shop.post(t, "GET", "all/V1/configurable-products/P/options/all", "")
	if got := strings.Count(options, "attribute_id"); got != 2 || len(b.childrenOf("P")) != 2 {
		t.Errorf("two attributes: %s, children %v", options, b.childrenOf("P"))
	}
	both[7] = []any{"size_x"}
	b.must(b.write(both...))
	options = b.shop.post(t, "GET", "all/V1/configurable-products/P/options/all", "")
	if strings.Count(options, "attribute_id") != 1 || len(b.childrenOf("P")) != 2 {
		t.Errorf("the other alone: %s, children %v", options, b.childrenOf("P"))
	}
	if got := b.must(b.write(both...)); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
}

func TestChildrenThatCannotBeAreNamedBySKU(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(child("P-1", "Red")...), b.write(child("P-2", "Red")...), b.write(shirt("P-3")...), b.write("sku", "G", "name", "G", "type_id", "grouped"))
	for want, w := range map[string][]any{
		`"P-1" and "P-2"`:                     parent("P-1", "P-2"),
		`"P-3" has no value of shade`:         parent("P-1", "P-3"),
		`type grouped cannot be a child: "G"`: parent("G"),
	} {
		if f := b.fails(lockstep.CodeValue, b.write(w...)); !strings.Contains(f.Error(), want) {
			t.Errorf("the fault is %v, want %s in it", f, want)
		}
	}
	wrong := parent("P-1")
	wrong[7] = []any{"short_txt"}
	b.fails(lockstep.CodeValue, b.write(wrong...))
	wrong[7] = []any{}
	b.fails(lockstep.CodeValue, b.write(wrong...))
	if got := b.shop.post(t, "GET", "all/V1/products?searchCriteria[filterGroups][0][filters][0][field]=sku&searchCriteria[filterGroups][0][filters][0][value]=P", ""); !strings.Contains(got, `"total_count":0`) {
		t.Errorf("the parent was made: %s", got)
	}
}

// linksOf are a product's links of a type, in order.
func (b *writeBench) linksOf(sku, kind string) string {
	var all []struct {
		SKU      string `json:"linked_product_sku"`
		Position int
		Ext      struct{ Qty any } `json:"extension_attributes"`
	}
	if err := json.Unmarshal([]byte(b.shop.post(b.t, "GET", "all/V1/products/"+sku+"/links/"+kind, "")), &all); err != nil {
		b.t.Fatal(err)
	}
	slices.SortFunc(all, func(x, y struct {
		SKU      string `json:"linked_product_sku"`
		Position int
		Ext      struct{ Qty any } `json:"extension_attributes"`
	}) int {
		return x.Position - y.Position
	})
	var out []string
	for _, l := range all {
		out = append(out, strings.TrimSuffix(fmt.Sprintf("%s×%v", l.SKU, l.Ext.Qty), "×<nil>"))
	}
	return strings.Join(out, " ")
}

func TestLinksBetweenProducts(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	// Two that name each other, in one batch: neither waits for ever.
	b.must(b.write(shirt("A", "related", []any{"B", "C"})...), b.write(shirt("B", "related", []any{"A"})...), b.write(shirt("C")...))
	if got := b.linksOf("A", "related"); got != "B C" {
		t.Errorf("A is related to %s", got)
	}
	if got := b.must(b.write("sku", "A", "related", []any{"B", "C"})); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	if got := b.must(b.write("sku", "A", "upsells", []any{"C"})); len(got) != 1 || b.linksOf("A", "related") != "B C" || b.linksOf("A", "upsell") != "C" {
		t.Errorf("another type by %v takes the first away: %s, %s", got, b.linksOf("A", "related"), b.linksOf("A", "upsell"))
	}
	b.must(b.write("sku", "A", "related", []any{"c", "B"}))
	if got := b.linksOf("A", "related"); got != "C B" {
		t.Errorf("the other way round: %s", got)
	}
	b.must(b.write("sku", "A", "related", []any{}))
	if got := b.linksOf("A", "related"); got != "" || b.linksOf("A", "upsell") != "C" {
		t.Errorf("none: %s", got)
	}
	b.must(b.write("sku", "G", "name", "Group", "type_id", "grouped", "grouped", []any{map[string]any{"sku": "A", "qty": 2}, map[string]any{"sku": "B", "qty": 1}}))
	if got := b.linksOf("G", "associated"); got != "A×2 B×1" {
		t.Errorf("a group of %s", got)
	}
	if got := b.must(b.write("sku", "G", "grouped", []any{map[string]any{"sku": "A", "qty": 3}, map[string]any{"sku": "B", "qty": 1}})); len(got) != 1 || b.linksOf("G", "associated") != "A×3 B×1" {
		t.Errorf("another quantity by %v: %s", got, b.linksOf("G", "associated"))
	}
	// One that is not there is waited for; all else is written.
	f := b.fails(lockstep.CodeReference, b.write(shirt("N", "related", []any{"A", "NOPE"})...))
	if f.Kind != lockstep.Waiting || !strings.Contains(f.Error(), `"NOPE"`) {
		t.Errorf("a missing one: %v", f)
	}
	if got := b.linksOf("N", "related"); got != "A" {
		t.Errorf("the others are not linked: %s", got)
	}
	b.shop.writes()
	b.fails(lockstep.CodeReference, b.write(shirt("N", "related", []any{"A", "NOPE"})...))
	if got := b.shop.writes(); len(got) > 0 {
		t.Errorf("waiting sends %v", got)
	}
}

// in are the categories that a product is in, with its positions.
func (b *writeBench) in(sku string) string {
	ext, _ := b.get("all", sku)["extension_attributes"].(map[string]any)
	list, _ := ext["category_links"].([]any)
	var out []string
	for _, l := range list {
		out = append(out, fmt.Sprintf("%v@%v", l.(map[string]any)["category_id"], l.(map[string]any)["position"]))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestCategoriesOfAProduct(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"create": []string{"categories"}})
	b.must(b.write(shirt("S", "categories", []any{"Default Category/Men/Tops", "Default Category/Men"})...))
	tree := b.shop.post(t, "GET", "all/V1/categories", "")
	if strings.Count(tree, `"Men"`) != 1 || strings.Count(tree, `"Tops"`) != 1 {
		t.Errorf("the tree is %s", tree)
	}
	if got := b.in("S"); got != "3@0 4@0" {
		t.Errorf("it is in %s", got)
	}
	if got := b.must(b.write("sku", "S", "categories", []any{"Default Category/Men", "Default Category/Men/Tops"})); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	link := func(id, position int) any { return map[string]any{"category_id": id, "position": position} }
	b.must(b.write("sku", "S", "category_links", []any{link(2, 5)}))
	if got := b.in("S"); got != "2@5 3@0 4@0" {
		t.Errorf("one more: %s", got)
	}
	if got := b.must(b.write("sku", "S", "category_links", []any{link(2, 5)})); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	b.must(b.write("sku", "S", "category_ids", []any{2, 3}))
	if got := b.in("S"); got != "2@5 3@0" {
		t.Errorf("replaced, and positions stay: %s", got)
	}
	b.must(b.write("sku", "S", "category_ids", []any{}))
	if got := b.in("S"); got != "" {
		t.Errorf("none: %s", got)
	}
	if f := b.fails(lockstep.CodeReference, b.write("sku", "S", "category_ids", []any{4711})); f.Kind != lockstep.Waiting {
		t.Errorf("an unknown one: %v", f)
	}
	b.fails(lockstep.CodeReference, b.write("sku", "S", "category_links", []any{link(4711, 1)}))
	b.fails(lockstep.CodeReference, b.write("sku", "S", "categories", []any{"No such root/Men"}))
	b.sys = b.shop.open(t, nil)
	if f := b.fails(lockstep.CodeReference, b.write("sku", "S", "categories", []any{"Default Category/Women"})); f.Kind != lockstep.Waiting {
		t.Errorf("one that may not be made: %v", f)
	}
}

func TestWebsitesOfAProduct(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{Websites: []sandbox.Website{{Code: "base", Name: "Base"}, {Code: "b2b", Name: "B2B"}}}, nil)
	sites := func(sku string) string {
		ext, _ := b.get("all", sku)["extension_attributes"].(map[string]any)
		return fmt.Sprint(ext["website_ids"])
	}
	b.must(b.write(shirt("S")...), b.write(shirt("T", "websites", []any{"b2b"})...))
	if sites("S") != "[1 2]" || sites("T") != "[2]" {
		t.Errorf("they are in %s and %s", sites("S"), sites("T"))
	}
	if got := b.must(b.write("sku", "S", "websites", []any{"b2b", "base"})); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	b.must(b.write("sku", "S", "websites", []any{"base"}))
	b.must(b.write("sku", "T", "websites", []any{}))
	if sites("S") != "[1]" || sites("T") != "[]" {
		t.Errorf("then they are in %s and %s", sites("S"), sites("T"))
	}
	b.fails(lockstep.CodeValue, b.write("sku", "S", "websites", []any{"nope"}))
}

func TestAttributeSetsOfAProduct(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.fails(lockstep.CodeValue, b.write(shirt("S", "attribute_set", "Bags")...))
	b.sys = b.shop.open(t, lockstep.Settings{"create": []string{"attribute_sets"}})
	var writes []lockstep.Write
	for i := range 8 {
		writes = append(writes, b.write(shirt(fmt.Sprint("S-", i), "attribute_set", "Bags")...))
	}
	got := b.must(writes...)
	if n := len(slices.DeleteFunc(got, func(c string) bool { return c != "POST all/V1/products/attribute-sets" })); n != 1 {
		t.Errorf("the set was made %d times", n)
	}
	if set := b.get("all", "S-3")["attribute_set_id"]; set == 4.0 {
		t.Errorf("it is in set %v", set)
	}
	b.must(b.write("sku", "S-3", "attribute_set", "Default"))
	b.want("all", "S-3", "attribute_set_id", 4)
	if f := b.fails(lockstep.CodeValue, b.write("sku", "S-3", "homeless", "x")); f.About.Field != "homeless" {
		t.Errorf("an attribute that is in no set: %v", f)
	}
	if got := b.must(b.write("sku", "S-3", "homeless", nil)); len(got) > 0 {
		t.Errorf("nothing of it: %v", got)
	}
}

func TestACategoryOfAPathIsMadeOnce(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{Delay: 2 * time.Millisecond}, lockstep.Settings{"create": []string{"categories"}})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if r := b.apply(b.write(shirt(fmt.Sprint("S-", i), "categories", []any{fmt.Sprintf("Default Category/Men/Tops/%d", i%2)})...))[0]; r.Err != nil {
				t.Error(r.Err)
			}
		})
	}
	wg.Wait()
	if made := slices.DeleteFunc(b.shop.writes(), func(c string) bool { return c != "POST all/V1/categories" }); len(made) != 4 {
		t.Errorf("four categories are made by %d calls", len(made))
	}
	// Its URL key may be that of a product: then it gets another one.
	b.must(b.write(shirt("T", "url_key", "sale")...))
	b.must(b.write("sku", "T", "categories", []any{"Default Category/Sale"}))
	if got := b.in("T"); got == "" {
		t.Error("it is in no category")
	}
}

func TestAServerThatTakesNoSlashInAPath(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{Consumers: 1}, nil)
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.Contains(r.URL.EscapedPath(), "%2F") {
			return false
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<html>Not Found</html>")
		return true
	}, nil)
	b.must(b.write(shirt("A/B", "name_de", "Hemd")...))
	b.must(b.write("sku", "a/b", "price", 12, "name_de", "Bluse"))
	if n := b.rows("A/B"); n != 1 {
		t.Errorf("there are %d products", n)
	}
	r := b.apply(lockstep.Write{Op: lockstep.Delete, Key: "A/B"})[0]
	if r.Err != nil || r.Receipt == "" {
		t.Fatalf("a delete is answered with %+v", r)
	}
	for range 200 {
		done, err := b.sys.Confirm(t.Context(), productsStream, []string{r.Receipt})
		if err != nil || done[0].Err != nil {
			t.Fatalf("%v, %v", err, done)
		}
		if done[0].Receipt == "" {
			if b.rows("A/B") != 0 {
				t.Error("it is still there")
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it is never done")
}
