package magento

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The price endpoints take rows and answer those that failed; the others are written. No product's updated_at moves.

func priceRoutes() []route {
	const acl = "Magento_Catalog::products"
	row := func(extra ...string) func() *shape {
		return func() *shape {
			f := map[string]typ{"price": number(), "store_id": integer(), "sku": text(), "extension_attributes": anything()}
			for _, n := range extra {
				f[n] = text()
			}
			return fields(f)
		}
	}
	cost := func() *shape {
		return fields(map[string]typ{"cost": number(), "store_id": integer(), "sku": text(), "extension_attributes": anything()})
	}
	post := func(path string, run func(c *call) (any, error), p param) route {
		return route{method: http.MethodPost, path: "/V1/products/" + path, resource: acl, params: []param{p}, run: run}
	}
	skus, base := req("skus", listOf(text())), req("prices", listOf(object1(row())))
	special := req("prices", listOf(object1(row("price_from", "price_to"))))
	tier := req("prices", listOf(object1(tierShape)))
	return []route{
		post("base-prices", saveBasePrices, base),
		post("base-prices-information", pricesOf("price", "price"), skus),
		post("special-price", saveSpecialPrices, special),
		post("special-price-information", specialPricesOf, skus),
		post("special-price-delete", deleteSpecialPrices, special),
		post("cost", saveCosts, req("prices", listOf(object1(cost)))),
		post("cost-information", pricesOf("cost", "cost"), skus),
		post("cost-delete", deleteCosts, skus),
		post("tier-prices", saveTierPrices, tier),
		{method: http.MethodPut, path: "/V1/products/tier-prices", resource: acl, params: []param{tier}, run: replaceTierPrices},
		post("tier-prices-information", tierPricesOf, skus),
		post("tier-prices-delete", deleteTierPrices, tier),
	}
}

// failedRow is a row of a price endpoint that was not written.
func failedRow(message string, params ...any) obj {
	return obj{{"message", message}, {"parameters", params}}
}

// priceRow checks what the rows of base, special and cost prices have in common.
func (c *call) priceRow(o object, name string) (*product, []any) {
	var failed []any
	sku := o.text("sku")
	p := c.products.find(sku)
	if p == nil {
		failed = append(failed, failedRow("Invalid attribute %fieldName = %fieldValue.", "SKU", sku))
	}
	if v, ok := o[name].(float64); !ok || v < 0 {
		said := ""
		if ok {
			said = strconv.FormatFloat(v, 'f', -1, 64)
		}
		failed = append(failed, failedRow("Invalid attribute %fieldName = %fieldValue.", strings.ToUpper(name[:1])+name[1:], said))
	}
	if store := o.integer("store_id"); c.view(store) == nil {
		failed = append(failed, failedRow("Requested store is not found. Row ID: SKU = "+sku+", Store ID: "+itoa(store)+".", sku, itoa(store)))
	}
	return p, failed
}

// eachPrice writes the rows that are right, and answers the others.
func (c *call) eachPrice(name string, write func(p *product, o object)) (any, error) {
	answer := []any{}
	for _, e := range c.in.list("prices") {
		o := e.(object)
		p, failed := c.priceRow(o, name)
		if len(failed) == 0 {
			write(p, o)
		}
		answer = append(answer, failed...)
	}
	return answer, nil
}

// putOwn sets a value of exactly one store, whatever the attribute's scope.
func (c *call) putOwn(p *product, code string, store int, value any) {
	at := c.attributes.product(code)
	values := slices.Clone(p.values)
	switch v := value.(type) {
	case float64:
		values.put(at.id, store, decimal(v))
	case string:
		values.put(at.id, store, v)
	default:
		values.remove(at.id, store)
	}
	p.values = values
}

func saveBasePrices(c *call) (any, error) {
	return c.eachPrice("price", func(p *product, o object) { c.putOwn(p, "price", o.integer("store_id"), o.number("price")) })
}

func saveCosts(c *call) (any, error) {
	return c.eachPrice("cost", func(p *product, o object) { c.putOwn(p, "cost", o.integer("store_id"), o.number("cost")) })
}

func saveSpecialPrices(c *call) (any, error) {
	return c.eachPrice("price", func(p *product, o object) {
		store := o.integer("store_id")
		c.putOwn(p, "special_price", store, o.number("price"))
		c.putOwn(p, "special_from_date", store, c.priceDate(o, "price_from"))
		c.putOwn(p, "special_to_date", store, c.priceDate(o, "price_to"))
	})
}

// priceDate is a date of a special price, nil if there is none.
func (c *call) priceDate(o object, name string) any {
	t, ok := phpDate(o.text(name), c.clock())
	if o.text(name) == "" || !ok {
		return nil
	}
	return t.Format(stampLayout)
}

func deleteSpecialPrices(c *call) (any, error) {
	return c.eachPrice("price", func(p *product, o object) {
		store := o.integer("store_id")
		from, to := p.own(c, "special_from_date", store), p.own(c, "special_to_date", store)
		if p.own(c, "special_price", store) != decimal(o.number("price")) || from != textOf(c.priceDate(o, "price_from")) || to != textOf(c.priceDate(o, "price_to")) {
			return // only the very price is deleted
		}
		for _, code := range []string{"special_price", "special_from_date", "special_to_date"} {
			c.putOwn(p, code, store, nil)
		}
	})
}

func textOf(v any) string { s, _ := v.(string); return s }

// own is a product's value in exactly one store, "" if there is none.
func (p *product) own(c *call, code string, store int) string {
	s, _ := p.values.own(c.attributes.product(code).id, store)
	return s
}

// deleteCosts answers true whatever it finds.
func deleteCosts(c *call) (any, error) {
	for _, e := range c.in.list("skus") {
		p := c.products.find(e.(string))
		if p == nil {
			continue
		}
		id := c.attributes.product("cost").id
		p.values = slices.DeleteFunc(slices.Clone(p.values), func(v eavValue) bool { return v.attribute == id })
	}
	return true, nil
}

// asked are the products of the SKUs asked for, by id; those that there are not are left out.
func (c *call) asked() []*product {
	var list []*product
	for _, e := range c.in.list("skus") {
		if p := c.products.find(e.(string)); p != nil && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *product) int { return a.id - b.id })
	return list
}

// pricesOf answers the values of a price attribute in every store that has its own.
func pricesOf(code, name string) func(c *call) (any, error) {
	return func(c *call) (any, error) {
		answer := []any{}
		for _, p := range c.asked() {
			for _, v := range p.values {
				if v.attribute == c.attributes.product(code).id {
					answer = append(answer, obj{{name, asNumber(v.text)}, {"store_id", v.store}, {"sku", p.sku}})
				}
			}
		}
		return answer, nil
	}
}

func specialPricesOf(c *call) (any, error) {
	answer := []any{}
	for _, p := range c.asked() {
		for _, v := range p.values {
			if v.attribute != c.attributes.product("special_price").id {
				continue
			}
			o := obj{{"price", asNumber(v.text)}, {"store_id", v.store}, {"sku", p.sku}}
			for _, d := range [...][2]string{{"price_from", "special_from_date"}, {"price_to", "special_to_date"}} {
				if s := p.own(c, d[1], v.store); s != "" {
					o = append(o, member{d[0], s})
				}
			}
			answer = append(answer, o)
		}
	}
	return answer, nil
}
