package magento

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// allGroups is the customer group that means every one.
const allGroups = 32000

// tierPrice is a price from a quantity on.
type tierPrice struct {
	website, group int
	qty            float64
	value          float64
	percent        bool
}

func (t tierPrice) sameKey(o tierPrice) bool {
	return t.website == o.website && t.group == o.group && t.qty == o.qty
}

// tiers are a product's tier prices in the order of their table's key.
type tiers []tierPrice

func (t tiers) with(p tierPrice) tiers {
	out := slices.DeleteFunc(slices.Clone(t), p.sameKey)
	out = append(out, p)
	slices.SortFunc(out, func(a, b tierPrice) int {
		return cmp.Or(cmp.Compare(number01(a.group == allGroups), number01(b.group == allGroups)), cmp.Compare(a.group, b.group),
			cmp.Compare(a.qty, b.qty), cmp.Compare(a.website, b.website))
	})
	return out
}

func tierShape() *shape {
	return fields(map[string]typ{"price": number(), "price_type": text(), "website_id": integer(), "sku": text(), "customer_group": text(),
		"quantity": number(), "extension_attributes": anything()})
}

// groupNamed finds a customer group by its name.
func (w *world) groupNamed(name string) (int, bool) {
	if strings.EqualFold(name, "all groups") {
		return allGroups, true
	}
	for _, g := range w.customers.groups {
		if strings.EqualFold(g.code, name) {
			return g.id, true
		}
	}
	return 0, false
}

func (w *world) groupName(id int) string {
	if id == allGroups {
		return "all groups"
	}
	for _, g := range w.customers.groups {
		if g.id == id {
			return g.code
		}
	}
	return strconv.Itoa(id)
}

// tierRow checks a row and makes a tier price of it.
func (c *call) tierRow(o object) (p *product, t tierPrice, failed []any) {
	sku, website, group := o.text("sku"), o.integer("website_id"), o.text("customer_group")
	qty := strconv.FormatFloat(o.number("quantity"), 'f', -1, 64)
	say := func(what string) {
		failed = append(failed, failedRow(what+" Row ID: SKU = %SKU, Website ID: %websiteId, Customer Group: %customerGroup, Quantity: %qty.",
			sku, itoa(website), group, qty))
	}
	if p = c.products.find(sku); p == nil {
		failed = append(failed, failedRow("Invalid attribute SKU = %SKU. Row ID: SKU = %SKU, Website ID: %websiteId, Customer Group: %customerGroup, Quantity: %qty.",
			sku, itoa(website), group, qty))
	}
	if kind := o.text("price_type"); kind != "fixed" && kind != "discount" {
		say("Invalid attribute Price Type = %priceType.")
	}
	if v, ok := o["price"].(float64); !ok || v < 0 || o.text("price_type") == "discount" && v > 100 {
		say("Invalid attribute Price = %price.")
	}
	if o.number("quantity") < 1 {
		say("Invalid attribute Quantity = %qty.")
	}
	if website != 0 && !c.hasWebsite(website) {
		say("Invalid attribute Website ID = %websiteId.")
	}
	id, ok := c.groupNamed(group)
	if !ok {
		say("No such entity with Customer Group = %customerGroup.")
	}
	return p, tierPrice{website, id, o.number("quantity"), o.number("price"), o.text("price_type") == "discount"}, failed
}

func (c *call) eachTier(write func(p *product, t tierPrice)) (any, error) {
	answer := []any{}
	for _, e := range c.in.list("prices") {
		p, t, failed := c.tierRow(e.(object))
		if len(failed) == 0 {
			write(p, t)
		}
		answer = append(answer, failed...)
	}
	return answer, nil
}

func saveTierPrices(c *call) (any, error) {
	return c.eachTier(func(p *product, t tierPrice) { p.tiers = p.tiers.with(t) })
}

// replaceTierPrices leaves a SKU that is named nothing else.
func replaceTierPrices(c *call) (any, error) {
	seen := map[*product]bool{}
	return c.eachTier(func(p *product, t tierPrice) {
		if !seen[p] {
			seen[p] = true
			p.tiers = nil
		}
		p.tiers = p.tiers.with(t)
	})
}

// deleteTierPrices does not look at the website.
func deleteTierPrices(c *call) (any, error) {
	return c.eachTier(func(p *product, t tierPrice) {
		p.tiers = slices.DeleteFunc(slices.Clone(p.tiers), func(o tierPrice) bool { return o.group == t.group && o.qty == t.qty })
	})
}

func tierPricesOf(c *call) (any, error) {
	answer := []any{}
	for _, p := range c.asked() {
		for _, t := range p.tiers {
			kind := "fixed"
			if t.percent {
				kind = "discount"
			}
			answer = append(answer, obj{{"price", t.value}, {"price_type", kind}, {"website_id", t.website}, {"sku", p.sku},
				{"customer_group", c.groupName(t.group)}, {"quantity", t.qty}})
		}
	}
	return answer, nil
}

// tierPart is tier_prices of a product: what is sent replaces.
func tierPart() productPart {
	ext := func() *shape { return fields(map[string]typ{"percentage_value": number(), "website_id": integer()}) }
	row := func() *shape {
		return fields(map[string]typ{"customer_group_id": integer(), "qty": number(), "value": number(), "extension_attributes": object1(ext)})
	}
	return productPart{name: "tier_prices", typ: listOf(object1(row)),
		apply: func(c *call, d *product, v any) error {
			var list tiers
			for _, e := range v.([]any) {
				o := e.(object)
				t := tierPrice{o.object("extension_attributes").integer("website_id"), o.integer("customer_group_id"), o.number("qty"), o.number("value"), false}
				if n, ok := o.object("extension_attributes")["percentage_value"].(float64); ok {
					t.value, t.percent = n, true
				}
				if slices.ContainsFunc(list, t.sameKey) {
					return fail(http.StatusBadRequest, "We found a duplicate website, tier price, customer group and quantity.")
				}
				list = list.with(t)
			}
			d.tiers = list
			return nil
		},
		render: func(c *call, p *product, _ bool) (any, bool) {
			list := []any{}
			for _, t := range p.tiers {
				ext := obj{{"website_id", t.website}}
				value := t.value
				if t.percent {
					price, _ := p.values.at(c.attributes.product("price").id, c.store)
					value = asNumber(fmt.Sprintf("%.2f", asNumber(price)*(100-t.value)/100))
					ext = obj{{"percentage_value", t.value}, {"website_id", t.website}}
				}
				list = append(list, obj{{"customer_group_id", t.group}, {"qty", t.qty}, {"value", value}, {"extension_attributes", ext}})
			}
			return list, true
		},
	}
}
