package magento

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func categoryShape() *shape {
	return &shape{class: `\Magento\Catalog\Api\Data\CategoryInterface`, entity: categoryEntity, fields: map[string]typ{
		"id": integer(), "parent_id": integer(), "name": text(), "is_active": flag(), "position": integer(), "level": integer(),
		"children": text(), "created_at": text(), "updated_at": text(), "path": text(), "available_sort_by": listOf(text()),
		"include_in_menu": flag(), "extension_attributes": anything(), "custom_attributes": custom(),
	}}
}

func categoryRoutes() []route {
	const acl = "Magento_Catalog::categories"
	params := []param{req("category", object1(categoryShape))}
	return []route{
		{method: http.MethodGet, path: "/V1/categories", resource: acl, run: categoryTree},
		{method: http.MethodPost, path: "/V1/categories", resource: acl, run: saveCategory, params: params},
		{method: http.MethodGet, path: "/V1/categories/list", resource: acl, run: listCategories},
		{method: http.MethodGet, path: "/V1/categories/:categoryId", resource: acl, run: getCategory},
		{method: http.MethodPut, path: "/V1/categories/:id", resource: acl, run: saveCategory, params: params},
		{method: http.MethodDelete, path: "/V1/categories/:categoryId", resource: acl, run: deleteCategory},
		{method: http.MethodPut, path: "/V1/categories/:categoryId/move", resource: acl, run: moveCategory,
			params: []param{req("parentId", integer()), opt("afterId", integer())}},
	}
}

func couldNotSaveCategory(why string) error {
	return fail(http.StatusBadRequest, "Could not save category: %1", why)
}

// category is the one of an id.
func (c *call) category(id int) (*category, error) {
	cat := c.categories.byID[id]
	if cat == nil {
		return nil, noEntity("id", id)
	}
	return cat, nil
}

// pathID is a number in the path.
func (c *call) pathID(name string) (int, error) {
	n, err := scalar(c.path[name], intKind)
	if err != nil {
		return 0, err
	}
	return n.(int), nil
}

func (c *call) pathCategory() (*category, error) {
	id, err := c.pathID("categoryId")
	if err != nil {
		return nil, err
	}
	return c.category(id)
}

// children are a category's, in their order.
func (s *categories) children(parent int) []*category {
	var list []*category
	for _, c := range s.byID {
		if c.parent == parent && c.id != parent {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *category) int { return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.id, b.id)) })
	return list
}

// below are a category and all under it.
func (s *categories) below(c *category) []*category {
	list := []*category{c}
	for _, o := range s.byID {
		if strings.HasPrefix(o.path, c.path+"/") {
			list = append(list, o)
		}
	}
	return list
}

// saveCategory is POST and PUT. A body with an id changes that one; where it hangs is not changed by it.
func saveCategory(c *call) (any, error) {
	in := c.in.object("category")
	if id := in.integer("id"); id != 0 {
		cat, err := c.category(id)
		if err != nil {
			return nil, err
		}
		draft := *cat
		draft.values = slices.Clone(cat.values)
		if err := c.putCategory(&draft, in, c.store); err != nil {
			return nil, err
		}
		if c.categoryTaken(&draft) {
			return nil, urlKeyExists()
		}
		if c.quirks.FreezeViews && c.store != 0 {
			c.freezeCategory(&draft)
		}
		draft.updated = c.stamp()
		*cat = draft
		c.claimCategories(cat)
		return c.categoryView(cat), nil
	}
	return c.createCategory(in)
}

// freezeCategory makes what a view inherits its own.
func (c *call) freezeCategory(cat *category) {
	for _, v := range slices.Clone(cat.values) {
		if v.store == 0 {
			inherited, _ := cat.values.at(v.attribute, c.store)
			c.write(&cat.values, c.attributes.byID[v.attribute], c.store, inherited)
		}
	}
}

func (c *call) createCategory(in object) (any, error) {
	parentID := in.integer("parent_id")
	if parentID == 0 {
		parentID = c.rootCategory()
	}
	parent, err := c.category(parentID)
	if err != nil {
		return nil, err
	}
	now := c.stamp()
	cat := &category{parent: parentID, level: parent.level + 1, created: now, updated: now, members: map[int]int{}}
	for _, sibling := range c.categories.children(parentID) {
		cat.position = max(cat.position, sibling.position)
	}
	cat.position++
	at := c.attributes.byCode[categoryEntity]
	for _, code := range []string{"include_in_menu", "is_anchor"} {
		cat.values.put(at[code].id, 0, "1")
	}
	if err := c.putCategory(cat, in, 0); err != nil {
		return nil, err
	}
	cat.id = c.categories.ids.next() // one that is refused for its URL key has used it up
	cat.path = parent.path + "/" + itoa(cat.id)
	if c.categoryTaken(cat) {
		return nil, urlKeyExists()
	}
	c.categories.byID[cat.id] = cat
	c.claimCategories(cat)
	return c.categoryView(cat), nil
}

// rootCategory is the root of the scope's store group; the root of all where there is no scope.
func (c *call) rootCategory() int {
	if c.store == 0 {
		return 1
	}
	return c.groups[c.views[c.store].group].root
}

