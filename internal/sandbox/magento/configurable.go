package magento

import (
	"net/http"
	"slices"
	"strings"
)

// axis is an option of a configurable product: an attribute by which its children differ. Which values it has follows
// from the children.
type axis struct {
	id, attribute, position int
	label                   string
	useDefault              bool
}

func axisShape() *shape {
	value := func() *shape {
		return fields(map[string]typ{"value_index": integer(), "extension_attributes": anything()})
	}
	return fields(map[string]typ{"id": integer(), "attribute_id": text(), "label": text(), "position": integer(),
		"is_use_default": flag(), "values": listOf(object1(value)), "extension_attributes": anything(), "product_id": integer()})
}

// configurableParts are the options and the children. Other products than configurable ones have none, and what is sent
// for them is not looked at.
func configurableParts() []productPart {
	return []productPart{
		{name: "configurable_product_options", ext: true, typ: listOf(object1(axisShape)),
			apply: func(c *call, d *product, v any) error {
				if d.typ != "configurable" {
					return nil
				}
				var axes []axis
				for _, e := range v.([]any) {
					a, err := c.axisOf(d, e.(object))
					if err != nil {
						return err
					}
					axes = append(axes, a)
				}
				d.axes = axes
				return c.checkChildren(d)
			},
			saved: func(c *call, p *product, _ any, _, _ bool) {
				for i := range p.axes {
					if p.axes[i].id == 0 {
						p.axes = slices.Clone(p.axes)
						p.axes[i].id = c.axisIDs.next()
					}
				}
			},
			render: func(c *call, p *product, _ bool) (any, bool) { return c.axisViews(p), p.typ == "configurable" },
		},
		{name: "configurable_product_links", ext: true, typ: listOf(integer()),
			apply: func(c *call, d *product, v any) error {
				if d.typ != "configurable" {
					return nil
				}
				var children []int
				for _, e := range v.([]any) {
					id, _ := e.(int)
					if c.products.byID(id) == nil {
						return noProduct()
					}
					children = append(children, id)
				}
				d.children = children
				return c.checkChildren(d)
			},
			render: func(c *call, p *product, _ bool) (any, bool) {
				ids := []any{}
				for _, child := range c.childrenOf(p) {
					ids = append(ids, child.id)
				}
				return ids, p.typ == "configurable"
			},
		},
	}
}

// axisOf reads an option; one of the same attribute keeps its id.
func (c *call) axisOf(p *product, in object) (axis, error) {
	at, err := c.attributeOf(productEntity, in.text("attribute_id"))
	if err != nil {
		return axis{}, err
	}
	a := axis{attribute: at.id, label: or(in.text("label"), at.label), position: in.integer("position"), useDefault: in.flag("is_use_default")}
	for _, had := range p.axes {
		if had.attribute == at.id {
			a.id = had.id
		}
	}
	return a, nil
}

// childrenOf are the children that there still are.
func (c *call) childrenOf(p *product) []*product {
	var list []*product
	for _, id := range p.children {
		if child := c.products.byID(id); child != nil {
			list = append(list, child)
		}
	}
	return list
}

// axisValue is a child's value of an option.
func (c *call) axisValue(child *product, a axis) string {
	s, _ := child.values.at(a.attribute, 0)
	return s
}

// checkChildren looks whether each child has its own values. Without options all have the same: none.
func (c *call) checkChildren(p *product) error {
	seen := map[string]int{}
	for _, child := range c.childrenOf(p) {
		var key strings.Builder
		for _, a := range p.axes {
			v := c.axisValue(child, a)
			if v == "" || v == "0" {
				return fail(http.StatusBadRequest, `Product with id "%1" does not contain required attribute "%2".`, itoa(child.id), c.attributes.byID[a.attribute].code)
			}
			key.WriteString(v + ";")
		}
		if other, ok := seen[key.String()]; ok {
			return fail(http.StatusBadRequest, `Products "%1" and "%2" have the same set of attribute values.`, itoa(child.id), itoa(other))
		}
		seen[key.String()] = child.id
	}
	return nil
}

