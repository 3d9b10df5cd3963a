package magento

import "net/http"

func transferRoutes() []route {
	const acl = "Magento_InventoryApi::source"
	item := func() *shape {
		return fields(map[string]typ{"sku": text(), "qty": number(), "extension_attributes": anything()})
	}
	return []route{
		{method: http.MethodPost, path: "/V1/inventory/bulk-product-source-transfer", resource: acl, run: transferSources,
			params: []param{req("skus", listOf(text())), req("originSource", text()), req("destinationSource", text()), req("unassignFromOrigin", flag())}},
		{method: http.MethodPost, path: "/V1/inventory/bulk-partial-source-transfer", resource: acl, run: transferParts,
			params: []param{req("originSourceCode", text()), req("destinationSourceCode", text()), req("items", listOf(object1(item)))}},
	}
}

// transferSources moves all that one source has of some SKUs to another.
func transferSources(c *call) (any, error) {
	from, to := c.in.text("origin_source"), c.in.text("destination_source")
	if c.stock.source(from) == nil || c.stock.source(to) == nil || from == to {
		return nil, fail(http.StatusBadRequest, "Validation Failed")
	}
	for _, e := range c.in.list("skus") {
		sku, _ := e.(string)
		if r := c.stock.row(sku, from); r != nil {
			c.transfer(r, to, r.qty)
			if c.in.flag("unassign_from_origin") {
				c.stock.drop(sku, from)
			}
		}
	}
	return []any{}, nil
}

// transferParts moves some of what a source has, all or nothing.
func transferParts(c *call) (any, error) {
	from, to := c.in.text("origin_source_code"), c.in.text("destination_source_code")
	if c.stock.source(from) == nil || c.stock.source(to) == nil || from == to {
		return nil, fail(http.StatusBadRequest, "Validation Failed")
	}
	for _, e := range c.in.list("items") {
		o := e.(object)
		if r := c.stock.row(o.text("sku"), from); r == nil || o.number("qty") < 0 || o.number("qty") > r.qty {
			return nil, fail(http.StatusBadRequest, "Validation Failed")
		}
	}
	for _, e := range c.in.list("items") {
		o := e.(object)
		c.transfer(c.stock.row(o.text("sku"), from), to, o.number("qty"))
	}
	return []any{}, nil
}

func (c *call) transfer(r *sourceItem, to string, qty float64) {
	have, status := 0.0, r.status
	if d := c.stock.row(r.sku, to); d != nil {
		have, status = d.qty, d.status
	}
	c.stock.put(r.sku, to, have+qty, status)
	r.qty -= qty
	c.followSource(r)
	c.followSource(c.stock.row(r.sku, to))
}
