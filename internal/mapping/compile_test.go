package mapping_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// faults are all faults joined in an error.
func faults(err error) (out []*lockstep.Fault) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, faults(e)...)
		}
		return out
	}
	if f, ok := errors.AsType[*lockstep.Fault](err); ok {
		out = append(out, f)
	}
	return out
}

func TestCompileErrors(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`prise * 2`, `there is no source field "prise"; did you mean "price"?`}, {`uper(name)`, `there is no function uper; did you mean "upper"?`},
		{`price + name`, "+ cannot be done with a decimal and a text; see text() and decimal()"}, {`name + 1`, "see text() and"}, {`name - 1`, "see decimal()"}, {`created - created`, "see add() and diff()"},
		{`now()`, "a mapping has no clock"}, {`price ? 1 : 2`, "the condition must be a truth"}, {`name == 1`, "compares what can never be equal"}, {`upper(price)`, "text must be a text, not a decimal"},
		{`replace(name, "a")`, "needs 3 arguments: replace(text, old, new)"}, {`upper(name, 1)`, "too many arguments"}, {`price.x`, "there is nothing inside a decimal"}, {`created.Unix()`, "no methods"},
		{`map(name, #)`, "map needs a list, not a text"}, {`filter(tags, 1)`, "needs a truth for each item"}, {`#`, "#"}, {`price >`, "the expression ends too early"}, {`(`, "the expression ends too early"},
		{``, "the expression is empty"}, {`lookup("colours", 1)`, `there is no value map "colours"; did you mean "colors"?`}, {`lookup(name, 1)`, "must be a literal"}, {`link(name, 1)`, "must be a literal"},
		{`name matches "("`, "missing closing )"}, {`name matches sku`, "literal"}, {`let price = 1; price`, "is a source field"}, {`upper`, "upper is a function: write upper("}, {`$env`, "$env is used as"},
		{`$env[name]`, "$env is used as"}, {`-name`, "needs a number"}, {`not qty`, "needs a truth"}, {`tags < tags`, "needs two numbers"}, {`qty in price`, "looks into a list"}, {`nil + 1`, "+ cannot be done with a null"},
		{strings.Repeat("(", 20000), "longer than"}, {strings.Repeat("1+", 3000) + "1", "exceeds maximum allowed nodes"}, {`map(tags, map(tags, map(tags, map(tags, map(tags, #)))))`, "inside each other"},
		{"1.00000000000000001 + 1.0", "too close to tell apart"}, {`sku[1].x`, "nothing inside"}, {`12345678901234567890`, "write it as decimal("}, {`price = 1`, "compared with =="}, {`price.`, "ends too early"}, {`round("a")`, "x must be a number"},
	} {
		_, err := eval(c.expr, record())
		fs := faults(err)
		if len(fs) == 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, want %q", c.expr, err, c.want)
			continue
		}
		if fs[0].Code != lockstep.CodeConfig && fs[0].Code != lockstep.CodeNoField {
			t.Errorf("%.60s: code %s", c.expr, fs[0].Code)
		}
	}
}

