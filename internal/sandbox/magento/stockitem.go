package magento

import (
	"net/http"
	"strings"
)

// stockItem is the legacy stock of a product, which goes with the default source.
type stockItem struct {
	id      int
	qty     any // nil until somebody says it
	inStock bool
	low     any            // since when there is too little
	more    map[string]any // the settings that were sent
}

// stockFlags are the other members of a stock item, with the values that a new one has.
func stockFlags() obj {
	return obj{
		{"is_qty_decimal", false}, {"show_default_notification_message", false}, {"use_config_min_qty", true}, {"min_qty", 0},
		{"use_config_min_sale_qty", 1}, {"min_sale_qty", 1}, {"use_config_max_sale_qty", true}, {"max_sale_qty", 10000},
		{"use_config_backorders", true}, {"backorders", 0}, {"use_config_notify_stock_qty", true}, {"notify_stock_qty", 1},
		{"use_config_qty_increments", true}, {"qty_increments", 0}, {"use_config_enable_qty_inc", true}, {"enable_qty_increments", false},
		{"use_config_manage_stock", true}, {"manage_stock", true}, {"low_stock_date", nil}, {"is_decimal_divided", false}, {"stock_status_changed_auto", 0},
	}
}

func stockItemShape() *shape {
	f := map[string]typ{"item_id": integer(), "product_id": integer(), "stock_id": integer(), "qty": number(), "is_in_stock": flag(), "extension_attributes": anything()}
	for _, m := range stockFlags() {
		switch m.value.(type) {
		case bool:
			f[m.name] = flag()
		case int:
			f[m.name] = number()
		default:
			f[m.name] = text()
		}
	}
	for _, n := range []string{"use_config_min_sale_qty", "backorders", "stock_status_changed_auto"} {
		f[n] = integer()
	}
	return fields(f)
}

// stockPart is extension_attributes.stock_item: only a single product's answer has it.
func stockPart() productPart {
	return productPart{name: "stock_item", ext: true, typ: object1(stockItemShape),
		saved: func(c *call, p *product, v any, sent, created bool) { c.saveStock(p, v, sent, created) },
		render: func(c *call, p *product, list bool) (any, bool) {
			if list || c.stock.items[p.id] == nil {
				return nil, false
			}
			return c.stock.items[p.id].view(p.id), true
		},
		deleted: func(c *call, p *product) { delete(c.stock.items, p.id) }, // the sources keep their rows
	}
}

func (s *stockItem) view(product int) obj {
	o := obj{{"item_id", s.id}, {"product_id", product}, {"stock_id", 1}, {"qty", s.qty}, {"is_in_stock", s.inStock}}
	for _, m := range stockFlags() {
		if v, ok := s.more[m.name]; ok {
			m.value = v
		}
		if m.name == "low_stock_date" {
			m.value = s.low
		}
		o = append(o, m)
	}
	return o
}

// hasStock says whether products of a type have a quantity of their own.
func hasStock(typ string) bool { return typ == "simple" || typ == "virtual" || typ == "downloadable" }

// saveStock follows the save of a product.
func (c *call) saveStock(p *product, v any, sent, created bool) {
	s := c.stock.items[p.id]
	if s == nil {
		s = &stockItem{id: c.stock.ids.next()}
		c.stock.items[p.id] = s
	}
	if !hasStock(p.typ) {
		s.qty = 0.0
	}
	if sent {
		c.takeStock(p, s, v.(object))
	} else if created && hasStock(p.typ) {
		c.stock.put(p.sku, defaultSource, 0, 0)
	}
	s.low = nil
	if qty, _ := s.qty.(float64); !created && qty < 1 && hasStock(p.typ) {
		s.low = c.stamp()
	}
}

// takeStock writes a stock item that was sent: the default source follows.
func (c *call) takeStock(p *product, s *stockItem, in object) {
	if q, ok := in["qty"].(float64); ok {
		s.qty = q
	}
	if b, ok := in["is_in_stock"].(bool); ok {
		s.inStock = b
	}
	more := map[string]any{}
	for k, v := range s.more {
		more[k] = v
	}
	for k, v := range in {
		switch k {
		case "qty", "is_in_stock", "item_id", "product_id", "stock_id", "low_stock_date", "extension_attributes":
		default:
			more[k] = v
		}
	}
	s.more = more
	if qty, _ := s.qty.(float64); hasStock(p.typ) {
		c.stock.put(p.sku, defaultSource, qty, number01(s.inStock))
	}
}

func number01(b bool) int {
	if b {
		return 1
	}
	return 0
}

func stockRoutes() []route {
	const acl = "Magento_CatalogInventory::cataloginventory"
	return []route{
		{method: http.MethodGet, path: "/V1/stockItems/:productSku", resource: acl, run: getStockItem},
		{method: http.MethodPut, path: "/V1/products/:productSku/stockItems/:itemId", resource: acl, run: putStockItem,
			params: []param{req("stockItem", object1(stockItemShape))}},
		{method: http.MethodGet, path: "/V1/stockStatuses/:productSku", resource: acl, run: getStockStatus},
	}
}

func (c *call) stockOf(sku string) (*product, *stockItem, error) {
	p := c.products.find(sku)
	if p == nil || c.stock.items[p.id] == nil {
		return nil, nil, fail(http.StatusNotFound, `The Product with the "%1" SKU doesn't exist.`, sku)
	}
	return p, c.stock.items[p.id], nil
}

func getStockItem(c *call) (any, error) {
	p, s, err := c.stockOf(c.path["productSku"])
	if err != nil {
		return nil, err
	}
	return s.view(p.id), nil
}

// putStockItem takes any item id, and answers the right one.
func putStockItem(c *call) (any, error) {
	p, s, err := c.stockOf(c.path["productSku"])
	if err != nil {
		return nil, err
	}
	c.takeStock(p, s, c.in.object("stock_item"))
	return s.id, nil
}

// getStockStatus answers from an index that nobody fills.
func getStockStatus(c *call) (any, error) {
	if _, _, err := c.stockOf(c.path["productSku"]); err != nil {
		return nil, err
	}
	item := obj{{"product_id", 0}, {"stock_id", 1}, {"qty", nil}, {"is_in_stock", true}}
	for _, m := range stockFlags() {
		switch m.value.(type) {
		case bool:
			m.value = false
		case int:
			m.value = 0
		}
		item = append(item, m)
	}
	return obj{{"product_id", nil}, {"stock_id", nil}, {"qty", 0}, {"stock_status", 0}, {"stock_item", item}}, nil
}

// exactly is the product of a SKU in its very spelling: the legacy stock follows a source only for it.
func (w *world) exactly(sku string) *product {
	for _, p := range w.products.allOf(sku) {
		if strings.TrimSpace(sku) == p.sku {
			return p
		}
	}
	return nil
}
