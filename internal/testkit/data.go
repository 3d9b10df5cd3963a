package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// Data is the path of a file of third-party data, which lies beside the repository and is no part of it. The test is
// skipped where it is absent.
func Data(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the tests run outside of the module")
		}
	}
	path := filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("third-party data %s is absent", name)
	}
	return path
}