func (c *call) axisViews(p *product) []any {
	list := []any{}
	for _, a := range p.axes {
		list = append(list, c.axisView(p, a))
	}
	return list
}

func (c *call) axisView(p *product, a axis) obj {
	used := map[string]bool{}
	for _, child := range c.childrenOf(p) {
		used[c.axisValue(child, a)] = true
	}
	values := []any{}
	if at := c.attributes.byID[a.attribute]; at != nil {
		for _, o := range at.sortedOptions(c.store) {
			if used[itoa(o.id)] {
				values = append(values, obj{{"value_index", o.id}})
			}
		}
	}
	o := obj{{"id", a.id}, {"attribute_id", itoa(a.attribute)}, {"label", a.label}, {"position", a.position}}
	if a.useDefault {
		o = append(o, member{"is_use_default", true})
	}
	return append(o, member{"values", values}, member{"product_id", p.id})
}

func configurableRoutes() []route {
	const acl = "Magento_Catalog::products"
	option := []param{req("option", object1(axisShape))}
	return []route{
		{method: http.MethodGet, path: "/V1/configurable-products/:sku/children", resource: acl, run: listChildren},
		{method: http.MethodPost, path: "/V1/configurable-products/:sku/child", resource: acl, run: addChild, params: []param{req("childSku", text())}},
		{method: http.MethodDelete, path: "/V1/configurable-products/:sku/children/:childSku", resource: acl, run: removeChild},
		{method: http.MethodGet, path: "/V1/configurable-products/:sku/options/all", resource: acl, run: listAxes},
		{method: http.MethodGet, path: "/V1/configurable-products/:sku/options/:id", resource: acl, run: getAxis},
		{method: http.MethodPost, path: "/V1/configurable-products/:sku/options", resource: acl, run: addAxis, params: option},
		{method: http.MethodPut, path: "/V1/configurable-products/:sku/options/:id", resource: acl, run: changeAxis, params: option},
		{method: http.MethodDelete, path: "/V1/configurable-products/:sku/options/:id", resource: acl, run: deleteAxis},
	}
}

func listChildren(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	list := []any{}
	if p.typ != "configurable" {
		return list, nil
	}
	for _, child := range c.childrenOf(p) {
		list = append(list, c.productView(child, true, nil))
	}
	return list, nil
}

func addChild(c *call) (any, error) {
	p, child := c.products.find(c.path["sku"]), c.products.find(c.in.text("child_sku"))
	if p == nil || child == nil {
		return nil, noProduct()
	}
	if slices.Contains(p.children, child.id) {
		return nil, fail(http.StatusBadRequest, "The product is already attached.")
	}
	if p.typ != "configurable" || len(p.axes) == 0 {
		return nil, fail(http.StatusBadRequest, "The parent product doesn't have configurable product options.")
	}
	for _, a := range p.axes {
		if v := c.axisValue(child, a); v == "" || v == "0" {
			return nil, fail(http.StatusBadRequest, `The child product doesn't have the "%1" attribute value. Verify the value and try again.`,
				c.attributes.byID[a.attribute].code)
		}
	}
	d := p.clone()
	d.children = append(slices.Clone(p.children), child.id)
	if err := c.checkChildren(d); err != nil {
		return nil, err
	}
	p.children = d.children
	c.saveRoles(p, "image", "small_image", "thumbnail")
	c.touch(p)
	return true, nil
}

// configurable is the configurable product of the path.
func (c *call) configurable() (*product, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	if p.typ != "configurable" {
		return nil, fail(http.StatusBadRequest, `This is implemented for the "%1" configurable product only.`, p.sku)
	}
	return p, nil
}

