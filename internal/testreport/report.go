package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build events, in place of Package
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

type testID struct{ pkg, test string }

// outcome is how one test, or a package as a whole (test ""), ended.
type outcome struct {
	testID
	took   time.Duration
	reason string // of a skip
}

// report is what a test run came to. Output is kept of tests that still run, and printed only where one fails.
type report struct {
	module  string // cut off the names of packages
	passed  int
	failed  []outcome
	skipped []outcome
	took    []outcome
	output  map[testID][]string
	builds  map[string][]string
}

func newReport(module string) *report {
	return &report{module: module, output: map[testID][]string{}, builds: map[string][]string{}}
}

// read takes the events of r to its end and writes to w what a person wants to see at once: packages that are done,
// and all that a failed test said.
func (rp *report) read(r io.Reader, w io.Writer) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				_, _ = w.Write(line) // not of test2json: a compiler's or the go command's own words
			} else {
				rp.take(e, w)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (rp *report) take(e event, w io.Writer) {
	id := testID{e.Package, e.Test}
	o := outcome{testID: id, took: time.Duration(e.Elapsed * float64(time.Second))}
	switch e.Action {
	case "build-output":
		rp.builds[e.ImportPath] = append(rp.builds[e.ImportPath], e.Output)
	case "build-fail":
		fmt.Fprintf(w, "FAIL  %s does not build\n%s", rp.short(e.ImportPath), strings.Join(rp.builds[e.ImportPath], ""))
	case "output":
		rp.output[id] = append(rp.output[id], e.Output)
	case "pass":
		rp.ended(o, "ok  ", w)
		if e.Test != "" {
			rp.passed++
		}
	case "skip":
		o.reason = reason(rp.output[id])
		if e.Test != "" { // a package that skips has no tests
			rp.skipped = append(rp.skipped, o)
		}
		rp.ended(o, "none", w)
	case "fail":
		rp.failed = append(rp.failed, o)
		fmt.Fprintf(w, "FAIL  %s %s\n%s", rp.short(e.Package), e.Test, strings.Join(rp.output[id], ""))
		rp.ended(o, "FAIL", w)
	}
}

func (rp *report) ended(o outcome, mark string, w io.Writer) {
	delete(rp.output, o.testID)
	if o.test != "" {
		rp.took = append(rp.took, o)
		return
	}
	if mark != "none" {
		fmt.Fprintf(w, "%s  %7s  %s\n", mark, o.took.Round(100*time.Millisecond), rp.short(o.pkg))
	}
}

func (rp *report) short(pkg string) string {
	if rest, ok := strings.CutPrefix(pkg, rp.module); ok {
		return "." + rest
	}
	return pkg
}

var logLine = regexp.MustCompile(`^\s+[\w.-]+\.go:\d+: (.*)`)

// reason is the last log line of a test: what t.Skip was given.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if m := logLine.FindStringSubmatch(line); m != nil {
			return strings.TrimSpace(m[1])
		}
	}
	return "no reason given"
}

// refused are the skips whose reason begins with none of allowed.
func (rp *report) refused(allowed []string) []outcome {
	return slices.DeleteFunc(slices.Clone(rp.skipped), func(o outcome) bool {
		return slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(o.reason, a) })
	})
}

// summary writes the counts, the skips with their reasons, the slowest tests and the failures.
func (rp *report) summary(w io.Writer, slowest int) {
	tests := slices.DeleteFunc(slices.Clone(rp.took), func(o outcome) bool { return o.took < 500*time.Millisecond })
	slices.SortFunc(tests, func(a, b outcome) int { return cmp.Compare(b.took, a.took) })
	if len(tests) > 0 {
		fmt.Fprintf(w, "\nslowest tests:\n")
	}
	for _, o := range tests[:min(slowest, len(tests))] {
		fmt.Fprintf(w, "  %7s  %s %s\n", o.took.Round(100*time.Millisecond), rp.short(o.pkg), o.test)
	}
	if len(rp.skipped) > 0 {
		fmt.Fprintf(w, "\nSKIPPED:\n")
	}
	for _, o := range rp.skipped {
		fmt.Fprintf(w, "  %s %s: %s\n", rp.short(o.pkg), o.test, o.reason)
	}
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", rp.passed, len(rp.failedTests()), len(rp.skipped))
	for _, o := range rp.failed {
		fmt.Fprintf(w, "  FAILED  %s %s\n", rp.short(o.pkg), o.test)
	}
}

func (rp *report) failedTests() []outcome {
	return slices.DeleteFunc(slices.Clone(rp.failed), func(o outcome) bool { return o.test == "" })
}
