package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The list that is committed is the one that would be generated now.
func TestListIsFresh(t *testing.T) {
	out := filepath.Join(t.TempDir(), "all.go")
	if err := run("../..", out); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../all.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("connector/all/all.go is out of date: run `make gen`")
	}
}
