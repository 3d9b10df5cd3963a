package mapping_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

func scripted(text string, steps int, expr string) (*mapping.Mapping, error) {
	s := lockstep.Stream{Fields: []lockstep.Field{{Name: "x"}, {Name: "y"}}}
	return mapping.Compile(mapping.Spec{Flow: "f", Source: s, Fields: []mapping.Rule{{Name: "out", Expr: expr}}, Script: &mapping.Script{Text: text, Steps: steps}})
}

func runScript(t testing.TB, text, expr string, x, y any) (value.Value, error) {
	t.Helper()
	m, err := scripted(text, 0, expr)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := m.Worker().Map(lockstep.Record{Fields: value.F("x", x, "y", y)}, nil)
	v, _ := out.Get("out")
	return v, err
}

// TestScriptNumbers: what a script calculates is exact, and compared by what it is worth.
func TestScriptNumbers(t *testing.T) {
	for body, want := range map[string]string{
		`0.1 + 0.2`: "0.3", `7 / 2`: "3.5", `1 / 3`: "0.3333333333333333333333333333333333", `x * 1.22`: "24.3878", `x == 19.990`: "true", `-x`: "-19.99", `x > 19`: "true",
		`19.99 in [1, x]`: "true", `[1, {"a": 2.0}] == [1.0, {"a": 2}]`: "true", `max(1, x, 3.5)`: "19.99", `sorted([2.5, 1, 2])`: "[1,2,2.5]", `min([3, 2.50], key = lambda n: -n)`: "3",
		`abs(-1.5)`: "1.5", `7 // 2`: "3", `-7 % 3`: "2", `9223372036854775807 + 1`: "9223372036854775808", `int("42") + 1`: "43", `round(x, 1)`: "20.0", `"%s|%s" % (x, 1.50)`: `"19.99|1.50"`,
		`str(1e3)`: `"1000"`, `.5 + 1.`: "1.5", `float("0.5") * 2`: "1", `0.1 + float("0.2")`: "0.30000000000000004", `sum2(x, 1)`: "40.98", `sorted([3, 1], reverse = True)`: "[3,1]",
	} {
		v, err := runScript(t, "def sum2(a, b):\n  a += b\n  a *= 2\n  a -= 1\n  return a\ndef f(x):\n  return "+body, "f(x)", value.FromDecimal(dec("19.99")), nil)
		if got := string(value.AppendJSON(nil, v)); err != nil || got != want {
			t.Errorf("%s gives %s, want %s: %v", body, got, want, err)
		}
	}
}

