package magento

import (
	"net/http"
	"slices"
	"strconv"
)

func (s *stock) source(code string) *source {
	for _, e := range s.sources {
		if e.code == code {
			return e
		}
	}
	return nil
}

func (s *stock) byID(id int) *stockRow {
	for _, e := range s.stocks {
		if e.id == id {
			return e
		}
	}
	return nil
}

// sourceView is a source as it is answered.
func sourceView(in object) obj {
	o := obj{{"source_code", in.text("source_code")}, {"name", in.text("name")}, {"enabled", in.flag("enabled")}}
	for _, name := range []string{"contact_name", "email", "description", "latitude", "longitude", "country_id", "region_id", "region", "city", "street", "postcode", "phone", "fax"} {
		if v, ok := in[name]; ok {
			o = append(o, member{name, v})
		}
	}
	use := true
	if v, ok := in["use_default_carrier_config"].(bool); ok {
		use = v
	}
	return append(o, member{"use_default_carrier_config", use}, member{"carrier_links", []any{}},
		member{"extension_attributes", obj{{"is_pickup_location_active", false}, {"frontend_name", ""}}})
}

func sourceShape() *shape {
	f := map[string]typ{"enabled": flag(), "use_default_carrier_config": flag(), "latitude": number(), "longitude": number(), "region_id": integer(),
		"carrier_links": anything(), "extension_attributes": anything()}
	for _, n := range []string{"source_code", "name", "email", "contact_name", "description", "country_id", "region", "city", "street", "postcode", "phone", "fax"} {
		f[n] = text()
	}
	return fields(f)
}

func stockShape() *shape {
	channel := func() *shape {
		return fields(map[string]typ{"type": text(), "code": text(), "extension_attributes": anything()})
	}
	ext := func() *shape { return fields(map[string]typ{"sales_channels": listOf(object1(channel))}) }
	return fields(map[string]typ{"stock_id": integer(), "name": text(), "extension_attributes": object1(ext)})
}

func linkShape() *shape {
	return fields(map[string]typ{"stock_id": integer(), "source_code": text(), "priority": integer(), "extension_attributes": anything()})
}

func inventoryRoutes() []route {
	const sources, stocks, links, sales = "Magento_InventoryApi::source", "Magento_InventoryApi::stock", "Magento_InventoryApi::stock_source_link", "Magento_InventorySalesApi::stock"
	source, stock := []param{req("source", object1(sourceShape))}, []param{req("stock", object1(stockShape))}
	return []route{
		{method: http.MethodGet, path: "/V1/inventory/sources", resource: sources, run: listSources},
		{method: http.MethodGet, path: "/V1/inventory/sources/:sourceCode", resource: sources, run: getSource},
		{method: http.MethodPost, path: "/V1/inventory/sources", resource: sources, params: source, run: saveSource},
		{method: http.MethodPut, path: "/V1/inventory/sources/:sourceCode", resource: sources, params: source, run: saveSource},
		{method: http.MethodGet, path: "/V1/inventory/stocks", resource: stocks, run: listStocks},
		{method: http.MethodGet, path: "/V1/inventory/stocks/:stockId", resource: stocks, run: getStock},
		{method: http.MethodPost, path: "/V1/inventory/stocks", resource: stocks, params: stock, run: saveStockRow},
		{method: http.MethodPut, path: "/V1/inventory/stocks/:stockId", resource: stocks, params: stock, run: saveStockRow},
		{method: http.MethodGet, path: "/V1/inventory/stock-source-links", resource: links, run: listLinks},
		{method: http.MethodPost, path: "/V1/inventory/stock-source-links", resource: links, run: saveLinks, params: []param{req("links", listOf(object1(linkShape)))}},
		{method: http.MethodPost, path: "/V1/inventory/stock-source-links-delete", resource: links, run: deleteLinks, params: []param{req("links", listOf(object1(linkShape)))}},
		{method: http.MethodGet, path: "/V1/inventory/get-product-salable-quantity/:sku/:stockId", resource: sales, run: salableQuantity},
		{method: http.MethodGet, path: "/V1/inventory/is-product-salable/:sku/:stockId", resource: sales, run: isSalable},
	}
}

func listSources(c *call) (any, error) {
	var rows []obj
	for _, s := range c.stock.sources {
		rows = append(rows, s.body)
	}
	return searchRows(c, rows, nil)
}

func getSource(c *call) (any, error) {
	s := c.stock.source(c.path["sourceCode"])
	if s == nil {
		return nil, failNamed(http.StatusNotFound, `Source with code "%value" does not exist.`, "value", c.path["sourceCode"])
	}
	return s.body, nil
}

