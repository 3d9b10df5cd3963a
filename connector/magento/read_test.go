package magento

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// do makes a request as people's tools do.
func (s *testShop) do(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/rest/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return string(text)
}

// calls are the requests since the last time.
func (s *testShop) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.log
	s.log = nil
	return out
}

func readAll(t *testing.T, sys *System, r lockstep.Read, l lockstep.Limit) []lockstep.Record {
	t.Helper()
	var out []lockstep.Record
	var from lockstep.Position
	for range 1000 {
		page, err := sys.Scan(t.Context(), r, from, l)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Changes {
			if c.Fault != nil {
				t.Fatal(c.Fault)
			}
			out = append(out, c.Record)
		}
		from = page.Next
		if !page.More {
			return out
		}
	}
	t.Fatal("the scan does not end")
	return nil
}

func wantFields(t *testing.T, rec lockstep.Record, want value.Fields) {
	t.Helper()
	for name, w := range want.All() {
		got, there := rec.Fields.Get(name)
		if !there || !value.Equal(got, w) {
			t.Errorf("%s of %s is %s, want %s", name, rec.Key, got, w)
		}
	}
}

// furnish makes attributes with options, categories and products of several kinds.
func furnish(t *testing.T, s *testShop) {
	t.Helper()
	attr := func(code, input, scope, more string) {
		s.do(t, "POST", "all/V1/products/attributes", fmt.Sprintf(`{"attribute":{"attribute_code":%q,"frontend_input":%q,"scope":%q,"is_required":false,"default_frontend_label":%q%s}}`, code, input, scope, code, more))
		s.do(t, "POST", "all/V1/products/attribute-sets/attributes", fmt.Sprintf(`{"attributeSetId":4,"attributeGroupId":7,"attributeCode":%q,"sortOrder":1}`, code))
	}
	attr("shade", "select", "global", `,"options":[{"label":"Red","store_labels":[{"store_id":2,"label":"Rot"}]},{"label":"Blue"}]`)
	attr("stuff", "multiselect", "global", `,"options":[{"label":"Cotton"},{"label":"Wool"}]`)
	attr("eco", "boolean", "website", "")
	attr("note", "textarea", "store", "")
	attr("released", "date", "global", "")
	attr("shown_at", "datetime", "global", "")
	attr("msrp_x", "price", "global", "")
	s.do(t, "POST", "all/V1/categories", `{"category":{"name":"Men","parent_id":2,"is_active":true}}`)
	s.do(t, "POST", "all/V1/categories", `{"category":{"name":"Tops/Shirts","parent_id":3,"is_active":true}}`)
	s.do(t, "PUT", "de/V1/categories/3", `{"category":{"name":"Herren"}}`)
}

