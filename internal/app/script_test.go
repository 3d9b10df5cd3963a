package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/memory"
)

// TestScriptProblems: mistakes of a script, and of what calls it, are at their places: in the file, and in a script's own.
func TestScriptProblems(t *testing.T) {
	p := newPlace(t)
	p.conns = []lockstep.Connector{memory.Connector}
	star := "def label(name):\n\treturn nme\n"
	if err := os.WriteFile(filepath.Join(p.dir, "labels.star"), []byte(star), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := p.must(`systems:
  pim:  {type: memory}
  shop: {type: memory}
flows:
  products:
    from: {system: pim, stream: products, track: {by: snapshot}}
    to:   {system: shop, stream: products}
    script: |
      def label(name):
          return name +

    map: {label: label(name)}
  brands:
    from: {system: pim, stream: brands, track: {by: snapshot}}
    to:   {system: shop, stream: brands}
    script: {file: labels.star}
    map: {label: label(name)}
  colors:
    from: {system: pim, stream: colors, track: {by: snapshot}}
    to:   {system: shop, stream: colors}
    script: {text: "def f(x):\n  return x", steps: 5000}
    map: {label: 'f(name, name)'}
`)
	_, err := Check(cfg)
	same(t, problems(t, err), []string{
		"2:9 flows.brands.script LS-CONFIG undefined: nme (did you mean name?)",
		"10:24 flows.products.script LS-CONFIG got newline, want primary expression",
		"22:19 flows.colors.map.label LS-CONFIG f of the script takes 1 argument, not 2",
	})
	for _, want := range []string{"labels.star:2:9: undefined: nme", "| return nme", "10 |           return name +"} {
		if !strings.Contains(strings.ReplaceAll(err.Error(), "|  return", "| return"), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
