package magento

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// pngOf is a file that begins as a PNG does; no two with different texts are equal.
func pngOf(text string) []byte { return []byte("\x89PNG\r\n\x1a\n" + text) }

func TestFetchingAnImage(t *testing.T) {
	var other *httptest.Server
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			_, _ = w.Write(pngOf("x"))
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, other.URL+"/ok", http.StatusFound)
		case "/large":
			_, _ = w.Write(pngOf(strings.Repeat("x", 2000)))
		case "/largechunked":
			for range 20 {
				_, _ = w.Write(pngOf(strings.Repeat("x", 100)))
				w.(http.Flusher).Flush()
			}
		case "/svg":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte("<svg/>"))
		case "/down":
			w.WriteHeader(http.StatusBadGateway)
		case "/denied":
			w.WriteHeader(http.StatusForbidden)
		case "/cut":
			w.Header().Set("Content-Length", "500")
			_, _ = w.Write(pngOf("x"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	other = httptest.NewServer(srv.Config.Handler)
	defer other.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	listed := newFetcher([]string{host}, 1000)
	defer listed.close()

	for _, path := range []string{"/ok?sig=hush", "/moved"} {
		got, err := listed.fetch(t.Context(), hashA, srv.URL+path)
		if err != nil {
			t.Fatal(path, err)
		}
		b, _ := io.ReadAll(got.reader())
		if string(b) != string(pngOf("x")) || got.ext != "png" || got.mime != "image/png" || got.size != int64(len(b)) || len(got.sum) != sumLength {
			t.Errorf("%s: %q %+v", path, b, got)
		}
		got.close()
	}
	for path, want := range map[string]lockstep.FaultKind{
		"/nothing": lockstep.Invalid, "/circle": lockstep.Invalid, "/elsewhere": lockstep.Invalid, "/large": lockstep.Invalid,
		"/largechunked": lockstep.Invalid, "/svg": lockstep.Invalid, "/denied": lockstep.Invalid,
		"/down": lockstep.Transient, "/cut": lockstep.Transient,
	} {
		_, err := listed.fetch(t.Context(), hashA, srv.URL+path+"?sig=hush")
		f := lockstep.FaultOf(err)
		if f == nil || f.Kind != want || f.Unknown {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, hashA) || strings.Contains(text, "hush") || strings.Contains(text, path) {
			t.Errorf("%s: %s", path, text)
		}
	}

	open := newFetcher(nil, 1000)
	defer open.close()
	for _, url := range []string{srv.URL + "/ok", "http://localhost:1/ok", "http://10.0.0.1/", "http://[::1]:1/", "http://169.254.169.254/", "http://100.64.1.1/", "ftp://example.com/x", "nonsense", "http://"} {
		if _, err := open.fetch(t.Context(), hashA, url); lockstep.KindOf(err) != lockstep.Invalid {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := listed.fetch(t.Context(), hashA, other.URL+"/ok"); lockstep.KindOf(err) != lockstep.Invalid {
		t.Errorf("a host that is not listed: %v", err)
	}
}

func TestAShelfFetchesOnceAndIsBounded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(pngOf(r.URL.Path))
	}))
	defer srv.Close()
	f := newFetcher([]string{strings.TrimPrefix(srv.URL, "http://")}, 1000)
	defer f.close()
	s := &shelf{from: f}
	use := func(ctx context.Context, path string) error {
		image, done, err := s.take(ctx, hashA, srv.URL+path)
		if err != nil {
			return err
		}
		defer done()
		if b, _ := io.ReadAll(image.reader()); string(b) != string(pngOf(path)) {
			return fmt.Errorf("%q", b)
		}
		return nil
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := use(t.Context(), "/one"); err != nil {
				t.Error(err)
			}
			if err := use(t.Context(), "/missing"); lockstep.KindOf(err) != lockstep.Invalid {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("%d requests for two images", n)
	}
	for i := range 100 {
		if err := use(t.Context(), fmt.Sprint("/", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.items) > mostShelved {
		t.Errorf("%d images on the shelf", len(s.items))
	}
	s.close()
	if left, _ := os.ReadDir(os.TempDir()); len(left) > 0 || s.size != 0 {
		t.Errorf("%d files and %d bytes are left", len(left), s.size)
	}
}