func saveSource(c *call) (any, error) {
	in := c.in.object("source")
	if code, ok := c.path["sourceCode"]; ok {
		in["source_code"] = code
	}
	code := in.text("source_code")
	if code == "" || in.text("name") == "" {
		return nil, &fault{status: http.StatusBadRequest, message: "Validation Failed", errors: []*fault{failNamed(0, `"%field" can not be empty.`, "field", "source_code")}}
	}
	if s := c.stock.source(code); s != nil {
		s.body = sourceView(in)
	} else {
		c.stock.sources = append(c.stock.sources, &source{code, sourceView(in)})
	}
	return []any{}, nil
}

func (s *stockRow) view() obj {
	channels := []any{}
	for _, code := range slices.Sorted(slices.Values(s.websites)) {
		channels = append(channels, obj{{"type", "website"}, {"code", code}})
	}
	return obj{{"stock_id", s.id}, {"name", s.name}, {"extension_attributes", obj{{"sales_channels", channels}}}}
}

func listStocks(c *call) (any, error) {
	var rows []obj
	for _, s := range c.stock.stocks {
		rows = append(rows, s.view())
	}
	return searchRows(c, rows, nil)
}

func getStock(c *call) (any, error) {
	id, _ := strconv.Atoi(c.path["stockId"]) // 0 is none
	s := c.stock.byID(id)
	if s == nil {
		return nil, failNamed(http.StatusNotFound, `Stock with id "%value" does not exist.`, "value", id)
	}
	return s.view(), nil
}

// saveStockRow writes a stock; a website sells from one only.
func saveStockRow(c *call) (any, error) {
	in := c.in.object("stock")
	id := in.integer("stock_id")
	if text, ok := c.path["stockId"]; ok {
		id, _ = strconv.Atoi(text) // 0 makes a new one
	}
	s := c.stock.byID(id)
	if s == nil {
		s = &stockRow{id: c.stock.stockID.next()}
		c.stock.stocks = append(c.stock.stocks, s)
	}
	s.name = or(in.text("name"), s.name)
	for _, e := range in.object("extension_attributes").list("sales_channels") {
		code := e.(object).text("code")
		for _, other := range c.stock.stocks {
			other.websites = slices.DeleteFunc(slices.Clone(other.websites), func(w string) bool { return w == code })
		}
		s.websites = append(s.websites, code)
	}
	return s.id, nil
}

func listLinks(c *call) (any, error) {
	var rows []obj
	for _, l := range c.stock.links {
		rows = append(rows, obj{{"stock_id", l.stock}, {"source_code", l.source}, {"priority", l.priority}})
	}
	return searchRows(c, rows, nil)
}

// saveLinks gives stocks sources. The default source belongs to the default stock, and to no other.
func saveLinks(c *call) (any, error) {
	list := c.in.list("links")
	for _, e := range list {
		o := e.(object)
		if (o.text("source_code") == defaultSource) != (o.integer("stock_id") == 1) {
			return nil, &fault{status: http.StatusBadRequest, message: "Validation Failed",
				errors: []*fault{{message: "Can not save link related to Default Source or Default Stock", params: []any{}}}}
		}
		if c.stock.source(o.text("source_code")) == nil || c.stock.byID(o.integer("stock_id")) == nil {
			return nil, fail(http.StatusBadRequest, "Could not save StockSourceLinks")
		}
	}
	for _, e := range list {
		o := e.(object)
		c.unlink(o)
		c.stock.links = append(c.stock.links, stockLink{o.integer("stock_id"), o.text("source_code"), o.integer("priority")})
	}
	return []any{}, nil
}

func (c *call) unlink(o object) {
	c.stock.links = slices.DeleteFunc(slices.Clone(c.stock.links), func(l stockLink) bool {
		return l.stock == o.integer("stock_id") && l.source == o.text("source_code")
	})
}

func deleteLinks(c *call) (any, error) {
	for _, e := range c.in.list("links") {
		c.unlink(e.(object))
	}
	return []any{}, nil
}

// salable is what a stock has to sell: what its sources have, less what is sold and not shipped.
func (c *call) salable(sku string, stock int) float64 {
	n := -c.stock.held[reservation{foldSKU(sku), stock}]
	for _, l := range c.stock.links {
		if r := c.stock.row(sku, l.source); l.stock == stock && r != nil && r.status == 1 {
			n += r.qty
		}
	}
	return n
}

func salableQuantity(c *call) (any, error) {
	id, _ := strconv.Atoi(c.path["stockId"]) // 0 has nothing
	return c.salable(c.path["sku"], id), nil
}

func isSalable(c *call) (any, error) {
	id, _ := strconv.Atoi(c.path["stockId"]) // 0 has nothing
	return c.salable(c.path["sku"], id) > 0, nil
}
