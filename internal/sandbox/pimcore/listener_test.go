package pimcore

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// ear takes notices, or refuses them.
type ear struct {
	mu     sync.Mutex
	refuse int
	events []event
	wrong  []string
}

func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuse > 0 {
		e.refuse--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	signature, err := webhook.Read(r.Header, time.Now(), time.Minute)
	if err == nil {
		_, err = signature.Check(body, []string{"hook-secret-0123456789"})
	}
	var notice struct {
		Source string
		Events []event
	}
	if err != nil || json.Unmarshal(body, &notice) != nil || notice.Source != "pimcore" {
		e.wrong = append(e.wrong, string(body))
	}
	e.events = append(e.events, notice.Events...)
	w.WriteHeader(http.StatusAccepted)
}

func listening(t *testing.T, s *stand, lose float64, refuse int) *ear {
	t.Helper()
	e := &ear{refuse: refuse}
	web := httptest.NewServer(e)
	t.Cleanup(web.Close)
	s.Listen(t.Context(), Hook{URL: web.URL, Secrets: []string{"hook-secret-0123456789"}, Lose: lose})
	return e
}

func TestListener(t *testing.T) {
	s, clock := six(t)
	e := listening(t, s, 0, 2) // refused at first: sent again
	clock.at += 10
	s.do(s.Save(11, map[string]any{"price": 1}))
	s.do(s.SaveVersion(11, map[string]any{"price": 2}))
	s.do(s.SilentEdit(11, map[string]any{"price": 2}))
	s.do(s.Rename(2, "Goods")) // of six objects below none tells
	s.do(s.ReplaceAsset(3, []byte("x")))
	s.do(s.Delete(10)) // with its variant, which comes first
	s.ask(`mutation{createProduct(key:"x",parentId:2,input:{sku:"X"}){success}}`, nil)
	s.do(s.WaitNotices(t.Context()))
	product, old, now := "Product", "/Products", clock.at
	want := []event{
		{"pimcore.dataobject.postUpdate", "object", 11, "object", &product, "/Products/p-0002", nil, true, now, 2},
		{"pimcore.dataobject.postUpdate", "object", 2, "folder", nil, "/Goods", &old, true, now, 2},
		{"pimcore.asset.postUpdate", "asset", 3, "image", nil, "/product-images/shirt.png", nil, true, now, 2},
		{"pimcore.dataobject.postDelete", "object", 15, "variant", &product, "/Goods/p-0001/p-0001-m", nil, true, 1795423114, 1},
		{"pimcore.dataobject.postDelete", "object", 10, "object", &product, "/Goods/p-0001", nil, true, 1795423113, 1},
		{"pimcore.dataobject.postAdd", "object", 16, "object", &product, "/Goods/x", nil, true, now, 1},
		{"pimcore.dataobject.postUpdate", "object", 16, "object", &product, "/Goods/x", nil, true, now, 2},
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if diff := cmp.Diff(want, e.events); diff != "" || e.wrong != nil {
		t.Errorf("events (-want +got):\n%s\nwrong: %v", diff, e.wrong)
	}
}

// The body has the members of the contract's example.
func TestExampleListenerBody(t *testing.T) {
	type body struct {
		Body struct{ Events []map[string]any } `json:"body"`
	}
	b := readExample[body](t, examples(t)["our_listener_body"])
	class := "Product"
	var mine map[string]any
	if err := json.Unmarshal([]byte(jsonText(t, event{Class: &class})), &mine); err != nil {
		t.Fatal(err)
	}
	for name := range b.Body.Events[0] {
		if _, ok := mine[name]; !ok {
			t.Errorf("an event lacks %s", name)
		}
	}
	if len(mine) != len(b.Body.Events[0]) {
		t.Errorf("an event has %d members, want %d", len(mine), len(b.Body.Events[0]))
	}
}

func TestListenerLoses(t *testing.T) {
	s, _ := six(t)
	e := listening(t, s, 0.3, 0)
	for range 300 {
		s.do(s.Save(11, nil))
	}
	s.do(s.WaitNotices(t.Context()))
	sent, lost := s.Notices()
	e.mu.Lock()
	defer e.mu.Unlock()
	if sent+lost != 300 || lost < 50 || lost > 130 || len(e.events) != sent {
		t.Errorf("%d sent, %d lost, %d came", sent, lost, len(e.events))
	}
}
