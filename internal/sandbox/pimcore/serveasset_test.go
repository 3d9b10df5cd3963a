package pimcore_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// The bytes of an asset are at its full path, and nothing else is.
func TestAssetsAreServed(t *testing.T) {
	srv, err := pimcore.New(pimcore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	folder, err := srv.CreateAsset(pimcore.NewAsset{Filename: "pictures", Folder: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.CreateAsset(pimcore.NewAsset{Parent: folder, Filename: "hat.png", Data: []byte("\x89PNG\r\n\x1a\nhat")}); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	defer web.Close()
	for path, want := range map[string]int{"/pictures/hat.png": 200, "/var/assets/pictures/hat.png": 200, "/pictures": 404, "/pictures/cap.png": 404} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, web.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want || want == 200 && (string(body) != "\x89PNG\r\n\x1a\nhat" || resp.Header.Get("Content-Type") != "image/png") {
			t.Errorf("%s: %d %s %q", path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
	}
}
