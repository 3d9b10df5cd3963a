package main

import (
	"bytes"
	"strings"
	"testing"
)

const lines = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"    a_test.go:3: quiet please\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0.7}
{"Action":"output","Package":"m/a","Test":"TestBad","Output":"    a_test.go:9: one is not two\n"}
{"Action":"fail","Package":"m/a","Test":"TestBad","Elapsed":0.1}
{"Action":"output","Package":"m/a","Test":"TestData","Output":"    a_test.go:11: a line before\n"}
{"Action":"output","Package":"m/a","Test":"TestData","Output":"    data_test.go:12: needs ../shared/data: no such folder\n"}
{"Action":"output","Package":"m/a","Test":"TestData","Output":"--- SKIP: TestData (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestData","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestServer","Output":"    a_test.go:20: needs PostgreSQL\n"}
{"Action":"skip","Package":"m/a","Test":"TestServer","Elapsed":0}
{"Action":"fail","Package":"m/a","Elapsed":1.2}
{"Action":"skip","Package":"m/empty","Elapsed":0}
{"ImportPath":"m/b [m/b.test]","Action":"build-output","Output":"b/b.go:1:1: not Go\n"}
{"ImportPath":"m/b [m/b.test]","Action":"build-fail"}
go: a warning of its own
`

func TestReport(t *testing.T) {
	rp := newReport("m")
	var said bytes.Buffer
	if err := rp.read(strings.NewReader(lines), &said); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one is not two", "b/b.go:1:1: not Go", "go: a warning of its own", "FAIL     1.2s  ./a\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("not said at once: %q in\n%s", want, &said)
		}
	}
	for _, unwanted := range []string{"quiet please", "empty"} {
		if strings.Contains(said.String(), unwanted) {
			t.Errorf("said, but of no interest: %q", unwanted)
		}
	}
	var sum bytes.Buffer
	rp.summary(&sum, 5)
	for _, want := range []string{
		"1 passed, 1 failed, 2 skipped", "700ms  ./a TestGood", "./a TestServer: needs PostgreSQL", "FAILED  ./a TestBad",
	} {
		if !strings.Contains(sum.String(), want) {
			t.Errorf("not in the summary: %q in\n%s", want, &sum)
		}
	}
}

func TestSkipsThatAreRefused(t *testing.T) {
	rp := newReport("m")
	if err := rp.read(strings.NewReader(lines), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if got := rp.refused(needsData); len(got) != 1 || got[0].test != "TestServer" {
		t.Errorf("where the data is absent: %v", got)
	}
	if got := rp.refused(nil); len(got) != 2 {
		t.Errorf("where nothing is allowed: %v", got)
	}
}

// The package's own tests through the real `go test -json`: build failures and skips come as the report expects.
func TestRealGo(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a package")
	}
	t.Setenv("LOCKSTEP_CI", "")
	var said bytes.Buffer
	code, err := run([]string{"-short", "-run", "TestRealGo|TestSkips", "."}, &said)
	if err != nil || code != 0 {
		t.Fatalf("code %d, %v\n%s", code, err, &said)
	}
	if want := "TestRealGo: compiles a package"; !strings.Contains(said.String(), want) {
		t.Errorf("the skip's reason is not there: %q in\n%s", want, &said)
	}
	t.Setenv("LOCKSTEP_CI", "1")
	said.Reset()
	if code, err = run([]string{"-short", "-run", "TestRealGo", "."}, &said); err != nil || code != 1 {
		t.Errorf("CI let a skip pass: code %d, %v\n%s", code, err, &said)
	}
}
