package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

const examplesYAML = `
- name: a product
  flow: products
  input: {sku: p1, name: boot, price: 100, category: c1}
  links: {categories: {c1: 7}}
  expect: {sku: p1, title: BOOT, price: 122, category_id: "7"}
- name: another price
  flow: products
  input: {sku: p1, name: boot, price: 100}
  contains: {price: 123}
- name: a category
  flow: categories
  input: {code: c1}
  contains: {code: c1}
`

func TestExamples(t *testing.T) {
	p := shop(t)
	cfg := p.must(shopYAML)
	file := filepath.Join(p.dir, "examples.yaml")
	if err := os.WriteFile(file, []byte(examplesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, connect := range []bool{false, true} {
		got, err := Test(t.Context(), cfg, []string{file}, connect)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || !got[0].OK || got[1].OK || !got[2].OK {
			t.Fatalf("connected %v: %+v", connect, got)
		}
		f := got[1].Fields
		if len(f) != 1 || f[0].Field != "price" || !strings.HasPrefix(string(f[0].Ours), "122") || string(f[0].Theirs) != "123" || got[1].Pos.Line != 7 {
			t.Errorf("connected %v: what differs is %+v at %v", connect, f, got[1].Pos)
		}
	}
	if _, err := os.Stat(cfg.Store); err == nil {
		t.Error("a test of examples made a store")
	}
	if err := os.WriteFile(file, []byte("- {name: lost, flow: product, input: {a: 1}, expect: {a: 1}}\n- {name: nobody's, input: {a: 1}, expect: {a: 1}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Test(t.Context(), cfg, []string{file, "nowhere.yaml"}, false)
	if code(err) != lockstep.CodeNoFlow || !strings.Contains(err.Error(), "did you mean `products`?") || !strings.Contains(err.Error(), "names no flow") ||
		!strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("the mistakes of examples: %v", err)
	}
}
