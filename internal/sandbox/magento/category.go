package magento

// categories is the tree. 1 is the root of all, 2 the root of the default store group.
type categories struct {
	ids  counter
	byID map[int]*category
}

type category struct {
	id, parent, level, position int
	path                        string // "1/2/5"
	created, updated            string
	values                      eav
	members                     map[int]int // product id: position
}

func (w *world) openCategories() {
	w.categories.byID = map[int]*category{}
	now := w.stamp()
	for _, c := range []*category{
		{id: 1, path: "1"},
		{id: 2, parent: 1, level: 1, position: 1, path: "1/2"},
	} {
		c.created, c.updated, c.members = now, now, map[int]int{}
		w.categories.byID[c.id] = c
	}
	names := w.attributes.byCode[categoryEntity]
	w.categories.byID[1].values.put(names["name"].id, 0, "Root Catalog")
	root := w.categories.byID[2]
	root.values.put(names["name"].id, 0, "Default Category")
	for _, code := range []string{"is_active", "include_in_menu"} {
		root.values.put(names[code].id, 0, "1")
	}
	w.categories.ids = 2
}

// assign puts a product into a category or gives it another position there. Neither's updated_at moves.
func (w *world) assign(p *product, c *category, position int) {
	c.members[p.id] = position
	p.link(c.id, position)
}

func (w *world) unassign(p *product, c *category) {
	delete(c.members, p.id)
	p.unlink(c.id)
}