func removeChild(c *call) (any, error) {
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	if p.typ != "configurable" {
		return nil, fail(http.StatusBadRequest, `The product with the "%1" SKU isn't a configurable product.`, p.sku)
	}
	i := slices.IndexFunc(p.children, func(id int) bool {
		child := c.products.byID(id)
		return child != nil && child.sku == c.path["childSku"] // here case counts
	})
	if i < 0 {
		return nil, fail(http.StatusNotFound, "The option that was requested doesn't exist. Verify the entity and try again.")
	}
	p.children = slices.Delete(slices.Clone(p.children), i, i+1)
	c.touch(p)
	return true, nil
}

func listAxes(c *call) (any, error) {
	p, err := c.configurable()
	if err != nil {
		return nil, err
	}
	return c.axisViews(p), nil
}

func noAxis(id string) error {
	return fail(http.StatusNotFound, `The "%1" entity that was requested doesn't exist. Verify the entity and try again.`, id)
}

func getAxis(c *call) (any, error) {
	p, err := c.configurable()
	if err != nil {
		return nil, err
	}
	for _, a := range p.axes {
		if itoa(a.id) == c.path["id"] {
			return c.axisView(p, a), nil
		}
	}
	return nil, noAxis(c.path["id"])
}

// addAxis makes the product of the path configurable. An attribute that it has already gets no second option; whether
// the attribute has options of its own is not asked.
func addAxis(c *call) (any, error) {
	in := c.in.object("option")
	var wrong []*fault
	say := func(text string) { wrong = append(wrong, fail(http.StatusBadRequest, text)) }
	if in.text("attribute_id") == "" {
		say("Option attribute ID is not specified.")
	}
	if in.text("label") == "" {
		say("Option label is not specified.")
	}
	if len(in.list("values")) == 0 {
		say("Option values are not specified.")
	}
	for _, e := range in.list("values") {
		if e.(object).integer("value_index") == 0 {
			say("Value index is not specified for an option.")
		}
	}
	if len(wrong) > 0 {
		return nil, several(wrong)
	}
	p := c.products.find(c.path["sku"])
	if p == nil {
		return nil, noProduct()
	}
	if p.typ != "simple" && p.typ != "virtual" && p.typ != "configurable" {
		return nil, internalError("0000000000002") // "Incompatible product type" is no error that the API expects
	}
	a, err := c.axisOf(p, in)
	if err != nil {
		return nil, err
	}
	axes := slices.Clone(p.axes)
	if a.id == 0 {
		a.id = c.axisIDs.next()
		axes = append(axes, a)
	} else {
		i := slices.IndexFunc(axes, func(had axis) bool { return had.id == a.id })
		axes[i] = a
	}
	p.axes, p.typ = axes, "configurable"
	c.touch(p)
	return itoa(a.id), nil
}

func changeAxis(c *call) (any, error) {
	p, err := c.configurable()
	if err != nil {
		return nil, err
	}
	axes := slices.Clone(p.axes)
	in := c.in.object("option")
	for i := range axes {
		if itoa(axes[i].id) != c.path["id"] {
			continue
		}
		if in.has("label") {
			axes[i].label = in.text("label")
		}
		if in.has("position") {
			axes[i].position = in.integer("position")
		}
		if in.has("is_use_default") {
			axes[i].useDefault = in.flag("is_use_default")
		}
		p.axes = axes
		c.touch(p)
		return itoa(axes[i].id), nil
	}
	return nil, fail(http.StatusNotFound, `Option with id "%1" not found`, c.path["id"])
}

// deleteAxis takes the children away, too.
func deleteAxis(c *call) (any, error) {
	p, err := c.configurable()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.axes, func(a axis) bool { return itoa(a.id) == c.path["id"] })
	if i < 0 {
		return nil, fail(http.StatusNotFound, "The option that was requested doesn't exist. Verify the entity and try again.")
	}
	p.axes, p.children = slices.Delete(slices.Clone(p.axes), i, i+1), nil
	c.touch(p)
	return true, nil
}
