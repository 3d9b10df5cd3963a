package magento

import (
	"cmp"
	"net/http"
	"slices"
)

// productLink is a link to another product. One whose product is gone is not shown.
type productLink struct {
	typ      string
	to       int // product id
	position int
	qty      float64
}

// linkTypes are the kinds of link in the order in which answers have them.
func linkTypes() []string { return []string{"related", "crosssell", "upsell", "associated"} }

func productLinkShape() *shape {
	ext := func() *shape { return fields(map[string]typ{"qty": number()}) }
	return fields(map[string]typ{"sku": text(), "link_type": text(), "linked_product_sku": text(), "linked_product_type": text(),
		"position": integer(), "extension_attributes": object1(ext)})
}

// productLinkPart replaces all links of a product.
func productLinkPart() productPart {
	return productPart{name: "product_links", typ: listOf(object1(productLinkShape)),
		apply: func(c *call, d *product, v any) error {
			links, err := c.linksOf(v.([]any))
			if err != nil {
				return err
			}
			d.linked = links
			return nil
		},
		render: func(c *call, p *product, _ bool) (any, bool) {
			list := []any{}
			for _, typ := range linkTypes() {
				list = append(list, c.linkViews(p, typ)...)
			}
			return list, true
		},
	}
}

// linksOf reads links; the later of two to one product wins.
func (c *call) linksOf(list []any) ([]productLink, error) {
	var links []productLink
	for _, e := range list {
		in := e.(object)
		typ := in.text("link_type")
		if typ == "" {
			return nil, missing("linkType")
		}
		if !slices.Contains(linkTypes(), typ) {
			return nil, fail(http.StatusNotFound, `The "%1" link type wasn't found. Verify the type and try again.`, typ)
		}
		to := c.products.find(in.text("linked_product_sku"))
		if to == nil {
			return nil, noProduct()
		}
		links = slices.DeleteFunc(links, func(l productLink) bool { return l.typ == typ && l.to == to.id })
		links = append(links, productLink{typ, to.id, in.integer("position"), in.object("extension_attributes").number("qty")})
	}
	return links, nil
}

func (c *call) linkViews(p *product, typ string) []any {
	var links []productLink
	for _, l := range p.linked {
		if l.typ == typ && c.products.byID(l.to) != nil {
			links = append(links, l)
		}
	}
	slices.SortStableFunc(links, func(a, b productLink) int { return cmp.Compare(a.position, b.position) })
	list := []any{}
	for _, l := range links {
		to := c.products.byID(l.to)
		o := obj{{"sku", p.sku}, {"link_type", typ}, {"linked_product_sku", to.sku}, {"linked_product_type", to.typ}, {"position", l.position}}
		if typ == "associated" {
			o = append(o, member{"extension_attributes", obj{{"qty", l.qty}}})
		}
		list = append(list, o)
	}
	return list
}

func productLinkRoutes() []route {
	const acl = "Magento_Catalog::catalog"
	return []route{
		{method: http.MethodGet, path: "/V1/products/links/types", resource: acl, run: listLinkTypes},
		{method: http.MethodGet, path: "/V1/products/:sku/links/:type", resource: acl, run: listProductLinks},
		{method: http.MethodPost, path: "/V1/products/:sku/links", resource: acl, run: setProductLinks,
			params: []param{req("items", listOf(object1(productLinkShape)))}},
		{method: http.MethodPut, path: "/V1/products/:sku/links", resource: acl, run: saveProductLink,
			params: []param{req("entity", object1(productLinkShape))}},
		{method: http.MethodDelete, path: "/V1/products/:sku/links/:type/:linkedProductSku", resource: acl, run: deleteProductLink},
	}
}

func listLinkTypes(*call) (any, error) {
	list := []any{}
	for _, t := range []struct {
		code int
		name string
	}{{1, "related"}, {5, "crosssell"}, {4, "upsell"}, {3, "associated"}} {
		list = append(list, obj{{"code", t.code}, {"name", t.name}})
	}
	return list, nil
}

func listProductLinks(c *call) (any, error) {
	if !slices.Contains(linkTypes(), c.path["type"]) {
		return nil, fail(http.StatusNotFound, `The "%1" link type is unknown. Verify the type and try again.`, c.path["type"])
	}
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	return c.linkViews(p, c.path["type"]), nil
}

// setProductLinks replaces the links of the type that the last item has, and adds the items.
func setProductLinks(c *call) (any, error) {
	items := c.in.list("items")
	typ := ""
	for _, e := range items {
		typ = e.(object).text("link_type")
		if typ == "" {
			return nil, missing("linkType")
		}
		if !slices.Contains(linkTypes(), typ) {
			return nil, fail(http.StatusNotFound, `The "%1" link type wasn't found. Verify the type and try again.`, typ)
		}
	}
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	links, err := c.linksOf(items)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "The linked products data is invalid. Verify the data and try again.")
	}
	keep := slices.DeleteFunc(slices.Clone(p.linked), func(l productLink) bool { return l.typ == typ })
	p.linked = append(keep, links...)
	c.saveRoles(p, "image", "small_image", "swatch_image", "thumbnail")
	c.touch(p)
	return true, nil
}

// saveProductLink adds a link or gives it another position.
func saveProductLink(c *call) (any, error) {
	in := c.in.object("entity")
	p := c.products.find(or(in.text("sku"), c.path["sku"]))
	if p == nil {
		return nil, noProduct()
	}
	links, err := c.linksOf([]any{in})
	if err != nil {
		return nil, err
	}
	l := links[0]
	keep := slices.DeleteFunc(slices.Clone(p.linked), func(o productLink) bool { return o.typ == l.typ && o.to == l.to })
	p.linked = append(keep, l)
	return true, nil
}

func deleteProductLink(c *call) (any, error) {
	sku, typ, other := c.path["sku"], c.path["type"], c.path["linkedProductSku"]
	if !slices.Contains(linkTypes(), typ) {
		return nil, fail(http.StatusNotFound, `The "%1" link type is unknown. Verify the type and try again.`, typ)
	}
	p := c.products.find(sku)
	if p == nil {
		return nil, noProduct()
	}
	i := slices.IndexFunc(p.linked, func(l productLink) bool {
		to := c.products.byID(l.to)
		return l.typ == typ && to != nil && to.sku == other
	})
	if i < 0 {
		return nil, fail(http.StatusNotFound, `Product %1 doesn't have linked %2 as %3`, sku, other, typ)
	}
	p.linked = slices.Delete(slices.Clone(p.linked), i, i+1)
	return true, nil
}