func optionIDs(t *testing.T, s *testShop, code string) map[string]string {
	t.Helper()
	var list []struct{ Label, Value string }
	if err := json.Unmarshal([]byte(s.do(t, "GET", "all/V1/products/attributes/"+code+"/options", "")), &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range list {
		out[o.Label] = o.Value
	}
	return out
}

func date(text string) value.Value {
	at, err := time.Parse(timeLayout, text)
	if err != nil {
		panic(err)
	}
	return value.Time(at)
}

func dec(text string) value.Value {
	d, err := value.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return value.FromDecimal(d)
}

func texts(all ...string) value.Value {
	out := make([]value.Value, len(all))
	for i, s := range all {
		out[i] = value.Text(s)
	}
	return value.List(out...)
}

func TestAProductIsReadWithAllThatBelongsToIt(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	furnish(t, shop)
	shade, stuff := optionIDs(t, shop, "shade"), optionIDs(t, shop, "stuff")
	child := func(sku, color string) {
		shop.do(t, "POST", "all/V1/products", fmt.Sprintf(`{"product":{"sku":%q,"name":%q,"attribute_set_id":4,"price":3,"visibility":1,"custom_attributes":[{"attribute_code":"shade","value":%q}]}}`, sku, sku, shade[color]))
	}
	child("c,1", "Red")
	child("c-2", "Blue")
	shop.do(t, "POST", "all/V1/products", fmt.Sprintf(`{"product":{"sku":"S 1","name":"Shirt","attribute_set_id":4,"price":12.345678,"weight":1.5,
		"extension_attributes":{"category_links":[{"position":0,"category_id":"3"},{"position":1,"category_id":"4"}]},
		"product_links":[{"sku":"S 1","link_type":"related","linked_product_sku":"c-2","linked_product_type":"simple","position":1},{"sku":"S 1","link_type":"related","linked_product_sku":"c,1","linked_product_type":"simple","position":2}],
		"custom_attributes":[{"attribute_code":"shade","value":%q},{"attribute_code":"stuff","value":"%s,%s"},{"attribute_code":"eco","value":"1"},{"attribute_code":"note","value":"<b>hi</b>"},
		{"attribute_code":"released","value":"2026-03-04"},{"attribute_code":"shown_at","value":"2026-03-04 05:06:07"},{"attribute_code":"msrp_x","value":"9.5"}]}}`, shade["Red"], stuff["Cotton"], stuff["Wool"]))
	shop.do(t, "PUT", "de/V1/products/S%201", `{"product":{"name":"Hemd"}}`)
	shop.do(t, "POST", "all/V1/products/S%201/media", `{"entry":{"media_type":"image","label":"Front","position":1,"disabled":false,"types":["thumbnail","image"],"content":{"type":"image/png","name":"s-1-0123456789ab-abcdef0123.png","base64_encoded_data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}}}`)

	sys := shop.open(t, nil)
	all := streamOf(t, sys, productsStream)
	var names []string
	for _, f := range all.Fields {
		if !f.WriteOnly {
			names = append(names, f.Name)
		}
	}
	for _, n := range []string{"name_de", "name_default", "eco_de", "status_de", "note_de"} {
		if f := all.Field(n); f == nil || f.Inherits == "" {
			t.Errorf("no field %s that inherits", n)
		}
	}
	if all.Field("shade_de") != nil || all.Field("price_de") != nil {
		t.Error("a global attribute has a field of a store view")
	}
	got := readAll(t, sys, lockstep.Read{Stream: productsStream, Fields: names}, lockstep.Limit{})
	if len(got) != 3 || got[2].Key != "S 1" {
		t.Fatalf("%d records: %v", len(got), got)
	}
	wantFields(t, got[2], value.F("sku", "S 1", "name", "Shirt", "name_de", "Hemd", "name_default", "Shirt", "price", dec("12.345678"), "weight", dec("1.5"), "status", 1, "visibility", 4,
		"type_id", "simple", setField, "Default", websitesField, texts("base"), categoryIDsField, value.List(value.Int(3), value.Int(4)),
		categoriesField, texts("Default Category/Men", "Default Category/Men/Tops//Shirts"), relatedField, texts("c-2", "c,1"), upsellsField, value.List(),
		"shade", "Red", "stuff", texts("Cotton", "Wool"), "eco", true, "eco_de", true, "note", "<b>hi</b>", "note_de", "<b>hi</b>", "released", date("2026-03-04 00:00:00"), "shown_at", date("2026-03-04 05:06:07"),
		"msrp_x", dec("9.500000"), "meta_title", value.Null,
		imagesField, value.List(value.Object(imageNames.Fields([]value.Value{value.Text("abcdef0123"), value.Text("Front"), texts("image", "thumbnail"), value.Bool(false)})))))
	if got[2].Version == "" || got[2].At.IsZero() {
		t.Error("no version")
	}

	fetched, err := sys.Fetch(t.Context(), lockstep.Read{Stream: productsStream, Fields: []string{"name"}}, []lockstep.Key{"s 1", "C,1", "none", "c-2"})
	if err != nil || len(fetched) != 3 {
		t.Errorf("fetched %v, %v", fetched, err)
	}
	found, err := sys.Find(t.Context(), lockstep.Read{Stream: productsStream, Fields: []string{"name"}}, []string{"shade"}, [][]value.Value{{value.Text("Blue")}, {value.Text("Green")}})
	if err != nil || len(found) != 2 || len(found[0]) != 1 || found[0][0].Key != "c-2" || len(found[1]) != 0 || found[0][0].Fields.Len() != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	found, err = sys.Find(t.Context(), lockstep.Read{Stream: productsStream}, []string{"sku", "price"}, [][]value.Value{{value.Text("C-2"), dec("3.00")}, {value.Text("c-2"), dec("4")}, {value.Text("c,1"), value.Null}})
	if err != nil || len(found[0]) != 1 || len(found[1]) != 0 || len(found[2]) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestAConfigurableIsReadWithItsChildren(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	furnish(t, shop)
	shade := optionIDs(t, shop, "shade")
	ids := []string{}
	for _, color := range []string{"Red", "Blue"} {
		var made struct{ ID json.Number }
		body := shop.do(t, "POST", "all/V1/products", fmt.Sprintf(`{"product":{"sku":"k-%s","name":"k %s","attribute_set_id":4,"price":3,"visibility":1,"custom_attributes":[{"attribute_code":"shade","value":%q}]}}`, color, color, shade[color]))
		if err := json.Unmarshal([]byte(body), &made); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, made.ID.String())
	}
	var at struct {
		ID json.Number `json:"attribute_id"`
	}
	if err := json.Unmarshal([]byte(shop.do(t, "GET", "all/V1/products/attributes/shade", "")), &at); err != nil {
		t.Fatal(err)
	}
	shop.do(t, "POST", "all/V1/products", fmt.Sprintf(`{"product":{"sku":"k","name":"k","attribute_set_id":4,"type_id":"configurable","extension_attributes":{
		"configurable_product_options":[{"attribute_id":"%s","label":"Shade","position":0,"values":[{"value_index":%s},{"value_index":%s}]}],"configurable_product_links":[%s]}}}`,
		at.ID, shade["Red"], shade["Blue"], strings.Join(ids, ",")))
	sys := shop.open(t, nil)
	fetched, err := sys.Fetch(t.Context(), lockstep.Read{Stream: productsStream, Fields: []string{configurableField, childrenField}}, []lockstep.Key{"k", "k-Red"})
	if err != nil || len(fetched) != 2 {
		t.Fatalf("%v, %v", fetched, err)
	}
	for _, rec := range fetched {
		if rec.Key == "k" {
			wantFields(t, rec, value.F(configurableField, texts("shade"), childrenField, texts("k-Red", "k-Blue")))
		} else {
			wantFields(t, rec, value.F(configurableField, value.List(), childrenField, value.List()))
		}
	}
}

func streamOf(t *testing.T, sys *System, name string) *lockstep.Stream {
	t.Helper()
	all, err := sys.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s lockstep.Stream) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no stream %s", name)
	}
	return &all[i]
}

