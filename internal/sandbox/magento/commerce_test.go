package magento

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// want sends a request and compares the answer, as text.
func (s *stall) want(method, path, body, answer string) {
	s.t.Helper()
	status, _, got, err := s.send(method, path, body)
	if err != nil || got != answer {
		s.t.Errorf("%s %s %s: %d %s %v, want %s", method, path, body, status, got, err, answer)
	}
}

const tierPath = "/rest/all/V1/products/tier-prices"

func TestTierPrices(t *testing.T) {
	s := newStall(t, Options{Products: 1, Websites: []Website{{Code: "base"}, {Code: "b2b"}}})
	row := func(website, price string) string {
		return `{"prices":[{"price":` + price + `,"price_type":"fixed","website_id":` + website + `,"sku":"P-1","customer_group":"General","quantity":2}]}`
	}
	shown := func(rows string) {
		t.Helper()
		s.want("POST", tierPath+"-information", `{"skus":["P-1","NOPE"]}`, rows)
	}
	one := func(website, price string) string {
		return `{"price":` + price + `,"price_type":"fixed","website_id":` + website + `,"sku":"P-1","customer_group":"General","quantity":2}`
	}
	s.want("POST", tierPath, row("0", "5"), "[]")
	s.want("POST", tierPath, row("2", "4"), "[]")
	s.want("POST", tierPath, row("2", "3"), "[]") // the same key again changes it
	shown("[" + one("0", "5") + "," + one("2", "3") + "]")
	s.want("PUT", tierPath, row("0", "6"), "[]") // replaces what the SKU had
	shown("[" + one("0", "6") + "]")
	s.want("POST", tierPath, row("2", "4"), "[]")
	s.want("POST", tierPath+"-delete", row("0", "6"), "[]") // of every website
	shown("[]")
}

func TestSpecialPricesAreDeletedByAllTheySay(t *testing.T) {
	s := newStall(t, Options{Products: 1})
	const path = "/rest/all/V1/products/special-price"
	row := func(price, from string) string {
		return `{"prices":[{"price":` + price + `,"store_id":0,"sku":"P-1","price_from":"` + from + `"}]}`
	}
	const there = `[{"price":4,"store_id":0,"sku":"P-1","price_from":"2026-01-01 00:00:00"}]`
	s.want("POST", path, row("4", "2026-01-01 00:00:00"), "[]")
	for _, other := range []string{row("5", "2026-01-01 00:00:00"), row("4", "2026-01-02 00:00:00")} {
		s.want("POST", path+"-delete", other, "[]")
		s.want("POST", path+"-information", `{"skus":["P-1"]}`, there)
	}
	s.want("POST", path+"-delete", row("4", "2026-01-01 00:00:00"), "[]")
	s.want("POST", path+"-information", `{"skus":["P-1"]}`, "[]")
}

// A price of a store view is written there though prices are global: the default's stays.
func TestAPriceOfAStoreView(t *testing.T) {
	s := newStall(t, Options{Products: 1})
	s.want("POST", "/rest/all/V1/products/base-prices", `{"prices":[{"price":77,"store_id":2,"sku":"P-1"}]}`, "[]")
	s.want("GET", "/rest/de/V1/products/P-1?fields=price", "", `{"price":77}`)
	s.want("GET", "/rest/all/V1/products/P-1?fields=price", "", `{"price":5}`)
}

// A source keeps its row when the product goes, and has rows of SKUs that there never were.
func TestSourcesKeepTheirRows(t *testing.T) {
	s := newStall(t, Options{Products: 1})
	s.want("POST", "/rest/V1/inventory/source-items", `{"sourceItems":[{"sku":"NEVER","source_code":"default","quantity":3,"status":1}]}`, "[]")
	if err := s.Delete("P-1"); err != nil {
		t.Fatal(err)
	}
	s.want("GET", "/rest/V1/inventory/source-items?searchCriteria=&fields=items[sku,quantity]", "", `{"items":[{"sku":"P-1","quantity":0},{"sku":"NEVER","quantity":3}]}`)
}

