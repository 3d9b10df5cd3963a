package magento

import (
	"cmp"
	"slices"
	"strings"
)

// listProducts is GET /V1/products, answered from the database.
func listProducts(c *call) (any, error) {
	q, err := c.criteria()
	if err != nil {
		return nil, err
	}
	found, err := c.search(q)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, p := range page(q, found) {
		items = append(items, c.productView(p, true, nil))
	}
	return q.results(items, len(found)), nil
}

// search finds the products that fit, in the order asked for. Conditions on SKUs and ids narrow first, by their indexes.
func (c *call) search(q *criteria) ([]*product, error) {
	rows, by := c.products.rows, -1
	for i, group := range q.groups {
		if few, ok := c.narrowed(group); ok && (by < 0 || len(few) < len(rows)) {
			rows, by = few, i
		}
	}
	var tests []func(*product) bool
	for i, group := range q.groups {
		test, err := c.anyOf(group)
		if err != nil {
			return nil, err
		}
		if test != nil && i != by {
			tests = append(tests, test)
		}
	}
	found := rows
	if len(tests) > 0 {
		found = make([]*product, 0, min(len(rows), 1024))
		for _, p := range rows {
			if !slices.ContainsFunc(tests, func(t func(*product) bool) bool { return !t(p) }) {
				found = append(found, p)
			}
		}
	}
	if len(q.orders) == 0 && bySKU(q) {
		found = slices.Clone(found)
		slices.SortStableFunc(found, func(a, b *product) int { return textOrder(a.sku, b.sku) })
	}
	return c.ordered(q, found), nil
}

// bySKU says whether the database reads along its index of SKUs, and rows come in that order.
func bySKU(q *criteria) bool {
	return slices.ContainsFunc(q.groups, func(g []condition) bool {
		return len(g) == 1 && g[0].field == "sku" && (g[0].op == "neq" || g[0].op == "nin")
	})
}

// narrowed are the rows that a group finds, if an index says so.
func (c *call) narrowed(group []condition) ([]*product, bool) {
	if len(group) == 1 && group[0].field == "entity_id" {
		n := int(asNumber(group[0].value))
		switch group[0].op {
		case "gt":
			i, _ := c.products.place(n + 1)
			return c.products.rows[i:], true
		case "gteq", "from":
			i, _ := c.products.place(n)
			return c.products.rows[i:], true
		}
	}
	var rows []*product
	seen := map[int]bool{}
	for _, cond := range group {
		if cond.field != "sku" || cond.op != "eq" && cond.op != "in" {
			return nil, false
		}
		skus := []string{cond.value}
		if cond.op == "in" {
			skus = strings.Split(cond.value, ",")
		}
		for _, sku := range skus {
			for _, p := range c.products.allOf(sku) {
				if !seen[p.id] {
					seen[p.id] = true
					rows = append(rows, p)
				}
			}
		}
	}
	if len(group) == 0 {
		return nil, false
	}
	slices.SortFunc(rows, func(a, b *product) int { return a.id - b.id })
	return rows, true
}

func (c *call) anyOf(group []condition) (func(*product) bool, error) {
	var tests []func(*product) bool
	for _, cond := range group {
		t, err := c.test(cond)
		if err != nil {
			return nil, err
		}
		if t == nil {
			return nil, nil // always true
		}
		tests = append(tests, t)
	}
	switch len(tests) {
	case 0:
		return nil, nil
	case 1:
		return tests[0], nil
	}
	return func(p *product) bool {
		return slices.ContainsFunc(tests, func(t func(*product) bool) bool { return t(p) })
	}, nil
}

// test is one condition; nil is one that everything fits.
func (c *call) test(cond condition) (func(*product) bool, error) {
	switch cond.field {
	case "category_id", "website_id":
		m, err := cond.match(byNumber)
		if err != nil {
			return nil, err
		}
		return func(p *product) bool {
			return slices.ContainsFunc(memberships(p, cond.field), func(id int) bool { return m(itoa(id), true) })
		}, nil
	case "store_id":
		return nil, nil
	case "created_at", "updated_at":
		if cond.op != "null" && cond.op != "notnull" {
			if _, ok := phpDate(cond.value, c.clock()); !ok {
				return nil, nil // rubbish filters nothing
			}
		}
	}
	value, order, ok := c.column(cond.field)
	if !ok {
		return nil, unknownField(cond.field)
	}
	if t, ok := phpDate(cond.value, c.clock()); ok && order == byBytes {
		cond.value = t.Format(stampLayout)
	}
	m, err := cond.match(order)
	if err != nil {
		return nil, err
	}
	return func(p *product) bool { return m(value(p)) }, nil
}

func memberships(p *product, field string) []int {
	if field == "website_id" {
		return p.websites
	}
	ids := make([]int, len(p.links))
	for i, l := range p.links {
		ids[i] = l.category
	}
	return ids
}

// column reads a field of a product as this call's store sees it.
func (c *call) column(field string) (value func(*product) (string, bool), order collation, ok bool) {
	static := func(f func(*product) string) func(*product) (string, bool) {
		return func(p *product) (string, bool) { return f(p), true }
	}
	switch field {
	case "entity_id":
		return static(func(p *product) string { return itoa(p.id) }), byNumber, true
	case "sku":
		return static(func(p *product) string { return p.sku }), byText, true
	case "attribute_set_id":
		return static(func(p *product) string { return itoa(p.set) }), byNumber, true
	case "type_id":
		return static(func(p *product) string { return p.typ }), byText, true
	case "created_at":
		return static(func(p *product) string { return p.created }), byBytes, true
	case "updated_at":
		return static(func(p *product) string { return p.updated }), byBytes, true
	case "has_options":
		return static(func(p *product) string { return zeroOne(p.hasOptions) }), byNumber, true
	case "required_options":
		return static(func(p *product) string { return zeroOne(p.required) }), byNumber, true
	}
	at := c.attributes.product(field)
	if at == nil || at.backend == "static" {
		return nil, byText, false
	}
	switch at.backend {
	case "int", "decimal":
		order = byNumber
	case "datetime":
		order = byBytes
	}
	return func(p *product) (string, bool) { return p.values.at(at.id, c.store) }, order, true
}

// ordered sorts; a field that there is not sorts nothing. Rows come by id.
func (c *call) ordered(q *criteria, rows []*product) []*product {
	type key struct {
		value   func(*product) (string, bool)
		compare func(a, b string) int
		desc    bool
		id      bool
	}
	var keys []key
	for _, o := range q.orders {
		if value, by, ok := c.column(o.field); ok {
			keys = append(keys, key{value, by.order(), o.desc, o.field == "entity_id"})
		}
	}
	if len(keys) == 0 || keys[0].id && !keys[0].desc {
		return rows
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b *product) int {
		for _, k := range keys {
			n := 0
			if k.id {
				n = cmp.Compare(a.id, b.id)
			} else {
				x, _ := k.value(a)
				y, _ := k.value(b)
				n = k.compare(x, y)
			}
			if k.desc {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	return rows
}
