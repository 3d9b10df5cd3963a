package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// Pos is a place in a file; lines and columns count from 1, columns in characters. Line 0 is the file as a whole.
type Pos struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"column,omitempty"`
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Pos     Pos
	Path    string // the setting: "flows.products.from.system"
	Code    lockstep.Code
	Message string
	Hint    string // what to do, "" where the message says it
	Source  string // the line, with what may be secret masked (law 12); "" where there is none to show
	Caret   int    // the column in Source that Pos.Col shows up at
}

func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Pos, p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	if p.Source != "" {
		fmt.Fprintf(&b, "\n%6d | %s\n       | %s^", p.Pos.Line, p.Source, strings.Repeat(" ", max(p.Caret-1, 0)))
	}
	return b.String()
}

// MarshalJSON is for --json.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Pos
		Path    string        `json:"path,omitempty"`
		Code    lockstep.Code `json:"code"`
		Message string        `json:"message"`
		Hint    string        `json:"hint,omitempty"`
		Source  string        `json:"source,omitempty"`
	}{p.Pos, p.Path, p.Code, p.Message, p.Hint, p.Source})
}

// Errors are all the problems of a configuration, in the order of the file. Load and Parse hand it out inside a
// *lockstep.Fault of CodeConfig; errors.AsType[*Errors] finds it.
type Errors struct {
	File     string    `json:"file"`
	Problems []Problem `json:"problems"`
}

// maxShown bounds how many problems are printed: behind a hundred comes nothing that helps.
const maxShown = 100

func (e *Errors) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %s", e.File, count(len(e.Problems), "problem"))
	for i, p := range e.Problems {
		if i == maxShown {
			fmt.Fprintf(&b, "\n… and %d more", len(e.Problems)-i)
			break
		}
		b.WriteString("\n" + p.String())
	}
	return b.String()
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// fault is problems as an error: nil where there are none.
func fault(file string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	// One thing reached by two aliases is wrong once.
	problems = slices.CompactFunc(problems, func(a, b Problem) bool { return a.Pos == b.Pos && a.Message == b.Message })
	code := lockstep.CodeConfig
	if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code != lockstep.CodeSecret }) {
		code = lockstep.CodeSecret
	}
	return lockstep.NewFault(code, &Errors{File: file, Problems: problems})
}
