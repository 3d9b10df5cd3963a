package magento

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// recordedInstallation is the shop as it was when the recording began.
func recordedInstallation(c *clock) Options {
	return Options{
		Websites: []Website{{Code: "base", Name: "Main Website"}, {Code: "b2b", Name: "B2B"}},
		Groups: []Group{
			{Code: "main_website_store", Name: "Main Website Store", Website: "base"},
			{Code: "b2b_store", Name: "B2B Store", Website: "b2b"},
		},
		Views: []StoreView{
			{Code: "default", Name: "Default Store View", Group: "main_website_store"},
			{Code: "de", Name: "German", Group: "main_website_store"},
			{Code: "b2b_en", Name: "B2B EN", Group: "b2b_store"},
		},
		Clock: c.now,
	}
}

// before is what happened between two recorded requests, by file, or by file and name of the exchange that follows.
var before = map[string]func(p *player){
	"auth/integration token as bearer, setting on": func(p *player) { p.s.Configure(func(o *Options) { o.Bearer = true }) },
	"auth/unknown route":                           func(p *player) { p.s.Configure(func(o *Options) { o.Bearer = false }) },
	"auth/oauth reused nonce 1": func(p *player) { // the recording used it before
		p.s.access.oauth.nonces.use("fixednonce0001", p.clock.at)
	},
	"sku_encoding": func(p *player) {
		p.clock.at = time.Date(2026, 11, 23, 8, 39, 47, 0, time.UTC)
		for i, sku := range []string{"A/B", "A B", "A+B", "A%B", "A&B?C#D", "Ä-ß-日", `A\B`, "A.B", "A:B@C", "a,b;c=d", "it's"} {
			p.s.world.products.ids = counter(21 + i)
			p.make(sku, "sku-"+itoa(i))
			p.clock.at = p.clock.at.Add(time.Second)
		}
	},
	"async_bulk/status after consumer": func(p *player) { p.consume() },
	"async_bulk/S-2 de name":           func(p *player) {},
	"async_bulk/PUT bySku where item 2 has no sku inside product: status after the consumer process died": func(p *player) {},
	"async_bulk/same, after consumer restarted":                                                           func(p *player) { p.consume() },
	"concurrency_duplicates": func(p *player) {
		for i := range 40 {
			p.s.world.products.ids = counter(47 + i)
			p.make("SEQ-"+itoa(i), "")
			p.must("DELETE", "/rest/all/V1/products/SEQ-"+itoa(i), "")
		}
		id := 88
		for i := range 80 {
			if i == 6 || i == 31 { // two creates failed
				id++
				continue
			}
			p.s.world.products.ids = counter(id)
			id++
			p.make("PAR-"+itoa(i), "")
		}
		p.must("POST", "/rest/V1/inventory/source-items", `{"sourceItems":[{"sku":"PAR-31","source_code":"default","quantity":1,"status":1}]}`)
		p.race("RACE-1", 4, 168)
		p.make("CT-1", "")
		p.must("POST", "/rest/V1/categories/3/products", `{"productLink":{"sku":"CT-1","position":1,"category_id":"3"}}`)
	},
	"limits":                           func(p *player) { p.s.Configure(func(o *Options) { o.Limits.On = true }) },
	"limits/limits off: pageSize 1000": func(p *player) { p.s.Configure(func(o *Options) { o.Limits.On = false }) },
	"limits/sync list of 21 (input limits on, list limit set to 20, default page size set to 20)": func(p *player) {
		p.s.Configure(func(o *Options) { o.Limits = InputLimits{On: true, MaxList: 20, DefaultPage: 20} })
	},
	"orders/guest cart": func(p *player) { p.s.world.orders.carts = 1 }, // one had been given up
	"orders":            func(p *player) { p.s.Configure(func(o *Options) { o.Limits = InputLimits{} }) },
}

// make creates a product as the recording's helper did.
func (p *player) make(sku, urlKey string) {
	p.t.Helper()
	product := map[string]any{"sku": sku, "name": "Name " + sku, "attribute_set_id": 4, "price": 10.5, "status": 1, "visibility": 4, "type_id": "simple", "weight": 1}
	if urlKey != "" {
		product["custom_attributes"] = []any{map[string]any{"attribute_code": "url_key", "value": urlKey}}
	}
	body, err := json.Marshal(map[string]any{"product": product})
	if err != nil {
		p.t.Fatal(err)
	}
	p.must("POST", "/rest/all/V1/products", string(body))
}

