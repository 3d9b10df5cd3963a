package magento

import (
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// post sends a product without a network, which a bubble of synctest cannot wait for.
func post(s *Server, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Eight creates of one SKU, four at a time, make four products: as recorded in concurrency.json, and behaving afterwards
// as in concurrency_duplicates.json.
func TestCreatesOfOneSKUThatRaceMakeDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Open: true, Delay: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		outcomes := map[string]int{}
		for price := range 8 {
			if price == 4 {
				wg.Wait() // else one of the second four may come between the ends of the first, and find one row
			}
			wg.Go(func() {
				code, body := post(s, "POST", "/rest/all/V1/products?fields=sku",
					`{"product":{"sku":"RACE-1","name":"Race","attribute_set_id":4,"price":`+itoa(price+1)+`}}`)
				mu.Lock()
				defer mu.Unlock()
				outcomes[itoa(code)+" "+body]++
			})
		}
		wg.Wait()
		want := map[string]int{`200 {"sku":"RACE-1"}`: 4, `400 {"message":"URL key for specified store already exists."}`: 4}
		if !maps.Equal(outcomes, want) {
			t.Fatalf("%v, recorded %v", outcomes, want)
		}
		count := func(want string) {
			t.Helper()
			if _, body := post(s, "GET", "/rest/all/V1/products?fields=total_count&searchCriteria[filter_groups][0][filters][0][field]=sku"+
				"&searchCriteria[filter_groups][0][filters][0][value]=race-1", ""); body != want {
				t.Errorf("%s, want %s", body, want)
			}
		}
		count(`{"total_count":4}`)
		if code, body := post(s, "PUT", "/rest/all/V1/products/RACE-1", `{"product":{"price":99}}`); code != 400 || !strings.Contains(body, "URL key") {
			t.Errorf("PUT: %d %s", code, body)
		}
		if code, body := post(s, "DELETE", "/rest/all/V1/products/RACE-1", ""); code != 200 || body != "true" {
			t.Errorf("DELETE: %d %s", code, body)
		}
		if _, body := post(s, "GET", "/rest/all/V1/products/RACE-1?fields=id", ""); body != `{"id":2}` {
			t.Errorf("after the DELETE the next one answers: %s", body)
		}
		count(`{"total_count":3}`)
	})
}

// Updates of one product at two scopes at a time both stay.
func TestUpdatesThatRaceLoseNothingOfEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Open: true, Delay: time.Second, Products: 1})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, w := range [][2]string{{"all", `"price":7`}, {"de", `"name":"Eins"`}, {"all", `"weight":3`}} {
			wg.Go(func() {
				if code, body := post(s, "PUT", "/rest/"+w[0]+"/V1/products/P-1", `{"product":{`+w[1]+`}}`); code != 200 {
					t.Errorf("%d %s", code, body)
				}
			})
		}
		wg.Wait()
		if _, body := post(s, "GET", "/rest/de/V1/products/P-1?fields=name,price,weight", ""); body != `{"name":"Eins","price":7,"weight":3}` {
			t.Error(body)
		}
	})
}

// A row is seen when its transaction ends, with the stamp of its statement: behind a cursor that has passed it.
func TestASaveAppearsBehindACursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Open: true, Products: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Configure(func(o *Options) { o.Delay = 5 * time.Second })
		began := s.world.stamp()
		var wg sync.WaitGroup
		wg.Go(func() { post(s, "PUT", "/rest/all/V1/products/P-1", `{"product":{"name":"new"}}`) })
		time.Sleep(3 * time.Second)
		s.Configure(func(o *Options) { o.Delay = 0 })
		if _, body := post(s, "GET", "/rest/all/V1/products/P-1?fields=name", ""); body != `{"name":"Product 1"}` {
			t.Errorf("seen before its end: %s", body)
		}
		wg.Wait()
		if _, body := post(s, "GET", "/rest/all/V1/products/P-1?fields=name,updated_at", ""); body != `{"name":"new","updated_at":"`+began+`"}` {
			t.Errorf("saved from %s on: %s", began, body)
		}
	})
}