// putCategory takes a body into a category.
func (c *call) putCategory(cat *category, in object, store int) error {
	at := c.attributes.byCode[categoryEntity]
	for _, code := range []string{"name", "is_active", "include_in_menu"} {
		v, sent := in[code]
		if !sent {
			continue
		}
		if b, ok := v.(bool); ok {
			v = zeroOne(b)
		}
		c.write(&cat.values, at[code], store, v)
	}
	if in.has("position") {
		cat.position = in.integer("position")
	}
	customs, _ := in["custom_attributes"].([]customValue)
	for _, cv := range customs {
		a := at[cv.code]
		if a == nil || a.backend == "static" || a.code == "url_path" {
			continue
		}
		value := cv.value
		if s, ok := value.(string); ok && a.code == "url_key" {
			value = slug(s)
		}
		c.write(&cat.values, a, store, value)
	}
	for _, code := range []string{"name", "is_active"} {
		if _, ok := cat.values.at(at[code].id, store); !ok && cat.id != 1 {
			return couldNotSaveCategory(`The "` + at[code].label + `" attribute value is empty. Set the attribute and try again.`)
		}
	}
	if _, ok := cat.values.own(at["url_key"].id, 0); !ok {
		name, _ := cat.values.own(at["name"].id, 0)
		c.write(&cat.values, at["url_key"], 0, slug(name))
	}
	return nil
}

func urlKeyExists() error { return couldNotSaveCategory("URL key for specified store already exists.") }

// categoryPath is a category's request path in a store; "" above the level of those that have one.
func (w *world) categoryPath(cat *category, store int) string {
	key := w.attributes.byCode[categoryEntity]["url_key"].id
	var parts []string
	for cat != nil && cat.level > 1 {
		s, _ := cat.values.at(key, store)
		parts = append(parts, s)
		cat = w.categories.byID[cat.parent]
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// categoryPaths are a category's paths in the stores whose root it is under.
func (w *world) categoryPaths(cat *category) map[string]uint64 {
	paths := map[string]uint64{}
	if cat.level < 2 {
		return paths
	}
	_, rest, _ := strings.Cut(cat.path, "/")
	root, _, _ := strings.Cut(rest, "/")
	for _, v := range w.views[1:] {
		if itoa(w.groups[v.group].root) == root {
			paths[w.categoryPath(cat, v.id)] |= 1 << v.id
		}
	}
	return paths
}

func (w *world) categoryTaken(cat *category) bool {
	for path, stores := range w.categoryPaths(cat) {
		if w.urls.taken(owner{categoryEntity, cat.id}, path, stores) {
			return true
		}
	}
	return false
}

// claimCategories gives a category and all under it their paths.
func (w *world) claimCategories(cat *category) {
	for _, b := range w.categories.below(cat) {
		w.urls.claim(owner{categoryEntity, b.id}, w.categoryPaths(b))
	}
}

func getCategory(c *call) (any, error) {
	cat, err := c.pathCategory()
	if err != nil {
		return nil, err
	}
	return c.categoryView(cat), nil
}

// listCategories searches the columns and the attributes, as the scope's store has them.
func listCategories(c *call) (any, error) {
	rows := make([]obj, 0, len(c.categories.byID))
	for _, id := range slices.Sorted(maps.Keys(c.categories.byID)) {
		cat := c.categories.byID[id]
		row := obj{{"entity_id", id}, {"parent_id", cat.parent}, {"level", cat.level}, {"position", cat.position}, {"path", cat.path},
			{"created_at", cat.created}, {"updated_at", cat.updated}}
		for code, at := range c.attributes.byCode[categoryEntity] {
			if s, ok := cat.values.at(at.id, c.store); ok {
				row = append(row, member{code, s})
			}
		}
		rows = append(rows, row)
	}
	return searchViews(c, rows, map[string]string{"id": "entity_id"}, func(row obj) any {
		id, _ := row.get("entity_id")
		return c.categoryView(c.categories.byID[id.(int)])
	})
}

// moveCategory hangs a category under another, behind one of its children; behind the last one where none is named.
func moveCategory(c *call) (any, error) {
	cat, err := c.pathCategory()
	if err != nil {
		return nil, err
	}
	parent, err := c.category(c.in.integer("parent_id"))
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(parent.path+"/", cat.path+"/") {
		return nil, fail(http.StatusBadRequest, "Operation do not allow to move a parent category to any of children category")
	}
	siblings := c.categories.children(parent.id)
	siblings = slices.DeleteFunc(siblings, func(o *category) bool { return o == cat })
	at := 0
	switch after := c.in.integer("after_id"); {
	case !c.in.has("after_id"):
		at = len(siblings)
	case after != 0:
		at = len(siblings)
		if i := slices.IndexFunc(siblings, func(o *category) bool { return o.id == after }); i >= 0 {
			at = i + 1
		}
	}
	was := *cat
	cat.parent, cat.level, cat.path = parent.id, parent.level+1, parent.path+"/"+itoa(cat.id)
	if c.categoryTaken(cat) {
		*cat = was
		return nil, fail(http.StatusBadRequest, "Could not move category")
	}
	for _, b := range c.categories.byID {
		if rest, ok := strings.CutPrefix(b.path, was.path+"/"); ok {
			b.path = cat.path + "/" + rest
			b.level += cat.level - was.level
		}
	}
	for i, o := range slices.Insert(siblings, at, cat) {
		o.position = i + 1
	}
	cat.updated = c.stamp()
	c.claimCategories(cat)
	return true, nil
}

// deleteCategory takes all under it, too, and the products out of them.
func deleteCategory(c *call) (any, error) {
	cat, err := c.pathCategory()
	if err != nil {
		return nil, err
	}
	if cat.level == 0 || slices.ContainsFunc(c.groups[1:], func(g *group) bool { return g.root == cat.id }) {
		return nil, fail(http.StatusBadRequest, "Cannot delete category with id %1", itoa(cat.id))
	}
	for _, b := range c.categories.below(cat) {
		for id := range b.members {
			if p := c.products.byID(id); p != nil {
				p.links = slices.DeleteFunc(slices.Clone(p.links), func(l categoryLink) bool { return l.category == b.id })
			}
		}
		c.urls.release(owner{categoryEntity, b.id})
		delete(c.categories.byID, b.id)
	}
	return true, nil
}
