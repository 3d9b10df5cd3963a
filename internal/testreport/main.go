// Command testreport runs `go test -json` with its arguments and prints what a person wants to know: what failed and
// what it said, what was skipped and why, what was slow. With LOCKSTEP_CI set a skipped test is a failure, unless it
// needs the data beside the repository and that is not there.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// What tests that read third-party data say when they skip, and where that data is, seen from the repository's root.
var needsData = []string{"needs ../shared/data", "third-party data "}

const dataDir = "../shared/data"

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	os.Exit(code)
}

func run(args []string, w io.Writer) (int, error) {
	module, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		return 2, err
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 2, err
	}
	// The terminal sends an interrupt to the tests, too; wait for them and report what they came to.
	signal.Ignore(syscall.SIGINT)
	if err := cmd.Start(); err != nil {
		return 2, err
	}
	rp := newReport(strings.TrimSpace(string(module)))
	if err := rp.read(out, w); err != nil {
		return 2, err
	}
	err = cmd.Wait()
	rp.summary(w, 15)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 2, err
	}
	return judge(rp, w), nil
}

// judge refuses skips where LOCKSTEP_CI asks for it.
func judge(rp *report, w io.Writer) int {
	if os.Getenv("LOCKSTEP_CI") == "" {
		return 0
	}
	allowed := needsData
	if _, err := os.Stat(dataDir); err == nil {
		allowed = nil
	}
	refused := rp.refused(allowed)
	for _, o := range refused {
		fmt.Fprintf(w, "  SKIPPED, which CI does not allow:  %s %s: %s\n", rp.short(o.pkg), o.test, o.reason)
	}
	return min(1, len(refused))
}
