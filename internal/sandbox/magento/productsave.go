package magento

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// saveProduct is POST and PUT: what has the SKU is changed, else a product is made. It looks, works for a while, and
// writes: what others write in between it does not see. So two creates of one SKU at a time make two products.
func saveProduct(c *call) (any, error) {
	in := c.in.object("product")
	_, put := c.path["sku"]
	if !in.has("sku") || in["sku"] == nil {
		return nil, typeError()
	}
	sku := strings.TrimSpace(in.text("sku"))
	old := c.products.find(sku)
	draft, err := c.draft(old, in, put)
	if err != nil {
		return nil, err
	}
	if err := c.check(draft, in); err != nil {
		return nil, err
	}
	// The id and the stamp are those of the statement, and the row is seen when it is committed: behind a cursor that
	// has passed them meanwhile.
	at := c.stamp()
	if old == nil {
		draft.id, draft.created = c.products.ids.next(), at
	}
	c.work()
	if old != nil {
		// What others changed meanwhile stays: only what was sent is written.
		if old = c.products.byID(old.id); old == nil {
			return nil, fail(http.StatusBadRequest, "The product was unable to be saved. Please try again.")
		}
		if draft, err = c.draft(old, in, put); err != nil {
			return nil, err
		}
	}
	draft.updated = at
	c.commit(old, draft, in)
	if put || c.later || sku != in.text("sku") {
		in = nil
	}
	return c.productView(draft, false, in), nil
}

// draft is the product as it will be.
func (c *call) draft(old *product, in object, put bool) (*product, error) {
	var d *product
	if old == nil {
		d = &product{set: in.integer("attribute_set_id"), typ: or(in.text("type_id"), "simple"), websites: c.websiteIDs()}
		if c.store != 0 && !put {
			d.websites = []int{c.views[c.store].website}
		}
		if c.attributes.sets[d.set] == nil || c.attributes.sets[d.set].entity != productEntity {
			return nil, noSet()
		}
	} else {
		d = old.clone()
		if in.has("type_id") && in["type_id"] != nil {
			d.typ = in.text("type_id")
		}
		if set := in.integer("attribute_set_id"); set != 0 {
			if c.attributes.sets[set] == nil || c.attributes.sets[set].entity != productEntity {
				return nil, noSet()
			}
			d.set = set
		}
	}
	d.sku = threeBytes(strings.TrimSpace(in.text("sku")))
	if d.sku == "" {
		return nil, emptyAttribute("SKU")
	}
	if utf8.RuneCountInString(d.sku) > 64 {
		return nil, fail(http.StatusBadRequest, "SKU length should be 64 characters maximum.")
	}
	if err := c.writeValues(d, in, old == nil); err != nil {
		return nil, err
	}
	return d, c.applyParts(d, in)
}

func noSet() error {
	return fail(http.StatusBadRequest, "Invalid product data: %1", "Invalid attribute set entity type")
}

func (c *call) applyParts(d *product, in object) error {
	ext := in.object("extension_attributes")
	for _, part := range c.products.parts {
		from := in
		if part.ext {
			from = ext
		}
		if v, ok := from[part.name]; ok && v != nil && part.apply != nil {
			if err := part.apply(c, d, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit puts a draft into the tables.
func (c *call) commit(old, d *product, in object) {
	if old == nil {
		c.products.insert(d)
	} else {
		c.forgetUnique(old)
		c.products.replace(d)
	}
	c.keepUnique(d)
	c.relink(old, d)
	c.claimURL(d)
	ext := in.object("extension_attributes")
	for _, part := range c.products.parts {
		from := in
		if part.ext {
			from = ext
		}
		if v, sent := from[part.name]; part.saved != nil {
			part.saved(c, d, v, sent && v != nil, old == nil)
		}
	}
}

// relink brings the categories' lists of members in line with the product's.
func (c *call) relink(old, d *product) {
	if old != nil {
		for _, l := range old.links {
			if cat := c.categories.byID[l.category]; cat != nil {
				delete(cat.members, d.id)
			}
		}
	}
	for _, l := range d.links {
		if cat := c.categories.byID[l.category]; cat != nil {
			cat.members[d.id] = l.position
		}
	}
}

// touch moves updated_at of a product that another operation than a save has changed.
func (c *call) touch(p *product) { p.updated = c.stamp() }

func websitePart() productPart {
	return productPart{name: "website_ids", ext: true, typ: listOf(integer()),
		apply: func(c *call, d *product, v any) error {
			ids := []int{}
			for _, e := range v.([]any) {
				id, _ := e.(int)
				if !c.hasWebsite(id) {
					if d.id == 0 {
						c.products.ids.next() // the insert had been done
					}
					return fail(http.StatusBadRequest, "The product was unable to be saved. Please try again.")
				}
				if !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
			slices.Sort(ids)
			d.websites = ids
			return nil
		},
		render: func(_ *call, p *product, _ bool) (any, bool) { return slices.Clone(p.websites), true },
	}
}

// categoryLinkPart merges; only an empty list takes away. Categories that there are not are left out without a word.
func categoryLinkPart() productPart {
	link := func() *shape {
		return fields(map[string]typ{"position": integer(), "category_id": text(), "extension_attributes": anything()})
	}
	return productPart{name: "category_links", ext: true, typ: listOf(object1(link)),
		apply: func(c *call, d *product, v any) error {
			list := v.([]any)
			if len(list) == 0 {
				d.links = nil
			}
			for _, e := range list {
				l := e.(object)
				if id := int(asNumber(l.text("category_id"))); c.categories.byID[id] != nil {
					d.link(id, l.integer("position"))
				}
			}
			return nil
		},
		render: func(_ *call, p *product, _ bool) (any, bool) {
			list := make([]any, len(p.links))
			for i, l := range p.links {
				list[i] = obj{{"position", l.position}, {"category_id", itoa(l.category)}}
			}
			return list, len(list) > 0
		},
	}
}