// TestScriptBounds: whatever a script does, its record is parked before memory or time run out.
func TestScriptBounds(t *testing.T) {
	for name, body := range map[string]string{
		"text doubled":      "  s = \"abcdefgh\"\n  for i in range(60):\n    s = s + s\n  return s",
		"text doubled +=":   "  s = \"abcdefgh\"\n  for i in range(60):\n    s += s\n  return s",
		"text repeated":     "  return \"abc\" * 900000000",
		"list repeated":     "  return [1] * 900000000",
		"list grown":        "  s = [1]\n  for i in range(60):\n    s += s\n  return s",
		"list extended":     "  s = [1]\n  for i in range(60):\n    s.extend(s)\n  return s",
		"number squared":    "  n = 3\n  for i in range(60):\n    n = n * n\n  return n",
		"number squared *=": "  n = 3\n  for i in range(60):\n    n *= n\n  return n",
		"long range":        "  return list(range(900000000))",
		"long loop":         "  n = 0\n  for i in range(1000000):\n    for j in range(1000000):\n      n += 1\n  return n",
		"join":              "  s = \"a\" * 1000000\n  return s.join([s] * 1000)",
		"replace":           "  s = \"a\" * 1000000\n  return s.replace(\"\", s)",
		"format":            "  s = \"a\" * 1000000\n  return (\"{0}\" * 1000).format(s)",
		"percent":           "  s = \"a\" * 1000000\n  return (\"%s\" * 1000) % tuple([s] * 1000)",
		"nested as text":    "  a = [1]\n  for i in range(40):\n    a = [a, a]\n  return str(a)",
		"nested as result":  "  a = [1]\n  for i in range(40):\n    a = [a, a]\n  return a",
		"nested compared":   "  a = [1]\n  b = [1]\n  for i in range(40):\n    a = [a, a]\n    b = [b, b]\n  return a == b",
		"a list in itself":  "  a = []\n  a.append(a)\n  return a",
		"house":             "  s = repeat(\"a\", 1000000)\n  return [repeat(s, 60) for i in range(1000)]",
		"pieces kept":       "  l = list(range(500000))\n  a = []\n  for i in range(1000):\n    a.append(l[:])\n  return len(a)",
		"arguments kept":    "  g = lambda *args: args\n  l = list(range(500000))\n  a = []\n  for i in range(1000):\n    a.append(g(*l))\n  return len(a)",
		"text turned":       "  s = \"abc\" * 1000000\n  for i in range(100000):\n    s = s[::-1]\n  return s",
		"list shifted":      "  l = list(range(500000))\n  for i in range(100000):\n    l.insert(0, 1)\n    l.pop(0)\n  return len(l)",
		"dict grown":        "  d = {}\n  for i in range(1000000):\n    d[i] = [i] * 1000\n  return d",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := runScript(t, "def f(x):\n"+body, "f(x)", nil, nil)
			if fault := lockstep.FaultOf(err); err == nil || fault.Code != lockstep.CodeMapping {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestScriptStepsOfARecord: the calls for one record share their steps, the next record has its own.
func TestScriptStepsOfARecord(t *testing.T) {
	m, err := scripted("def f(n):\n  for i in range(n):\n    pass\n  return n", 20_000, "f(x) + f(y)")
	if err != nil {
		t.Fatal(err)
	}
	w := m.Worker()
	for i, c := range []struct {
		x, y int
		ok   bool
	}{{1000, 1000, true}, {1000, 1_000_000, false}, {4000, 4000, false}, {1000, 1000, true}} {
		_, _, err := w.Map(lockstep.Record{Fields: value.F("x", c.x, "y", c.y)}, nil)
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "steps") {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestScriptFaults: a message names function and place, and shows nothing of the record (law 12).
func TestScriptFaults(t *testing.T) {
	text := "def inner(d, k):\n  return d[k]\n\ndef f(x):\n  return inner({\"a\": 1}, x)\n\ndef g(x):\n  if x:\n    fail(\"a code that nobody knows\")\n  return x.secretmethod\n\ndef h(x):\n  return int(x) + \"1\"\n\ndef k(x):\n  return x[0:1]\n"
	for expr, want := range map[string][]string{
		"f(x)": {"script:2:", "inner", "no such key"}, "g(x)": {"script:9:", "g of the script", "a code that nobody knows"}, "h(x)": {"script:13:", "h of the script"},
		`k("čaj")`: {"k of the script", "UTF-8"}, "g(y)": {"script:10:", "NoneType has no"},
	} {
		_, err := runScript(t, text, expr, "topsecret", nil)
		if err == nil || lockstep.FaultOf(err).Code != lockstep.CodeMapping || lockstep.FaultOf(err).About.Field != "out" {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in %v", expr, part, err)
			}
		}
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s shows the value: %v", expr, err)
		}
	}
}

// TestScriptMistakes are found when the mapping is compiled, with their places.
func TestScriptMistakes(t *testing.T) {
	for _, c := range []struct{ text, expr, want string }{
		{"def f(x):\n  return x +", "f(x)", "2:13: "},
		{"def f(x):\n  return y", "f(x)", "2:10: (script): undefined: y"},
		{"load(\"a.star\", \"b\")\ndef f(x):\n  return b", "f(x)", "1:1: (script): a script cannot load"},
		{"def f(x):\n  print(x)", "f(x)", "2:3: (script): a script prints nothing"},
		{"def f(x):\n  fail(\"no \" + x)", "f(x)", "fail takes one literal text"},
		{"def f(x):\n  g = fail\n  return g", "f(x)", "2:7: (script): fail is called"},
		{"def f(x):\n  while x:\n    pass", "f(x)", "2:3: "},
		{"A = 1 + \"a\"\ndef f(x):\n  return x", "f(x)", "1:7: (script): unknown binary op"},
		{"A = [0] * 900000000\ndef f(x):\n  return x", "f(x)", "1:9: (script): "},
		{"def round(x):\n  return x", "round(x)", "1:1: (script): round is a function of the house"},
		{"def map(x):\n  return x", "map([x], #)", "(script): map is a function of the house"},
		{"def f(x):\n  return x", "f(x, y)", "f of the script takes 1 argument, not 2"},
		{"def f(x, y = 1, *z):\n  return x", "f()", "f of the script takes 1 arguments or more, not 0"},
		{"def shorten(x):\n  return x", "shortn(x)", `did you mean "shorten"?`},
		{"def _f(x):\n  return x", "_f(x)", "there is no function _f"},
		{"def f(x):\n  x[g()] += 1\ndef g():\n  return 0", "f(x)", "give the result of this call a name first"},
		{"def f(x):\n  return getattr(x, \"upper\")", "f(x)", "write x.name"},
	} {
		_, err := scripted(c.text, 0, c.expr)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %q is not in %v", c.text, c.want, err)
		}
	}
}

// TestScriptIsPure: a call leaves nothing behind, in the script's globals or in the values it was given.
func TestScriptIsPure(t *testing.T) {
	if _, err := runScript(t, "SEEN = []\ndef f(x):\n  SEEN.append(x)\n  return len(SEEN)", "f(x)", 1, nil); err == nil {
		t.Error("a global was changed")
	}
	v, err := runScript(t, "def f(x):\n  x.append(9)\n  return x", "[f(x), x]", []any{1}, nil)
	if got := string(value.AppendJSON(nil, v)); err != nil || got != "[[1,9],[1]]" {
		t.Error(got, err)
	}
}

// TestScriptIsPartOfTheMapping: another text is another mapping; only the fields that are handed in are read.
func TestScriptIsPartOfTheMapping(t *testing.T) {
	a, err := scripted("def f(x):\n  return x", 0, "f(x)")
	if err != nil {
		t.Fatal(err)
	}
	b, err := scripted("def f(x):\n  return [x]", 0, "f(x)")
	if err != nil {
		t.Fatal(err)
	}
	if a.Hash() == b.Hash() {
		t.Error("two scripts have one hash")
	}
	if got := a.Reads(); len(got) != 1 || got[0] != "x" {
		t.Error(got)
	}
}

// TestScriptShared: one mapping, many workers.
func TestScriptShared(t *testing.T) {
	m, err := scripted("T = {\"a\": [1.5, 2]}\ndef f(x):\n  return [n * x for n in T[\"a\"]]", 0, "f(x)")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			w := m.Worker()
			for range 200 {
				out, _, err := w.Map(lockstep.Record{Fields: value.F("x", g)}, nil)
				if v, _ := out.Get("out"); err != nil || fmt.Sprint(v) != fmt.Sprintf("[%s,%d]", map[bool]string{true: "0.0"}[g == 0]+map[bool]string{true: fmt.Sprintf("%d.%d", g*3/2, g*3%2*5)}[g > 0], 2*g) {
					t.Errorf("%v %v", v, err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzScriptValues: what goes into a script and comes back as it is, is the same value.
func FuzzScriptValues(f *testing.F) {
	for _, s := range []string{`{"a": [1, 2.50, null, true, "č", {"b": {}}]}`, `[]`, `-9223372036854775808`, `123456789012345678901234567890.10`, `"\u0000"`, `1e300`} {
		f.Add(s)
	}
	m, err := scripted("def f(x):\n  return x", 0, "f(x)")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.ParseJSON(text)
		if err != nil {
			return
		}
		out, _, err := m.Worker().Map(lockstep.Record{Fields: value.NewNames("x").Fields([]value.Value{v})}, nil)
		if err != nil {
			if !strings.Contains(err.Error(), "MB") && !strings.Contains(err.Error(), "nested") {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		if got, _ := out.Get("out"); string(value.AppendTagged(nil, value.F("v", got))) != string(value.AppendTagged(nil, value.F("v", v))) {
			t.Fatalf("%s became %s", text, got)
		}
	})
}

// FuzzScript: whatever is written, compiling gives a mapping or faults, and running a result or a fault.
func FuzzScript(f *testing.F) {
	for _, s := range []string{"return x", "return [n for n in x if n] + [1.5]", "return {k: v for k, v in x.items()}", "x[0] += 1\n  return x", "return lambda y = 1.5: y", "a, b = x\n  return b % a", "return x.join(\"a\".codepoints())",
		"return \"{} {}\".format(x, x)", "return sorted(x, key = str)[::-1]", "return x if x else not x", "return -x ** 2", "return set(x) | set([1])", "return dict(a = x, **{\"b\": 1})", "return slug(str(x))"} {
		f.Add(s, `[1, "a", {"b": 2.5}]`)
	}
	f.Fuzz(func(t *testing.T, body, arg string) {
		m, err := scripted("def f(x):\n  "+body, 20_000, "f(x)")
		if err != nil {
			if len(faults(err)) == 0 {
				t.Fatalf("an error that is no fault: %v", err)
			}
			return
		}
		v, err := value.ParseJSON(arg)
		if err != nil {
			v = value.Text("a")
		}
		rec := lockstep.Record{Fields: value.NewNames("x").Fields([]value.Value{v})}
		one, _, err := m.Worker().Map(rec, nil)
		two, _, err2 := m.Worker().Map(rec, nil)
		if err != nil && (lockstep.FaultOf(err).Code != lockstep.CodeMapping || containsInternal(err.Error())) {
			t.Fatalf("%q: %v", body, err)
		}
		if (err == nil) != (err2 == nil) || string(value.AppendTagged(nil, one)) != string(value.AppendTagged(nil, two)) {
			t.Fatalf("%q is not pure: %v %v, %v %v", body, one, err, two, err2)
		}
	})
}

func BenchmarkScript(b *testing.B) {
	s, rec := products(b)
	for name, c := range map[string]struct{ text, expr string }{
		"smallest":   {"def f(x):\n  return x", "f(sku)"},
		"label":      {"def f(name, size, price):\n  if price > 100.5:\n    return name.upper() + \"/\" + size\n  return name", "f(name, attrs.size, price)"},
		"attributes": {"def f(a, tags):\n  out = {}\n  for k, v in a.items():\n    if type(v) == \"string\":\n      out[k.upper()] = v.strip()\n  out[\"tags\"] = \",\".join([t for t in tags])\n  return out", "f(attrs, attrs.tags)"},
	} {
		m, err := mapping.Compile(mapping.Spec{Flow: "f", Source: s, Fields: []mapping.Rule{{Name: "o", Expr: c.expr}}, Script: &mapping.Script{Text: c.text}})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			w := m.Worker()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := w.Map(rec, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
