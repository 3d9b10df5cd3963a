package pimcore

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// recorder keeps what was asked and answered.
type recorder struct {
	mu      sync.Mutex
	bodies  [][]byte
	answers [][]byte
}

func (r *recorder) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		out := httptest.NewRecorder()
		h.ServeHTTP(out, req)
		r.mu.Lock()
		r.bodies, r.answers = append(r.bodies, body), append(r.answers, out.Body.Bytes())
		r.mu.Unlock()
		w.Write(out.Body.Bytes())
	})
}

// BenchmarkScan reads a class whole, and, as the limit, lets a bare client send the same bodies and read the answers. The
// stand-in's own work is the same in both.
func BenchmarkScan(b *testing.B) {
	srv, err := sandbox.New(sandbox.Options{Products: 1000})
	if err != nil {
		b.Fatal(err)
	}
	rec := &recorder{}
	web := httptest.NewServer(rec.before(srv))
	defer web.Close()
	r := lockstep.Read{Stream: "Product", Fields: []string{"sku", "name_en", "name_de", "description_en", "price", "stock", "published", "weight", "weight_unit", "categories", "manufacturer", "mainImage", "power", "fullpath"}}
	open := func(url string) *System {
		sys, err := Connector.Open(b.Context(), lockstep.Settings{"url": url + srv.Path(), "api_key": srv.Key(), "languages": []string{"en", "de"}, "version": "11"})
		if err != nil {
			b.Fatal(err)
		}
		return sys.(*System)
	}
	scan := func(s *System) (n int) {
		var from lockstep.Position
		for more := true; more; {
			p, err := s.Scan(b.Context(), r, from, lockstep.Limit{})
			if err != nil {
				b.Fatal(err)
			}
			n += len(p.Changes)
			from, more = p.Next, p.More
		}
		return n
	}
	s := open(web.URL)
	scan(s) // the schema is known now
	rec.bodies, rec.answers = nil, nil
	products := scan(s)
	bodies, size := rec.bodies, 0
	for _, a := range rec.answers {
		size += len(a)
	}
	plain := httptest.NewServer(srv)
	defer plain.Close()
	warm := open(plain.URL)
	scan(warm)
	client := &http.Client{}
	bare := func() {
		for _, body := range bodies {
			req, _ := http.NewRequest(http.MethodPost, plain.URL+srv.Path(), bytes.NewReader(body))
			req.Header.Set("X-API-Key", srv.Key())
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	bare()
	var ours, limit time.Duration
	for b.Loop() { // in turns, so that a busy machine is busy for both
		at := time.Now()
		bare()
		limit += time.Since(at)
		at = time.Now()
		scan(warm)
		ours += time.Since(at)
	}
	n := float64(products * b.N)
	b.ReportMetric(n/ours.Seconds(), "products/s")
	b.ReportMetric(n/limit.Seconds(), "bare/s")
	b.ReportMetric(limit.Seconds()/ours.Seconds(), "of-bare")
	b.ReportMetric(float64(size)/float64(products), "B/product")
}

// BenchmarkDecode reads a page's answer.
func BenchmarkDecode(b *testing.B) {
	srv, err := sandbox.New(sandbox.Options{Products: 100})
	if err != nil {
		b.Fatal(err)
	}
	rec := &recorder{}
	web := httptest.NewServer(rec.before(srv))
	defer web.Close()
	sys, err := Connector.Open(b.Context(), lockstep.Settings{"url": web.URL + srv.Path(), "api_key": srv.Key(), "languages": []string{"en", "de"}, "version": "11"})
	if err != nil {
		b.Fatal(err)
	}
	s := sys.(*System)
	r := lockstep.Read{Stream: "Product", Fields: []string{"sku", "name_en", "name_de", "description_en", "price", "stock", "published", "weight", "weight_unit", "categories", "mainImage", "fullpath"}}
	if _, err := s.Scan(b.Context(), r, nil, lockstep.Limit{}); err != nil {
		b.Fatal(err)
	}
	var page []byte
	for _, a := range rec.answers {
		if bytes.Contains(a, []byte(`"edges"`)) && len(a) > len(page) {
			page = a
		}
	}
	p, err := s.plan(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		a, err := readAnswer(string(page))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.read(a.data, "getProductListing", 100); err != nil {
			b.Fatal(err)
		}
	}
}
