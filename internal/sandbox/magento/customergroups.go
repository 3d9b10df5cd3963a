package magento

import "net/http"

type customerGroup struct {
	id   int
	code string
}

func (w *world) openCustomers() {
	w.customers.groups = []customerGroup{{0, "NOT LOGGED IN"}, {1, "General"}, {2, "Wholesale"}, {3, "Retailer"}}
}

func customerGroupRoutes() []route {
	return []route{{method: http.MethodGet, path: "/V1/customerGroups/search", resource: "Magento_Customer::group", run: listCustomerGroups}}
}

func listCustomerGroups(c *call) (any, error) {
	var rows []obj
	for _, g := range c.customers.groups {
		rows = append(rows, obj{{"id", g.id}, {"code", g.code}, {"tax_class_id", 3}, {"tax_class_name", "Retail Customer"}})
	}
	return searchRows(c, rows, nil)
}
