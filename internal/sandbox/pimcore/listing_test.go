package pimcore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// ids asks for a listing and returns the ids of its rows, or the paths of its errors.
func (s *stand) ids(args string, vars map[string]any) string {
	s.t.Helper()
	head := ""
	if vars != nil {
		head = "query($f:String)"
	}
	v := decoded(s.t, s.ask(head+"{l:getProductListing("+args+"){totalCount edges{node{id}}}}", vars)).(map[string]any)
	var failed []string
	if list, ok := v["errors"].([]any); ok {
		for _, e := range list {
			m := e.(map[string]any)
			failed = append(failed, fmt.Sprint(m["message"], " ", m["path"]))
		}
		return strings.Join(failed, "; ")
	}
	l := v["data"].(map[string]any)["l"].(map[string]any)
	out := []string{}
	for _, e := range l["edges"].([]any) {
		out = append(out, e.(map[string]any)["node"].(map[string]any)["id"].(string))
	}
	return strings.Join(out, " ") + fmt.Sprintf(" of %v", l["totalCount"])
}

const (
	bothFail  = "Internal server error [l totalCount]; Internal server error [l edges]"
	edgesFail = "Internal server error [l edges]"
	allFails  = "Internal server error [l]"
	noFilter  = "unable to decode filter [l]"
)

func TestListing(t *testing.T) {
	s, _ := six(t)
	s.do(s.Unpublish(14))
	s.do(s.Tag(12, "hot"))
	s.do(s.Rename(12, "a-first"))
	for _, c := range []struct{ args, want string }{
		{`first:10`, "12 10 15 11 13 of 5"}, // by key and path, unpublished ones left out, variants mixed in
		{`published:false`, "12 10 15 11 13 14 of 6"},
		{`published:true`, "12 10 15 11 13 of 5"},
		{`published:false,sortBy:"id",sortOrder:"DESC"`, "15 14 13 12 11 10 of 6"},
		{`sortBy:["type","id"],sortOrder:["DESC"]`, "15 13 12 11 10 of 5"}, // the last order goes on
		{`sortBy:["type","id"],sortOrder:["DESC","nonsense","ASC"]`, "15 10 11 12 13 of 5"},
		{`sortBy:"id",first:0`, " of 5"},
		{`sortBy:"id",first:-1`, edgesFail},
		{`sortBy:"id",first:2,after:1`, "11 12 of 5"}, // an offset
		{`sortBy:"id",after:3`, "13 15 of 5"},
		{`sortBy:"id",after:99`, " of 5"},
		{`sortBy:"nope"`, edgesFail},
		{`sortBy:"power"`, edgesFail}, // a brick's column is not there
		{`sortBy:"o_id"`, edgesFail},
		{`sortBy:"id",ids:"12,10, 99"`, "10 12 of 2"},
		{`sortBy:"id",ids:"14",published:false`, "14 of 1"},
		{`sortBy:"id",fullpaths:"/Products/a-first,'/Products/p-0001'"`, "10 12 of 2"},
		{`tags:"cold,hot"`, "12 of 1"},
		{`sortBy:"manufacturer__id",first:0`, " of 5"},
	} {
		if got := s.ids(c.args, nil); got != c.want {
			t.Errorf("%s: want %q, got %q", c.args, c.want, got)
		}
	}
	s.want(`{getProductListing(first:1){edges{cursor node{objectType classname}}}}`, nil, `{"data":{"getProductListing":{"edges":[{"cursor":"object-12","node":{"objectType":"object","classname":"Product"}}]}}}`)
}

