package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// complain prints an error once, on stderr: code, what, where, next step. With --json it is one object a line.
func (t *tool) complain(err error) {
	if _, ok := errors.AsType[ended](err); ok || err == nil {
		return
	}
	seen := map[string]bool{}
	for _, one := range split(err) {
		if seen[one.Error()] {
			continue // the same from several flows: once is enough
		}
		seen[one.Error()] = true
		if t.json {
			t.complainJSON(one)
			continue
		}
		t.complainText(one)
	}
}

func (t *tool) complainText(err error) {
	p := t.errPaint()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(t.err, p.warn("interrupted:"), "the step in hand was settled; the same command goes on from here")
		return
	}
	f := lockstep.FaultOf(err)
	if problems, ok := errors.AsType[*config.Errors](err); ok {
		fmt.Fprintf(t.err, "%s %s\n", p.bad("error "+string(f.Code)+":"), count(int64(len(problems.Problems)), "problem")+" in "+problems.File)
		showProblems(t.err, p, problems.Problems)
	} else {
		text := message(err, f)
		fmt.Fprintf(t.err, "%s %s\n", p.bad("error "+string(f.Code)+":"), indent(cmp.Or(text, title(f)), "  "))
		if text != "" && f.Code != lockstep.CodeUsage && f.Code != lockstep.CodeUnclassified {
			fmt.Fprintf(t.err, "  %s %s\n", p.dim("means"), title(f))
		}
	}
	if where := f.About.String(); where != "" {
		fmt.Fprintf(t.err, "  %s %s\n", p.dim("where"), where)
	}
	if f.Next != "" {
		fmt.Fprintf(t.err, "  %s  %s\n", p.dim("next"), next(f))
	}
}

// next is what to do; of a wrong usage the message says it.
func next(f *lockstep.Fault) string {
	if f.Code == lockstep.CodeUsage {
		return "`lockstep help COMMAND` shows how it is used, with examples."
	}
	return f.Next
}

// title is what the code means in general.
func title(f *lockstep.Fault) string {
	if info := f.Code.Info(); info.Title != "" {
		return info.Title
	}
	return string(f.Code)
}

// message is what went wrong this time: err's text without what is printed beside it.
func message(err error, f *lockstep.Fault) string {
	if f.Err == nil {
		return ""
	}
	outer := err.Error()
	if i := strings.Index(outer, f.Error()); i > 0 {
		return outer[:i] + f.Err.Error() // the operations that it was wrapped with
	}
	return f.Err.Error()
}

const mostProblems = 25

// showProblems prints the problems of a configuration, each with its source line.
func showProblems(w io.Writer, p paint, problems []config.Problem) {
	for i, problem := range problems {
		if i == mostProblems {
			fmt.Fprintf(w, "\n… and %d more\n", len(problems)-i)
			break
		}
		first, rest, _ := strings.Cut(problem.String(), "\n")
		place := problem.Pos.String() + ":"
		fmt.Fprintf(w, "\n%s%s\n", p.bold(place), strings.TrimPrefix(first, place))
		if rest != "" {
			fmt.Fprintln(w, p.dim(rest))
		}
	}
	fmt.Fprintln(w)
}

// errorJSON is an error for --json.
type errorJSON struct {
	Code     lockstep.Code    `json:"code"`
	Kind     string           `json:"kind"`
	Title    string           `json:"title,omitempty"`
	Message  string           `json:"message"`
	Flow     string           `json:"flow,omitempty"`
	System   string           `json:"system,omitempty"`
	Stream   string           `json:"stream,omitempty"`
	Key      lockstep.Key     `json:"key,omitempty"`
	Field    string           `json:"field,omitempty"`
	Request  string           `json:"request,omitempty"`
	Next     string           `json:"next,omitempty"`
	Problems []config.Problem `json:"problems,omitempty"`
}

func errorOf(err error) *errorJSON {
	if err == nil {
		return nil
	}
	f := lockstep.FaultOf(err)
	e := &errorJSON{
		Code: f.Code, Kind: f.Kind.String(), Title: f.Code.Info().Title, Message: message(err, f), Next: f.Next,
		Flow: f.About.Flow, System: f.About.System, Stream: f.About.Stream, Key: f.About.Key, Field: f.About.Field, Request: f.About.Request,
	}
	if problems, ok := errors.AsType[*config.Errors](err); ok {
		e.Problems = problems.Problems
		e.Message = count(int64(len(e.Problems)), "problem") + " in " + problems.File
	}
	return e
}

func (t *tool) complainJSON(err error) {
	e := errorOf(err)
	if errors.Is(err, context.Canceled) {
		e = &errorJSON{Code: "", Kind: "interrupted", Message: "interrupted by a signal"}
	}
	line, _ := json.Marshal(struct {
		Error *errorJSON `json:"error"`
		Exit  Exit       `json:"exit"`
	}{e, exitOf(err)})
	fmt.Fprintln(t.err, string(line))
}

func indent(text, by string) string { return strings.ReplaceAll(text, "\n", "\n"+by) }
