package pimcore

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func jsonText(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The type of Product has the fields, arguments and types that the real one was seen to have.
func TestExampleTypeListing(t *testing.T) {
	type listing struct {
		Request struct{ Query string }
		Roots   map[string]string
		Product struct {
			BuiltIn map[string]string `json:"built_in"`
			System  map[string]string `json:"system_columns_only_if_configured"`
			Fields  map[string]string `json:"class_fields"`
		} `json:"object_Product"`
	}
	l := readExample[listing](t, examples(t)["type_listing"])
	s := newStand(t, Options{})
	var answer struct {
		Data struct {
			Type struct {
				Fields []struct {
					Name string
					Args []struct {
						Name string
						Type struct{ Name string }
					}
					Type struct {
						Name, Kind string
						OfType     struct{ Name string }
					}
				}
			} `json:"__type"`
		}
	}
	if err := json.Unmarshal([]byte(s.ask(l.Request.Query, nil)), &answer); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range answer.Data.Type.Fields {
		name := f.Name
		for _, a := range f.Args {
			typ := a.Type.Name
			if typ == "" {
				typ = "[String]"
			}
			name += "(" + a.Name + ":" + typ + ")"
		}
		got[name] = f.Type.Name
		if f.Type.Kind == "LIST" {
			got[name] = "[" + f.Type.OfType.Name + "]"
		}
	}
	n := 0
	for _, group := range []map[string]string{l.Product.BuiltIn, l.Product.System, l.Product.Fields} {
		for name, typ := range group {
			typ, _, _ = strings.Cut(typ, " ")
			if got[name] != typ {
				t.Errorf("%s is %q, want %q", name, got[name], typ)
			}
			n++
		}
	}
	if n != len(got) {
		t.Errorf("%d fields, want %d: %v", len(got), n, got)
	}
	s.want(`{__schema{queryType{name} mutationType{name}}}`, nil, fmt.Sprintf(`{"data":{"__schema":{"queryType":{"name":%q},"mutationType":{"name":%q}}}}`, l.Roots["query"], l.Roots["mutation"]))
}

// The introspection that clients send at their start is answered without an error.
func TestFullIntrospection(t *testing.T) {
	s := newStand(t, Options{})
	const q = `query IntrospectionQuery { __schema { queryType { name } mutationType { name } subscriptionType { name } types { ...FullType } directives { name description locations args { ...InputValue } } } }
fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
 inputFields { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`
	got := s.ask(q, nil)
	if strings.Contains(got, `"errors"`) || !strings.Contains(got, `"object_Product_categories"`) || !strings.Contains(got, `"UpdateProductInput"`) {
		t.Errorf("%.500s", got)
	}
	s.do(s.Configure(func(o *Options) { o.NoIntrospection = true }))
	if got := s.ask(q, nil); !strings.Contains(got, "introspection is not allowed") {
		t.Errorf("%.300s", got)
	}
	s.want(`{__typename}`, nil, `{"data":{"__typename":"Query"}}`)
}

// An operator changes the endpoint's schema while it runs.
func TestSchemaChanges(t *testing.T) {
	s, _ := six(t)
	s.do(s.Configure(func(o *Options) { o.HideFields, o.HideColumns = []string{"Product.price"}, []string{"published"} }))
	for _, f := range []string{"price", "published"} {
		s.want(`{getProduct(id:11){`+f+`}}`, nil, `{"errors":[{"message":"Cannot query field \"`+f+`\" on type \"object_Product\".","locations":[{"line":1,"column":20}]}]}`)
	}
	s.do(s.Configure(func(o *Options) { o.HideFields, o.HideColumns, o.ReadOnly = nil, nil, true }))
	s.want(`{getProduct(id:11){price}}`, nil, `{"data":{"getProduct":{"price":21.95}}}`)
	if got := s.ask(`mutation{deleteProduct(id:11){success}}`, nil); !strings.Contains(got, `"errors"`) {
		t.Errorf("a mutation without a root for them: %s", got)
	}
	s.want(`{__schema{mutationType{name}}}`, nil, `{"data":{"__schema":{"mutationType":null}}}`)
}

// A class field named like a built-in one wins for reading; tags in an input are the element's all the same.
func TestShadowedFields(t *testing.T) {
	s := newStand(t, Options{Classes: []Class{{ID: "C", Name: "Car", Fields: []Field{{Name: "objectType", Kind: Select}, {Name: "tags", Kind: Input}}}}})
	s.must(s.Create(NewObject{ID: 5, Class: "Car", Parent: 1, Key: "c", Values: map[string]any{"objectType": "actual-car", "tags": "x"}}))
	s.want(`mutation{updateCar(id:5,input:{tags:[{name:"hot"}]}){success output{objectType tags}}}`, nil, `{"data":{"updateCar":{"success":true,"output":{"objectType":"actual-car","tags":"x"}}}}`)
}
