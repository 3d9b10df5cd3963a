package pimcore

import "testing"

func TestExampleErrors(t *testing.T) {
	all := examples(t)
	// The requests that the file leaves out, as they must have been to fail at these columns.
	requests := map[string]string{
		"object missing (deletion probe)":                                   "",
		"outside the workspaces":                                            "{getProduct(id:10){id}}",
		"field not in the schema":                                           "{getFoo(id:1){id}}",
		"filter on an unknown column (also: $notnull, {}, o_ prefix on 11)": `{getProductListing(filter:"{\"nope\":\"12\"}") {totalCount edges{node{id}}}}`,
		"sort by an unknown column: half an answer":                         `{getProductListing(sortBy:"nope",sortOrder:"AS"){totalCount edges{node{id}}}}`,
		"$in or other array operand":                                        `query ListOfThem{getProductListing(filter:"{\"id\":{\"$in\":[1]}}"){totalCount edges{node{id}}}}`,
		"filter not JSON":                                                   `query ListOfThem{getProductListing(filter:"{nope"){totalCount edges{node{id}}}}`,
		"two operations in one document":                                    "query A{getProduct(id:10){id}} query B{getProduct(id:10){id}}",
		"introspection off":                                                 "{__schema{queryType{name}}}",
	}
	for _, c := range readExample[[]example](t, all["errors"]) {
		if c.Response == nil {
			continue
		}
		t.Run(c.Case, func(t *testing.T) {
			s, _ := six(t)
			query, ok := requests[c.Case]
			if !ok {
				t.Fatal("a case without a request")
			}
			if query == "" {
				query = c.Request.Query
			}
			switch c.Case {
			case "outside the workspaces":
				s.SetWorkspaces([]Workspace{{Path: "/", Read: true}, {Path: "/Products"}})
			case "introspection off":
				s.do(s.Configure(func(o *Options) { o.NoIntrospection = true }))
			}
			got, want := s.ask(query, nil), string(c.Response)
			if c.Case[0] == '$' || c.Case == "filter not JSON" || c.Case[:4] == "sort" || c.Case[:6] == "filter" {
				got, want = withoutLocations(t, got), withoutLocations(t, want) // their documents are not known
			}
			same(t, got, want)
		})
	}
}
