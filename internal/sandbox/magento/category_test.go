package magento

import (
	"fmt"
	"testing"
)

// growTree makes categories, each under the one before; the shop counts their ids from 3 on.
func growTree(t *testing.T, add func(name string, parent int) (int, map[string]any), names ...string) {
	t.Helper()
	parent := 2
	for _, n := range names {
		code, got := add(n, parent)
		if code != 200 {
			t.Fatalf("%s: %d %v", n, code, got)
		}
		parent = int(got["id"].(float64))
	}
}

func TestAMovedCategoryTakesWhatIsUnderItAlong(t *testing.T) {
	srv := shop(t, Options{Open: true})
	add := func(name string, parent int) (int, map[string]any) {
		return ask(t, srv, "POST", "/rest/all/V1/categories", fmt.Sprintf(`{"category":{"name":"%s","parent_id":%d,"is_active":true}}`, name, parent))
	}
	growTree(t, add, "Men", "Tops", "Shirts")
	growTree(t, add, "Sale")
	if code, got := add("Tops", 6); code != 200 {
		t.Fatalf("the same name under another parent: %d %v", code, got)
	}
	move := func(id, to int) (int, map[string]any) {
		return ask(t, srv, "PUT", fmt.Sprintf("/rest/V1/categories/%d/move", id), fmt.Sprintf(`{"parentId":%d}`, to))
	}
	if code, _ := move(3, 5); code != 400 {
		t.Errorf("a parent below its child: %d", code)
	}
	if code, got := move(4, 6); code != 400 || got["message"] != "Could not move category" {
		t.Errorf("where its URL key is taken: %d %v", code, got)
	}
	ask(t, srv, "DELETE", "/rest/V1/categories/7", "")
	if code, got := move(4, 6); code != 200 {
		t.Fatalf("move: %d %v", code, got)
	}
	_, got := ask(t, srv, "GET", "/rest/all/V1/categories/5", "")
	if got["path"] != "1/2/6/4/5" || got["level"] != 4.0 {
		t.Errorf("below it: %v", got)
	}
	if _, got := ask(t, srv, "GET", "/rest/all/V1/categories/6", ""); got["children"] != "4" {
		t.Errorf("the new parent: %v", got["children"])
	}
	ask(t, srv, "DELETE", "/rest/V1/categories/6", "")
	if code, _ := ask(t, srv, "GET", "/rest/all/V1/categories/5", ""); code != 404 {
		t.Errorf("below a deleted one: %d", code)
	}
}

// Products and categories share their URL keys, and a product leaves a category that goes.
func TestAProductAndACategoryShareTheirURLKeys(t *testing.T) {
	srv := shop(t, Options{Open: true})
	ask(t, srv, "POST", "/rest/all/V1/products", `{"product":{"sku":"S","name":"Lamps","attribute_set_id":4,"price":1}}`)
	const lamps = `{"category":{"name":"Lamps","parent_id":2,"is_active":true}}`
	if code, got := ask(t, srv, "POST", "/rest/all/V1/categories", lamps); code != 400 || fmt.Sprint(got["parameters"]) != "[URL key for specified store already exists.]" {
		t.Errorf("a category named as a product: %d %v", code, got)
	}
	ask(t, srv, "PUT", "/rest/all/V1/products/S", `{"product":{"custom_attributes":[{"attribute_code":"url_key","value":"lamp-s"}]}}`)
	code, got := ask(t, srv, "POST", "/rest/all/V1/categories", lamps)
	if code != 200 || got["id"] != 4.0 {
		t.Fatalf("after its key is free: %d %v", code, got)
	}
	ask(t, srv, "PUT", "/rest/all/V1/products/S", `{"product":{"extension_attributes":{"category_links":[{"category_id":"4","position":3}]}}}`)
	if code, got := ask(t, srv, "GET", "/rest/all/V1/categories?rootCategoryId=4", ""); code != 200 || got["product_count"] != 1.0 {
		t.Errorf("tree: %d %v", code, got)
	}
	ask(t, srv, "DELETE", "/rest/V1/categories/4", "")
	if _, got := ask(t, srv, "GET", "/rest/all/V1/products/S?fields=extension_attributes[category_links]", ""); fmt.Sprint(got["extension_attributes"]) != "[]" {
		t.Errorf("product: %v", got)
	}
}

// Some releases make all of a view's values its own with any save there.
func TestViewsOfCategoriesFreezeWhereTheyAreSaidTo(t *testing.T) {
	for _, freeze := range []bool{false, true} {
		srv := shop(t, Options{Open: true, Quirks: Quirks{FreezeViews: freeze}})
		ask(t, srv, "POST", "/rest/all/V1/categories", `{"category":{"name":"Lamps","parent_id":2,"is_active":true}}`)
		ask(t, srv, "PUT", "/rest/de/V1/categories/3", `{"category":{"custom_attributes":[{"attribute_code":"description","value":"d"}]}}`)
		ask(t, srv, "PUT", "/rest/all/V1/categories/3", `{"category":{"name":"Lights"}}`)
		want := map[bool]string{false: "Lights", true: "Lamps"}[freeze]
		if _, got := ask(t, srv, "GET", "/rest/de/V1/categories/3", ""); got["name"] != want {
			t.Errorf("freeze %v: %v, want %s", freeze, got["name"], want)
		}
	}
}
