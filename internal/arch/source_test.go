package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The bounds of DESIGN.md section 4, in lines.
const (
	maxRootCode = 700 // of code: without blank lines and comments, and without the table of codes, which grows with the product
	maxMainCode = 30
	maxFile     = 600 // of a file, all in all
)

// codeLines counts the lines of a Go source that hold more than comments.
func codeLines(src []byte) int {
	var s scanner.Scanner
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(src))
	s.Init(file, src, nil, 0)
	seen := map[int]bool{}
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return len(seen)
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue // put in by the scanner
		}
		first := file.Line(pos)
		for line := first; line <= first+bytes.Count([]byte(lit), []byte("\n")); line++ {
			seen[line] = true
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestCodeLines(t *testing.T) {
	src := "package a\n\n// b\n/* c\nd */\nvar e = `1\n2` // f\n\nfunc g() {\n\t// h\n}\n"
	if got := codeLines([]byte(src)); got != 5 {
		t.Errorf("%d lines of code, want 5", got)
	}
}

func TestRootAndMainStaySmall(t *testing.T) {
	for _, p := range listed(t, "./...") {
		bound := 0
		switch {
		case p.ImportPath == Module:
			bound = maxRootCode
		case strings.HasPrefix(p.ImportPath, Module+"/cmd/"):
			bound = maxMainCode
		default:
			continue
		}
		lines := 0
		for _, f := range p.GoFiles {
			if p.ImportPath != Module || f != "codes.go" {
				lines += codeLines(read(t, filepath.Join(p.Dir, f)))
			}
		}
		if lines >= bound {
			t.Errorf("%s has %d lines of code and must stay under %d: a word too many has crept in", p.ImportPath, lines, bound)
		}
	}
}

func TestFilesHaveOneSubject(t *testing.T) {
	for _, p := range listed(t, "./...") {
		for _, name := range p.GoFiles {
			full := filepath.Join(p.Dir, name)
			src := read(t, full)
			file, err := parser.ParseFile(token.NewFileSet(), full, src, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if ast.IsGenerated(file) {
				continue
			}
			rel, err := filepath.Rel(root(t), full)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(src, []byte("\n")); n > maxFile {
				t.Errorf("%s has %d lines, more than %d: split it where there are two reasons to change", rel, n, maxFile)
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s has an init function: what is registered is a value, and what is built has a constructor", rel)
				}
			}
		}
	}
}
