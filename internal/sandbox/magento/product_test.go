package magento

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// shop is a stand-in behind a real server.
func shop(t *testing.T, o Options) *httptest.Server {
	t.Helper()
	o.Open = true
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		srv.Close()
		_ = s.Close()
	})
	return srv
}

// ask sends a request and decodes the answer.
func ask(t *testing.T, srv *httptest.Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	_ = json.Unmarshal(raw, &v)
	m, ok := v.(map[string]any)
	if !ok {
		m = map[string]any{"": v}
	}
	return res.StatusCode, m
}

func TestAProductTakesTheSpellingOfALaterSave(t *testing.T) {
	srv := shop(t, Options{})
	const body = `{"product":{"sku":"S-1","name":"One","attribute_set_id":4,"price":10.5}}`
	if code, got := ask(t, srv, "POST", "/rest/all/V1/products", body); code != 200 || got["sku"] != "S-1" {
		t.Fatalf("create: %d %v", code, got)
	}
	code, got := ask(t, srv, "POST", "/rest/all/V1/products", `{"product":{"sku":"s-1","name":"one"}}`)
	if code != 200 || got["sku"] != "s-1" || got["id"] != 1.0 {
		t.Fatalf("update: %d %v", code, got)
	}
	code, got = ask(t, srv, "PUT", "/rest/all/V1/products/S-1", `{"product":{"sku":"other","price":3}}`)
	if code != 200 || got["sku"] != "S-1" || got["id"] != 1.0 {
		t.Fatalf("the path is what a PUT is about: %d %v", code, got)
	}
	code, got = ask(t, srv, "GET", "/rest/all/V1/products?searchCriteria[filterGroups][0][filters][0][field]=sku&searchCriteria[filterGroups][0][filters][0][value]=S-1&fields=items[sku,id],total_count", "")
	if code != 200 || got["total_count"] != 1.0 {
		t.Fatalf("search: %d %v", code, got)
	}
}