// must sends a request that is no recorded one.
func (p *player) must(method, path, body string) {
	p.t.Helper()
	e := recorded{}
	e.Request.Method, e.Request.Path, e.Request.Body = method, path, json.RawMessage(body)
	e.Request.Headers = map[string]string{"Content-Type": "application/json"}
	if status, _, answer := p.send(e); status >= 300 {
		p.t.Logf("to set up: %s %s: %d %s", method, path, status, shortened(answer))
	}
}

// race makes several products of one SKU, as creates at a time do.
func (p *player) race(sku string, n, after int) {
	p.t.Helper()
	w := p.s.world
	w.products.ids = counter(after)
	p.make(sku, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.products.find(sku)
	if first == nil {
		return
	}
	price := w.attributes.product("price").id
	for i := range n {
		d := first
		if i > 0 {
			d = first.clone()
			d.id = w.products.ids.next()
			w.products.insert(d)
			(&call{world: w}).claimURL(d)
		}
		d.values.put(price, 0, decimal([]float64{3, 4, 2, 1}[i]))
	}
}

// consume lets a consumer do what is queued, until it dies or has nothing left.
func (p *player) consume() {
	p.s.StartConsumers(1)
	p.s.Drain()
	p.s.StopConsumers()
}

// counters are the ids of the world that a recording forces, by kind.
func (p *player) counters() map[string]*counter {
	w := p.s.world
	return map[string]*counter{"product": &w.products.ids, "attribute": &w.attributes.ids, "set": &w.attributes.setIDs, "stock item": &w.stock.ids,
		"option": &w.attributes.optionIDs, "group": &w.attributes.groupIDs, "assignment": &w.attributes.placeIDs, "category": &w.categories.ids,
		"media": &w.galleryIDs, "configurable option": &w.axisIDs, "custom option": &w.customOptionIDs}
}

// forceIDs lets what is made next get the ids that it got in the recording: there, failed requests and others beside
// them had used some up.
func (p *player) forceIDs(e recorded) {
	v, err := decodedJSON(e.Response.Body)
	if err != nil {
		return
	}
	seen := idsIn{}
	seen.walk("", v)
	seen.result(e.Request.Method, e.Request.Path, v)
	p.s.world.mu.Lock()
	defer p.s.world.mu.Unlock()
	for kind, n := range p.counters() {
		for _, id := range slices.Sorted(maps.Keys(seen[kind])) {
			if id > int(*n) {
				*n = counter(id - 1)
				break
			}
		}
	}
}

// idsIn are the ids that an answer mentions, by kind.
type idsIn map[string]map[int]bool

func (s idsIn) add(kind string, v any) {
	n := 0
	switch v := v.(type) {
	case json.Number:
		i, err := v.Int64()
		if err != nil {
			return
		}
		n = int(i)
	case string:
		i, err := strconv.Atoi(v)
		if err != nil {
			return
		}
		n = i
	default:
		return
	}
	if s[kind] == nil {
		s[kind] = map[int]bool{}
	}
	s[kind][n] = true
}

func (s idsIn) walk(in string, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			s.walk(in, e)
		}
	case map[string]any:
		s.object(in, v)
		for k, e := range v {
			s.walk(k, e)
		}
	}
}

func (s idsIn) object(in string, o map[string]any) {
	has := func(name string) bool { _, ok := o[name]; return ok }
	switch {
	case in == "media_gallery_entries" || in == "" && has("media_type"):
		s.add("media", o["id"])
	case in == "configurable_product_options":
		s.add("configurable option", o["id"])
	case in == "stock_item":
		s.add("stock item", o["item_id"])
	case has("sku") && has("attribute_set_id"):
		s.add("product", o["id"])
	case has("attribute_id") && has("attribute_code"):
		s.add("attribute", o["attribute_id"])
	case in == "options" && has("option_id"):
		s.add("custom option", o["option_id"])
	case in == "options" && has("value"):
		s.add("option", o["value"])
	case has("parent_id") && has("level"):
		s.add("category", o["id"])
	case has("attribute_set_name"):
		s.add("set", o["attribute_set_id"])
	case has("attribute_group_name"):
		s.add("group", o["attribute_group_id"])
	}
}

// result takes an id that is the whole answer.
func (s idsIn) result(method, path string, v any) {
	if method != http.MethodPost {
		return
	}
	switch {
	case strings.Contains(path, "/configurable-products/") && strings.HasSuffix(path, "/options"):
		s.add("configurable option", v)
	case strings.HasSuffix(path, "/options"):
		s.add("option", v)
	case strings.HasSuffix(path, "/media"):
		s.add("media", v)
	case strings.HasSuffix(path, "/attribute-sets/attributes"):
		s.add("assignment", v)
	}
}
