package pimcore

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// call sends a request as it is given and returns status, content type and body.
func (s *stand) call(method, path, body string, header map[string]string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, strings.TrimSuffix(s.url, s.Path())+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(text)
}

func TestTransport(t *testing.T) {
	s := newStand(t, Options{Products: 3, Keys: []string{"0123456789abcdef0123", "other-key-0123456789"}})
	const good, ok = "0123456789abcdef0123", `{"query":"{__typename}"}`
	for _, c := range []struct {
		about, method, path string
		header              map[string]string
		body                string
		status              int
		html                bool
		has                 string
	}{
		{"no key", "POST", s.Path(), nil, ok, 403, true, "<!DOCTYPE html>"},
		{"wrong key", "POST", s.Path(), map[string]string{"X-API-Key": "wrong-key-0123456789"}, ok, 403, true, "<!DOCTYPE html>"},
		{"preflight", "OPTIONS", s.Path(), nil, "", 403, true, ""},
		{"unknown endpoint", "POST", "/pimcore-graphql-webservices/nope", map[string]string{"apikey": good}, ok, 404, true, "<!DOCTYPE html>"},
		{"header apikey", "POST", s.Path(), map[string]string{"apikey": good}, ok, 200, false, "Query"},
		{"header X-API-Key", "POST", s.Path(), map[string]string{"X-API-Key": "other-key-0123456789"}, ok, 200, false, "Query"},
		{"query parameter", "POST", s.Path() + "?apikey=" + good, nil, ok, 200, false, "Query"},
		{"the first that is not empty wins", "POST", s.Path() + "?apikey=" + good, map[string]string{"apikey": "wrong-key-0123456789"}, ok, 403, true, ""},
		{"GET is an empty document", "GET", s.Path() + "?query={__typename}&apikey=" + good, nil, "", 200, false, "Syntax Error"},
		{"no JSON", "POST", s.Path(), map[string]string{"apikey": good}, "nope", 200, false, "Syntax Error"},
		{"any content type", "POST", s.Path(), map[string]string{"apikey": good, "Content-Type": "text/plain"}, ok, 200, false, "Query"},
		{"operationName is ignored", "POST", s.Path(), map[string]string{"apikey": good}, `{"query":"query A{__typename} query B{__typename}","operationName":"A"}`, 200, false, "Must provide operation name"},
		{"a syntax error", "POST", s.Path(), map[string]string{"apikey": good}, `{"query":"{a"}`, 200, false, "Syntax Error"},
		{"a variable that is missing", "POST", s.Path(), map[string]string{"apikey": good}, `{"query":"query($n:Int!){getProduct(id:$n){id}}"}`, 200, false, `Variable \u0022$n\u0022 of required type \u0022Int!\u0022 was not provided.`},
		{"a variable of another type", "POST", s.Path(), map[string]string{"apikey": good}, `{"query":"query($n:Int!){getProduct(id:$n){id}}","variables":{"n":"1"}}`, 200, false, "Int cannot represent"},
	} {
		t.Run(c.about, func(t *testing.T) {
			resp, body := s.call(c.method, c.path, c.body, c.header)
			if resp.StatusCode != c.status || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") != c.html || !strings.Contains(body, c.has) {
				t.Errorf("got %s %s\n%s", resp.Status, resp.Header.Get("Content-Type"), body)
			}
			if c.status == 200 && (resp.Header.Get("Cache-Control") != "no-cache, private" || resp.Header.Get("X-Powered-By") != "pimcore") {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
}

func TestEscapesAsPHP(t *testing.T) {
	s, _ := six(t)
	s.do(s.Save(11, map[string]any{"name@en": `</a> & "it's" ü €𝄞` + "\n\t\x01"}))
	want := `{"data":{"getProduct":{"id":"11","name":"\u003C\/a\u003E \u0026 \u0022it\u0027s\u0022 \u00fc \u20ac\ud834\udd1e\n\t\u0001","price":21.95,"stock":20,"fullpath":"\/Products\/p-0002"}}}`
	if got := s.ask(`{getProduct(id:11){id name price stock fullpath}}`, nil); got != want {
		t.Errorf("want %s\ngot  %s", want, got)
	}
	s.do(s.Save(11, map[string]any{"price": 12.0}))
	if got := s.ask(`{getProduct(id:11){price}}`, nil); got != `{"data":{"getProduct":{"price":12}}}` {
		t.Errorf("got %s", got)
	}
}

// A mutation that is sent twice runs once while the output cache is on, unless its text differs.
func TestOutputCache(t *testing.T) {
	s, clock := six(t)
	s.do(s.Configure(func(o *Options) { o.OutputCache = 30 * time.Second }))
	count := func() int { o, _ := s.Get(11); return o.VersionCount }
	const m = `mutation{updateProduct(id:11,input:{price:1}){success}}`
	before := count()
	s.ask(m, nil)
	s.ask(m, nil)
	if count() != before+1 {
		t.Errorf("the second mutation ran: %d saves", count()-before)
	}
	s.ask(m+" # r-2", nil)
	if count() != before+2 {
		t.Error("a mutation with another text did not run")
	}
	read := s.ask(`{getProduct(id:11){price}}`, nil)
	s.do(s.SilentEdit(11, map[string]any{"price": 5}))
	if got := s.ask(`{getProduct(id:11){price}}`, nil); got != read {
		t.Error("direct SQL clears no cache")
	}
	s.do(s.Save(10, map[string]any{"price": 5}))
	if got := s.ask(`{getProduct(id:11){price}}`, nil); got == read {
		t.Error("a save clears the cache")
	}
	s.ask(m, nil)
	clock.at += 31
	s.ask(m, nil)
	if count() != before+4 {
		t.Errorf("want a run behind the clearing and one behind the life's end: %d", count()-before)
	}
}

func TestFaults(t *testing.T) {
	s, _ := six(t)
	key := map[string]string{"apikey": s.Key()}
	const q = `{"query":"{getProductListing(sortBy:\"id\"){totalCount edges{node{id}}}}"}`
	for f, status := range map[Fault]int{Fault429: 429, Fault500: 500, Fault502: 502, Fault504: 504, FaultHTML: 200} {
		s.FailNext(f, 1)
		resp, body := s.call("POST", s.Path(), q, key)
		if resp.StatusCode != status || strings.Contains(body, "totalCount") || (f == Fault429) != (resp.Header.Get("Retry-After") == "1") || (f == Fault500) != (body == "") {
			t.Errorf("%s: got %s %q", f, resp.Status, body)
		}
		if resp, _ := s.call("POST", s.Path(), q, key); resp.StatusCode != 200 {
			t.Errorf("%s: it lasts", f)
		}
	}
	s.FailNext(FaultHalf, 1)
	s.want(`{getProductListing(sortBy:"id"){totalCount edges{node{id}}}}`, nil,
		`{"data":{"getProductListing":{"totalCount":6,"edges":[{"node":{"id":"10"}},{"node":{"id":"11"}},{"node":{"id":"12"}}]}}}`)
	s.FailNext(FaultPart, 1)
	same(t, withoutLocations(t, s.ask(`{getProductListing{totalCount edges{node{id}}}}`, nil)),
		`{"errors":[{"message":"Internal server error","path":["getProductListing","edges"]}],"data":{"getProductListing":{"totalCount":6,"edges":null}}}`)
	s.FailNext(FaultLost, 1)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", s.url, strings.NewReader(`{"query":"mutation{updateProduct(id:11,input:{price:99}){success}}"}`))
	req.Header.Set("apikey", s.Key())
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Error("want no answer")
	}
	if o, _ := s.Get(11); o.Values["price"] != 99.0 {
		t.Error("the write of a lost answer must have happened")
	}
	s.Fail(Fault429, 0.5)
	n := 0
	for range 100 {
		if resp, _ := s.call("POST", s.Path(), q, key); resp.StatusCode == 429 {
			n++
		}
	}
	if n < 25 || n > 75 {
		t.Errorf("%d of 100 requests failed, want about half", n)
	}
}
