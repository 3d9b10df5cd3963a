package magento

import (
	"net/http"
	"slices"
)

func websiteLinkShape() *shape {
	return fields(map[string]typ{"sku": text(), "website_id": integer()})
}

// linkWebsite puts a product into one more website.
func linkWebsite(c *call) (any, error) {
	in := c.in.object("product_website_link")
	p := c.products.find(or(in.text("sku"), c.path["sku"]))
	if p == nil {
		return nil, noProduct()
	}
	id := in.integer("website_id")
	if !c.hasWebsite(id) {
		return nil, fail(http.StatusBadRequest, `Could not assign product "%1" to websites "%2"`, p.id, itoa(id))
	}
	if !slices.Contains(p.websites, id) {
		p.websites = slices.Sorted(slices.Values(append(slices.Clone(p.websites), id)))
		c.claimURL(p)
	}
	c.touch(p)
	return true, nil
}

func unlinkWebsite(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	id := int(asNumber(c.path["websiteId"]))
	p.websites = slices.DeleteFunc(slices.Clone(p.websites), func(w int) bool { return w == id })
	c.claimURL(p)
	c.touch(p)
	return true, nil
}