func TestOnlyWhatIsReadIsAskedFor(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Products: 250})
	sys := shop.open(t, nil)
	streamOf(t, sys, productsStream)
	for _, c := range []struct {
		fields []string
		calls  int // for three pages
	}{{nil, 3}, {[]string{"sku", "name"}, 3}, {[]string{"name", "name_de"}, 6}, {[]string{"name", "name_de", "name_default", imagesField, relatedField, "meta_title"}, 9}} {
		shop.calls()
		got := readAll(t, sys, lockstep.Read{Stream: productsStream, Fields: c.fields}, lockstep.Limit{})
		if n := len(shop.calls()); len(got) != 250 || n != c.calls {
			t.Errorf("%v: %d records by %d calls, want %d", c.fields, len(got), n, c.calls)
		}
	}
}

func TestNoRecordOfASecondIsLost(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	shop := newTestShop(t, sandbox.Options{Clock: func() time.Time { return now }})
	shop.interfere(nil, func(_ *http.Request, a *httptest.ResponseRecorder) {
		a.Header().Set("Date", now.Format(http.TimeFormat))
	})
	sys := shop.open(t, lockstep.Settings{"page": int64(7)})
	r := lockstep.Read{Stream: productsStream, Fields: []string{"sku"}, Track: lockstep.Track{By: lockstep.Timestamp, Field: updatedField, Overlap: time.Minute}}
	first, err := sys.Changes(t.Context(), r, nil, lockstep.Limit{})
	if err != nil || first.Next == nil || len(first.Changes) != 0 {
		t.Fatal(first, err)
	}
	for i := range 40 { // all in one second
		shop.do(t, "POST", "all/V1/products", fmt.Sprintf(`{"product":{"sku":"E-%02d","name":"E %d","attribute_set_id":4,"price":1}}`, i, i))
	}
	now = now.Add(2 * time.Second) // and half of them again, so that low numbers have late times
	for i := range 20 {
		shop.do(t, "PUT", fmt.Sprintf("all/V1/products/E-%02d", i), `{"product":{"name":"later"}}`)
	}
	seen := map[lockstep.Key]int{}
	from := first.Next
	for range 30 {
		page, err := sys.Changes(t.Context(), r, from, lockstep.Limit{Rows: 5})
		if err != nil {
			t.Fatal(err)
		}
		again, err := sys.Changes(t.Context(), r, from, lockstep.Limit{Rows: 5})
		if err != nil || len(again.Changes) != len(page.Changes) {
			t.Fatalf("the same position gives another page: %v", err)
		}
		for _, c := range page.Changes {
			seen[c.Record.Key]++
		}
		if from = page.Next; !page.More {
			break
		}
	}
	for i := range 40 {
		if seen[lockstep.Key(fmt.Sprintf("E-%02d", i))] != 1 {
			t.Errorf("E-%02d was seen %d times", i, seen[lockstep.Key(fmt.Sprintf("E-%02d", i))])
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d records", len(seen))
	}
}

func TestAPollThatFindsNothingIsOneCall(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Products: 3})
	sys := shop.open(t, nil)
	for _, overlap := range []time.Duration{-1, 0, time.Second, time.Hour} {
		r := lockstep.Read{Stream: productsStream, Fields: []string{"name"}, Track: lockstep.Track{By: lockstep.Timestamp, Overlap: overlap}}
		now, err := sys.Changes(t.Context(), r, nil, lockstep.Limit{})
		if err != nil {
			t.Fatal(err)
		}
		shop.calls()
		if page, err := sys.Changes(t.Context(), r, now.Next, lockstep.Limit{}); err != nil || page.More || page.UpTo.IsZero() {
			t.Error(page, err)
		}
		if calls := shop.calls(); len(calls) != 1 {
			t.Errorf("overlap %s: %v", overlap, calls)
		}
	}
}