func TestFilters(t *testing.T) {
	s, _ := six(t)
	s.do(s.Unpublish(14))
	s.do(s.Save(12, map[string]any{"active": nil, "discontinued": nil, "color": "Red", "categories": Refs(5)}))
	s.do(s.Save(13, map[string]any{"name@de": nil}))
	for _, c := range []struct{ filter, want string }{
		{`{"sku":"SKU-0001"}`, "10 of 1"},
		{`{"sku":"sku-0001"}`, "10 of 1"}, // collation without case
		{`{"key":"P-0001"}`, " of 0"},     // but keys and paths are binary
		{`{"id":11}`, "11 of 1"},
		{`{"id":"11"}`, "11 of 1"},
		{`{"discontinued":null}`, "12 of 1"},
		{`{"discontinued":{"$not":null}}`, "10 11 13 15 of 4"},
		{`{"color":{"$not":"blue"}}`, "12 of 1"}, // drops NULLs
		{`{"active":false}`, "12 of 1"},          // a checkbox that was never set is 0
		{`{"active":"0"}`, "12 of 1"},
		{`{"active":true}`, "10 11 13 15 of 4"}, // the variant's value is inherited
		{`{"id":{"$gt":"10","$lte":"12"}}`, "11 12 of 2"},
		{`{"id":{"$gt":10},"sku":"SKU-0003"}`, "12 of 1"},
		{`[{"id":{"$gt":10}},{"id":{"$lt":12}}]`, "11 of 1"},
		{`{"sku":{"$like":"%-0001%"}}`, "10 15 of 2"},
		{`{"sku":{"$like":"SKU_0002"}}`, "11 of 1"},
		{`{"sku":{"$notlike":"%-0001%"}}`, "11 12 13 of 3"},
		{`{"$or":[{"id":"10"},{"id":"12"}]}`, "10 12 of 2"},
		{`{"$or":[{"id":{"$gt":11,"$lt":12}}]}`, "10 11 12 13 15 of 5"}, // the trap: ORed
		{`{"$or":[{"sku":"SKU-0001","active":false}]}`, "10 12 of 2"},   // the trap: ORed
		{`{"$or":[{"$and":[{"id":{"$gt":11}},{"id":{"$lt":13}}]}]}`, "12 of 1"},
		{`{"$and":[{"id":{"$gt":11}},{"id":{"$lt":13}}]}`, "12 of 1"},
		{`{"weight__value":{"$gt":253}}`, "12 13 of 2"},
		{`{"weight__unit":"g"}`, "10 11 12 13 15 of 5"},
		{`{"manufacturer__id":7}`, "10 11 12 13 15 of 5"},
		{`{"manufacturer__type":"object","id":10}`, "10 of 1"},
		{`{"manufacturer":7}`, bothFail},
		{`{"categories":{"$like":"%,6,%"}}`, "10 11 13 15 of 4"},
		{`{"releaseDate":{"$gt":"1709423999"}}`, "10 11 12 13 15 of 5"},
		{`{"releaseDate":{"$gt":"1709510400"}}`, " of 0"},
		{`{"type":"object"}`, "10 11 12 13 of 4"},
		{`{"type":"variant"}`, "15 of 1"},
		{`{"path":{"$like":"/Products/%"}}`, "10 11 12 13 15 of 5"},
		{`{"path":"/Products/p-0001/"}`, "15 of 1"},
		{`{"parentId":"10"}`, "15 of 1"},
		{`{"classId":"PR","className":"Product","id":"10"}`, "10 of 1"},
		{`{"power":"5.5"}`, "11 of 1"},
		{`{"power":{"$not":"1"}}`, "11 of 1"},
		{`{"power":{"$gt":"1"}}`, bothFail}, // a brick's field: equality only
		{`{"name":"Shirt 4"}`, "13 of 1"},
		{`{"name":"Hemd 4"}`, " of 0"},
		{`{"sku":{"$notnull":true}}`, bothFail},
		{`{"nope":"1"}`, bothFail},
		{`{"fullpath":"/Products/p-0001"}`, bothFail},
		{`{"attributes":"x"}`, bothFail},
		{`{"faq":"x"}`, bothFail},
		{`{"bullets":"x"}`, bothFail},
		{`{"o_modificationDate":{"$gt":"1"}}`, bothFail},
		{`{}`, bothFail},
		{`{"sku":{"$in":["A"]}}`, allFails},
		{`{"sku":["A"]}`, allFails},
		{`{"sku":{"$regex":"A"}}`, bothFail},
		{`nope`, noFilter}, {`null`, noFilter}, {`0`, noFilter}, {`[]`, noFilter}, {`""`, noFilter}, {``, noFilter}, {`false`, noFilter},
	} {
		if got := s.ids(`sortBy:"id",filter:$f`, map[string]any{"f": c.filter}); got != c.want {
			t.Errorf("%s: want %q, got %q", c.filter, c.want, got)
		}
	}
	// Localized columns match in one language, with the fallback's value where there is none.
	for args, want := range map[string]string{
		`sortBy:"id",filter:$f,defaultLanguage:"de"`: "13 of 1", `sortBy:"id",filter:$f,defaultLanguage:"xx"`: "13 of 1", `sortBy:"id",filter:$f,defaultLanguage:"fr"`: " of 0",
	} {
		if got := s.ids(args, map[string]any{"f": `{"name":"Shirt 4"}`}); got != want {
			t.Errorf("%s: want %q, got %q", args, want, got)
		}
	}
	if got := s.ids(`published:false,filter:$f`, map[string]any{"f": `{"published":"0"}`}); got != "14 of 1" {
		t.Errorf("unpublished only: %q", got)
	}
}

