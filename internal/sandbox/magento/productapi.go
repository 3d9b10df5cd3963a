package magento

import "net/http"

func productRoutes() []route {
	const acl = "Magento_Catalog::products"
	once := productShape()
	product := req("product", object1(func() *shape { return once }))
	return []route{
		{method: http.MethodPost, path: "/V1/products", resource: acl, races: true, run: saveProduct,
			params: []param{product, opt("saveOptions", flag())}},
		{method: http.MethodPut, path: "/V1/products/:sku", resource: acl, races: true, run: saveProduct,
			params: []param{product, opt("saveOptions", flag())}},
		{method: http.MethodGet, path: "/V1/products", resource: acl, run: listProducts},
		{method: http.MethodGet, path: "/V1/products/types", resource: acl, run: productTypes},
		{method: http.MethodGet, path: "/V1/products/:sku", resource: acl, run: getProduct},
		{method: http.MethodDelete, path: "/V1/products/:sku", resource: acl, run: deleteProduct},
		{method: http.MethodPost, path: "/V1/products/:sku/websites", resource: acl, run: linkWebsite,
			params: []param{req("productWebsiteLink", object1(websiteLinkShape))}},
		{method: http.MethodPut, path: "/V1/products/:sku/websites", resource: acl, run: linkWebsite,
			params: []param{req("productWebsiteLink", object1(websiteLinkShape))}},
		{method: http.MethodDelete, path: "/V1/products/:sku/websites/:websiteId", resource: acl, run: unlinkWebsite},
	}
}

func getProduct(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	if id, ok := c.query["storeId"].(string); ok {
		if v := c.view(int(asNumber(id))); v != nil {
			c.store = v.id
		}
	}
	return c.productView(p, false, nil), nil
}

func deleteProduct(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	c.dropProduct(p)
	return true, nil
}

// dropProduct takes a product and all that hangs on it away.
func (c *call) dropProduct(p *product) {
	for _, l := range p.links {
		if cat := c.categories.byID[l.category]; cat != nil {
			delete(cat.members, p.id)
		}
	}
	c.urls.release(owner{productEntity, p.id})
	c.forgetUnique(p)
	c.products.remove(p)
	for _, part := range c.products.parts {
		if part.deleted != nil {
			part.deleted(c, p)
		}
	}
}

func productTypes(*call) (any, error) {
	list := []any{}
	for _, t := range [][2]string{{"simple", "Simple"}, {"virtual", "Virtual"}, {"downloadable", "Downloadable"}, {"bundle", "Bundle"},
		{"grouped", "Grouped"}, {"configurable", "Configurable"}} {
		list = append(list, obj{{"name", t[0]}, {"label", t[1] + " Product"}})
	}
	return list, nil
}
