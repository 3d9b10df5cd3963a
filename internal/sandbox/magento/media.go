package magento

import (
	"net/http"
	"slices"
)

func mediaRoutes() []route {
	const acl = "Magento_Catalog::catalog"
	entry := []param{req("entry", object1(entryShape))}
	return []route{
		{method: http.MethodGet, path: "/V1/products/:sku/media", resource: acl, run: listMedia},
		{method: http.MethodPost, path: "/V1/products/:sku/media", resource: acl, run: addMedia, params: entry},
		{method: http.MethodGet, path: "/V1/products/:sku/media/:entryId", resource: acl, run: getMedia},
		{method: http.MethodPut, path: "/V1/products/:sku/media/:entryId", resource: acl, run: changeMedia, params: entry},
		{method: http.MethodDelete, path: "/V1/products/:sku/media/:entryId", resource: acl, run: deleteMedia},
	}
}

// listMedia embeds every picture, and cuts them away only afterwards where fields asks for less.
func listMedia(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	list := []any{}
	for _, e := range p.sortedGallery(c.store) {
		list = append(list, c.fullEntry(p, e))
	}
	return list, nil
}

func (c *call) fullEntry(p *product, e *galleryEntry) obj {
	return append(c.entryView(p, e), member{"content", c.contentView(e)})
}

func getMedia(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, fail(http.StatusNotFound, "The product doesn't exist. Verify and try again.")
	}
	for _, e := range p.gallery {
		if itoa(e.id) == c.path["entryId"] {
			return c.fullEntry(p, e), nil
		}
	}
	return nil, fail(http.StatusNotFound, "The image doesn't exist. Verify and try again.")
}

// addMedia adds a picture, each time anew. Its id comes back as a text.
func addMedia(c *call) (any, error) {
	in := c.in.object("entry")
	if _, err := pictureOf(in.object("content")); err != nil {
		return nil, err
	}
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	list := entriesOf(p)
	sent := object{}
	for k, v := range in {
		if k != "id" {
			sent[k] = v
		}
	}
	if err := c.writeGallery(p, append(list, sent)); err != nil {
		return nil, err
	}
	id := 0
	for _, e := range p.gallery {
		id = max(id, e.id)
	}
	return itoa(id), nil
}

// entriesOf is a product's gallery as a list that keeps it.
func entriesOf(p *product) []any {
	list := []any{}
	for _, e := range p.gallery {
		list = append(list, object{"id": e.id})
	}
	return list
}

func (c *call) writeGallery(p *product, list []any) error {
	gallery, err := c.galleryOf(p, list)
	if err != nil {
		return err
	}
	p.gallery = gallery
	c.saveGallery(p)
	c.touch(p)
	return nil
}

func noImage() error {
	return fail(http.StatusNotFound, "No image with the provided ID was found. Verify the ID and try again.")
}

// changeMedia goes by the id in the body.
func changeMedia(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	in := c.in.object("entry")
	list := entriesOf(p)
	i := slices.IndexFunc(p.gallery, func(e *galleryEntry) bool { return e.id == in.integer("id") })
	if i < 0 {
		return nil, noImage()
	}
	list[i] = in
	if in.has("types") { // what it is given is taken from the others
		for j, e := range p.gallery {
			if j != i {
				list[j] = object{"id": e.id, "types": rolesWithout(c.rolesOf(p, e.file, c.store), in.list("types"))}
			}
		}
	}
	if err := c.writeGallery(p, list); err != nil {
		return nil, err
	}
	return true, nil
}

func rolesWithout(roles []string, taken []any) []any {
	left := []any{}
	for _, r := range roles {
		if !slices.Contains(taken, any(r)) {
			left = append(left, r)
		}
	}
	return left
}

// deleteMedia refuses a picture that has a role in any store.
func deleteMedia(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	i := slices.IndexFunc(p.gallery, func(e *galleryEntry) bool { return itoa(e.id) == c.path["entryId"] })
	if i < 0 {
		return nil, noImage()
	}
	file := p.gallery[i].file
	for _, v := range p.values {
		if v.text == file && slices.Contains(roleCodes(), c.attributes.byID[v.attribute].code) {
			return nil, fail(http.StatusBadRequest, "The image cannot be removed as it has been assigned to the other image role")
		}
	}
	list := entriesOf(p)
	return true, c.writeGallery(p, slices.Delete(list, i, i+1))
}
