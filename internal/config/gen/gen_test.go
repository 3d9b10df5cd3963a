package gen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// What is committed is what the code says now.
func TestGenerated(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for name, text := range map[string]string{
		filepath.Join("docs", "configuration.md"): config.Reference(all.All()),
		"lockstep.schema.json":                    string(config.Schema(all.All())),
	} {
		file := filepath.Join(root, name)
		if os.Getenv("LOCKSTEP_GEN") != "" {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%s is not current: run `make gen` (%v)", name, err)
		}
	}
}

func TestExampleLoads(t *testing.T) {
	c, err := config.Parse("lockstep.yaml", []byte(config.Example), all.All(), func(string) (string, bool) { return "something", true })
	if err != nil {
		t.Fatal(err)
	}
	if f := c.Flow("products"); len(f.Map) != 4 || f.Full == nil {
		t.Errorf("%+v", f)
	}
}

// The example of every connector is a system that the decoder takes.
func TestExamplesLoad(t *testing.T) {
	for _, c := range all.All() {
		spec := c.Spec()
		text := "systems:\n  example:\n    " + strings.ReplaceAll(strings.TrimSpace(spec.Example), "\n", "\n    ") + "\nflows: {}\n"
		if _, err := config.Parse(spec.Kind+".yaml", []byte(text), all.All(), func(string) (string, bool) { return "something", true }); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}