// TestAllErrorsWithPlaces: every mistake is reported at once, with file, line, column, source and caret.
func TestAllErrorsWithPlaces(t *testing.T) {
	target := lockstep.Stream{Name: "items", Fields: []lockstep.Field{{Name: "sku", Type: typ(value.TextType)}, {Name: "cost", Type: typ(value.DecimalType)},
		{Name: "at", Type: typ(value.InstantType)}, {Name: "computed", Type: typ(value.IntType), ReadOnly: true}}}
	at := func(line int) mapping.Pos { return mapping.Pos{File: "lockstep.yaml", Line: line, Col: 14} }
	_, err := mapping.Compile(mapping.Spec{Flow: "f", Source: source, Target: &target, Fields: []mapping.Rule{
		{Name: "sku", Expr: `upper(skuu) + nmae`, Pos: at(10)},
		{Name: "cost", Expr: "price *\n  prise", Pos: at(11)},
		{Name: "cosst", Expr: "price", Pos: at(13)},
		{Name: "at", Expr: "published", Pos: at(14)},
		{Name: "computed", Expr: "1", Pos: at(15)},
		{Name: "sku", Expr: "sku", Pos: at(16)},
	}, Filter: &mapping.Rule{Expr: "qty", Pos: at(17)}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"lockstep.yaml:10:20: sku: there is no source field \"skuu\"; did you mean \"sku\"?\n | upper(skuu) + nmae\n | ......^", "lockstep.yaml:10:28: sku: there is no source field \"nmae\"; did you mean \"name\"?",
		"lockstep.yaml:12:3: cost: there is no source field \"prise\"; did you mean \"price\"?\n |   prise\n | ..^", `lockstep.yaml:13:14: there is no target field "cosst"; did you mean "cost"?`,
		`lockstep.yaml:14:14: a truth (true or false) can never be held as instant, which is what "at" is`, "lockstep.yaml:15:14: the target computes", `lockstep.yaml:16:14: "sku" is given a value twice`,
		"lockstep.yaml:17:14: where: the filter must be a truth, not a whole number",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func compile(t *testing.T, s mapping.Spec) *mapping.Mapping {
	t.Helper()
	s.Flow, s.Maps = "f", maps
	if s.Source.Fields == nil {
		s.Source = source
	}
	m, err := mapping.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatItReadsAndWrites(t *testing.T) {
	m := compile(t, mapping.Spec{Fields: []mapping.Rule{{Name: "b", Expr: `round(price, 2)`}, {Name: "a", Expr: "name"}, {Name: "c.d", Expr: `map(tags, link("categories", #))`}, {Name: "c.e", Expr: `link("brands", attrs.brand)`}},
		Filter: &mapping.Rule{Expr: "published"}})
	if got := m.Reads(); !slices.Equal(got, []string{"name", "price", "published", "attrs", "tags"}) {
		t.Errorf("reads %v", got)
	}
	if got := m.Writes(); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("writes %v", got)
	}
	if got := m.Links(); !slices.Equal(got, []string{"brands", "categories"}) {
		t.Errorf("links %v", got)
	}
	if from, ok := m.CopyOf("a"); !ok || from != "name" {
		t.Errorf("a is a copy of %q, %v", from, ok)
	}
	if _, ok := m.CopyOf("b"); ok || !m.Filtered() {
		t.Error("b is computed, and there is a filter")
	}
	var kinds []value.TypeKind
	for _, f := range m.Output() {
		kinds = append(kinds, f.Type.Kind)
	}
	if !slices.Equal(kinds, []value.TypeKind{value.DecimalType, value.TextType, value.JSONType}) {
		t.Errorf("output %v", kinds)
	}
}

func TestHash(t *testing.T) {
	base := func() mapping.Spec {
		return mapping.Spec{Flow: "f", Source: source, Fields: []mapping.Rule{{Name: "a", Expr: "sku"}, {Name: "b", HasConst: true, Const: value.Int(1)}}, Maps: map[string]map[string]value.Value{"m": {"x": value.Int(1)}}}
	}
	sum := func(change func(*mapping.Spec)) string {
		s := base()
		change(&s)
		m, err := mapping.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		return m.Hash()
	}
	same := sum(func(*mapping.Spec) {})
	if same != sum(func(s *mapping.Spec) { s.Fields[0].Pos.Line = 7 }) {
		t.Error("the place in the file is no part of the meaning")
	}
	for name, change := range map[string]func(*mapping.Spec){
		"expression": func(s *mapping.Spec) { s.Fields[0].Expr = "name" }, "constant": func(s *mapping.Spec) { s.Fields[1].Const = value.Text("1") }, "null": func(s *mapping.Spec) { s.Fields[0].Null = mapping.SkipNull },
		"filter": func(s *mapping.Spec) { s.Filter = &mapping.Rule{Expr: "published"} }, "map": func(s *mapping.Spec) { s.Maps["m"]["x"] = value.Int(2) }, "identity": func(s *mapping.Spec) { s.Identity = true },
	} {
		if sum(change) == same {
			t.Errorf("the hash does not see a change of %s", name)
		}
	}
}

func TestIdentity(t *testing.T) {
	target := &lockstep.Stream{Fields: []lockstep.Field{{Name: "name", Type: typ(value.TextType)}, {Name: "sku", Type: typ(value.TextType)}, {Name: "extra", Type: typ(value.IntType)}, {Name: "id", ReadOnly: true}}}
	m := compile(t, mapping.Spec{Identity: true, Target: target})
	f, keep, err := m.Worker().Map(record(), nil)
	if err != nil || !keep || !f.Equal(value.F("sku", "A-1", "name", " Čevelj ")) {
		t.Errorf("%v %v %v", f, keep, err)
	}
	all := compile(t, mapping.Spec{Identity: true, Fields: []mapping.Rule{{Name: "sku", Expr: "lower(sku)"}}})
	f, _, err = all.Worker().Map(record(), nil)
	if err != nil || !f.Equal(record("sku", "a-1").Fields) {
		t.Errorf("%v %v", f, err)
	}
	plain := compile(t, mapping.Spec{Identity: true})
	w := plain.Worker()
	first, _, _ := w.Map(record(), nil)
	var names []string
	var values []value.Value
	for name, v := range record("sku", "B", "id", 9).Fields.All() { // other names: the same the other way round
		names, values = append([]string{name}, names...), append([]value.Value{v}, values...)
	}
	second, _, err := w.Map(lockstep.Record{Fields: value.NewNames(names...).Fields(values)}, nil)
	if err != nil || first.Names() != second.Names() {
		t.Errorf("records of one mapping share their names: %v", err)
	}
	if v, _ := second.Get("id"); v.Int() != 9 || second.Len() != len(source.Fields) {
		t.Errorf("%v", second)
	}
	if v, _ := first.Get("id"); v.Int() != 7 {
		t.Error("the first result was written over")
	}
}

// A source that cannot show a field leaves it out of the record. What is made of it is not sent, whatever the policy for
// nulls is, and a filter cannot decide.
func TestFieldsThatTheSourceCouldNotShow(t *testing.T) {
	spec := func(filter string) mapping.Spec {
		s := mapping.Spec{Fields: []mapping.Rule{{Name: "a", Expr: "sku"}, {Name: "b", Expr: "tags"}, {Name: "c", Expr: "join(tags, \",\") + sku", Null: mapping.ClearNull},
			{Name: "d.e", Expr: "len(tags ?? [])"}, {Name: "f", Const: value.Int(1), HasConst: true}}}
		if filter != "" {
			s.Filter = &mapping.Rule{Expr: filter}
		}
		return s
	}
	var names []string
	var values []value.Value
	for name, v := range record().Fields.All() {
		if name != "tags" {
			names, values = append(names, name), append(values, v)
		}
	}
	rec := lockstep.Record{Key: "k", Fields: value.NewNames(names...).Fields(values)}
	w := compile(t, spec("")).Worker()
	for range 2 {
		f, keep, err := w.Map(rec, nil)
		if err != nil || !keep || !f.Equal(value.F("a", "A-1", "f", 1)) {
			t.Errorf("%v %v %v", f, keep, err)
		}
		if f, _, err := w.Map(record(), nil); err != nil || f.Len() != 5 {
			t.Errorf("with all fields: %v, %v", f, err)
		}
	}
	plain := compile(t, mapping.Spec{Identity: true}).Worker()
	if f, _, err := plain.Map(rec, nil); err != nil || f.Len() != len(source.Fields)-1 {
		t.Errorf("identity: %v, %v", f, err)
	}
	_, _, err := compile(t, spec("len(tags ?? []) > 0")).Worker().Map(rec, nil)
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeHidden || f.About.Key != "k" {
		t.Errorf("a filter that reads it: %v", err)
	}
	if _, keep, err := compile(t, spec(`sku == "A-1"`)).Worker().Map(rec, nil); !keep || err != nil {
		t.Errorf("a filter that does not read it: %v, %v", keep, err)
	}
}

func TestNullPolicies(t *testing.T) {
	target := &lockstep.Stream{Fields: []lockstep.Field{{Name: "a", Type: typ(value.TextType)}, {Name: "b", Type: typ(value.TextType)}, {Name: "c", Type: typ(value.TextType)}, {Name: "d", Type: typ(value.IntType)}, {Name: "e", Type: typ(value.ListType)}}}
	m := compile(t, mapping.Spec{Target: target, Fields: []mapping.Rule{{Name: "a", Expr: "name"}, {Name: "b", Expr: "name", Null: mapping.SkipNull}, {Name: "c", Expr: "name", Null: mapping.ClearNull},
		{Name: "d", Expr: "qty", Null: mapping.ClearNull}, {Name: "e", Expr: "tags", Null: mapping.ClearNull}}})
	w := m.Worker()
	f, _, err := w.Map(record("name", nil, "qty", nil, "tags", nil), nil)
	if err != nil || !f.Equal(value.F("a", nil, "c", "", "d", nil, "e", []any{})) {
		t.Errorf("%s %v", value.AppendFields(nil, f), err)
	}
	again, _, _ := w.Map(record("name", nil, "qty", nil, "tags", nil), nil)
	if again.Names() != f.Names() {
		t.Error("records with the same fields share their names")
	}
	if f, _, _ = w.Map(record("name", "x"), nil); f.Len() != 5 {
		t.Errorf("nothing is null now: %v", f)
	}
	for text, want := range map[string]mapping.NullPolicy{"": mapping.SendNull, "send": mapping.SendNull, "skip": mapping.SkipNull, "clear": mapping.ClearNull} {
		if p, err := mapping.ParseNullPolicy(text); err != nil || p != want {
			t.Errorf("%q is %v, %v", text, p, err)
		}
	}
	if _, err := mapping.ParseNullPolicy("drop"); err == nil {
		t.Error("drop is no policy")
	}
}

func TestFilter(t *testing.T) {
	m := compile(t, mapping.Spec{Identity: true, Filter: &mapping.Rule{Expr: `published and qty > 2`}})
	w := m.Worker()
	for qty, want := range map[int]bool{1: false, 3: true} {
		if _, keep, err := w.Map(record("qty", qty), nil); keep != want || err != nil {
			t.Errorf("qty %d: %v, %v", qty, keep, err)
		}
	}
	if _, _, err := w.Map(record("published", nil), nil); lockstep.FaultOf(err).Code != lockstep.CodeMapping {
		t.Errorf("a filter that is null must not leave a record out in silence: %v", err)
	}
	if _, keep, err := w.Map(record(), nil); !keep || err != nil {
		t.Errorf("after a fault the worker goes on: %v, %v", keep, err)
	}
}

func TestNestedTargets(t *testing.T) {
	m := compile(t, mapping.Spec{Fields: []mapping.Rule{
		{Name: "address.city", Expr: `"Ljubljana"`}, {Name: "address.geo.lat", HasConst: true, Const: value.FromDecimal(dec("46.05"))}, {Name: "images[1].url", Expr: "sku"}, {Name: `["a.b"]`, Expr: "id"},
		{Name: "attributes[code=color].value", Expr: "attrs.color.code"}, {Name: "attributes[code=size].value", Expr: "attrs.none", Null: mapping.SkipNull}, {Name: "only.x", Expr: "attrs.none", Null: mapping.SkipNull},
	}})
	f, _, err := m.Worker().Map(record(), nil)
	if got := string(value.AppendFields(nil, f)); err != nil || got != `{"address":{"city":"Ljubljana","geo":{"lat":46.05}},"images":[null,{"url":"A-1"}],"a.b":7,"attributes":[{"code":"color","value":"red"}]}` {
		t.Errorf("%s %v", got, err)
	}
	for names, want := range map[string]string{"a.b a": "twice", "a a.b": "twice", "a.b a.b": "twice", "a.b a.b.c": "nothing can be put inside it", "a.b.c a.b": "from its parts", "a.b a[0]": "both as a list and as an object"} {
		first, second, _ := strings.Cut(names, " ")
		_, err := mapping.Compile(mapping.Spec{Flow: "f", Source: source, Fields: []mapping.Rule{{Name: first, Expr: "1"}, {Name: second, Expr: "2"}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", names, err, want)
		}
	}
}

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{"a": "a", "a.b[0].c": "a.b[0].c", `["a.b"].c`: `["a.b"].c`, `a["x y"]`: "a.x y", "a[k=v w].x": "a[k=v w].x", `a["\u0062\""]`: `a["b\""]`, "first name": "first name"} {
		p, err := mapping.ParsePath(in)
		if err != nil || p.String() != want {
			t.Errorf("%s: %s, %v", in, p, err)
		}
	}
	for _, in := range []string{"", ".", "a.", "a..b", "a[", "a[]", "a[-1]", "a[1000]", "a[01]", "[0]", "[k=v]", `a["x]`, `a["x"`, "a]", "a=b", "a[=v]", "a[k=]", "a[x]", strings.Repeat("a.", 40) + "a"} {
		if p, err := mapping.ParsePath(in); err == nil {
			t.Errorf("%q is read as %s", in, p)
		}
	}
}

// TestPure: a mapping gives the same twice, and one worker's results do not touch each other.
func TestPure(t *testing.T) {
	m := compile(t, mapping.Spec{Fields: []mapping.Rule{{Name: "a", Expr: `map(attrs.sizes, .s + sku)`}, {Name: "b", Expr: `{x: name, y: [price]}`}}})
	w := m.Worker()
	first, _, _ := w.Map(record(), nil)
	before := string(value.AppendFields(nil, first))
	if _, _, err := w.Map(record("sku", "Z", "name", "other", "price", dec("1")), nil); err != nil {
		t.Fatal(err)
	}
	second, _, _ := m.Worker().Map(record(), nil)
	if after := string(value.AppendFields(nil, first)); after != before || !first.Equal(second) {
		t.Errorf("%s became %s", before, after)
	}
}

// TestParallelWorkers: a mapping is shared, its workers are not.
func TestParallelWorkers(t *testing.T) {
	m := compile(t, mapping.Spec{Fields: []mapping.Rule{{Name: "a", Expr: `sku matches "^A" ? slug(name) : "-"`}, {Name: "b", Expr: `map(attrs.sizes, .s + sku)`}, {Name: "c", Expr: `qty`, Null: mapping.SkipNull}}})
	want, _, _ := m.Worker().Map(record(), nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			w := m.Worker()
			for range 200 {
				if f, _, err := w.Map(record(), nil); err != nil || !f.Equal(want) {
					t.Errorf("%v, %v", f, err)
					return
				}
				if f, _, err := w.Map(record("qty", nil), nil); err != nil || f.Len() != 2 {
					t.Errorf("%v, %v", f, err)
				}
			}
		})
	}
	wg.Wait()
}
