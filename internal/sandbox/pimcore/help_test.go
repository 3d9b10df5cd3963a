package pimcore

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stand is a server under test with a client.
type stand struct {
	*Server
	t   *testing.T
	url string
}

func newStand(t *testing.T, o Options) *stand {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return &stand{Server: s, t: t, url: web.URL + s.Path()}
}

// clock is one that tests set.
type clock struct{ at int64 }

func (c *clock) now() time.Time { return time.Unix(c.at, 0) }

func (s *stand) raw(body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", s.Key())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// ask sends a document and returns the answer as it came.
func (s *stand) ask(query string, vars map[string]any) string {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": vars})
	if err != nil {
		s.t.Fatal(err)
	}
	status, text := s.raw(string(body))
	if status != 200 {
		s.t.Fatalf("status %d: %s", status, text)
	}
	return text
}

// want compares an answer with JSON, by value.
func (s *stand) want(query string, vars map[string]any, want string) {
	s.t.Helper()
	same(s.t, s.ask(query, vars), want)
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(decoded(t, want), decoded(t, got)); diff != "" {
		t.Errorf("answer differs (-want +got):\n%s\ngot %s", diff, got)
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func (s *stand) must(id int, err error) int {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *stand) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// withoutLocations takes the places in the document out of an answer's errors.
func withoutLocations(t *testing.T, text string) string {
	t.Helper()
	v := decoded(t, text).(map[string]any)
	if list, ok := v["errors"].([]any); ok {
		for _, e := range list {
			delete(e.(map[string]any), "locations")
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