func TestAnOrderIsAReservationUntilItIsShipped(t *testing.T) {
	s := newStall(t, Options{Products: 1})
	if err := s.SetStock("P-1", "", 5); err != nil {
		t.Fatal(err)
	}
	id, err := s.Order("P-1", 2)
	if err != nil || id != 1 {
		t.Fatal(id, err)
	}
	const salable, source = "/rest/V1/inventory/get-product-salable-quantity/P-1/1", "/rest/V1/inventory/source-items?searchCriteria=&fields=items[quantity]"
	state := func(want string) {
		t.Helper()
		s.want("GET", "/rest/V1/orders/1?fields=state,total_due,items[qty_shipped,qty_invoiced]", "", want)
	}
	s.want("GET", salable, "", "3")
	s.want("GET", source, "", `{"items":[{"quantity":5}]}`)
	state(`{"state":"new","total_due":20,"items":[{"qty_invoiced":0,"qty_shipped":0}]}`)
	if _, err := s.Order("P-1", 4); err == nil {
		t.Error("more was sold than there is")
	}
	s.want("POST", "/rest/V1/order/1/ship", `{"items":[{"order_item_id":1,"qty":1}]}`, `"1"`)
	s.want("GET", salable, "", "3")
	s.want("GET", source, "", `{"items":[{"quantity":4}]}`)
	s.want("POST", "/rest/V1/order/1/ship", "{}", `"2"`)
	s.want("POST", "/rest/V1/order/1/invoice", "{}", `"1"`)
	s.want("GET", source, "", `{"items":[{"quantity":3}]}`)
	state(`{"state":"complete","total_due":0,"items":[{"qty_invoiced":2,"qty_shipped":2}]}`)
	if status, _, _, _ := s.send("POST", "/rest/V1/order/1/ship", `{"items":[{"order_item_id":1,"qty":1}]}`); status != 400 {
		t.Errorf("more is shipped than was sold: %d", status)
	}
}

func TestStockMovesBetweenSources(t *testing.T) {
	s := newStall(t, Options{Products: 1})
	s.want("POST", "/rest/V1/inventory/sources", `{"source":{"source_code":"wh2","name":"Two","enabled":true,"country_id":"DE","postcode":"1"}}`, "[]")
	if err := s.SetStock("P-1", "", 5); err != nil {
		t.Fatal(err)
	}
	const list = "/rest/V1/inventory/source-items?searchCriteria=&fields=items[source_code,quantity]"
	part := func(qty string) string {
		return `{"originSourceCode":"default","destinationSourceCode":"wh2","items":[{"sku":"P-1","qty":` + qty + `}]}`
	}
	s.want("POST", "/rest/V1/inventory/bulk-partial-source-transfer", part("9"), `{"message":"Validation Failed"}`)
	s.want("POST", "/rest/V1/inventory/bulk-partial-source-transfer", part("2"), "[]")
	s.want("GET", list, "", `{"items":[{"source_code":"default","quantity":3},{"source_code":"wh2","quantity":2}]}`)
	s.want("POST", "/rest/V1/inventory/bulk-product-source-transfer", `{"skus":["P-1"],"originSource":"default","destinationSource":"wh2","unassignFromOrigin":true}`, "[]")
	s.want("GET", list, "", `{"items":[{"source_code":"wh2","quantity":5}]}`)
}

func TestCustomersAddressesReplace(t *testing.T) {
	s := newStall(t, Options{})
	const who = `"email":"a@example.test","firstname":"A","lastname":"B","website_id":1`
	address := func(city string) string {
		return `{"firstname":"A","lastname":"B","street":["x"],"city":"` + city + `","postcode":"1","country_id":"DE","telephone":"1"}`
	}
	s.send("POST", "/rest/V1/customers", `{"customer":{`+who+`,"addresses":[`+address("Bonn")+`,`+address("Trier")+`]}}`)
	s.send("PUT", "/rest/V1/customers/1", `{"customer":{`+who+`}}`)
	s.want("GET", "/rest/V1/customers/1?fields=addresses[city]", "", `{"addresses":[{"city":"Bonn"},{"city":"Trier"}]}`)
	s.send("PUT", "/rest/V1/customers/1", `{"customer":{`+who+`,"addresses":[`+address("Ulm")+`]}}`)
	s.want("GET", "/rest/V1/customers/1?fields=addresses[city]", "", `{"addresses":[{"city":"Ulm"}]}`)
	s.want("DELETE", "/rest/V1/customers/1", "", "true")
}

// As many requests run at a time as there are workers; the others wait for one.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Open: true, Delay: time.Second, Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/rest/V1/store/websites", strings.NewReader("")))
			})
		}
		all.Wait()
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("six requests of a second took two workers %v", took)
		}
		_ = s.Close()
	})
}
