package magento

import (
	"slices"
	"strings"
)

// product is one row of the catalogue with all that hangs on it. A save works on a clone and puts it in the place of the
// old one when nothing has refused: whoever adds a slice or map here replaces it as a whole and never changes its parts.
type product struct {
	id, set              int
	sku, typ             string
	created, updated     string
	values               eav
	websites             []int
	links                []categoryLink // by category id
	tiers                tiers
	hasOptions, required bool

	gallery  []*galleryEntry
	linked   []productLink
	axes     []axis // the options of a configurable product
	children []int  // product ids, also of such that are gone
	custom   []customOption
}

type categoryLink struct{ category, position int }

func (p *product) clone() *product {
	d := *p
	d.values = slices.Clone(p.values)
	d.links = slices.Clone(p.links)
	return &d
}

func (p *product) link(category, position int) {
	i, ok := slices.BinarySearchFunc(p.links, category, func(l categoryLink, id int) int { return l.category - id })
	if ok {
		p.links[i].position = position
		return
	}
	p.links = slices.Insert(p.links, i, categoryLink{category, position})
}

func (p *product) unlink(category int) {
	p.links = slices.DeleteFunc(p.links, func(l categoryLink) bool { return l.category == category })
}

// products are all products. There is no unique index on the SKU: several rows may have one.
type products struct {
	ids   counter
	rows  []*product            // by id
	bySKU map[string][]*product // by folded SKU, each list by id
	uniq  map[uniqueValue]int   // product id by a unique attribute's value
	parts []productPart
}

type uniqueValue struct {
	attribute int
	text      string
}

func (w *world) openProducts() {
	w.products.bySKU = map[string][]*product{}
	w.products.uniq = map[uniqueValue]int{}
	w.products.parts = productParts()
}

// foldSKU is a SKU as the database compares it: without regard to case and to spaces at its end.
func foldSKU(s string) string { return strings.ToLower(strings.TrimRight(s, " ")) }

// bySKUs are all products of a SKU, the lowest id first.
func (s *products) allOf(sku string) []*product { return s.bySKU[foldSKU(sku)] }

// find is the product that a SKU in a path means: the one of the lowest id.
func (s *products) find(sku string) *product {
	if all := s.allOf(strings.TrimSpace(sku)); len(all) > 0 {
		return all[0]
	}
	return nil
}

// place is where a product of an id is or would be.
func (s *products) place(id int) (int, bool) {
	return slices.BinarySearchFunc(s.rows, id, func(p *product, id int) int { return p.id - id })
}

func (s *products) byID(id int) *product {
	if i, ok := s.place(id); ok {
		return s.rows[i]
	}
	return nil
}

// insert, replace and remove keep the tables and their indexes together.
func (s *products) insert(p *product) {
	i, _ := s.place(p.id)
	s.rows = slices.Insert(s.rows, i, p)
	s.index(p)
}

func (s *products) replace(p *product) {
	i, ok := s.place(p.id)
	if !ok {
		return
	}
	s.unindex(s.rows[i])
	s.rows[i] = p
	s.index(p)
}

func (s *products) remove(p *product) {
	i, ok := s.place(p.id)
	if !ok {
		return
	}
	s.unindex(s.rows[i])
	s.rows = slices.Delete(s.rows, i, i+1)
}

func (s *products) index(p *product) {
	k := foldSKU(p.sku)
	list := s.bySKU[k]
	i, _ := slices.BinarySearchFunc(list, p.id, func(p *product, id int) int { return p.id - id })
	s.bySKU[k] = slices.Insert(list, i, p)
}

func (s *products) unindex(p *product) {
	k := foldSKU(p.sku)
	list := slices.DeleteFunc(s.bySKU[k], func(o *product) bool { return o.id == p.id })
	if len(list) == 0 {
		delete(s.bySKU, k)
		return
	}
	s.bySKU[k] = list
}

// productPart is a subject of its own that hangs on the product: its images, its links, its stock.
type productPart struct {
	name string // member of the product; of its extension_attributes if ext
	ext  bool
	typ  typ
	// apply takes what was sent into a draft. It changes nothing else, for another part may still refuse.
	apply func(c *call, draft *product, v any) error
	// saved follows a save that has worked; v is nil and sent false if nothing was sent.
	saved func(c *call, p *product, v any, sent, created bool)
	// render gives the member's value, or false if there is none; list is true in GET /V1/products.
	render func(c *call, p *product, list bool) (any, bool)
	// deleted follows a deletion.
	deleted func(c *call, p *product)
}

// productParts are all of them, each subject's in its own file, in the order of the answer.
func productParts() []productPart {
	return slices.Concat(
		[]productPart{websitePart(), categoryLinkPart(), stockPart()},
		configurableParts(),
		[]productPart{productLinkPart(), customOptionPart(), mediaPart(), tierPart()},
	)
}

// productShape is what a product in a body may have.
func productShape() *shape {
	s := &shape{class: `\Magento\Catalog\Api\Data\ProductInterface`, entity: productEntity, fields: map[string]typ{
		"id": integer(), "sku": text(), "name": text(), "attribute_set_id": integer(), "price": number(), "status": integer(),
		"visibility": integer(), "type_id": text(), "created_at": text(), "updated_at": text(), "weight": number(),
		"custom_attributes": custom(),
	}}
	ext := &shape{fields: map[string]typ{}}
	for _, p := range productParts() {
		if p.ext {
			ext.fields[p.name] = p.typ
		} else {
			s.fields[p.name] = p.typ
		}
	}
	s.fields["extension_attributes"] = object1(func() *shape { return ext })
	return s
}
