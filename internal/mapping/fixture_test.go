package mapping_test

import (
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

var items = lockstep.Stream{Name: "items", Fields: []lockstep.Field{{Name: "sku", Type: typ(value.TextType)}, {Name: "gross", Type: value.Type{Kind: value.DecimalType, Precision: 10, Scale: 2}},
	{Name: "day", Type: typ(value.DateType)}, {Name: "category", Type: typ(value.TextType)}, {Name: "note", Type: value.Type{Kind: value.TextType, Length: 5}}}}

const fixturesYAML = `
- name: a published product
  flow: products
  input: {sku: a-1, price: 19.99, published: true, created: "2026-07-01T10:00:00Z", attrs: {category: 12}}
  links: {categories: {12: c-12}}
  expect: {sku: A-1, gross: 24.39, day: 2026-07-01, category: c-12, note: null}
- name: some fields
  input: {sku: b, price: "10.00", published: yes, created: "2026-07-01T10:00:00Z"}
  contains: {gross: 12.2}
- name: a draft
  input: {sku: c, published: false}
  filtered: true
- name: no price
  input: {sku: d, published: true}
  error: price is null
- name: waits for its category
  input: {sku: e, price: 1, published: true, attrs: {category: 13}}
  error: LS-REFERENCE
- name: too long
  input: {sku: f, price: 1, published: true, name: more than five}
  error: LS-VALUE
`

func TestFixtures(t *testing.T) {
	m := compile(t, mapping.Spec{Target: &items, Filter: &mapping.Rule{Expr: "published"}, Fields: []mapping.Rule{{Name: "sku", Expr: "upper(sku)"}, {Name: "gross", Expr: "price * 1.22"},
		{Name: "day", Expr: "date(created)"}, {Name: "category", Expr: `link("categories", attrs?.category)`}, {Name: "note", Expr: "name"}}})
	in, err := image.New(source, nil, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := image.New(items, m.Writes(), image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := mapping.ParseFixtures("products.test.yaml", []byte(fixturesYAML))
	if err != nil || len(fixtures) != 6 {
		t.Fatal(len(fixtures), err)
	}
	for _, f := range fixtures {
		if got := m.Check(f, in, out); !got.OK {
			t.Errorf("%s (%s): %s %v", f.Name, f.Pos, got.Message, got.Fields)
		}
	}
	// each of them fails when the mapping does something else
	lines, err := mapping.ParseFixtures("x.jsonl", []byte(`
{"input": {"sku": "a", "price": 1, "published": true}, "expect": {"sku": "A", "gross": 1.23, "nothing": 1}}
{"input": {"sku": "a", "price": 1, "published": true}, "filtered": true}
{"input": {"sku": "a", "published": false}, "expect": {}}
{"input": {"sku": "a", "price": 1, "published": true}, "error": "LS-MAPPING"}
{"input": {"sku": "a", "published": true}, "error": "LS-VALUE"}
{"input": {"skuu": "a"}, "filtered": true}
{"input": {"id": "x"}, "filtered": true}
{"input": {"sku": "a", "published": true}, "contains": {"sku": "A"}}
`))
	if err != nil || len(lines) != 8 {
		t.Fatal(len(lines), err)
	}
	for i, want := range []string{"", "the filter keeps", "the filter leaves out", "there was none", "price is null", `did you mean "sku"`, "does not fit the source", "price is null"} {
		got := m.Check(lines[i], in, out)
		if got.OK || !strings.Contains(got.Message, want) {
			t.Errorf("%d: %v %q, want %q", i, got.OK, got.Message, want)
		}
	}
	got := m.Check(lines[0], in, out).Fields
	var fields []string
	for _, f := range got {
		fields = append(fields, f.Field+" "+f.Want.String()+" "+f.Got.String())
	}
	if s := strings.Join(fields, "; "); s != "gross 1.23 1.22; nothing 1 null; day null null; category null null; note null null" {
		t.Errorf("differences: %s", s)
	}
}

func TestFixtureMistakes(t *testing.T) {
	_, err := mapping.ParseFixtures("f.yaml", []byte("- name: a\n  inptu: {}\n  filtered: true\n- input: 3\n  filtered: true\n- input: {}\n- input: {}\n  filtered: true\n  error: x\n- input: {a: 1, a: 2}\n- 7\n"))
	for _, want := range []string{`f.yaml:2:3: a fixture has no "inptu"; did you mean "input"?`, "f.yaml:1:3: a fixture needs an input", "f.yaml:4:3: input cannot be a whole number", "f.yaml:6:3: a fixture has one of",
		"f.yaml:7:3: a fixture has one of", "f.yaml:10:17: a name stands here twice", "f.yaml:11:3: a fixture has members"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	for name, text := range map[string]string{"a.yaml": "a: [", "a.jsonl": "{", "b.jsonl": "[1]"} {
		if _, err := mapping.ParseFixtures(name, []byte(text)); err == nil || !strings.Contains(err.Error(), "LS-FORMAT") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bomb := "- &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, l := range []string{"b", "c", "d", "e", "f", "g", "h"} {
		prev := string(rune(l[0] - 1))
		bomb += "- &" + l + " [" + strings.Repeat("*"+prev+",", 9) + "*" + prev + "]\n"
	}
	if _, err := mapping.ParseFixtures("bomb.yaml", []byte(bomb)); err == nil {
		t.Error("an alias bomb must be refused")
	}
}
