package api

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/lockstep-sync/lockstep/internal/config"
)

func bare() *Server {
	return New(&config.Config{API: &config.API{MaxBody: 1 << 20}}, nil, Bounds{}, slog.New(slog.DiscardHandler))
}

// What is committed is what the code says now; `make gen` writes it.
func TestGenerated(t *testing.T) {
	_, text, err := bare().Documents()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "..", "docs", "openapi.yaml")
	if os.Getenv("LOCKSTEP_GEN") != "" {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != string(text) {
		t.Errorf("docs/openapi.yaml is not current: run `make gen` (%v)", err)
	}
}

func TestDocumentIsRight(t *testing.T) {
	text, _, err := bare().Documents()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security == nil || len(*op.Security) == 0 || op.Summary == "" || len(op.Tags) != 1 || op.Tags[0] == "" {
				t.Errorf("%s %s does not say who may, or what it does", method, path)
			}
			if op.Responses.Value("default") == nil {
				t.Errorf("%s %s does not say how it fails", method, path)
			}
		}
	}
}

// The page needs nothing from elsewhere, and shows every operation and code.
func TestPage(t *testing.T) {
	page := string(bare().page())
	for _, want := range []string{"/hooks/{flow}", "/v1/flows/{flow}/runs", `id="LS-SIGNATURE"`, `id="schema-Problem"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, not := range []string{"<script", "http://", "https://", "@import"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %s", not)
		}
	}
}
