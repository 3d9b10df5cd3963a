package magento

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Which writes move a product's updated_at, as recorded: a save always does, be nothing changed by it; stock, prices and
// categories never do.
func TestWritesThatMoveUpdatedAt(t *testing.T) {
	var rows []struct {
		Write, Request string
		Body           json.RawMessage
		Moves          bool `json:"updated_at_changed"`
	}
	contract(t, "exchanges/change_tracking.json", &rows)
	now := time.Date(2026, 11, 23, 9, 0, 0, 999, time.UTC)
	s, err := New(Options{Open: true, Clock: func() time.Time { return now }, Websites: []Website{{Code: "base"}, {Code: "b2b"}}})
	if err != nil {
		t.Fatal(err)
	}
	must := func(method, path, body string) {
		t.Helper()
		if code, got := post(s, method, path, body); code != 200 {
			t.Fatalf("%s %s: %d %s", method, path, code, got)
		}
	}
	for _, sku := range []string{"CT-1", "S-3"} {
		must("POST", "/rest/all/V1/products", `{"product":{"sku":"`+sku+`","name":"Name `+sku+`","attribute_set_id":4,"price":10.5}}`)
	}
	must("POST", "/rest/all/V1/categories", `{"category":{"name":"Shirts","parent_id":2,"is_active":true}}`)
	must("POST", "/rest/V1/products/attributes", `{"attribute":{"attribute_code":"shade","frontend_input":"select","default_frontend_label":"Shade",
		"options":[{"label":"Red"},{"label":"Blue"},{"label":"Grey"},{"label":"Green"}]}}`)
	for _, r := range rows {
		method, path, _ := strings.Cut(r.Request, " ")
		before := s.world.products.find("CT-1").updated
		now = now.Add(time.Second)
		body := string(r.Body)
		if body == "null" {
			body = ""
		}
		must(method, path, body)
		if moved := s.world.products.find("CT-1").updated != before; moved != r.Moves {
			t.Errorf("%s: moves %v, recorded %v", r.Write, moved, r.Moves)
		}
	}
}
