package api

import (
	"context"
	"fmt"
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

// The table of operations in docs/api.md is that of the document.
func TestGeneratedTable(t *testing.T) {
	const open, end = "<!-- operations -->\n", "<!-- /operations -->"
	s := bare()
	var b strings.Builder
	b.WriteString("<!-- Printed from the code by `make gen`; edits here are lost. -->\n\n| | | a token needs |\n|---|---|---|\n")
	for _, op := range s.operations() {
		needs := "`" + string(op.Right) + "`"
		if op.Path == "/hooks/{flow}" {
			needs = "`hook`, or a signature"
		}
		fmt.Fprintf(&b, "| `%s %s` | %s | %s |\n", op.Method, op.Path, op.Op.Summary, needs)
	}
	file := filepath.Join("..", "..", "docs", "api.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, opened := strings.Cut(string(text), open)
	_, tail, closed := strings.Cut(rest, end)
	want := head + open + b.String() + end + tail
	if !opened || !closed {
		t.Fatal("docs/api.md has no place for the table")
	}
	if os.Getenv("LOCKSTEP_GEN") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Error("docs/api.md is not current: run `make gen`")
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
