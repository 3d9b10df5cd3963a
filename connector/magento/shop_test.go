package magento

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// testShop is a stand-in behind a server that counts, and can get in between.
type testShop struct {
	*sandbox.Server
	url string
	mu  sync.Mutex
	log []string // "POST /rest/all/V1/products"
	// before answers instead of the shop where it says so; after may change an answer.
	before func(w http.ResponseWriter, r *http.Request, body []byte) bool
	after  func(r *http.Request, a *httptest.ResponseRecorder)
}

func newTestShop(t *testing.T, o sandbox.Options) *testShop {
	t.Helper()
	o.Open = true
	shop, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &testShop{Server: shop}
	srv := httptest.NewServer(s)
	s.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		_ = shop.Close()
	})
	return s
}

func (s *testShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.log = append(s.log, r.Method+" "+r.URL.EscapedPath())
	before, after := s.before, s.after
	s.mu.Unlock()
	if before != nil && before(w, r, body) {
		return
	}
	a := httptest.NewRecorder()
	s.Server.ServeHTTP(a, r)
	if after != nil {
		after(r, a)
	}
	for name, values := range a.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Code)
	_, _ = w.Write(a.Body.Bytes())
}

// interfere sets what gets in between.
func (s *testShop) interfere(before func(w http.ResponseWriter, r *http.Request, body []byte) bool, after func(r *http.Request, a *httptest.ResponseRecorder)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

// writes are the requests since the last time that change something.
func (s *testShop) writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range s.log {
		if !strings.HasPrefix(l, "GET ") && !strings.HasSuffix(l, "-information") {
			out = append(out, strings.Replace(l, "/rest/", "", 1))
		}
	}
	s.log = nil
	return out
}

// open is a system on the shop.
func (s *testShop) open(t *testing.T, more lockstep.Settings) *System {
	t.Helper()
	set := lockstep.Settings{"url": s.url, "token": "a-token"}
	for k, v := range more {
		set[k] = v
	}
	sys, err := Connector.Open(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Close() })
	return sys.(*System)
}
