package magento

import (
	"net/http"
)

const defaultSource = "default"

// stock is where how much of what is.
type stock struct {
	items   map[int]*stockItem // the legacy ones, by product id
	ids     counter
	sources []*source
	stocks  []*stockRow
	stockID counter
	links   []stockLink
	rows    []*sourceItem
	bySKU   map[string][]*sourceItem // by folded SKU
	held    map[reservation]float64  // sold and not shipped
}

type source struct {
	code string
	body obj // as it is answered
}

// stockRow is a stock: the websites that sell from it.
type stockRow struct {
	id       int
	name     string
	websites []string
}

type stockLink struct {
	stock    int
	source   string
	priority int
}

// sourceItem is how much of a SKU a source has. The SKU need not exist.
type sourceItem struct {
	sku, source string
	qty         float64
	status      int
}

type reservation struct {
	sku   string // folded
	stock int
}

func (w *world) openStock() {
	s := &w.stock
	s.items = map[int]*stockItem{}
	s.bySKU = map[string][]*sourceItem{}
	s.held = map[reservation]float64{}
	s.sources = []*source{{defaultSource, sourceView(object{"source_code": defaultSource, "name": "Default Source", "enabled": true,
		"description": "Default Source", "latitude": 0.0, "longitude": 0.0, "country_id": "US", "postcode": "00000"})}}
	var codes []string
	for _, ws := range w.websites[1:] {
		codes = append(codes, ws.code)
	}
	s.stocks = []*stockRow{{id: s.stockID.next(), name: "Default Stock", websites: codes}}
	s.links = []stockLink{{1, defaultSource, 1}}
}

func (s *stock) row(sku, source string) *sourceItem {
	for _, r := range s.bySKU[foldSKU(sku)] {
		if r.source == source {
			return r
		}
	}
	return nil
}

// put sets what a source has of a SKU; an existing row keeps its spelling.
func (s *stock) put(sku, source string, qty float64, status int) {
	if r := s.row(sku, source); r != nil {
		r.qty, r.status = qty, status
		return
	}
	r := &sourceItem{sku, source, qty, status}
	s.rows = append(s.rows, r)
	s.bySKU[foldSKU(sku)] = append(s.bySKU[foldSKU(sku)], r)
}

func (s *stock) drop(sku, source string) {
	r := s.row(sku, source)
	if r == nil {
		return
	}
	s.rows = without(s.rows, r)
	s.bySKU[foldSKU(sku)] = without(s.bySKU[foldSKU(sku)], r)
}

func without(list []*sourceItem, r *sourceItem) []*sourceItem {
	out := make([]*sourceItem, 0, len(list))
	for _, e := range list {
		if e != r {
			out = append(out, e)
		}
	}
	return out
}

func sourceItemShape() *shape {
	s := fields(map[string]typ{"sku": text(), "source_code": text(), "quantity": number(), "status": integer(), "extension_attributes": anything()})
	s.class = `\Magento\InventoryApi\Api\Data\SourceItemInterface`
	return s
}

func sourceItemRoutes() []route {
	const acl = "Magento_InventoryApi::source"
	items := []param{req("sourceItems", listOf(object1(sourceItemShape)))}
	return []route{
		{method: http.MethodGet, path: "/V1/inventory/source-items", resource: acl, run: listSourceItems},
		{method: http.MethodPost, path: "/V1/inventory/source-items", resource: acl, params: items, run: saveSourceItems},
		{method: http.MethodPost, path: "/V1/inventory/source-items-delete", resource: acl, params: items, run: deleteSourceItems},
		{method: http.MethodPost, path: "/V1/inventory/bulk-product-source-assign", resource: acl, run: assignSources,
			params: []param{req("skus", listOf(text())), req("sourceCodes", listOf(text()))}},
		{method: http.MethodPost, path: "/V1/inventory/bulk-product-source-unassign", resource: acl, run: unassignSources,
			params: []param{req("skus", listOf(text())), req("sourceCodes", listOf(text()))}},
	}
}

