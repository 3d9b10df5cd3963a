package magento

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// flagOf is a value of an attribute that is one; null where there is none.
func (c *call) flagOf(cat *category, code string) any {
	s, ok := cat.values.at(c.attributes.byCode[categoryEntity][code].id, c.store)
	if !ok {
		return nil
	}
	return s == "1"
}

func (c *call) nameOf(cat *category) string {
	s, _ := cat.values.at(c.attributes.byCode[categoryEntity]["name"].id, c.store)
	return s
}

func (c *call) categoryView(cat *category) obj {
	var children []string
	for _, b := range c.categories.children(cat.id) {
		children = append(children, itoa(b.id))
	}
	return obj{{"id", cat.id}, {"parent_id", cat.parent}, {"name", c.nameOf(cat)}, {"is_active", c.flagOf(cat, "is_active")},
		{"position", cat.position}, {"level", cat.level}, {"children", strings.Join(children, ",")}, {"created_at", cat.created},
		{"updated_at", cat.updated}, {"path", cat.path}, {"include_in_menu", c.flagOf(cat, "include_in_menu") == true},
		{"custom_attributes", c.categoryCustoms(cat)}}
}

func (c *call) categoryCustoms(cat *category) []any {
	list := []any{}
	add := func(code string, v any) { list = append(list, obj{{"attribute_code", code}, {"value", v}}) }
	at := c.attributes.byCode[categoryEntity]
	for _, code := range slices.SortedFunc(maps.Keys(at), func(a, b string) int { return cmp.Compare(at[a].id, at[b].id) }) {
		switch code {
		case "name", "is_active", "include_in_menu":
			continue
		case "level":
			add("path", cat.path)
			continue
		case "children_count":
			add("children_count", itoa(len(c.categories.below(cat))-1))
			continue
		case "url_path":
			if path := c.categoryPath(cat, c.store); path != "" {
				add("url_path", path)
			}
			continue
		}
		if s, ok := cat.values.at(at[code].id, c.store); ok {
			add(code, s)
		}
	}
	return list
}

// categoryTree is what hangs under a root, as deep as asked for.
func categoryTree(c *call) (any, error) {
	root := c.rootCategory()
	depth := -1
	for _, p := range []struct {
		name string
		to   *int
	}{{"rootCategoryId", &root}, {"depth", &depth}} {
		if v, ok := c.query[p.name]; ok {
			n, err := scalar(v, intKind)
			if err != nil {
				return nil, err
			}
			*p.to = n.(int)
		}
	}
	cat, err := c.category(root)
	if err != nil {
		return nil, err
	}
	byParent := map[int][]*category{}
	for _, b := range c.categories.byID {
		byParent[b.parent] = append(byParent[b.parent], b)
	}
	return c.treeNode(cat, depth, byParent), nil
}

func (c *call) treeNode(cat *category, depth int, byParent map[int][]*category) obj {
	children := []any{}
	if depth != 0 {
		list := byParent[cat.id]
		slices.SortFunc(list, func(a, b *category) int { return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.id, b.id)) })
		for _, b := range list {
			children = append(children, c.treeNode(b, depth-1, byParent))
		}
	}
	return obj{{"id", cat.id}, {"parent_id", cat.parent}, {"name", c.nameOf(cat)}, {"is_active", c.flagOf(cat, "is_active")},
		{"position", cat.position}, {"level", cat.level}, {"product_count", len(cat.members)}, {"children_data", children}}
}

func categoryLinkShape() *shape {
	return fields(map[string]typ{"sku": text(), "position": integer(), "category_id": text(), "extension_attributes": anything()})
}

func categoryLinkRoutes() []route {
	const acl = "Magento_Catalog::categories"
	params := []param{req("productLink", object1(categoryLinkShape))}
	return []route{
		{method: http.MethodGet, path: "/V1/categories/:categoryId/products", resource: acl, run: categoryProducts},
		{method: http.MethodPost, path: "/V1/categories/:categoryId/products", resource: acl, run: linkCategory, params: params},
		{method: http.MethodPut, path: "/V1/categories/:categoryId/products", resource: acl, run: linkCategory, params: params},
		{method: http.MethodDelete, path: "/V1/categories/:categoryId/products/:sku", resource: acl, run: unlinkCategory},
	}
}

// categoryProducts are a category's members. In a store they come from its index, and nothing runs the indexers here:
// only the scope "all" lists them.
func categoryProducts(c *call) (any, error) {
	cat, err := c.pathCategory()
	if err != nil {
		return nil, err
	}
	list := []any{}
	if c.store != 0 {
		return list, nil
	}
	ids := slices.SortedFunc(maps.Keys(cat.members), func(a, b int) int {
		return cmp.Or(cmp.Compare(cat.members[a], cat.members[b]), cmp.Compare(a, b))
	})
	for _, id := range ids {
		if p := c.products.byID(id); p != nil {
			list = append(list, obj{{"sku", p.sku}, {"position", cat.members[id]}, {"category_id", itoa(cat.id)}})
		}
	}
	return list, nil
}

// linkCategory puts a product into a category. Neither's updated_at moves.
func linkCategory(c *call) (any, error) {
	in := c.in.object("product_link")
	id := in.text("category_id")
	cat := c.categories.byID[int(asNumber(id))]
	if cat == nil {
		return nil, noEntity("id", id)
	}
	p := c.products.find(in.text("sku"))
	if p == nil {
		return nil, noProduct()
	}
	p.links = slices.Clone(p.links)
	c.assign(p, cat, in.integer("position"))
	return true, nil
}

func unlinkCategory(c *call) (any, error) {
	cat, err := c.pathCategory()
	if err != nil {
		return nil, err
	}
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	if _, ok := cat.members[p.id]; !ok {
		return nil, fail(http.StatusBadRequest, "The category doesn't contain the specified product.")
	}
	p.links = slices.Clone(p.links)
	c.unassign(p, cat)
	return true, nil
}
