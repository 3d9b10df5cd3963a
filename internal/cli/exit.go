package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// Exit is what the process ends with. The tables of docs/operations.md and `lockstep help exit-codes` are printed
// from exits.
type Exit int

// The exit codes.
const (
	ExitOK          Exit = 0
	ExitError       Exit = 1
	ExitUsage       Exit = 2
	ExitDifferences Exit = 3
	ExitWaiting     Exit = 4
	ExitAsks        Exit = 5
	ExitUnavailable Exit = 6
	ExitInterrupted Exit = 130
)

// exits is the one table of exit codes.
var exits = []struct {
	code Exit
	word string // for --json
	text string
}{
	{ExitOK, "ok", "done; both sides are level as far as the command looked"},
	{ExitError, "error", "an error; what was settled before it stays settled"},
	{ExitUsage, "usage", "the command was used wrongly, or the configuration is wrong; nothing was done"},
	{ExitDifferences, "differences", "differences were found (`verify`, `plan --exit-code`, `test`)"},
	{ExitWaiting, "waiting", "done, but records are parked, or wait for a retry or a reference"},
	{ExitAsks, "asks", "stopped, and asks a person: the delete brake, a short read, a stale plan, a lost position, a changed schema"},
	{ExitUnavailable, "unavailable", "a system, the store or the daemon is not available; try again later"},
	{ExitInterrupted, "interrupted", "interrupted by a signal; the step in hand was settled, unless a second signal came"},
}

func (e Exit) String() string {
	for _, x := range exits {
		if x.code == e {
			return x.word
		}
	}
	return fmt.Sprintf("exit %d", int(e))
}

// exitTable is the exit codes as a Markdown table.
func exitTable() string {
	var b strings.Builder
	b.WriteString("| code | means |\n|---|---|\n")
	for _, x := range exits {
		fmt.Fprintf(&b, "| %d | %s |\n", x.code, x.text)
	}
	return b.String()
}

// ended is an error that has been told already, or needs no words: only its exit code counts.
type ended struct{ code Exit }

func (e ended) Error() string { return e.code.String() }

// withExit is an error that ends with another exit code than its own code's.
type withExit struct {
	error
	code Exit
}

func (e withExit) Unwrap() error { return e.error }

// exitOf is the exit code for an error; the worst where several are joined.
func exitOf(err error) Exit {
	if err == nil {
		return ExitOK
	}
	if e, ok := errors.AsType[ended](err); ok {
		return e.code
	}
	code := ExitOK
	for _, one := range split(err) {
		if c := exitOfOne(one); rank(c) > rank(code) {
			code = c
		}
	}
	return code
}

// rank orders exit codes by what a caller must know first.
func rank(e Exit) int {
	for i, x := range []Exit{ExitOK, ExitWaiting, ExitDifferences, ExitInterrupted, ExitUnavailable, ExitAsks, ExitUsage, ExitError} {
		if x == e {
			return i
		}
	}
	return 0
}

func exitOfOne(err error) Exit {
	if errors.Is(err, context.Canceled) {
		return ExitInterrupted
	}
	if e, ok := errors.AsType[withExit](err); ok {
		return e.code
	}
	f := lockstep.FaultOf(err)
	switch f.Code {
	case lockstep.CodeUsage, lockstep.CodeConfig, lockstep.CodeSecret, lockstep.CodeNoFlow,
		lockstep.CodeNoStream, lockstep.CodeNoField, lockstep.CodeNoKey:
		return ExitUsage
	case lockstep.CodeDeleteBrake, lockstep.CodeShortRead, lockstep.CodeStalePlan, lockstep.CodeDrift:
		return ExitAsks
	case lockstep.CodeTooManyFailed:
		return ExitWaiting
	case lockstep.CodeBusy, lockstep.CodeTimeout, lockstep.CodeNetwork:
		return ExitUnavailable
	}
	switch f.Kind {
	case lockstep.Unavailable, lockstep.Throttled:
		return ExitUnavailable
	case lockstep.Lost:
		return ExitAsks
	}
	return ExitError
}

// split is the errors that were joined into err, each once.
func split(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range many.Unwrap() {
			all = append(all, split(one)...)
		}
		return all
	}
	return []error{err}
}
