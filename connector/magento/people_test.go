package magento

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// recordedBody is the answer of a recorded exchange.
func recordedBody(t *testing.T, file, name string) json.RawMessage {
	t.Helper()
	var all []exchange
	recorded(t, "exchanges/"+file, &all)
	for _, x := range all {
		if x.Name == name && x.Response.Status == 200 {
			return x.Response.Body
		}
	}
	t.Fatalf("%s has no %q", file, name)
	return nil
}

// answering is a shop that answers searches of one path with items.
func answering(t *testing.T, path string, items ...json.RawMessage) *System {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, path) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		list, _ := json.Marshal(items)
		fmt.Fprintf(w, `{"items":%s,"search_criteria":{},"total_count":%d}`, list, len(items))
	}))
	t.Cleanup(srv.Close)
	return openSystem(t, lockstep.Settings{"url": srv.URL, "token": "t"})
}

func TestOrdersAreReadAsTheyWereRecorded(t *testing.T) {
	sys := answering(t, "/V1/orders", recordedBody(t, "orders.json", "get order"))
	var names []string
	def := ordersDef()
	for _, f := range def.Fields {
		names = append(names, f.Name)
	}
	got := readAll(t, sys, lockstep.Read{Stream: ordersStream, Fields: names}, lockstep.Limit{})
	if len(got) != 1 || got[0].Key != "1" || got[0].Version != "2026-11-23 09:02:04" {
		t.Fatalf("%v", got)
	}
	wantFields(t, got[0], value.F("id", 1, "increment_id", "000000001", "state", "new", "status", "pending", "grand_total", dec("50"), "total_qty_ordered", dec("2"),
		"customer_id", value.Null, "customer_is_guest", 1, updatedField, date("2026-11-23 09:02:04"), "coupon_code", value.Null))
	for name, kind := range map[string]value.Kind{"items": value.KindList, "payment": value.KindObject, "billing_address": value.KindObject, "shipping_assignments": value.KindList} {
		if v, _ := got[0].Fields.Get(name); v.Kind() != kind {
			t.Errorf("%s is of kind %v", name, v.Kind())
		}
	}
}

func TestCustomersAreReadAsTheyWereRecorded(t *testing.T) {
	sys := answering(t, "/V1/customers/search", recordedBody(t, "customers_orders.json", "update customer"))
	got := readAll(t, sys, lockstep.Read{Stream: customersStream, Fields: []string{"id", "email", "firstname", "taxvat", "website_id", "addresses", "dob"}}, lockstep.Limit{})
	if len(got) != 1 || got[0].Key != "1" {
		t.Fatalf("%v", got)
	}
	wantFields(t, got[0], value.F("id", 1, "email", "c1@example.test", "firstname", "Anna", "taxvat", value.Null, "website_id", 1, "dob", value.Null))
	if v, _ := got[0].Fields.Get("addresses"); v.Kind() != value.KindList || len(v.List()) != 1 {
		t.Errorf("addresses are %v", v)
	}
}

func TestABadRecordHurtsOnlyItself(t *testing.T) {
	sys := answering(t, "/V1/orders", json.RawMessage(`{"entity_id":1,"updated_at":"2026-01-01 00:00:00","grand_total":1}`),
		json.RawMessage(`{"entity_id":"2","updated_at":"2026-01-01 00:00:00","grand_total":{"no":"number"}}`), json.RawMessage(`{"entity_id":3,"updated_at":null,"grand_total":"3.10"}`))
	page, err := sys.Scan(t.Context(), lockstep.Read{Stream: ordersStream, Fields: []string{"grand_total"}}, nil, lockstep.Limit{})
	if err != nil || len(page.Changes) != 3 {
		t.Fatal(page, err)
	}
	if page.Changes[0].Fault != nil || page.Changes[1].Fault == nil || page.Changes[2].Fault != nil {
		t.Errorf("%v", page.Changes)
	}
	if f := page.Changes[1].Fault; f != nil && f.About.Key != "2" {
		t.Errorf("%v", f)
	}
}

