package magento

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// writeValues takes the attribute values of a body into a draft. A create writes the default values, whatever its scope.
func (c *call) writeValues(d *product, in object, create bool) error {
	store := c.store
	if create {
		store = 0
	}
	for _, code := range []string{"name", "price", "status", "visibility", "weight"} {
		v, ok := in[code]
		if !ok {
			continue
		}
		var value any
		switch v := v.(type) {
		case string:
			value = v
		case int:
			value = itoa(v)
		case float64:
			value = decimal(v)
		}
		if err := c.writeValue(d, c.attributes.product(code), store, value); err != nil {
			return err
		}
	}
	customs, _ := in["custom_attributes"].([]customValue)
	for _, cv := range customs {
		if cv.code == "category_ids" {
			c.replaceCategories(d, cv.value)
			continue
		}
		at := c.attributes.product(cv.code)
		if at == nil || at.backend == "static" || !c.attributes.sets[d.set].members[at.id] {
			continue // dropped without a word
		}
		if err := c.writeValue(d, at, store, cv.value); err != nil {
			return err
		}
	}
	if create {
		c.writeDefaults(d)
	} else if c.quirks.FreezeViews && store != 0 {
		c.freeze(d, store)
	}
	return c.complete(d, store)
}

// freeze makes what a view inherits its own.
func (c *call) freeze(d *product, store int) {
	for _, at := range c.valued(d) {
		if v, ok := d.values.at(at.id, store); ok {
			c.write(&d.values, at, store, v)
		}
	}
}

func (c *call) writeDefaults(d *product) {
	for id := range c.attributes.sets[d.set].members {
		at := c.attributes.byID[id]
		if at.defaultValue == "" || !at.applies(d.typ) {
			continue
		}
		if _, ok := d.values.own(id, 0); !ok {
			d.values.put(id, 0, at.defaultValue)
		}
	}
}

func (at *attribute) applies(typ string) bool {
	return len(at.applyTo) == 0 || slices.Contains(at.applyTo, typ)
}

func (c *call) writeValue(d *product, at *attribute, store int, value any) error {
	if at.id == c.attributes.product("url_key").id {
		if s, ok := value.(string); ok {
			value = slug(s)
		}
	}
	if s, ok := value.(string); ok && s != "" {
		switch at.backend {
		case "decimal":
			if asNumber(s) < 0 {
				return fail(http.StatusBadRequest, "Please enter a number 0 or greater in this field.")
			}
		case "datetime":
			t, ok := phpDate(s, c.clock())
			if !ok {
				return failNamed(http.StatusBadRequest, `Invalid value of "%value" provided for the %fieldName field.`,
					"fieldName", at.code, "value", s)
			}
			if at.input == "date" {
				t = t.Truncate(24 * time.Hour)
			}
			value = t.Format(stampLayout)
		}
	}
	c.write(&d.values, at, store, value)
	return nil
}

// complete looks for what a product must have, and takes away what its type cannot have.
func (c *call) complete(d *product, store int) error {
	if d.values == nil {
		d.values = eav{}
	}
	set := c.attributes.sets[d.set]
	for _, code := range []string{"price", "weight", "special_price", "cost"} {
		if at := c.attributes.product(code); !at.applies(d.typ) {
			d.values = slices.DeleteFunc(d.values, func(v eavValue) bool { return v.attribute == at.id })
		}
	}
	for _, at := range c.attributes.byCode[productEntity] {
		if !at.required || at.backend == "static" || !set.members[at.id] || !at.applies(d.typ) {
			continue
		}
		if _, ok := d.values.at(at.id, store); !ok {
			return c.empty(d, store)
		}
	}
	key := c.attributes.product("url_key")
	if _, ok := d.values.own(key.id, 0); !ok {
		name, _ := d.values.own(c.attributes.product("name").id, 0)
		c.write(&d.values, key, 0, slug(name))
	}
	return nil
}

// empty names the first required attribute that is missing, by id: a map's order must not show.
func (c *call) empty(d *product, store int) error {
	for _, at := range c.attributes.inSet(d.set) {
		if at.required && at.backend != "static" && at.applies(d.typ) {
			if _, ok := d.values.at(at.id, store); !ok {
				return emptyAttribute(at.label)
			}
		}
	}
	return nil
}

func emptyAttribute(label string) error {
	return fail(http.StatusBadRequest, `The "`+label+`" attribute value is empty. Set the attribute and try again.`)
}

// replaceCategories is the custom attribute category_ids: unlike category_links it replaces; positions stay.
func (c *call) replaceCategories(d *product, value any) {
	ids, _ := value.([]string)
	keep := map[int]bool{}
	for _, s := range ids {
		keep[int(asNumber(s))] = true
	}
	d.links = slices.DeleteFunc(d.links, func(l categoryLink) bool { return !keep[l.category] })
	for id := range keep {
		if c.categories.byID[id] == nil {
			continue
		}
		if !slices.ContainsFunc(d.links, func(l categoryLink) bool { return l.category == id }) {
			d.link(id, 0)
		}
	}
}

// check looks for values that only one product may have: unique attributes and URL keys.
func (c *call) check(d *product, in object) error {
	for _, v := range d.values {
		at := c.attributes.byID[v.attribute]
		if at == nil || !at.unique {
			continue
		}
		if id, ok := c.products.uniq[uniqueValue{at.id, v.text}]; ok && id != d.id {
			return fail(http.StatusBadRequest, `The value of the "`+at.label+`" attribute isn't unique. Set a unique value and try again.`)
		}
	}
	if c.urlTaken(d) {
		if d.id == 0 {
			c.products.ids.next() // the row had been there, and went with its transaction
		}
		return fail(http.StatusBadRequest, "URL key for specified store already exists.")
	}
	return nil
}

func (c *call) keepUnique(p *product) {
	for _, v := range p.values {
		if at := c.attributes.byID[v.attribute]; at != nil && at.unique {
			c.products.uniq[uniqueValue{at.id, v.text}] = p.id
		}
	}
}

func (c *call) forgetUnique(p *product) {
	for _, v := range p.values {
		if at := c.attributes.byID[v.attribute]; at != nil && at.unique && c.products.uniq[uniqueValue{at.id, v.text}] == p.id {
			delete(c.products.uniq, uniqueValue{at.id, v.text})
		}
	}
}
