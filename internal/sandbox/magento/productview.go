package magento

import (
	"strconv"
	"strings"
)

// productView is a product as a store sees it. A POST's answer has product_links and tier_prices only if they were sent,
// for it is what was saved and not read again: sent is its body.
func (c *call) productView(p *product, list bool, sent object) obj {
	o := make(obj, 0, 20)
	o = append(o, member{"id", p.id}, member{"sku", p.sku})
	o = c.addValue(o, p, "name", textKind)
	o = append(o, member{"attribute_set_id", p.set})
	o = c.addValue(o, p, "price", floatKind)
	if _, ok := o.get("price"); !ok && p.typ == "configurable" {
		o = append(o, member{"price", 0})
	}
	o = c.addValue(o, p, "status", intKind)
	o = c.addValue(o, p, "visibility", intKind)
	o = append(o, member{"type_id", p.typ}, member{"created_at", p.created}, member{"updated_at", p.updated})
	o = c.addValue(o, p, "weight", floatKind)
	ext := obj{}
	for _, part := range c.products.parts {
		if part.ext && part.render != nil {
			if v, ok := part.render(c, p, list); ok {
				ext = append(ext, member{part.name, v})
			}
		}
	}
	if len(ext) == 0 {
		o = append(o, member{"extension_attributes", []any{}})
	} else {
		o = append(o, member{"extension_attributes", ext})
	}
	for _, part := range c.products.parts {
		late := part.name == "product_links" || part.name == "tier_prices"
		if part.ext || part.render == nil || late && sent != nil && !sent.has(part.name) {
			continue
		}
		if v, ok := part.render(c, p, list); ok {
			o = append(o, member{part.name, v})
		}
	}
	return append(o, member{"custom_attributes", c.customView(p)})
}

func (c *call) addValue(o obj, p *product, code string, k kind) obj {
	s, ok := p.values.at(c.attributes.product(code).id, c.store)
	if !ok {
		return o
	}
	switch k {
	case floatKind:
		f, _ := strconv.ParseFloat(s, 64)
		return append(o, member{code, f})
	case intKind:
		n, _ := strconv.Atoi(s)
		return append(o, member{code, n})
	}
	return append(o, member{code, s})
}

// ownMember are the attributes that are members of the product itself, or come from elsewhere.
func ownMember(code string) bool {
	switch code {
	case "name", "price", "status", "visibility", "weight":
		return true
	}
	return false
}

// customView are the values of a product's other attributes, and those columns that a real one lists with them.
func (c *call) customView(p *product) []any {
	list := make([]any, 0, len(p.values)+3)
	add := func(code string, v any) { list = append(list, obj{{"attribute_code", code}, {"value", v}}) }
	columns := false
	for _, at := range c.valued(p) {
		if at.id > 130 && !columns {
			columns = true
			c.columns(p, add)
		}
		if ownMember(at.code) {
			continue
		}
		if s, ok := p.values.at(at.id, c.store); ok {
			add(at.code, s)
		}
	}
	if !columns {
		c.columns(p, add)
	}
	return list
}

func (c *call) columns(p *product, add func(code string, v any)) {
	add("required_options", zeroOne(p.required))
	add("has_options", zeroOne(p.hasOptions))
	ids := make([]string, len(p.links))
	for i, l := range p.links {
		ids[i] = strconv.Itoa(l.category)
	}
	add("category_ids", ids)
}

func zeroOne(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// valued are the attributes of which a product has a value in any store, by id, without those that its set lacks.
func (c *call) valued(p *product) []*attribute {
	set := c.attributes.sets[p.set]
	list := make([]*attribute, 0, len(p.values))
	for _, v := range p.values {
		at := c.attributes.byID[v.attribute]
		if at == nil || set == nil || !set.members[at.id] {
			continue
		}
		i := len(list)
		for i > 0 && list[i-1].id > at.id {
			i--
		}
		if i > 0 && list[i-1] == at {
			continue
		}
		list = append(list, nil)
		copy(list[i+1:], list[i:])
		list[i] = at
	}
	return list
}

// price is what a decimal column's text is as a number.
func asNumber(s string) float64 {
	f, _ := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return f
}