func TestARecordThatIsTooLargeForAnAnswerIsPassedByItself(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		after := 0
		_, _ = fmt.Sscan(q.Get("searchCriteria[filterGroups][0][filters][0][value]"), &after)
		size := 0
		_, _ = fmt.Sscan(q.Get("searchCriteria[pageSize]"), &size)
		var items []string
		for id := after + 1; id <= 9 && len(items) < size; id++ {
			pad := ""
			if id == 4 && strings.Contains(q.Get("fields"), "store_name") {
				pad = strings.Repeat("x", 5000)
			}
			items = append(items, fmt.Sprintf(`{"entity_id":%d,"updated_at":"2026-01-01 00:00:00","store_name":"n%s"}`, id, pad))
		}
		fmt.Fprintf(w, `{"items":[%s],"total_count":%d}`, strings.Join(items, ","), 9-after)
	}))
	defer srv.Close()
	sys := openSystem(t, lockstep.Settings{"url": srv.URL, "token": "t", "max_body": int64(4000)})
	var good, bad []lockstep.Key
	var from lockstep.Position
	for range 50 {
		page, err := sys.Scan(t.Context(), lockstep.Read{Stream: ordersStream, Fields: []string{"store_name"}}, from, lockstep.Limit{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Changes {
			if c.Fault != nil {
				bad = append(bad, c.Record.Key)
			} else {
				good = append(good, c.Record.Key)
			}
		}
		if from = page.Next; !page.More {
			break
		}
	}
	if len(good) != 8 || len(bad) != 1 || bad[0] != "4" {
		t.Errorf("good %v, bad %v", good, bad)
	}
}

// FuzzAnswers feeds products to the decoders, as they may come from a shop that has been extended.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"id":1,"sku":"a","updated_at":"2026-01-01 00:00:00","extension_attributes":[],"custom_attributes":[{"attribute_code":"x","value":["1"]}]}`)
	f.Add(`{"id":"1","sku":5,"extension_attributes":{"website_ids":{"0":1},"category_links":null},"media_gallery_entries":[{"file":"/a/b/c-0123456789ab-abcdef01.jpg","types":null}]}`)
	f.Add(`{"entity_id":true,"price":"1e9","product_links":[{"link_type":"associated","position":"2","extension_attributes":{"qty":1}}]}`)
	attrs := []*attribute{
		{code: "name", input: "text"}, {code: "x", input: "multiselect", byValue: map[string]string{"1": "One"}}, {code: "x", input: "select", byValue: map[string]string{"1": "One"}},
		{code: "x", input: "date"}, {code: "x", input: "boolean"}, {code: "x", input: "price"}, {code: "x", backend: "int"}, {code: "x", input: "datetime"},
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := &entity{name: "fuzz", key: "sku"}
		_, _ = e.head(json.RawMessage(text))
		w := &wireProduct{}
		if json.Unmarshal([]byte(text), w) != nil {
			return
		}
		p := &productPlan{where: &places{websites: []website{{1, "base"}}}}
		page := &productPage{where: p.where, tree: &tree{byID: map[int64]*node{}}, sets: &sets{}, known: &attributes{byCode: map[string]*attribute{}, byID: map[int64]*attribute{}}}
		for _, name := range []string{"id", "sku", "price", "status", setField, websitesField, categoryIDsField, categoriesField, configurableField, childrenField, relatedField, groupedField, imagesField, "x", "created_at", updatedField} {
			_, _ = p.value(page, w, name)
		}
		for _, a := range attrs {
			if v, err := a.read(w.raw(a.code)); err == nil {
				_ = v.String()
			}
			a.unknownOptions(w.raw(a.code))
		}
		_ = fmt.Sprint(w.categoryIDs())
	})
}
