package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
)

func TestExitCodes(t *testing.T) {
	brake, away := lockstep.Faultf(lockstep.CodeDeleteBrake, "x"), lockstep.Faultf(lockstep.CodeUnavailable, "y")
	for _, c := range []struct {
		err  error
		want Exit
	}{
		{nil, ExitOK},
		{errors.New("x"), ExitError},
		{usagef("x"), ExitUsage},
		{lockstep.Faultf(lockstep.CodeConfig, "x"), ExitUsage},
		{ended{ExitDifferences}, ExitDifferences},
		{fmt.Errorf("a: %w", brake), ExitAsks},
		{lockstep.Faultf(lockstep.CodeClock, "x"), ExitAsks},
		{lockstep.Faultf(lockstep.CodeStoreLocked, "x"), ExitUnavailable},
		{context.Canceled, ExitInterrupted},
		{errors.Join(away, brake), ExitAsks},
		{errors.Join(away, errors.Join(errors.New("x"), brake)), ExitError},
		{withExit{lockstep.Faultf(lockstep.CodeFile, "x"), ExitUsage}, ExitUsage},
	} {
		if got := exitOf(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
	for _, x := range exits {
		if rank(x.code) == 0 && x.code != ExitOK {
			t.Errorf("exit code %d has no rank", x.code)
		}
	}
}

// An error is said once, whoever joined it, with its code, its place and the next step.
func TestComplain(t *testing.T) {
	f := lockstep.Faultf(lockstep.CodeLogin, "password authentication failed").On(lockstep.About{System: "shop"})
	var out bytes.Buffer
	tool := &tool{err: &out, env: func(string) string { return "" }}
	tool.complain(errors.Join(f, f))
	want := "error LS-LOGIN: password authentication failed\n  means the system refused the credentials\n  where system shop\n" +
		"  next  Check user, password or token in the configuration, then start the flow again.\n"
	if out.String() != want {
		t.Errorf("it says\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	tool.json = true
	tool.complain(fmt.Errorf("open: %w", f))
	var said struct {
		Error errorJSON
		Exit  int
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil || said.Error.Code != lockstep.CodeLogin || said.Error.Message != "open: password authentication failed" ||
		said.Error.System != "shop" || said.Exit != 1 {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	tool.complain(ended{ExitDifferences})
	if out.Len() > 0 {
		t.Errorf("what has been told is told again: %s", out.String())
	}
}

func TestWords(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.Local)
	for got, want := range map[string]string{
		number(0):                                    "0",
		number(999):                                  "999",
		number(-1234567):                             "-1,234,567",
		count(1, "record"):                           "1 record",
		count(1200, "entry"):                         "1,200 entries",
		span(1234 * time.Microsecond):                "1ms",
		span(1300 * time.Millisecond):                "1.3s",
		span(125 * time.Second):                      "2m05s",
		span(50 * time.Hour):                         "2d2h",
		moment(time.Time{}, now):                     "never",
		moment(now.Add(-5*time.Second), now):         "14:59:55 (5s ago)",
		moment(now.Add(-48*time.Hour), now):          "2026-11-21 15:00:00 (2d0h ago)",
		progressLine("a", 500, 2000, 0, time.Second): "a  500 of 2,000 (25%), 500/s, 3.0s left",
		progressLine("a", 500, -1, 0, time.Second):   "a  500, 500/s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Long values are cut where they differ.
func TestShorten(t *testing.T) {
	long := strings.Repeat("a", 300)
	a, b := shorten(json.RawMessage(`"`+long+`x"`), json.RawMessage(`"`+long+`y"`))
	if !strings.HasSuffix(a, `x"`) || !strings.HasSuffix(b, `y"`) || len(a) > 80 {
		t.Errorf("%s\n%s", a, b)
	}
}

// Bars are drawn on a terminal only; a line comes every few seconds elsewhere.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	l := &lines{w: &out, every: 0, at: map[string]*pace{}}
	for n := range int64(3) {
		l.show(app.Progress{Flow: "products", Phase: "scan", Counts: app.Counts{Read: n * 100}, Total: 1000})
	}
	if got := out.String(); strings.Count(got, "\n") < 2 || !strings.Contains(got, "products: reading and writing  200 of 1,000 (20%)") || strings.Contains(got, "\x1b") {
		t.Errorf("%s", got)
	}
	for _, c := range []struct {
		tool tool
		live bool
	}{
		{tool{errTTY: true}, true}, {tool{}, false}, {tool{errTTY: true, json: true}, false}, {tool{errTTY: true, quiet: true}, false}, {tool{errTTY: true, noColor: true}, false},
	} {
		c.tool.env = func(string) string { return "" }
		if c.tool.live() != c.live {
			t.Errorf("%+v: live is %v", c.tool, !c.live)
		}
	}
	ci := tool{errTTY: true, env: func(name string) string { return map[string]string{"CI": "true"}[name] }}
	if ci.live() {
		t.Error("bars in CI")
	}
}

func TestReadKeys(t *testing.T) {
	tool := &tool{in: strings.NewReader("7\n\na,b\r\n")}
	keys, err := tool.readKeys([]string{"1, 2", `["a","b"]`, "@-"})
	if err != nil || fmt.Sprintf("%q", keys) != `["1" "2" "[\"a\",\"b\"]" "7" "a,b"]` {
		t.Errorf("%q, %v", keys, err)
	}
	if _, err := tool.readKeys([]string{","}); exitOf(err) != ExitUsage {
		t.Errorf("no key: %v", err)
	}
	if _, err := tool.readKeys([]string{"@/nowhere/keys"}); lockstep.FaultOf(err).Code != lockstep.CodeFile {
		t.Errorf("no file: %v", err)
	}
}
