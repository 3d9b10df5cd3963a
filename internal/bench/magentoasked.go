package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// requests keeps what a shop is asked.
type requests struct {
	mu     sync.Mutex
	bodies bool // keep what is needed to send them again
	list   []request
}

// request is one of them, in the order of their answers.
type request struct {
	method, uri string
	body        []byte
	status      int
	begin, end  time.Time
	product     string // folded SKU, "" for none
}

// asking is what they come to.
type asking struct {
	looks, products, views, images, setup int
	span                                  time.Duration // from the first request about products to the last answer
	list                                  []request
}

func (a *asking) all() int    { return a.looks + a.products + a.views + a.images + a.setup }
func (a *asking) writes() int { return a.products + a.views + a.images }

// per is calls for each of n products, by what they are.
func (a *asking) per(n int) string {
	f := func(calls int) string { return fmt.Sprintf("%.2f", float64(calls)/float64(n)) }
	return fmt.Sprintf("%s (saves %s, in a store view %s, images %s, looks %s; besides, %d of the shop as a whole)",
		f(a.all()-a.setup), f(a.products), f(a.views), f(a.images), f(a.looks), a.setup)
}

func (q *requests) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := request{method: r.Method, uri: r.URL.RequestURI(), begin: time.Now()}
		body, _ := io.ReadAll(r.Body) // what did not come is refused by the handler
		r.Body = io.NopCloser(bytes.NewReader(body))
		one.product = productOf(r, body)
		q.mu.Lock()
		if q.bodies {
			one.body = body
		}
		q.mu.Unlock()
		said := &status{ResponseWriter: w, code: http.StatusOK}
		h.ServeHTTP(said, r)
		one.status, one.end = said.code, time.Now()
		q.mu.Lock()
		q.list = append(q.list, one)
		q.mu.Unlock()
	})
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// productOf is the product that a write is about.
func productOf(r *http.Request, body []byte) string {
	if r.Method == http.MethodGet {
		return ""
	}
	_, path, _ := strings.Cut(r.URL.EscapedPath(), "/V1/products")
	if rest, ok := strings.CutPrefix(path, "/"); ok {
		sku, _, _ := strings.Cut(rest, "/")
		if sku == "attributes" || sku == "attribute-sets" {
			return ""
		}
		sku, _ = url.PathUnescape(sku)
		return strings.ToLower(sku)
	}
	var in struct{ Product struct{ SKU string } }
	if json.Unmarshal(body, &in) != nil {
		return ""
	}
	return strings.ToLower(in.Product.SKU)
}

func (q *requests) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = nil
}

func (q *requests) keep(bodies bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bodies = bodies
}

func (q *requests) count() asking {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := asking{list: q.list}
	if len(q.list) == 0 {
		return out
	}
	out.span = spanOf(fromProducts(q.list))
	for i := range q.list {
		r := &q.list[i]
		switch {
		case r.product != "" && strings.Contains(r.uri, "/media"):
			out.images++
		case r.product != "" && strings.HasPrefix(r.uri, "/rest/all/"):
			out.products++
		case r.product != "":
			out.views++
		case strings.Contains(r.uri, "/V1/products?"):
			out.looks++
		default:
			out.setup++
		}
	}
	return out
}

// fromProducts are the requests from the first about products on: what is asked before is how lockstep begins, whatever
// there is to do.
func fromProducts(list []request) []request {
	first := slices.IndexFunc(list, func(r request) bool { return r.product != "" || strings.Contains(r.uri, "/V1/products?") })
	if first < 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list), func(r request) bool { return r.begin.Before(list[first].begin) })
}

// spanOf is from the first request to the last answer.
func spanOf(list []request) time.Duration {
	if len(list) == 0 {
		return 0
	}
	first := slices.MinFunc(list, func(a, b request) int { return a.begin.Compare(b.begin) })
	last := slices.MaxFunc(list, func(a, b request) int { return a.end.Compare(b.end) })
	return last.end.Sub(first.begin)
}

// bareShop sends the requests again, to a shop of its own: so many at a time, those of one product one after the other,
// and first, one by one, those that make what products need.
func bareShop(ctx context.Context, base, token string, list []request) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: shopWriters}}
	defer client.CloseIdleConnections()
	begin := time.Now()
	var chains [][]request
	at := map[string]int{}
	for i := range list {
		r := &list[i]
		n, known := at[r.product]
		switch {
		case r.method != http.MethodGet && r.product == "":
			if err := sendAgain(ctx, client, base, token, r); err != nil {
				return 0, err
			}
		case known:
			chains[n] = append(chains[n], *r)
		default:
			if r.product != "" {
				at[r.product] = len(chains)
			}
			chains = append(chains, []request{*r})
		}
	}
	next := make(chan []request, len(chains))
	for _, c := range chains {
		next <- c
	}
	close(next)
	errs := make([]error, shopWriters)
	var wg sync.WaitGroup
	for i := range shopWriters {
		wg.Go(func() {
			for c := range next {
				for j := range c {
					if errs[i] = sendAgain(ctx, client, base, token, &c[j]); errs[i] != nil {
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin), errors.Join(errs...)
}

func sendAgain(ctx context.Context, client *http.Client, base, token string, r *request) error {
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.uri, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != r.status {
		err = fmt.Errorf("%s %.100s: the bare client is answered %d, lockstep %d", r.method, r.uri, resp.StatusCode, r.status)
	}
	return err
}

func sumOf(text string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text))
	return sum.Sum64()
}
