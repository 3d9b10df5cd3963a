package magento

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// to makes one write of a stream that must be done, and answers with its result and the calls that changed something.
func (b *writeBench) to(stream string, w lockstep.Write) (lockstep.Result, []string) {
	b.t.Helper()
	b.shop.writes()
	res, err := b.sys.Apply(b.t.Context(), stream, []lockstep.Write{w})
	if err != nil {
		b.t.Fatal(err)
	}
	if res[0].Err != nil {
		b.t.Fatalf("%s: %v", stream, res[0].Err)
	}
	return res[0], b.shop.writes()
}

func (b *writeBench) refused(stream string, w lockstep.Write, code lockstep.Code) {
	b.t.Helper()
	res, err := b.sys.Apply(b.t.Context(), stream, []lockstep.Write{w})
	if err != nil {
		b.t.Fatal(err)
	}
	if f := lockstep.FaultOf(res[0].Err); f == nil || f.Code != code {
		b.t.Fatalf("%s: the answer is %v, want %s", stream, f, code)
	}
}

func (b *writeBench) read(path string) map[string]any {
	b.t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal([]byte(b.shop.post(b.t, "GET", path, "")), &out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

func TestCategoriesAreWritten(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	men, _ := b.to(categoriesStream, lockstep.Write{Fields: value.F("parent_id", 2, "name", "Men", "is_active", true, "name_de", "Herren")})
	at := func(scope string, key lockstep.Key) map[string]any {
		return b.read(scope + "/V1/categories/" + string(key))
	}
	if got := at("de", men.Key); got["name"] != "Herren" || got["is_active"] != true {
		t.Errorf("in German: %v", got)
	}
	tops, _ := b.to(categoriesStream, lockstep.Write{Fields: value.F("parent_id", idOf(men), "name", "Tops", "is_active", false, "description", "All of them")})
	same := lockstep.Write{Key: tops.Key, Fields: value.F("parent_id", idOf(men), "name", "Tops", "is_active", false, "description", "All of them", "name_de", nil)}
	if _, got := b.to(categoriesStream, same); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	if _, got := b.to(categoriesStream, lockstep.Write{Key: tops.Key, Fields: value.F("name", "Shirts", "position", 7)}); !slices.Equal(got, []string{"PUT all/V1/categories/" + string(tops.Key)}) {
		t.Errorf("renamed: %v", got)
	}
	if got := at("all", tops.Key); got["name"] != "Shirts" || got["position"] != 7.0 {
		t.Errorf("renamed: %v", got)
	}
	if _, got := b.to(categoriesStream, lockstep.Write{Key: tops.Key, Fields: value.F("parent_id", 2)}); !slices.Equal(got, []string{"PUT all/V1/categories/" + string(tops.Key) + "/move"}) {
		t.Errorf("moved: %v", got)
	}
	if _, got := b.to(categoriesStream, lockstep.Write{Key: men.Key, Fields: value.F("name_de", nil)}); len(got) != 1 || at("de", men.Key)["name"] != "Men" {
		t.Errorf("a view's name is taken away by %v: %v", got, at("de", men.Key)["name"])
	}
	if _, got := b.to(categoriesStream, lockstep.Write{Key: men.Key, Fields: value.F("is_active_de", false)}); len(got) != 1 || at("de", men.Key)["is_active"] != false || at("all", men.Key)["is_active"] != true {
		t.Errorf("off in one view by %v", got)
	}
	b.refused(categoriesStream, lockstep.Write{Fields: value.F("parent_id", 2, "name", "Men")}, lockstep.CodeUnique)
	b.refused(categoriesStream, lockstep.Write{Fields: value.F("parent_id", 4711, "name", "Lost")}, lockstep.CodeReference)
	b.refused(categoriesStream, lockstep.Write{Key: tops.Key, Fields: value.F("parent_id", 4711)}, lockstep.CodeReference)
	b.refused(categoriesStream, lockstep.Write{Key: "4711", Fields: value.F("name", "x")}, lockstep.CodeGone)
	b.refused(categoriesStream, lockstep.Write{Key: men.Key, IfVersion: "2000-01-01 00:00:00", Fields: value.F("name", "x")}, lockstep.CodeVersionMoved)
	b.to(categoriesStream, lockstep.Write{Op: lockstep.Delete, Key: men.Key})
	b.to(categoriesStream, lockstep.Write{Op: lockstep.Delete, Key: men.Key}) // again
	// A product has the key already: another one is made.
	b.must(b.write(shirt("S-1", "url_key", "sale")...))
	sale, _ := b.to(categoriesStream, lockstep.Write{Fields: value.F("parent_id", 2, "name", "Sale", "is_active", true)})
	if got := fmt.Sprint(at("all", sale.Key)["custom_attributes"]); !strings.Contains(got, "sale-") {
		t.Errorf("the key that was taken: %v", got)
	}
	b.refused(categoriesStream, lockstep.Write{Fields: value.F("parent_id", 2, "name", "Other sale", "url_key", "sale")}, lockstep.CodeUnique)
}

func TestOptionsAreWritten(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	labels := func(scope string) string {
		return b.shop.post(t, "GET", scope+"/V1/products/attributes/shade/options", "")
	}
	pink, _ := b.to(optionsStream, lockstep.Write{Fields: value.F("attribute_code", "shade", "label", "Pink", "label_de", "Rosa", "label_default", "Rose", "sort_order", 3)})
	if !strings.Contains(labels("all"), "Pink") || !strings.Contains(labels("de"), "Rosa") || !strings.Contains(labels("default"), "Rose") {
		t.Errorf("labels: %s %s", labels("all"), labels("de"))
	}
	if _, got := b.to(optionsStream, lockstep.Write{Key: pink.Key, Fields: value.F("label", "Pink", "label_de", "Rosa", "sort_order", 3)}); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	if _, got := b.to(optionsStream, lockstep.Write{Key: pink.Key, Fields: value.F("label", "Rosy")}); len(got) != 1 {
		t.Errorf("renamed: %v", got)
	}
	if !strings.Contains(labels("all"), "Rosy") || !strings.Contains(labels("de"), "Rosa") || !strings.Contains(labels("default"), "Rose") {
		t.Errorf("a rename loses labels: %s %s %s", labels("all"), labels("de"), labels("default"))
	}
	b.to(optionsStream, lockstep.Write{Key: pink.Key, Fields: value.F("label_de", nil)})
	if strings.Contains(labels("de"), "Rosa") || !strings.Contains(labels("default"), "Rose") {
		t.Errorf("a label taken away: %s %s", labels("de"), labels("default"))
	}
	// Somebody has made it: it is the same.
	if red, _ := b.to(optionsStream, lockstep.Write{Fields: value.F("attribute_code", "shade", "label", "Red", "label_de", "Rot")}); !strings.Contains(labels("de"), "Rot") || red.Key == "" {
		t.Errorf("an option that is there: %v, %s", red, labels("de"))
	}
	b.refused(optionsStream, lockstep.Write{Fields: value.F("attribute_code", "nope", "label", "x")}, lockstep.CodeReference)
	b.to(optionsStream, lockstep.Write{Op: lockstep.Delete, Key: pink.Key})
	b.to(optionsStream, lockstep.Write{Op: lockstep.Delete, Key: pink.Key}) // again
}

func TestAttributesAndSetsAreWritten(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.shop.post(t, "PUT", "all/V1/products/attributes/shade/options/"+b.option("shade", "Red"), `{"option":{"label":"Red","value":"`+b.option("shade", "Red")+`","store_labels":[{"store_id":2,"label":"Rot"}]}}`)
	w := lockstep.Write{Key: "fit", Fields: value.F("attribute_code", "fit", "frontend_input", "select", "scope", "global", "default_frontend_label", "Fit", "is_required", false)}
	if _, got := b.to(attributesStream, w); !slices.Equal(got, []string{"POST all/V1/products/attributes"}) {
		t.Errorf("a new one: %v", got)
	}
	if _, got := b.to(attributesStream, w); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	b.to(attributesStream, lockstep.Write{Key: "shade", Fields: value.F("default_frontend_label", "Hue")})
	if got := b.read("all/V1/products/attributes/shade"); got["default_frontend_label"] != "Hue" {
		t.Errorf("renamed: %v", got["default_frontend_label"])
	}
	if got := b.shop.post(t, "GET", "de/V1/products/attributes/shade/options", ""); !strings.Contains(got, "Rot") || strings.Count(got, "label") != 4 {
		t.Errorf("its options are then %s", got)
	}
	b.refused(attributesStream, lockstep.Write{Key: "shade", Fields: value.F("frontend_input", "text")}, lockstep.CodeValue)
	b.to(attributesStream, lockstep.Write{Op: lockstep.Delete, Key: "fit"})
	b.to(attributesStream, lockstep.Write{Op: lockstep.Delete, Key: "fit"}) // again

	set, _ := b.to(setsStream, lockstep.Write{Fields: value.F("name", "Bags", "sort_order", 5)})
	if _, got := b.to(setsStream, lockstep.Write{Key: set.Key, Fields: value.F("name", "Bags", "sort_order", 5)}); len(got) > 0 {
		t.Errorf("unchanged: %v", got)
	}
	b.to(setsStream, lockstep.Write{Key: set.Key, Fields: value.F("name", "Bags and cases")})
	if got := b.read("all/V1/products/attribute-sets/" + string(set.Key)); got["attribute_set_name"] != "Bags and cases" || got["sort_order"] != 5.0 {
		t.Errorf("renamed: %v", got)
	}
	b.to(setsStream, lockstep.Write{Op: lockstep.Delete, Key: set.Key})
	b.to(setsStream, lockstep.Write{Op: lockstep.Delete, Key: set.Key}) // again
}

// option is the id of a label.
func (b *writeBench) option(code, label string) string {
	b.t.Helper()
	var all []struct{ Label, Value string }
	if err := json.Unmarshal([]byte(b.shop.post(b.t, "GET", "all/V1/products/attributes/"+code+"/options", "")), &all); err != nil {
		b.t.Fatal(err)
	}
	for _, o := range all {
		if o.Label == label {
			return o.Value
		}
	}
	b.t.Fatalf("%s has no option %q", code, label)
	return ""
}

// idOf is the key of a result as a number.
func idOf(r lockstep.Result) int {
	var n number
	_ = n.UnmarshalJSON([]byte(r.Key))
	return int(n)
}
