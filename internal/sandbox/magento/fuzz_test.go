package magento

import "testing"

// What clients send makes no panic: queries, ?fields=, bodies, dates, patterns.
func FuzzInput(f *testing.F) {
	f.Add("searchCriteria[filterGroups][0][filters][0][field]=sku&fields=items[sku,a[b]],total_count", `{"product":{"sku":"A","custom_attributes":[{"attributeCode":"x","value":["1"]}]}}`)
	f.Add("a[]=1&a[]=2&[=]&a[b=c&fields=]]a[[", `{"product":{"extension_attributes":{"website_ids":{"0":1}}}}`)
	f.Add("searchCriteria=x&searchCriteria[sortOrders][x][field]=name", `{"product":[[[]]]}`)
	s, err := New(Options{Products: 2, Open: true})
	if err != nil {
		f.Fatal(err)
	}
	rt, vars := s.router.find("POST", "/V1/products")
	list, _ := s.router.find("GET", "/V1/products")
	f.Fuzz(func(t *testing.T, query, body string) {
		c := s.internal(t.Context(), 1, vars)
		c.query = parseQuery(query)
		got, err := perform(list, c, object{}, vars)
		if fields, ok := c.query["fields"].(string); ok && err == nil {
			got = only(got, fields)
		}
		appendJSON(nil, got)
		v, err := decode([]byte(body))
		if err != nil {
			return
		}
		o, _ := v.(object)
		c = s.internal(t.Context(), 0, vars)
		if got, err := perform(rt, c, o, vars); err == nil {
			appendJSON(nil, got)
		}
		for n := len(s.world.products.rows); n > 2; n-- {
			c.dropProduct(s.world.products.rows[n-1])
		}
		phpDate(query, s.world.clock())
		slug(body)
	})
}
