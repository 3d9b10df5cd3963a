package pimcore

import (
	"strings"
	"testing"
	"time"
)

func (s *stand) post(verb, body string) (int, string) {
	s.t.Helper()
	resp, text := s.call("POST", "/_sandbox/"+verb, body, nil)
	return resp.StatusCode, text
}

func TestControl(t *testing.T) {
	s, clock := six(t)
	t.Cleanup(s.Close)
	clock.at += 500
	for _, c := range []struct {
		verb, body string
		status     int
		query      string
		want       string
	}{
		{"save", `{"at":"/Products/p-0002","values":{"price":9.5,"name@de":"Neu","weight":{"value":2,"unit":"kg"},"categories":[6],"mainImage":3,"badges":["new"],"active":false,"stock":4}}`, 200,
			`{getProduct(id:11){price name(language:"de") weight{value unit{id}} categories{... on object_Category{id}} badges active stock}}`,
			`{"data":{"getProduct":{"price":9.5,"name":"Neu","weight":{"value":2,"unit":{"id":"kg"}},"categories":[{"id":"6"}],"badges":["new"],"active":false,"stock":4}}}`},
		{"save", `{"id":11,"values":{"price":null}}`, 200, `{getProduct(id:11){price}}`, `{"data":{"getProduct":{"price":null}}}`},
		{"rename", `{"id":11,"key":"other"}`, 200, `{getProduct(id:11){key}}`, `{"data":{"getProduct":{"key":"other"}}}`},
		{"unpublish", `{"id":11}`, 200, `{getProduct(id:11){published}}`, `{"data":{"getProduct":{"published":false}}}`},
		{"publish", `{"id":11}`, 200, `{getProduct(id:11){published}}`, `{"data":{"getProduct":{"published":true}}}`},
		{"move", `{"id":11,"path":"/Categories"}`, 200, `{getProduct(id:11){fullpath}}`, `{"data":{"getProduct":{"fullpath":"/Categories/other"}}}`},
		{"draft", `{"id":11,"values":{"price":1}}`, 200, `{getProduct(id:11){price}}`, `{"data":{"getProduct":{"price":null}}}`},
		{"silent-edit", `{"id":11,"values":{"price":3}}`, 200, `{getProduct(id:11){price}}`, `{"data":{"getProduct":{"price":3}}}`},
		{"save-with-date", `{"id":11,"date":1000}`, 200, `{getProduct(id:11){modificationDate}}`, `{"data":{"getProduct":{"modificationDate":1000}}}`},
		{"create", `{"class":"Product","path":"/Products","key":"new","values":{"sku":"NEW"}}`, 200, `{getProduct(fullpath:"/Products/new"){sku}}`, `{"data":{"getProduct":{"sku":"NEW"}}}`},
		{"delete", `{"at":"/Products/new"}`, 200, `{getProductListing(fullpaths:"/Products/new"){totalCount}}`, `{"data":{"getProductListing":{"totalCount":0}}}`},
		{"save", `{"id":99999}`, 422, "", ""},
		{"save", `{"id":11,"values":{"nope":1}}`, 422, "", ""},
		{"save", `{"id":11,"values":{"price":"x"}}`, 422, "", ""},
		{"save", `{"idd":11}`, 400, "", ""},
		{"nonsense", `{}`, 404, "", ""},
		{"fail", `{"fault":"418","share":1}`, 422, "", ""},
		{"introspection", `{"on":false}`, 200, `{__typename}`, `{"data":{"__typename":"Query"}}`},
		{"random", `{"count":20,"seed":3}`, 200, `{__typename}`, `{"data":{"__typename":"Query"}}`},
		{"state", ``, 200, "", ""},
	} {
		if status, text := s.post(c.verb, c.body); status != c.status || (status != 200) != strings.Contains(text, `"error"`) {
			t.Errorf("%s %s: %d %s", c.verb, c.body, status, text)
		}
		if c.query != "" {
			s.want(c.query, nil, c.want)
		}
	}
	if status, _ := s.post("fail", `{"fault":"502","next":1}`); status != 200 {
		t.Error("fail was refused")
	}
	if status, _ := s.raw(`{"query":"{__typename}"}`); status != 502 {
		t.Errorf("want the failure that was ordered, got %d", status)
	}
	if resp, text := s.call("GET", "/_sandbox/", "", nil); resp.StatusCode != 200 || !strings.Contains(text, "silent-edit") {
		t.Errorf("the list of verbs: %s %s", resp.Status, text)
	}
	if resp, _ := s.call("GET", "/_sandbox/save", "", nil); resp.StatusCode != 405 {
		t.Errorf("a GET of an edit: %s", resp.Status)
	}
	if resp, _ := s.call("POST", "/_sandbox/state", "", map[string]string{"Origin": "http://evil.test"}); resp.StatusCode != 403 {
		t.Errorf("an order out of a web page: %s", resp.Status)
	}
}

func TestControlSavesLate(t *testing.T) {
	s, clock := six(t)
	began := clock.at
	if status, text := s.post("save-late", `{"id":11,"values":{"price":5},"after":"1h"}`); status != 200 {
		t.Fatal(text)
	}
	if o, _ := s.Get(11); o.Values["price"] != 21.95 {
		t.Error("it is committed already")
	}
	clock.at += 60
	s.Close() // commits what is open
	if o, _ := s.Get(11); o.Values["price"] != 5.0 || o.Modified != began {
		t.Errorf("want the late save: %+v", o)
	}
	if status, _ := s.post("save-late", `{"id":12,"values":{"price":5},"after":"soon"}`); status != 422 {
		t.Error("want a refusal of what is no duration")
	}
}

func TestControlToken(t *testing.T) {
	s := newStand(t, Options{Control: "a-control-token-0123"})
	if status, _ := s.post("state", ""); status != 401 {
		t.Errorf("without the token: %d", status)
	}
	if resp, _ := s.call("POST", "/_sandbox/state", "", map[string]string{"Authorization": "Bearer a-control-token-0123"}); resp.StatusCode != 200 {
		t.Errorf("with the token: %s", resp.Status)
	}
}

func TestAnswerDelay(t *testing.T) {
	s := newStand(t, Options{})
	s.SetSlow(20 * time.Millisecond)
	s.FailNext(FaultSlow, 1)
	began := time.Now()
	s.want(`{__typename}`, nil, `{"data":{"__typename":"Query"}}`)
	if time.Since(began) < 20*time.Millisecond {
		t.Error("a slow answer came at once")
	}
}