func TestFiltersOfOtherVersions(t *testing.T) {
	ten, _ := observed(t, Options{Version: 10})
	ten.must(ten.Create(NewObject{ID: 10, Class: "Product", Parent: 2, Key: "a", Values: full(1)}))
	for filter, want := range map[string]string{`{"o_id":"10"}`: "10 of 1", `{"o_path":{"$like":"/Products/%"},"sku":"SKU-0001"}`: "10 of 1", `{"id":"10"}`: bothFail, `{"modificationDate":{"$gt":"1"}}`: bothFail} {
		if got := ten.ids(`sortBy:"o_id",filter:$f`, map[string]any{"f": filter}); got != want {
			t.Errorf("10: %s: want %q, got %q", filter, want, got)
		}
	}
	if got := ten.ids(`sortBy:"id"`, nil); got != edgesFail {
		t.Errorf("10: sorted by id: %q", got)
	}
	twelve, _ := observed(t, Options{Version: 12})
	twelve.must(twelve.Create(NewObject{ID: 10, Class: "Product", Parent: 2, Key: "a", Values: full(1)}))
	for filter, want := range map[string]string{`{"id":"10"}`: "10 of 1", `{"id":10}`: allFails, `{"active":true}`: allFails, `{"active":"1"}`: "10 of 1", `{"color":null}`: "10 of 1"} {
		if got := twelve.ids(`filter:$f`, map[string]any{"f": filter}); got != want {
			t.Errorf("12: %s: want %q, got %q", filter, want, got)
		}
	}
}

// The filters of the contract are understood, or fail as it says.
func TestExampleFilters(t *testing.T) {
	type line struct {
		Filter any            `json:"filter"`
		Needs  map[string]any `json:"needs"`
		How    string         `json:"how"`
	}
	s, _ := six(t)
	for _, l := range readExample[[]line](t, examples(t)["filters"]) {
		text := jsonText(t, l.Filter)
		args := "filter:$f"
		if l.Needs != nil {
			args += ",published:false"
		}
		got := s.ids(args, map[string]any{"f": text})
		if fails := strings.Contains(l.How, "error"); fails != (got == bothFail) {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// Rows that share a second are neither skipped nor repeated by paging with the id as second part.
func TestKeysetPages(t *testing.T) {
	s := newStand(t, Options{Products: 120, Now: (&clock{1795423113}).now})
	var got []string
	date, id := "0", "0"
	for range 100 {
		f := fmt.Sprintf(`{"$or":[{"modificationDate":{"$gt":%q}},{"$and":[{"modificationDate":%q},{"id":{"$gt":%q}}]}]}`, date, date, id)
		v := decoded(t, s.ask(`query($f:String){getProductListing(filter:$f,published:false,first:7,sortBy:["modificationDate","id"],sortOrder:["ASC","ASC"]){edges{node{id modificationDate}}}}`, map[string]any{"f": f}))
		edges := v.(map[string]any)["data"].(map[string]any)["getProductListing"].(map[string]any)["edges"].([]any)
		for _, e := range edges {
			n := e.(map[string]any)["node"].(map[string]any)
			id, date = n["id"].(string), fmt.Sprint(n["modificationDate"])
			got = append(got, id)
		}
		if len(edges) == 0 {
			break
		}
	}
	distinct := slices.Clone(got)
	slices.Sort(distinct)
	if len(got) != len(s.IDs("Product")) || len(slices.Compact(distinct)) != len(got) {
		t.Errorf("%d rows for %d objects", len(got), len(s.IDs("Product")))
	}
}
