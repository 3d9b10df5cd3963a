package magento

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// schema is a part of an OpenAPI document.
type schema map[string]any

// sub is a member that is an object; a reference is followed.
func (s schema) sub(all schema, names ...string) schema {
	for _, n := range names {
		next, _ := s[n].(map[string]any)
		s = next
		if ref, ok := s["$ref"].(string); ok {
			s, _ = all[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
		}
	}
	return s
}

// Every operation that the stand-in has takes all that the published schema of 2.4.7 lets a body have.
func TestBodiesMayHaveWhatTheSchemaHas(t *testing.T) {
	var doc map[string]any
	contract(t, "openapi/opensource-2.4.7-p3.sync-subset.openapi3.json", &doc)
	all := schema(doc).sub(nil, "components", "schemas")
	s, err := New(Options{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	var absent []string
	checked := 0
	for path, ops := range schema(doc).sub(nil, "paths") {
		for method := range ops.(map[string]any) {
			rt, _ := s.router.find(strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path))
			if rt == nil {
				continue // not every subject of a shop is here
			}
			body := schema(ops.(map[string]any)).sub(all, method, "requestBody", "content", "application/json", "schema")
			for name := range body.sub(all, "properties") {
				checked++
				i := slices.IndexFunc(rt.params, func(p param) bool { return p.name == name })
				if i < 0 {
					absent = append(absent, method+" "+path+" "+name)
					continue
				}
				absent = append(absent, lacks(method+" "+path+" "+name, body.sub(all, "properties", name), all, rt.params[i].typ, 0)...)
			}
		}
	}
	slices.Sort(absent)
	var want []string
	for _, op := range []string{"post /V1/products", "put /V1/products/{sku}"} {
		for _, name := range []string{"bundle_product_options", "discounts", "downloadable_product_links", "downloadable_product_samples"} {
			want = append(want, op+" product.extension_attributes."+name) // kinds of products that are not here
		}
	}
	if checked < 30 || !slices.Equal(absent, want) {
		t.Errorf("of %d bodies these lack something:\n%s\nwant\n%s", checked, strings.Join(absent, "\n"), strings.Join(want, "\n"))
	}
}

// lacks names the members of a schema that a type does not take.
func lacks(at string, s, all schema, has typ, depth int) []string {
	if s["type"] == "array" {
		s = s.sub(all, "items")
	}
	if has.kind != objectKind || depth > 6 {
		return nil
	}
	var out []string
	members := has.shape().fields
	for _, name := range slices.Sorted(maps.Keys(s.sub(all, "properties"))) {
		if m, ok := members[name]; ok {
			out = append(out, lacks(at+"."+name, s.sub(all, "properties", name), all, m, depth+1)...)
		} else {
			out = append(out, at+"."+name)
		}
	}
	return out
}
