package arch

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
	GoFiles    []string
	Imports    []string // of GoFiles: tests are not in here
}

// listed runs `go list -json` in the repository's root.
func listed(t *testing.T, args ...string) []pkg {
	t.Helper()
	seen(t)
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Dir,Name,Standard,GoFiles,Imports"}, args...)...)
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// seen opens every folder of the repository: only so does `go test` know that a result of before is out of date when
// what `go list` looks at has changed.
func seen(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin") {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestArrowsPointDown(t *testing.T) {
	for _, p := range listed(t, "./...") {
		if _, err := Find(p.ImportPath); err != nil {
			t.Error(err)
			continue
		}
		for _, imp := range p.Imports {
			if imp != Module && !strings.HasPrefix(imp, Module+"/") {
				continue
			}
			if err := May(p.ImportPath, imp); err != nil {
				t.Error(err)
			}
		}
	}
}

// The words stand on the standard library alone, so that a connector out of tree drags in nothing.
func TestWordsStandAlone(t *testing.T) {
	for _, p := range listed(t, "-deps", ".") {
		if !p.Standard && p.ImportPath != Module && p.ImportPath != Module+"/value" {
			t.Errorf("the root reaches %s; it may reach the standard library and %s/value only", p.ImportPath, Module)
		}
	}
}

// What must be refused is: a rule that lets everything pass would pass every test above.
func TestRulesRefuse(t *testing.T) {
	for _, c := range []struct{ from, to, why string }{
		{"", "internal/engine", "arrows point down"},
		{"value", "", "arrows point down"},
		{"connector/sqlite", "connector/postgres", "do not know each other"},
		{"connector/sqlite", "internal/mapping", "do not know each other"},
		{"connector/internal/sqlkit", "connector/sqlite", "arrows point down"},
		{"internal/store/sqlite", "internal/store/memory", "do not know each other"},
		{"internal/mapping", "internal/image", "do not know each other"},
		{"internal/mapping", "internal/engine", "arrows point down"},
		{"internal/engine", "connector/memory", "interfaces only"},
		{"internal/engine", "internal/store/sqlite", "interfaces only"},
		{"internal/engine", "internal/app", "arrows point down"},
		{"internal/engine", "connector/all", "arrows point down"},
		{"internal/app", "internal/cli", "arrows point down"},
		{"internal/app", "internal/testkit", "only tests"},
		{"connector/sqlite", "connector/connectortest", "only tests"},
		{"internal/cellar", "", "stands on no floor"},
	} {
		err := May(path(c.from), path(c.to))
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q to %q: want a refusal with %q, got %v", c.from, c.to, c.why, err)
		}
	}
	for _, c := range [][2]string{
		{"", "value"}, {"connector/sqlite", "connector/internal/sqlkit"}, {"connector/sqlite", "connector/sqlite/internal/dsn"},
		{"internal/engine", "internal/mapping"}, {"internal/app", "connector/all"}, {"connector/all", "connector/sqlite"},
		{"cmd/lockstep", "internal/cli"}, {"internal/cli", "internal/app"}, {"internal/store/storetest", ""},
	} {
		if err := May(path(c[0]), path(c[1])); err != nil {
			t.Errorf("%q to %q: %v", c[0], c[1], err)
		}
	}
}

func path(rel string) string { return strings.TrimSuffix(Module+"/"+rel, "/") }