func listSourceItems(c *call) (any, error) {
	rows := c.stock.rows
	if few, ok := c.sourceItemsOf(); ok {
		rows = few
	}
	list := make([]obj, len(rows))
	for i, r := range rows {
		list[i] = obj{{"sku", r.sku}, {"source_code", r.source}, {"quantity", r.qty}, {"status", r.status}}
	}
	return searchRows(c, list, nil)
}

// sourceItemsOf are the rows that a condition on the SKU leaves, found by its index.
func (c *call) sourceItemsOf() ([]*sourceItem, bool) {
	q, err := c.criteria()
	if err != nil {
		return nil, false
	}
	for _, group := range q.groups {
		if len(group) != 1 || group[0].field != "sku" || group[0].op != "eq" && group[0].op != "in" {
			continue
		}
		var rows []*sourceItem
		for _, sku := range group[0].among() {
			rows = append(rows, c.stock.bySKU[foldSKU(sku)]...)
		}
		return rows, true
	}
	return nil, false
}

// saveSourceItems writes all or nothing.
func saveSourceItems(c *call) (any, error) {
	list := c.in.list("source_items")
	if len(list) == 0 {
		return nil, fail(http.StatusBadRequest, "Input data is empty")
	}
	for _, e := range list {
		if err := c.checkSourceItem(e.(object)); err != nil {
			return nil, err
		}
	}
	for _, e := range list {
		o := e.(object)
		sku, code, qty, status := o.text("sku"), o.text("source_code"), o.number("quantity"), o.integer("status")
		c.stock.put(sku, code, qty, status)
		c.followSource(&sourceItem{sku, code, qty, status})
	}
	return []any{}, nil
}

// followSource lets the legacy stock follow its source.
func (c *call) followSource(r *sourceItem) {
	if p := c.exactly(r.sku); p != nil && r.source == defaultSource && c.stock.items[p.id] != nil {
		c.stock.items[p.id].qty, c.stock.items[p.id].inStock = r.qty, r.status == 1 && r.qty > 0
	}
}

func (c *call) checkSourceItem(o object) error {
	invalid := func(message, field string) error {
		text := "Validation Failed: " + message
		if field == "status" {
			return &fault{status: http.StatusBadRequest, message: `Validation Failed: "status" should a known status.`,
				errors: []*fault{failNamed(0, `"%field" should a known status.`, "field", field)}}
		}
		return &fault{status: http.StatusBadRequest, message: text, errors: []*fault{failNamed(0, `"%field" can not be empty.`, "field", field)}}
	}
	for _, name := range []string{"sku", "source_code"} {
		if o.text(name) == "" {
			return invalid(`"`+name+`" can not be empty.`, name)
		}
	}
	if status := o.integer("status"); status != 0 && status != 1 {
		return invalid("", "status")
	}
	if c.stock.source(o.text("source_code")) == nil {
		return fail(http.StatusBadRequest, "Could not save Source Item")
	}
	return nil
}

func deleteSourceItems(c *call) (any, error) {
	list := c.in.list("source_items")
	if len(list) == 0 {
		return nil, fail(http.StatusBadRequest, "Input data is empty")
	}
	for _, e := range list {
		o := e.(object)
		c.stock.drop(o.text("sku"), o.text("source_code"))
	}
	return []any{}, nil
}

func assignSources(c *call) (any, error) {
	n := 0
	for _, sku := range c.in.list("skus") {
		for _, code := range c.in.list("source_codes") {
			if c.stock.source(code.(string)) != nil && c.stock.row(sku.(string), code.(string)) == nil {
				c.stock.put(sku.(string), code.(string), 0, 1)
				n++
			}
		}
	}
	return n, nil
}

func unassignSources(c *call) (any, error) {
	n := 0
	for _, sku := range c.in.list("skus") {
		for _, code := range c.in.list("source_codes") {
			if c.stock.row(sku.(string), code.(string)) != nil {
				c.stock.drop(sku.(string), code.(string))
				n++
			}
		}
	}
	return n, nil
}
