package mapping_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// TestDocsTellTheTruth runs the mappings that docs/mapping.md shows on the fixtures that it shows.
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
	if len(blocks) != 4 {
		t.Fatalf("docs/mapping.md has %d blocks of YAML, two mappings and two files of fixtures are expected", len(blocks))
	}
	slices.SortStableFunc(blocks, func(a, b string) int { return boolInt(strings.HasPrefix(a, "-")) - boolInt(strings.HasPrefix(b, "-")) })
	fields := func(pairs ...any) lockstep.Stream {
		s := lockstep.Stream{}
		for i := 0; i < len(pairs); i += 2 {
			s.Fields = append(s.Fields, lockstep.Field{Name: pairs[i].(string), Type: typ(pairs[i+1].(value.TypeKind))})
		}
		return s
	}
	checkDocs(t, blocks, "products", fields("sku", value.TextType, "name", value.TextType, "price", value.DecimalType, "published", value.BoolType,
		"tax_code", value.TextType, "categories", value.JSONType, "city", value.TextType))
	checkDocs(t, blocks, "articles", fields("sku", value.TextType, "width", value.TextType, "specs", value.TextType))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func checkDocs(t *testing.T, blocks []string, name string, stream lockstep.Stream) {
	t.Helper()
	spec := mapping.Spec{Flow: name, Source: stream, Maps: map[string]map[string]value.Value{"tax": {"A": value.Int(1)}}}
	var fixtures []mapping.Fixture
	for _, block := range blocks {
		if strings.HasPrefix(block, "-") {
			some, err := mapping.ParseFixtures("docs/mapping.md", []byte(block))
			if err != nil {
				t.Fatal(err)
			}
			fixtures = append(fixtures, slices.DeleteFunc(some, func(f mapping.Fixture) bool { return f.Flow != name })...)
			continue
		}
		var doc struct {
			Flows map[string]struct {
				Where, Script string
				Map           yaml.Node
			}
		}
		if err := yaml.Unmarshal([]byte(block), &doc); err != nil {
			t.Fatal(err)
		}
		flow := doc.Flows[name]
		if flow.Where != "" {
			spec.Filter = &mapping.Rule{Expr: flow.Where}
		}
		if flow.Script != "" {
			spec.Script = &mapping.Script{Text: flow.Script}
		}
		for i := 0; i < len(flow.Map.Content); i += 2 {
			spec.Fields = append(spec.Fields, mapping.Rule{Name: flow.Map.Content[i].Value, Expr: flow.Map.Content[i+1].Value})
		}
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
	if len(fixtures) < 2 {
		t.Fatal(len(fixtures))
	}
	for _, f := range fixtures {
		if got := m.Check(f, in, out); !got.OK {
			t.Errorf("%s: %s %v", f.Name, got.Message, got.Fields)
		}
	}
}
