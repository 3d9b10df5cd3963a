package mapping_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// TestDocsTellTheTruth runs the mapping that docs/mapping.md begins with on the fixtures that it shows.
func TestDocsTellTheTruth(t *testing.T) {
	text, err := os.ReadFile("../../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) != 2 {
		t.Fatalf("docs/mapping.md has %d blocks of YAML, a mapping and its fixtures are expected", len(blocks))
	}
	var doc struct {
		Flows map[string]struct {
			Where string
			Map   yaml.Node
		}
	}
	if err := yaml.Unmarshal([]byte(blocks[0]), &doc); err != nil {
		t.Fatal(err)
	}
	flow := doc.Flows["products"]
	stream := lockstep.Stream{Name: "Product", Fields: []lockstep.Field{{Name: "sku", Type: typ(value.TextType)}, {Name: "name", Type: typ(value.TextType)}, {Name: "price", Type: typ(value.DecimalType)},
		{Name: "published", Type: typ(value.BoolType)}, {Name: "tax_code", Type: typ(value.TextType)}, {Name: "categories", Type: typ(value.JSONType)}, {Name: "city", Type: typ(value.TextType)}}}
	spec := mapping.Spec{Flow: "products", Source: stream, Filter: &mapping.Rule{Expr: flow.Where}, Maps: map[string]map[string]value.Value{"tax": {"A": value.Int(1)}}}
	for i := 0; i < len(flow.Map.Content); i += 2 {
		spec.Fields = append(spec.Fields, mapping.Rule{Name: flow.Map.Content[i].Value, Expr: flow.Map.Content[i+1].Value})
	}
	m, err := mapping.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	in, err := image.New(stream, nil, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := image.New(lockstep.Stream{}, m.Writes(), image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := mapping.ParseFixtures("docs/mapping.md", []byte(blocks[1]))
	if err != nil || len(fixtures) < 3 {
		t.Fatal(len(fixtures), err)
	}
	for _, f := range fixtures {
		if got := m.Check(f, in, out); !got.OK {
			t.Errorf("%s: %s %v", f.Name, got.Message, got.Fields)
		}
	}
}
