package magento

import (
	"strings"
	"testing"
)

// twoSites is a shop of two websites with an attribute of each scope, and a product in both.
func twoSites(t *testing.T, o Options) *Server {
	t.Helper()
	o.Websites = []Website{{Code: "base"}, {Code: "b2b"}}
	o.Groups = []Group{{Code: "main", Website: "base"}, {Code: "b2b", Website: "b2b"}}
	o.Views = []StoreView{{Code: "default", Group: "main"}, {Code: "de", Group: "main"}, {Code: "b2b_en", Group: "b2b"}}
	o.Products, o.Open = 1, true
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"global", "website", "store"} {
		at := &attribute{entity: productEntity, code: scope + "_x", label: scope, input: "text", backend: "varchar", scope: scope, user: true}
		s.world.attributes.add(at)
		s.world.attributes.sets[DefaultSet].members[at.id] = true
	}
	return s
}

// reads are the values of an attribute through each URL.
func reads(t *testing.T, s *Server, code string) string {
	t.Helper()
	var all []string
	for _, view := range []string{"all/", "", "de/", "b2b_en/"} {
		_, body := post(s, "GET", "/rest/"+view+"V1/products/P-1?fields=custom_attributes", "")
		_, after, ok := strings.Cut(body, `{"attribute_code":"`+code+`","value":"`)
		v, _, _ := strings.Cut(after, `"`)
		if !ok {
			v = "-"
		}
		all = append(all, v)
	}
	return strings.Join(all, " ")
}

func putValue(t *testing.T, s *Server, view, code, value string) {
	t.Helper()
	if status, body := post(s, "PUT", "/rest/"+view+"V1/products/P-1",
		`{"product":{"custom_attributes":[{"attribute_code":"`+code+`","value":`+value+`}]}}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
}

// The table of section 2 of the contract: what a write at a URL changes, and where it is read.
func TestScopesOfWrites(t *testing.T) {
	for _, test := range []struct{ write, global, website, store string }{
		{`all/="a"`, "a a a a", "a a a a", "a a a a"},
		{`de/="d"`, "d d d d", "a d d a", "a a d a"},
		{`all/="b"`, "b b b b", "b d d b", "b b d b"},
		{`="n"`, "n n n n", "b n n b", "b n d b"},
		{`b2b_en/="e"`, "e e e e", "b n n e", "b n d e"},
		{`de/=null`, "- - - -", "b b b e", "b n b e"},
		{`all/="c"`, "c c c c", "c c c e", "c n c e"},
		{`all/=""`, "- - - -", "- - - e", "- n - e"},
		{`de/=""`, "- - - -", "- - - e", "- n - e"},
	} {
		t.Run(test.write, func(t *testing.T) {
			s := twoSites(t, Options{})
			for _, scope := range []string{"global", "website", "store"} {
				for _, w := range []string{`all/="a"`, `de/="d"`, `all/="b"`, `="n"`, `b2b_en/="e"`, `de/=null`, `all/="c"`, `all/=""`, `de/=""`} {
					view, value, _ := strings.Cut(w, "=")
					putValue(t, s, view, scope+"_x", value)
					if w == test.write {
						break
					}
				}
			}
			for scope, want := range map[string]string{"global": test.global, "website": test.website, "store": test.store} {
				if got := reads(t, s, scope+"_x"); got != want {
					t.Errorf("%s after %s: all, no code, de, b2b_en read %s, want %s", scope, test.write, got, want)
				}
			}
		})
	}
}

// A create writes default values, whatever its URL; its websites follow from the URL unless they are said.
func TestACreateWritesDefaultValues(t *testing.T) {
	for _, test := range []struct{ method, view, ext, websites string }{
		{"POST", "all/", "", "[1,2]"},
		{"POST", "", "", "[1]"},
		{"POST", "b2b_en/", "", "[2]"},
		{"PUT", "", "", "[1,2]"},
		{"POST", "", `,"extension_attributes":{"website_ids":[2]}`, "[2]"},
		{"POST", "all/", `,"extension_attributes":{"website_ids":[]}`, "[]"},
	} {
		s := twoSites(t, Options{})
		path := "/rest/" + test.view + "V1/products"
		if test.method == "PUT" {
			path += "/N-1"
		}
		status, body := post(s, test.method, path, `{"product":{"sku":"N-1","name":"New","attribute_set_id":4,"price":1`+test.ext+
			`,"custom_attributes":[{"attribute_code":"store_x","value":"v"}]}}`)
		if status != 200 || !strings.Contains(body, `"website_ids":`+test.websites) {
			t.Errorf("%s %s%s: %d %s, want websites %s", test.method, path, test.ext, status, body, test.websites)
		}
		for _, view := range []string{"all", "de", "b2b_en"} {
			if _, body := post(s, "GET", "/rest/"+view+"/V1/products/N-1?fields=name", ""); body != `{"name":"New"}` {
				t.Errorf("created through %s, read through %s: %s", path, view, body)
			}
		}
	}
}

func TestPricesPerWebsite(t *testing.T) {
	s := twoSites(t, Options{WebsitePrices: true})
	if status, body := post(s, "PUT", "/rest/b2b_en/V1/products/P-1", `{"product":{"price":3}}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for view, want := range map[string]string{"all": "5", "de": "5", "b2b_en": "3"} {
		if _, body := post(s, "GET", "/rest/"+view+"/V1/products/P-1?fields=price", ""); body != `{"price":`+want+`}` {
			t.Errorf("%s: %s, want %s", view, body, want)
		}
	}
}

// Up to 2.4.2 a save at a view froze all that the view inherited.
func TestViewsThatFreeze(t *testing.T) {
	s := twoSites(t, Options{Quirks: Quirks{FreezeViews: true}})
	putValue(t, s, "all/", "store_x", `"a"`)
	putValue(t, s, "de/", "global_x", `"g"`)
	putValue(t, s, "all/", "store_x", `"b"`)
	if got := reads(t, s, "store_x"); got != "b b a b" {
		t.Errorf("all, no code, de, b2b_en read %s, want b b a b", got)
	}
}

// A page past the end is empty in 2.4.7; old releases gave the last one again.
func TestAPagePastTheEnd(t *testing.T) {
	const query = "/rest/all/V1/products?fields=items[id],total_count&searchCriteria[pageSize]=2&searchCriteria[currentPage]=9"
	for want, quirks := range map[string]Quirks{
		`{"items":null,"total_count":3}`:       {},
		`{"items":[{"id":3}],"total_count":3}`: {RepeatLastPage: true},
	} {
		s, err := New(Options{Open: true, Products: 3, Quirks: quirks})
		if err != nil {
			t.Fatal(err)
		}
		if _, body := post(s, "GET", query, ""); body != want {
			t.Errorf("%v: %s, want %s", quirks, body, want)
		}
	}
}
