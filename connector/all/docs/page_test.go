package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/lockstep-sync/lockstep/connector/all"
)

// The page that is committed is the one that would be generated now.
func TestPageIsFresh(t *testing.T) {
	got, err := os.ReadFile("../../../docs/connectors.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page(all.All())) {
		t.Error("docs/connectors.md is out of date: run `make gen`")
	}
}
