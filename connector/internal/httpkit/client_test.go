package httpkit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL + "/path?secret=hush"
}

func post(url string, write bool) httpkit.Request {
	return httpkit.Request{Method: http.MethodPost, URL: url, Body: []byte("{}"), Write: write, Name: "a request"}
}

func TestRequestsCarryTheirHeaders(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Key")+r.Header.Get("X-More")+r.Method)
	})
	c := httpkit.New(httpkit.Options{Header: http.Header{"X-Key": {"k"}}})
	t.Cleanup(c.Close)
	r := post(url, false)
	r.Header = http.Header{"X-More": {"m"}}
	a, err := c.Do(t.Context(), r)
	if err != nil || string(a.Body) != "kmPOST" || a.Status != 200 || a.Took <= 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestNoMoreInFlightThanAllowed(t *testing.T) {
	var now, most atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
	})
	c := httpkit.New(httpkit.Options{InFlight: 3})
	t.Cleanup(c.Close)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := c.Do(t.Context(), post(url, false)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d in flight", most.Load())
	}
}

func TestBodiesAreBounded(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"announced": func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), 2000)) },
		"streamed": func(w http.ResponseWriter, _ *http.Request) {
			for range 20 {
				w.Write(bytes.Repeat([]byte("x"), 100))
				w.(http.Flusher).Flush()
			}
		},
		"packed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(bytes.Repeat([]byte("x"), 1_000_000))
			z.Close()
		},
	} {
		c := httpkit.New(httpkit.Options{MaxBody: 1000})
		t.Cleanup(c.Close)
		_, err := c.Do(t.Context(), post(serve(t, h), true))
		if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeTooLarge || !f.Unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What broke on the way may have arrived, if it was a write; what never left has not.
func TestOutcomes(t *testing.T) {
	release := make(chan struct{})
	hang := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	cut := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("half"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	for name, c := range map[string]struct {
		url     string
		code    lockstep.Code
		unknown bool
	}{
		"no answer":  {hang, lockstep.CodeTimeout, true},
		"cut":        {cut, lockstep.CodeNetwork, true},
		"nobody":     {"http://127.0.0.1:1/?secret=hush", lockstep.CodeUnavailable, false},
		"no address": {"http://[::1/?secret=hush", lockstep.CodeConfig, false},
	} {
		client := httpkit.New(httpkit.Options{Timeout: 200 * time.Millisecond})
		t.Cleanup(client.Close)
		for _, write := range []bool{true, false} {
			_, err := client.Do(t.Context(), post(c.url, write))
			f := lockstep.FaultOf(err)
			if f == nil || f.Code != c.code || f.Unknown != (write && c.unknown) || f.About.Request != "a request" {
				t.Errorf("%s, write %v: %v (unknown %v)", name, write, err, f != nil && f.Unknown)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: the fault shows the address: %v", name, err)
			}
		}
	}
}

func TestACancelledContextIsItsOwnError(t *testing.T) {
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not notice
		<-r.Context().Done()
	})
	c := httpkit.New(httpkit.Options{InFlight: 1})
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for range 2 { // one of them waits for its turn
		go func() { _, err := c.Do(ctx, post(url, true)); done <- err }()
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}

func TestStatuses(t *testing.T) {
	for status, want := range map[int]struct {
		code    lockstep.Code
		unknown bool
	}{
		301: {lockstep.CodeCannot, false}, 400: {lockstep.CodeValue, false}, 401: {lockstep.CodeLogin, false}, 403: {lockstep.CodeRights, false}, 404: {lockstep.CodeGone, false},
		408: {lockstep.CodeTimeout, false}, 409: {lockstep.CodeVersionMoved, false}, 413: {lockstep.CodeTooLarge, false}, 422: {lockstep.CodeValue, false},
		429: {lockstep.CodeThrottled, false}, 500: {lockstep.CodeServer, true}, 502: {lockstep.CodeUnavailable, true}, 503: {lockstep.CodeUnavailable, true}, 504: {lockstep.CodeTimeout, true},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		c := httpkit.New(httpkit.Options{})
		t.Cleanup(c.Close)
		r := post(url, true)
		a, err := c.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if f := lockstep.FaultOf(r.Check(a)); f == nil || f.Code != want.code || f.Unknown != want.unknown {
			t.Errorf("%d: %v", status, r.Check(a))
		}
	}
}

func TestHowLongToWait(t *testing.T) {
	r := post("", false)
	for text, want := range map[string]time.Duration{"7": 7 * time.Second, "": 0, "soon": 0, "-1": 0, "99999999999": time.Hour, "86400": time.Hour} {
		a := &httpkit.Answer{Status: 429, Header: http.Header{"Retry-After": {text}}}
		if f := lockstep.FaultOf(r.Check(a)); f.Wait != want {
			t.Errorf("%q: %s", text, f.Wait)
		}
	}
	at := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	f := lockstep.FaultOf(r.Check(&httpkit.Answer{Status: 503, Header: http.Header{"Retry-After": {at}}}))
	if f.Code != lockstep.CodeThrottled || f.Wait < 80*time.Second || f.Wait > 90*time.Second {
		t.Errorf("%v, %s", f, f.Wait)
	}
}

func TestClock(t *testing.T) {
	a := &httpkit.Answer{Header: http.Header{"Date": {"Tue, 24 Nov 2026 22:00:10 GMT"}}, Took: 2500 * time.Millisecond}
	if at, ok := a.Clock(); !ok || at.Format(time.TimeOnly) != "22:00:07" {
		t.Errorf("%s %v", at, ok)
	}
	if _, ok := (&httpkit.Answer{Header: http.Header{}}).Clock(); ok {
		t.Error("a clock without a Date")
	}
}

func TestAddresses(t *testing.T) {
	for text, good := range map[string]bool{"https://a.example/x": true, "http://127.0.0.1:80/x": true, "ftp://a/x": false, "/x": false, "": false, "https://u:p@a/x": false, "http://[": false} {
		if err := httpkit.CheckURL(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		} else if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestABodyThatStreams(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %d %s", r.ContentLength, len(r.TransferEncoding), b)
	}))
	t.Cleanup(srv.Close)
	c := httpkit.New(httpkit.Options{})
	t.Cleanup(c.Close)
	stream := func() io.Reader { return io.MultiReader(strings.NewReader("ab"), strings.NewReader("cde")) }
	for range 2 {
		a, err := c.Do(t.Context(), httpkit.Request{Method: http.MethodPost, URL: srv.URL, Stream: stream, Length: 5})
		if err != nil || string(a.Body) != "5 0 abcde" {
			t.Fatalf("%v, %v", a, err)
		}
	}
}
