package magento

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Whatever a body lacks or holds, an operation answers and does not panic.
func TestOddBodiesMakeNoPanic(t *testing.T) {
	values := []any{nil, "", "x", "-1", "P-1", true, object{}, []any{}, []any{nil}, []any{"1", object{}}, []any{object{"sku": "P-1"}}}
	for i := range values {
		s, err := New(Options{Open: true, Products: 2, Views: []StoreView{{Code: "default", Group: "main_website_store"}}})
		if err != nil {
			t.Fatal(err)
		}
		list := append(routes(), s.ownRoutes()...)
		for _, rt := range list {
			for j := range 25 {
				oddCall(t, s, rt, values, i+j*7)
			}
		}
	}
}

func oddCall(t *testing.T, s *Server, rt *route, values []any, seed int) {
	t.Helper()
	body := object{}
	for n, p := range rt.params {
		body[p.name] = odd(p.typ, values, seed+n, 3)
	}
	path := map[string]string{}
	for _, part := range rt.parts {
		if strings.HasPrefix(part, ":") {
			path[part[1:]] = []string{"P-1", "1", "x", "2", ""}[seed%5]
		}
	}
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s %s %v %v: %v", rt.method, rt.path, path, body, r)
		}
	}()
	for _, store := range []int{0, 1} {
		c := s.internal(t.Context(), store, path)
		c.later = false
		c.query = object{"searchCriteria": object{"pageSize": "2", "filterGroups": object{"0": object{"filters": object{"0": object{"field": "sku", "value": "x"}}}}}}
		got, err := perform(rt, c, body, path)
		if err == nil {
			appendJSON(nil, got)
		} else {
			_ = fmt.Sprint(err)
		}
		if rt.method != http.MethodGet {
			break
		}
	}
}

// odd is a value of a shape whose members hold what they should not; every third has none of them.
func odd(want typ, values []any, seed, depth int) any {
	if want.kind != objectKind || depth == 0 || seed%3 == 0 {
		return values[seed%len(values)]
	}
	o := object{}
	members := want.shape().fields
	for n, name := range slices.Sorted(maps.Keys(members)) {
		m := members[name]
		if (seed+n)%4 == 0 {
			continue
		}
		v := odd(m, values, seed+len(name), depth-1)
		if m.kind == intKind && !m.list {
			v = []any{"0", "1", "2", "99999", nil}[(seed+len(name))%5]
		}
		if m.kind == textKind && !m.list {
			v = []any{"", "P-1", "x", nil, "1"}[(seed+len(name))%5]
		}
		o[name] = v
	}
	if want.list {
		return []any{o}
	}
	return o
}