func TestAClockThatWasSetBackIsLost(t *testing.T) {
	now := time.Now().UTC()
	shop := newTestShop(t, sandbox.Options{Products: 3, Clock: func() time.Time { return now }})
	shop.interfere(nil, func(_ *http.Request, a *httptest.ResponseRecorder) {
		a.Header().Set("Date", now.Format(http.TimeFormat))
	})
	sys := shop.open(t, nil)
	r := lockstep.Read{Stream: productsStream, Track: lockstep.Track{By: lockstep.Timestamp}}
	at, err := sys.Changes(t.Context(), r, nil, lockstep.Limit{})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(-20 * time.Minute)
	if _, err := sys.Changes(t.Context(), r, at.Next, lockstep.Limit{}); lockstep.KindOf(err) != lockstep.Lost {
		t.Errorf("%v", err)
	}
}

func TestCategoriesSetsAttributesAndOptionsAreRead(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	furnish(t, shop)
	sys := shop.open(t, nil)
	streamOf(t, sys, categoriesStream)
	got := readAll(t, sys, lockstep.Read{Stream: categoriesStream, Fields: []string{"id", "parent_id", "name", "name_de", "is_active", "path", "level", "url_key"}}, lockstep.Limit{Rows: 1})
	if len(got) != 2 {
		t.Fatalf("%d categories: %v", len(got), got)
	}
	roots, err := sys.Fetch(t.Context(), lockstep.Read{Stream: categoriesStream, Fields: []string{"name"}}, []lockstep.Key{"1", "2"})
	if err != nil || len(roots) != 2 {
		t.Errorf("the root categories cannot be fetched: %v, %v", roots, err)
	}
	wantFields(t, got[0], value.F("id", 3, "parent_id", 2, "name", "Men", "name_de", "Herren", "is_active", true, "path", "Default Category/Men", "level", 2, "url_key", "men"))
	wantFields(t, got[1], value.F("id", 4, "path", "Default Category/Men/Tops//Shirts", "name_de", "Tops/Shirts"))
	found, err := sys.Find(t.Context(), lockstep.Read{Stream: categoriesStream, Fields: []string{"id"}}, []string{"parent_id", "name"}, [][]value.Value{{value.Int(2), value.Text("Men")}, {value.Int(3), value.Text("Men")}})
	if err != nil || len(found[0]) != 1 || found[0][0].Key != "3" || len(found[1]) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	sets := readAll(t, sys, lockstep.Read{Stream: setsStream, Fields: []string{"id", "name"}}, lockstep.Limit{})
	if len(sets) != 1 || sets[0].Key != "4" {
		t.Errorf("sets %v", sets)
	}
	attrs, err := sys.Fetch(t.Context(), lockstep.Read{Stream: attributesStream, Fields: []string{"frontend_input", "scope"}}, []lockstep.Key{"stuff", "nope"})
	if err != nil || len(attrs) != 1 {
		t.Fatalf("attributes %v, %v", attrs, err)
	}
	wantFields(t, attrs[0], value.F("frontend_input", "multiselect", "scope", "global"))
	opts, err := sys.Find(t.Context(), lockstep.Read{Stream: optionsStream, Fields: []string{"label", "label_de"}}, []string{"attribute_code", "label"},
		[][]value.Value{{value.Text("shade"), value.Text("Red")}, {value.Text("shade"), value.Text("Wool")}})
	if err != nil || len(opts[0]) != 1 || len(opts[1]) != 0 {
		t.Fatalf("options %v, %v", opts, err)
	}
	wantFields(t, opts[0][0], value.F("label", "Red", "label_de", "Rot"))
	for _, rec := range readAll(t, sys, lockstep.Read{Stream: optionsStream, Fields: []string{"attribute_code"}}, lockstep.Limit{Rows: 2}) {
		if code, _ := rec.Fields.Get("attribute_code"); code.Text() == "status" || code.Text() == "tax_class_id" {
			t.Errorf("%s is no option that is kept", rec.Key)
		}
	}
}

