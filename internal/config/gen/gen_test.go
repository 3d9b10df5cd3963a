package gen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/postgres"
	"github.com/lockstep-sync/lockstep/connector/sqlite"
	"github.com/lockstep-sync/lockstep/internal/config"
)

func connectors() []lockstep.Connector {
	return []lockstep.Connector{postgres.Connector, sqlite.Connector}
}

// What is committed is what the code says now.
func TestGenerated(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for name, text := range map[string]string{
		filepath.Join("docs", "configuration.md"): config.Reference(connectors()),
		"lockstep.schema.json":                    string(config.Schema(connectors())),
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
	c, err := config.Parse("lockstep.yaml", []byte(config.Example), connectors(), func(string) (string, bool) { return "something", true })
	if err != nil {
		t.Fatal(err)
	}
	if f := c.Flow("products"); len(f.Map) != 4 || f.Full == nil {
		t.Errorf("%+v", f)
	}
}

// The example of every connector is a system that the decoder takes.
func TestExamplesLoad(t *testing.T) {
	for _, c := range connectors() {
		spec := c.Spec()
		text := "systems:\n  example:\n    " + strings.ReplaceAll(strings.TrimSpace(spec.Example), "\n", "\n    ") + "\nflows: {}\n"
		if _, err := config.Parse(spec.Kind+".yaml", []byte(text), connectors(), func(string) (string, bool) { return "something", true }); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}
