package magento

import (
	"net/url"
	"slices"
	"strings"
)

// route is one operation. Its function runs with the world locked, and returns what is sent as JSON (obj, []any, …), or a
// reply for another status than 200, or a fault.
type route struct {
	method   string
	path     string // "/V1/products/:sku"
	resource string // what the caller must be allowed: "Magento_Catalog::products"; "" for everybody
	params   []param
	races    bool // run calls work itself, between its look-ups and its writes
	run      func(c *call) (any, error)

	parts []string
}

// reply is an answer of another status than 200.
type reply struct {
	status int
	body   any
}

// routes are all operations, each subject's in its own file.
func routes() []*route {
	return partsOf(
		storeRoutes(),
		productRoutes(),
		stockRoutes(),
		sourceItemRoutes(),
		inventoryRoutes(),
		transferRoutes(),
		priceRoutes(),
		customerRoutes(),
		customerGroupRoutes(),
		cartRoutes(),
		orderRoutes(),
		attributeRoutes(),
		optionRoutes(),
		attributeSetRoutes(),
		categoryRoutes(),
		categoryLinkRoutes(),
		configurableRoutes(),
		productLinkRoutes(),
		customOptionRoutes(),
		mediaRoutes(),
	)
}

// partsOf makes routes ready for a router.
func partsOf(parts ...[]route) []*route {
	var list []*route
	for _, part := range parts {
		for i := range part {
			r := &part[i]
			r.parts = strings.Split(strings.Trim(r.path, "/"), "/")
			list = append(list, r)
		}
	}
	return list
}

// router finds a route by its method and path; a fixed part goes before a variable one.
type router struct {
	byMethod map[string]map[int][]*route // by method and number of parts
}

func newRouter(list []*route) *router {
	r := &router{map[string]map[int][]*route{}}
	for _, rt := range list {
		if r.byMethod[rt.method] == nil {
			r.byMethod[rt.method] = map[int][]*route{}
		}
		n := len(rt.parts)
		r.byMethod[rt.method][n] = append(r.byMethod[rt.method][n], rt)
	}
	for _, m := range r.byMethod {
		for _, same := range m {
			slices.SortStableFunc(same, func(a, b *route) int { return strings.Count(a.path, ":") - strings.Count(b.path, ":") })
		}
	}
	return r
}

// find gives the route of a path that is still escaped ("/V1/products/A%2FB") and the values of its variables.
func (r *router) find(method, path string) (*route, map[string]string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for _, rt := range r.byMethod[method][len(parts)] {
		if vars, ok := rt.match(parts); ok {
			return rt, vars
		}
	}
	return nil, nil
}

func (rt *route) match(parts []string) (map[string]string, bool) {
	for i, p := range rt.parts {
		if p[0] != ':' && p != parts[i] || parts[i] == "" {
			return nil, false
		}
	}
	vars := map[string]string{}
	for i, p := range rt.parts {
		if p[0] != ':' {
			continue
		}
		v, err := url.QueryUnescape(parts[i]) // a + in the path is a space, too
		if err != nil {
			v = parts[i]
		}
		vars[p[1:]] = v
	}
	return vars, true
}