func TestAServerThatRepeatsItsLastPageEndsAList(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Quirks: sandbox.Quirks{RepeatLastPage: true}})
	sys := shop.open(t, lockstep.Settings{"page": int64(10)})
	shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) { // and counts more than there are
		if strings.HasSuffix(r.URL.Path, "/V1/products/attributes") {
			body := strings.Replace(a.Body.String(), `"total_count":`, `"total_count":9`, 1)
			a.Body.Reset()
			a.Body.WriteString(body)
			a.Header().Del("Content-Length")
		}
	})
	def := streamOf(t, sys, productsStream)
	if def.Field("meta_title") == nil {
		t.Error("attributes are missing")
	}
	if n := len(shop.calls()); n > 40 {
		t.Errorf("%d calls", n)
	}
}

func TestWhatWasMadeSinceIsKnown(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	furnish(t, shop)
	sys := shop.open(t, nil)
	r := lockstep.Read{Stream: productsStream, Fields: []string{"shade", "stuff", setField, categoriesField}}
	if got := readAll(t, sys, r, lockstep.Limit{}); len(got) != 0 {
		t.Fatal(got)
	}
	readAll(t, sys, lockstep.Read{Stream: categoriesStream, Fields: []string{"path"}}, lockstep.Limit{})
	shop.do(t, "POST", "all/V1/products/attributes/shade/options", `{"option":{"label":"Green"}}`)
	shop.do(t, "POST", "all/V1/products/attribute-sets", `{"attributeSet":{"attribute_set_name":"Bags","sort_order":5},"skeletonId":4}`)
	shop.do(t, "POST", "all/V1/categories", `{"category":{"name":"New","parent_id":2,"is_active":true}}`)
	var sets struct {
		Items []struct {
			ID   int    `json:"attribute_set_id"`
			Name string `json:"attribute_set_name"`
		}
	}
	if err := json.Unmarshal([]byte(shop.do(t, "GET", "all/V1/products/attribute-sets/sets/list?searchCriteria[pageSize]=50", "")), &sets); err != nil {
		t.Fatal(err)
	}
	shop.do(t, "POST", "all/V1/products", fmt.Sprintf(`{"product":{"sku":"n","name":"n","attribute_set_id":%d,"price":1,"extension_attributes":{"category_links":[{"position":0,"category_id":"5"}]},
		"custom_attributes":[{"attribute_code":"shade","value":%q},{"attribute_code":"stuff","value":"4711"}]}}`, sets.Items[len(sets.Items)-1].ID, optionIDs(t, shop, "shade")["Green"]))
	got := readAll(t, sys, r, lockstep.Limit{})
	if len(got) != 1 {
		t.Fatal(got)
	}
	wantFields(t, got[0], value.F("shade", "Green", "stuff", value.List(), setField, "Bags", categoriesField, texts("Default Category/New")))
	shop.calls()
	readAll(t, sys, r, lockstep.Limit{}) // the option that never was is not looked for again
	if calls := shop.calls(); len(calls) != 1 {
		t.Errorf("%d calls: %v", len(calls), calls)
	}
}
