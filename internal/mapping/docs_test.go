package mapping

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// table prints the library as docs/mapping.md shows it.
func table() string {
	var b strings.Builder
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	for _, group := range []struct {
		title string
		list  []function
	}{{"Text", textFunctions}, {"Numbers", numberFunctions}, {"Times", timeFunctions}, {"Lists and objects", listFunctions}, {"Values and links", valueFunctions}} {
		fmt.Fprintf(&b, "\n### %s\n\n| function | gives | example |\n|---|---|---|\n", group.title)
		for _, f := range group.list {
			example := ""
			if f.example != "" {
				example = fmt.Sprintf("`%s` is `%s`", cell(f.example), cell(f.gives))
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.ReplaceAll(cell(f.usage), " or ", "`, `"), cell(f.doc), example)
		}
		if group.title == "Lists and objects" {
			b.WriteString("\nThese take an expression that is evaluated for each item: `#` is the item, `.name` a member of it, `#index` its place from 0.\n\n| function | gives |\n|---|---|\n")
			for _, l := range loopTable {
				fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(cell(l.usage), " or ", "`, `"), cell(l.doc))
			}
		}
	}
	return b.String()
}

const (
	tableBegin = "<!-- functions: written by `LOCKSTEP_UPDATE=1 go test ./internal/mapping` -->\n"
	tableEnd   = "<!-- end of functions -->"
)

// TestDocs holds docs/mapping.md to the library; LOCKSTEP_UPDATE=1 writes the table anew.
func TestDocs(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "mapping.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), tableBegin)
	_, tail, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatal("docs/mapping.md has lost the marks of the function table")
	}
	want := head + tableBegin + table() + "\n" + tableEnd + tail
	if want == string(text) {
		return
	}
	if os.Getenv("LOCKSTEP_UPDATE") == "" {
		t.Fatal("the function table of docs/mapping.md is not current: run LOCKSTEP_UPDATE=1 go test ./internal/mapping")
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestExamples runs every example of the library, and sees that every function has one.
func TestExamples(t *testing.T) {
	for name, f := range functions {
		if f.example == "" {
			if name != "lookup" && name != "link" && name != "later" {
				t.Errorf("%s has no example", name)
			}
			continue
		}
		m, err := Compile(Spec{Flow: "f", Fields: []Rule{{Name: "x", Expr: f.example}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, _, err := m.Worker().Map(lockstep.Record{}, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v, _ := out.Get("x")
		if got := string(value.AppendJSON(nil, v)); got != f.gives {
			t.Errorf("%s gives %s, the docs say %s", f.example, got, f.gives)
		}
	}
}

// TestSignatures: what the table says is what the compiler checks.
func TestSignatures(t *testing.T) {
	for name, f := range functions {
		if f.doc == "" || !strings.HasPrefix(f.usage, name+"(") || len(f.params) == 0 {
			t.Errorf("%s is not described", name)
		}
		optional := false
		for i, p := range f.params {
			if optional && !p.optional {
				t.Errorf("%s: a required argument behind an optional one", name)
			}
			if optional = optional || p.optional; p.many && i != len(f.params)-1 {
				t.Errorf("%s: only the last argument can come many times", name)
			}
		}
		if _, doubled := loops[name]; doubled {
			t.Errorf("%s is there twice", name)
		}
	}
}
