package magento

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
)

// attributeGroup is a tab of an attribute set.
type attributeGroup struct {
	id, set int
	name    string
}

// placed is an attribute in a set, place where it is there.
type placed struct{ set, attribute int }

type place struct{ id, group, sort int }

func (a *attributes) openGroups() {
	a.places = map[placed]*place{}
	for _, g := range []attributeGroup{{id: 7, name: "Product Details"}, {id: 13, name: "Content"}, {id: 19, name: "Bundle Items"},
		{id: 10, name: "Images"}, {id: 9, name: "Search Engine Optimization"}, {id: 8, name: "Advanced Pricing"}, {id: 11, name: "Design"},
		{id: 14, name: "Schedule Design Update"}, {id: 12, name: "Autosettings"}, {id: 20, name: "Gift Options"}} {
		g.set = DefaultSet
		a.groups = append(a.groups, &g)
	}
	a.groupIDs, a.placeIDs = 20, 120
}

func (a *attributes) group(id int) *attributeGroup {
	for _, g := range a.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

func (a *attributes) productSet(id int) *attributeSet {
	if s := a.sets[id]; s != nil && s.entity == productEntity {
		return s
	}
	return nil
}

func setShape() *shape {
	return fields(map[string]typ{"attribute_set_id": integer(), "attribute_set_name": text(), "sort_order": integer(),
		"entity_type_id": integer(), "extension_attributes": anything()})
}

func groupShape() *shape {
	return fields(map[string]typ{"attribute_group_id": text(), "attribute_group_name": text(), "attribute_set_id": integer(),
		"extension_attributes": anything()})
}

func attributeSetRoutes() []route {
	const acl = "Magento_Catalog::sets"
	set, group := object1(setShape), object1(groupShape)
	return []route{
		{method: http.MethodGet, path: "/V1/products/attribute-sets/sets/list", resource: acl, run: listSets},
		{method: http.MethodGet, path: "/V1/products/attribute-sets/:attributeSetId", resource: acl, run: getSet},
		{method: http.MethodPost, path: "/V1/products/attribute-sets", resource: acl, run: createSet,
			params: []param{req("attributeSet", set), req("skeletonId", integer())}},
		{method: http.MethodPut, path: "/V1/products/attribute-sets/:attributeSetId", resource: acl, run: changeSet,
			params: []param{req("attributeSet", set)}},
		{method: http.MethodDelete, path: "/V1/products/attribute-sets/:attributeSetId", resource: acl, run: deleteSet},
		{method: http.MethodGet, path: "/V1/products/attribute-sets/:attributeSetId/attributes", resource: acl, run: setAttributes},
		{method: http.MethodPost, path: "/V1/products/attribute-sets/attributes", resource: acl, run: assignAttribute,
			params: []param{req("attributeSetId", integer()), req("attributeGroupId", integer()), req("attributeCode", text()), req("sortOrder", integer())}},
		{method: http.MethodDelete, path: "/V1/products/attribute-sets/:attributeSetId/attributes/:attributeCode", resource: acl, run: unassignAttribute},
		{method: http.MethodGet, path: "/V1/products/attribute-sets/groups/list", resource: acl, run: listAttributeGroups},
		{method: http.MethodPost, path: "/V1/products/attribute-sets/groups", resource: acl, run: saveGroup, params: []param{req("group", group)}},
		{method: http.MethodPut, path: "/V1/products/attribute-sets/:attributeSetId/groups", resource: acl, run: saveGroup, params: []param{req("group", group)}},
		{method: http.MethodDelete, path: "/V1/products/attribute-sets/groups/:groupId", resource: acl, run: deleteGroup},
	}
}

func setView(s *attributeSet) obj {
	return obj{{"attribute_set_id", s.id}, {"attribute_set_name", s.name}, {"sort_order", s.sort}, {"entity_type_id", s.entity}}
}

func listSets(c *call) (any, error) {
	var rows []obj
	for _, id := range slices.Sorted(maps.Keys(c.attributes.sets)) {
		if s := c.attributes.productSet(id); s != nil {
			rows = append(rows, setView(s))
		}
	}
	return searchRows(c, rows, nil)
}

// pathSet is the set of the path.
func (c *call) pathSet() (*attributeSet, error) {
	id, err := c.pathID("attributeSetId")
	if err != nil {
		return nil, err
	}
	s := c.attributes.productSet(id)
	if s == nil {
		return nil, noEntity("id", id)
	}
	return s, nil
}

func getSet(c *call) (any, error) {
	s, err := c.pathSet()
	if err != nil {
		return nil, err
	}
	return setView(s), nil
}

// nameTaken says whether another set has a name.
func (c *call) nameTaken(name string, but int) error {
	if name == "" {
		return fail(http.StatusBadRequest, "The attribute set name is empty. Enter the name and try again.")
	}
	for _, s := range c.attributes.sets {
		if s.entity == productEntity && s.id != but && textOrder(s.name, name) == 0 {
			return fail(http.StatusBadRequest, `A "`+name+`" attribute set name already exists. Create a new name and try again.`)
		}
	}
	return nil
}

// createSet makes a set with the groups and attributes of another.
func createSet(c *call) (any, error) {
	in, skeleton := c.in.object("attribute_set"), c.in.integer("skeleton_id")
	if id := in.integer("attribute_set_id"); id != 0 {
		return nil, invalidValue("id", itoa(id))
	}
	if skeleton == 0 {
		return nil, invalidValue("skeletonId", "0")
	}
	from := c.attributes.sets[skeleton]
	if from == nil {
		return nil, noEntity("id", skeleton)
	}
	if err := c.nameTaken(in.text("attribute_set_name"), 0); err != nil {
		return nil, err
	}
	a := &c.attributes
	s := &attributeSet{id: a.setIDs.next(), entity: productEntity, sort: in.integer("sort_order"), name: in.text("attribute_set_name"),
		members: maps.Clone(from.members)}
	a.sets[s.id] = s
	groups := map[int]int{}
	for _, g := range slices.Clone(a.groups) {
		if g.set == skeleton {
			groups[g.id] = a.groupIDs.next()
			a.groups = append(a.groups, &attributeGroup{groups[g.id], s.id, g.name})
		}
	}
	at := slices.SortedFunc(maps.Keys(s.members), cmp.Compare[int])
	for _, id := range at {
		pl := place{id: a.placeIDs.next()}
		if was := a.places[placed{skeleton, id}]; was != nil {
			pl.group, pl.sort = groups[was.group], was.sort
		}
		a.places[placed{s.id, id}] = &pl
	}
	return setView(s), nil
}

func changeSet(c *call) (any, error) {
	s, err := c.pathSet()
	if err != nil {
		return nil, err
	}
	in := c.in.object("attribute_set")
	if in.has("attribute_set_name") {
		if err := c.nameTaken(in.text("attribute_set_name"), s.id); err != nil {
			return nil, err
		}
		s.name = in.text("attribute_set_name")
	}
	if in.has("sort_order") {
		s.sort = in.integer("sort_order")
	}
	return setView(s), nil
}

// deleteSet takes the set's products with it, as the database does.
func deleteSet(c *call) (any, error) {
	s, err := c.pathSet()
	if err != nil {
		return nil, err
	}
	if s.id == DefaultSet {
		return nil, fail(http.StatusBadRequest, "The default attribute set can't be deleted.")
	}
	for _, p := range slices.Clone(c.products.rows) {
		if p.set == s.id {
			c.dropProduct(p)
		}
	}
	delete(c.attributes.sets, s.id)
	c.attributes.groups = slices.DeleteFunc(c.attributes.groups, func(g *attributeGroup) bool { return g.set == s.id })
	return true, nil
}

func setAttributes(c *call) (any, error) {
	s, err := c.pathSet()
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, at := range c.attributes.inSet(s.id) {
		list = append(list, c.attributeView(at))
	}
	return list, nil
}

// assignAttribute puts an attribute into a set, or to another place there.
func assignAttribute(c *call) (any, error) {
	set, group := c.in.integer("attribute_set_id"), c.in.integer("attribute_group_id")
	s := c.attributes.productSet(set)
	if s == nil {
		return nil, fail(http.StatusNotFound, `The AttributeSet with a "%1" ID doesn't exist. Verify the attributeSet and try again.`, set)
	}
	g := c.attributes.group(group)
	if g == nil {
		return nil, fail(http.StatusNotFound, `The group with the "%1" ID doesn't exist. Verify the ID and try again.`, group)
	}
	if g.set != set {
		return nil, fail(http.StatusBadRequest, "The attribute group doesn't belong to the attribute set.")
	}
	at, err := c.attributeOf(productEntity, c.in.text("attribute_code"))
	if err != nil {
		return nil, err
	}
	s.members[at.id] = true
	key := placed{set, at.id}
	pl := c.attributes.places[key]
	if pl == nil {
		pl = &place{id: c.attributes.placeIDs.next()}
		c.attributes.places[key] = pl
	}
	pl.group, pl.sort = group, c.in.integer("sort_order")
	return itoa(pl.id), nil
}

func unassignAttribute(c *call) (any, error) {
	id, err := c.pathID("attributeSetId")
	if err != nil {
		return nil, err
	}
	s := c.attributes.productSet(id)
	if s == nil {
		return nil, fail(http.StatusNotFound, `The "%1" attribute set wasn't found. Verify and try again.`, id)
	}
	at, err := c.attributeOf(productEntity, c.path["attributeCode"])
	if err != nil {
		return nil, err
	}
	if !s.members[at.id] {
		return nil, fail(http.StatusBadRequest, `The "%1" attribute wasn't found in the "%2" attribute set. Enter the attribute and try again.`, at.code, id)
	}
	if !at.user {
		return nil, fail(http.StatusBadRequest, "The system attribute can't be deleted.")
	}
	delete(s.members, at.id)
	delete(c.attributes.places, placed{id, at.id})
	return true, nil
}

func groupView(g *attributeGroup) obj {
	return obj{{"attribute_group_id", itoa(g.id)}, {"attribute_group_name", g.name}, {"attribute_set_id", g.set}}
}

// listAttributeGroups needs a filter by attribute_set_id.
func listAttributeGroups(c *call) (any, error) {
	q, err := c.criteria()
	if err != nil {
		return nil, err
	}
	set := ""
	for _, g := range q.groups {
		for _, cond := range g {
			if cond.field == "attribute_set_id" {
				set = cond.value
			}
		}
	}
	if set == "" {
		return nil, missing("attribute_set_id")
	}
	if c.attributes.productSet(int(asNumber(set))) == nil {
		return nil, noEntity("attributeSetId", set)
	}
	var rows []obj
	for _, g := range c.attributes.groups {
		rows = append(rows, groupView(g))
	}
	return searchRows(c, rows, nil)
}

func saveGroup(c *call) (any, error) {
	in := c.in.object("group")
	set := in.integer("attribute_set_id")
	if c.attributes.productSet(set) == nil {
		return nil, noEntity("attributeSetId", set)
	}
	name := in.text("attribute_group_name")
	if name == "" {
		return nil, missing("attribute_group_name")
	}
	if id := int(asNumber(in.text("attribute_group_id"))); id != 0 {
		g := c.attributes.group(id)
		if g == nil {
			return nil, noEntity("attributeGroupId", itoa(id))
		}
		if g.set != set {
			return nil, fail(http.StatusBadRequest, "The attribute group doesn't belong to the provided attribute set.")
		}
		g.name = name
		return groupView(g), nil
	}
	for _, g := range c.attributes.groups {
		if g.set == set && textOrder(g.name, name) == 0 {
			return nil, fail(http.StatusBadRequest, "The attributeGroup can't be saved.")
		}
	}
	g := &attributeGroup{c.attributes.groupIDs.next(), set, name}
	c.attributes.groups = append(c.attributes.groups, g)
	return groupView(g), nil
}

func deleteGroup(c *call) (any, error) {
	id, err := c.pathID("groupId")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.attributes.groups, func(g *attributeGroup) bool { return g.id == id })
	if i < 0 {
		return nil, fail(http.StatusNotFound, `The group with the "%1" ID doesn't exist. Verify the ID and try again.`, c.path["groupId"])
	}
	for key, pl := range c.attributes.places {
		if at := c.attributes.byID[key.attribute]; pl.group == id && at != nil && !at.user {
			return nil, fail(http.StatusBadRequest, "The attribute group can't be deleted because it contains system attributes.")
		}
	}
	for key, pl := range c.attributes.places {
		if pl.group == id {
			delete(c.attributes.places, key)
			delete(c.attributes.sets[key.set].members, key.attribute)
		}
	}
	c.attributes.groups = slices.Delete(c.attributes.groups, i, i+1)
	return true, nil
}
