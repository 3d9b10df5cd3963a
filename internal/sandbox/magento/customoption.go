package magento

import (
	"net/http"
	"slices"
)

// customOption is an option that a customer fills in, as it was sent.
type customOption struct {
	id   int
	sent obj
}

func customOptionShape() *shape {
	return fields(map[string]typ{"product_sku": text(), "option_id": integer(), "title": text(), "type": text(), "sort_order": integer(),
		"is_require": flag(), "price": number(), "price_type": text(), "sku": text(), "file_extension": text(), "max_characters": integer(),
		"image_size_x": integer(), "image_size_y": integer(), "values": listOf(anything()), "extension_attributes": anything()})
}

// customOptionPart shows the custom options. They are made by a call of their own; a product's body does not change them.
func customOptionPart() productPart {
	return productPart{name: "options", typ: listOf(object1(customOptionShape)),
		render: func(_ *call, p *product, _ bool) (any, bool) { return customOptionViews(p), true },
	}
}

func customOptionViews(p *product) []any {
	list := []any{}
	for _, o := range p.custom {
		list = append(list, o.view(p))
	}
	return list
}

func (o customOption) view(p *product) obj {
	return append(obj{{"product_sku", p.sku}, {"option_id", o.id}}, o.sent...)
}

func customOptionRoutes() []route {
	const acl = "Magento_Catalog::catalog"
	params := []param{req("option", object1(customOptionShape))}
	return []route{
		{method: http.MethodPost, path: "/V1/products/options", resource: acl, run: saveCustomOption, params: params},
		{method: http.MethodPut, path: "/V1/products/options/:optionId", resource: acl, run: saveCustomOption, params: params},
		{method: http.MethodGet, path: "/V1/products/:sku/options", resource: acl, run: listCustomOptions},
		{method: http.MethodDelete, path: "/V1/products/:sku/options/:optionId", resource: acl, run: deleteCustomOption},
	}
}

func saveCustomOption(c *call) (any, error) {
	in := c.in.object("option")
	if in.text("product_sku") == "" {
		return nil, fail(http.StatusBadRequest, "The ProductSku is empty. Set the ProductSku and try again.")
	}
	p := c.products.find(in.text("product_sku"))
	if p == nil {
		return nil, noProduct()
	}
	o := customOption{id: in.integer("option_id")}
	for _, name := range []string{"title", "type", "sort_order", "is_require", "price", "price_type", "sku", "max_characters"} {
		if in.has(name) {
			o.sent = append(o.sent, member{name, in[name]})
		}
	}
	list := slices.Clone(p.custom)
	if i := slices.IndexFunc(list, func(have customOption) bool { return have.id == o.id }); i >= 0 {
		list[i] = o
	} else {
		o.id = c.customOptionIDs.next()
		list = append(list, o)
	}
	p.custom, p.hasOptions, p.required = list, true, p.required || in.flag("is_require")
	if s := c.stock.items[p.id]; s != nil && s.qty == nil {
		s.qty = 0.0 // this save, unlike that of the product, writes a number
	}
	return o.view(p), nil
}

func listCustomOptions(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	return customOptionViews(p), nil
}

func deleteCustomOption(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	i := slices.IndexFunc(p.custom, func(o customOption) bool { return itoa(o.id) == c.path["optionId"] })
	if i < 0 {
		return nil, fail(http.StatusNotFound, "Could not remove custom option")
	}
	p.custom = slices.Delete(slices.Clone(p.custom), i, i+1)
	p.hasOptions = len(p.custom) > 0
	return true, nil
}
