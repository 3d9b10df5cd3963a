package image_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

func one(t testing.TB, x any) value.Fields {
	return value.NewNames("x").Fields([]value.Value{from(t, x)})
}

// TestEqualImages: pairs that are, or are not, one image; Digest and Level must say the same.
func TestEqualImages(t *testing.T) {
	k := func(k value.TypeKind) value.Type { return value.Type{Kind: k} }
	set := value.Type{Kind: value.ListType, Unordered: true, Elem: &value.Type{Kind: value.TextType}}
	negative := math.Copysign(0, -1)
	for _, c := range []struct {
		typ  value.Type
		a, b any
		same bool
	}{
		{k(value.DecimalType), dec("12.30"), dec("12.3"), true}, {k(value.DecimalType), dec("12.00"), 12, true}, {k(value.DecimalType), dec("1200"), 1200, true}, {k(value.DecimalType), dec("0.00"), 0, true},
		{k(value.DecimalType), dec("12.3"), dec("-12.3"), false}, {k(value.DecimalType), dec("12.3"), dec("123"), false}, {k(value.DecimalType), dec("0.012"), dec("0.12"), false}, {k(value.DecimalType), dec("100"), dec("10"), false},
		{k(value.DecimalType), dec("1001"), dec("101"), false}, {k(value.DecimalType), math.NaN(), math.NaN(), true}, {k(value.DecimalType), math.NaN(), 0, false}, {k(value.AnyType), 12.0, 12, true}, {k(value.AnyType), 12.5, dec("12.50"), true},
		{k(value.FloatType), negative, 0.0, true}, {k(value.FloatType), math.NaN(), math.Float64frombits(0x7ff8000000000099), true}, {k(value.FloatType), math.Inf(1), math.Inf(-1), false}, {k(value.FloatType), 0.1, 0.2, false},
		{instant, noon, noon.In(cet), true}, {instant, noon, noon.Add(time.Microsecond), false}, {instant, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 1, 0, 0, 0, cet), true},
		{k(value.TextType), "", nil, false}, {k(value.TextType), "é", "e\u0301", false}, {k(value.TextType), "a", "A", false}, {k(value.TextType), "1", 1, false}, {k(value.TextType), nil, nil, true},
		{k(value.AnyType), "true", true, false}, {k(value.AnyType), []byte("a"), "a", false}, {k(value.BoolType), true, false, false},
		{set, []any{"a", "b", "a"}, []any{"b", "a", "a"}, true}, {set, []any{"a", "b"}, []any{"a", "b", "b"}, false}, {set, []any{}, nil, false}, {value.Type{Kind: value.ListType, Unordered: true}, []any{1, "x"}, raw(`["x", 1.0]`), true},
		{k(value.ListType), []any{1, 2}, []any{2, 1}, false}, {value.Type{Kind: value.ListType, Elem: &value.Type{Kind: value.IntType}}, []any{1, nil}, []any{1}, false},
		{value.Type{Kind: value.ListType, Elem: &value.Type{Kind: value.TextType}}, []any{"ab", "c"}, []any{"a", "bc"}, false},
		{k(value.JSONType), raw(`{"a":1,"b":[1,2,{"c":null}]}`), raw("{ \"b\" : [1.0, 2e0,{\"c\":null}],\n\t\"a\":1.00}"), true}, {k(value.JSONType), raw(`{"a":"\u00e9\n\/\ud83d\ude00"}`), raw("{\"a\":\"é\\n/😀\"}"), true},
		{k(value.JSONType), raw(`{"a":1,"a":2}`), raw(`{"a":2}`), true}, {k(value.JSONType), raw(`{"a":1,"a":2}`), raw(`{"a":1}`), false}, {k(value.JSONType), raw(`{"a":1,"b":2}`), raw(`{"a":2,"b":1}`), false}, {k(value.JSONType), raw(`[1,2]`), raw(`[2,1]`), false},
		{k(value.JSONType), raw(`{"a":null}`), raw(`{}`), false}, {k(value.JSONType), raw(`{"a":"1"}`), raw(`{"a":1}`), false}, {k(value.JSONType), raw(`[]`), raw(`{}`), false}, {k(value.JSONType), raw(`[[],[]]`), raw(`[[[]]]`), false},
		{k(value.JSONType), raw(`{"a":-0}`), raw(`{"a":0.0e9}`), true}, {k(value.JSONType), raw(`[1e400]`), raw(`[1E+400]`), true}, {k(value.JSONType), raw(`[1e400]`), raw(`[1e401]`), false}, {k(value.JSONType), raw(`["\ud800"]`), raw(`["\ud801"]`), false},
		{k(value.JSONType), raw(`{"a":[1,2.50,"x",true]}`), map[string]any{"a": []any{1, dec("2.5"), "x", true}}, true}, {k(value.JSONType), map[string]any{"t": noon, "b": []byte{1, 2}, "f": 1.5}, raw(`{"t":"2026-11-23T12:00:00Z","b":"AQI=","f":1.5}`), true},
		{k(value.JSONType), 12, dec("12.0"), true}, {k(value.JSONType), "12", 12, false}, {k(value.JSONType), raw(`[1,]`), raw(`[1]`), false}, {k(value.JSONType), raw(`["a"`), raw(`["a"`), true},
	} {
		s := shape(t, c.typ, image.Options{})
		a, b := one(t, c.a), one(t, c.b)
		if got := s.Digest(a) == s.Digest(b); got != c.same {
			t.Errorf("%v and %v as %s: digests equal %v, want %v", c.a, c.b, c.typ.Kind, got, c.same)
		}
		if got := s.Level(a, b); got != c.same || got != (len(s.Diff(a, b)) == 0) {
			t.Errorf("%v and %v as %s: level %v, want %v", c.a, c.b, c.typ.Kind, got, c.same)
		}
	}
}

func TestDigestForm(t *testing.T) {
	stream, f := products()
	s, err := image.New(stream, nil, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := s.Digest(f)
	if !s.Made(d) || len(d) != image.DigestSize || d[0] != image.DigestVersion || s.Made("") || s.Made("0"+d[1:]) {
		t.Errorf("%q", string(d))
	}
	// The digests are stored: a change of the encoding needs a new version.
	if got := fmt.Sprintf("%x", string(d)); got != golden {
		t.Errorf("the digest of the sample record is %s, it was %s: change DigestVersion, or mend what changed it", got, golden)
	}
	if n := testing.AllocsPerRun(100, func() { s.Digest(f) }); pooled && n > 1 {
		t.Errorf("a digest allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Coerce(f) }); pooled && n > 0 {
		t.Errorf("a record that fits allocates %v times", n)
	}
}

// pooled is false where allocations cannot be counted.
var pooled = true

// golden is the digest of the sample record in version 2.
const golden = "3235831d058c8cff9c97c7786f57ecb788"

// TestFieldOrder: neither the order of a record's fields nor that of the stream's matters, and null is absent.
func TestFieldOrder(t *testing.T) {
	a := lockstep.Stream{Fields: []lockstep.Field{{Name: "p"}, {Name: "q"}, {Name: "r"}}}
	b := lockstep.Stream{Fields: []lockstep.Field{{Name: "r"}, {Name: "p"}, {Name: "q"}, {Name: "new"}}}
	s, _ := image.New(a, nil, image.Options{})
	u, _ := image.New(b, []string{"q", "r", "p"}, image.Options{})
	want := s.Digest(value.F("p", 1, "q", "x", "r", nil))
	for _, f := range []value.Fields{value.F("q", "x", "p", 1), value.F("r", nil, "q", "x", "p", 1), value.F("q", "x", "p", 1, "new", nil)} {
		if s.Digest(f) != want || u.Digest(f) != want {
			t.Errorf("%v", f)
		}
	}
	if s.Digest(value.F("p", "x", "q", 1)) == want || s.Digest(value.F("p", 1, "r", "x")) == want {
		t.Error("which field holds a value matters")
	}
	more, _ := image.New(b, nil, image.Options{})
	skips, _ := image.New(a, nil, image.Options{Absent: []string{"q"}})
	typed, _ := image.New(lockstep.Stream{Fields: []lockstep.Field{{Name: "p"}, {Name: "q"}, {Name: "r", Type: value.Type{Kind: value.TextType}}}}, nil, image.Options{})
	if !u.Made(want) || more.Made(want) || skips.Made(want) || typed.Made(want) {
		t.Error("a digest can be compared with others over the same fields only")
	}
	if s.Digest(value.Fields{}) != s.Digest(value.F("p", nil)) {
		t.Error("an empty image is one of nulls")
	}
}

func TestIgnoreAndTolerance(t *testing.T) {
	stream := lockstep.Stream{Fields: []lockstep.Field{{Name: "a"}, {Name: "b", Type: value.Type{Kind: value.DecimalType}}, {Name: "c", Type: value.Type{Kind: value.FloatType}}, {Name: "d", Type: value.Type{Kind: value.ListType}}}}
	s, err := image.New(stream, nil, image.Options{Ignore: []string{"a"}, Tolerance: map[string]value.Decimal{"b": dec("-0.01"), "c": dec("0.5")}, Unordered: []string{"d"}})
	if err != nil {
		t.Fatal(err)
	}
	x := value.F("a", 1, "b", dec("1.00"), "c", 1.0, "d", []any{1, 2})
	if s.Digest(x) != s.Digest(x.With("a", value.Int(2))) || !s.Level(x, x.With("a", value.Int(2))) {
		t.Error("an ignored field counts")
	}
	if !s.Level(x, x.With("b", value.FromDecimal(dec("1.01")))) || s.Level(x, x.With("b", value.FromDecimal(dec("1.0101")))) || !s.Level(x, x.With("c", value.Float(1.5))) || s.Level(x, x.With("c", value.Float(math.NaN()))) {
		t.Error("the tolerance is wrong")
	}
	if s.Level(x, x.With("b", value.Null)) {
		t.Error("null is no number within a tolerance")
	}
	if !s.Level(x, x.With("d", from(t, []any{2, 1}))) {
		t.Error("a set has no order")
	}
	diff := s.Diff(value.F("c", 3.0, "b", dec("2")), value.F("a", 9, "c", 1.0))
	if len(diff) != 2 || diff[0].Field != "b" || !diff[0].Theirs.IsNull() || diff[1].Field != "c" || diff[1].Ours.Float() != 3 {
		t.Errorf("%v", diff)
	}
	if !s.Level(value.F("c", 1.0), value.F("b", dec("5"), "c", 1.0)) {
		t.Error("a field that ours does not have is not compared")
	}
}

// TestRawIsParsed: a JSON text hashes like the value that it holds, whatever it holds.
func TestRawIsParsed(t *testing.T) {
	s := shape(t, value.Type{Kind: value.JSONType}, image.Options{})
	rapid.Check(t, func(r *rapid.T) {
		doc := document(r, 3)
		compact, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		indented, _ := json.MarshalIndent(doc, "", "   ")
		parsed, err := value.ParseJSON(string(compact))
		if err != nil {
			r.Fatal(err)
		}
		a, b := one(t, raw(compact)), one(t, raw(indented))
		c := value.NewNames("x").Fields([]value.Value{parsed})
		if s.Digest(a) != s.Digest(b) || s.Digest(a) != s.Digest(c) {
			r.Fatalf("%s", compact)
		}
		other, _ := json.Marshal(document(r, 3))
		canonical := func(b []byte) string {
			var x any
			_ = json.Unmarshal(b, &x)
			out, _ := json.Marshal(x)
			return string(out)
		}
		if (s.Digest(a) == s.Digest(one(t, raw(other)))) != (canonical(compact) == canonical(other)) {
			r.Fatalf("%s and %s", compact, other)
		}
	})
}

func document(r *rapid.T, depth int) any {
	switch n := rapid.IntRange(0, 6).Draw(r, "kind"); {
	case n == 5 && depth > 0:
		return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) any { return document(r, depth-1) }), 0, 4).Draw(r, "list")
	case n == 6 && depth > 0:
		out := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.StringN(0, 5, 10), 0, 20).Draw(r, "names") {
			out[name] = document(r, depth-1)
		}
		return out
	case n == 0:
		return nil
	case n == 1:
		return rapid.Bool().Draw(r, "bool")
	case n == 2:
		return rapid.IntRange(-1<<50, 1<<50).Draw(r, "int")
	case n == 3:
		return float64(rapid.IntRange(-1000, 1000).Draw(r, "f")) / 8
	}
	return rapid.StringN(0, 8, 20).Draw(r, "text")
}

// TestParallel: one shape serves many goroutines with records of different make-up.
func TestParallel(t *testing.T) {
	stream, f := products()
	s, _ := image.New(stream, nil, image.Options{})
	other := value.F("sku", "a", "id", 1)
	want, want2 := s.Digest(f), s.Digest(other)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if s.Digest(f) != want || s.Digest(other) != want2 || !s.Level(f, f) {
					t.Error("a digest changed")
					return
				}
				if _, err := s.Coerce(other); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzJSON: the tokenizer takes any text, and member order does not matter to it.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[1,{"c":"\u00e9"}]}`, `[`, `{"a"`, `"\ud83d\ude00"`, `[1e5,-0.0]`, strings.Repeat("[", 5000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sh := shape(t, value.Type{Kind: value.JSONType}, image.Options{})
		if i := strings.IndexAny(s, "{["); i != 0 {
			s = "[" + s
		}
		v, err := value.RawJSON(s)
		if err != nil {
			t.Fatal(err)
		}
		x := value.NewNames("x").Fields([]value.Value{v})
		if first := sh.Digest(x); first != sh.Digest(x) || !sh.Level(x, x) {
			t.Fatal("not equal to itself")
		}
		var doc any
		decoder := json.NewDecoder(strings.NewReader(s))
		decoder.UseNumber()
		if decoder.Decode(&doc) != nil || decoder.More() || strings.Contains(s, `\u`) {
			return
		}
		if m, ok := doc.(map[string]any); ok && len(m) > 1 && json.Valid([]byte(s)) {
			names := make([]string, 0, len(m))
			for name := range m {
				names = append(names, name)
			}
			slices.Sort(names)
			rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			var b strings.Builder
			for i, name := range names {
				b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
				key, _ := json.Marshal(name)
				item, _ := json.Marshal(m[name])
				fmt.Fprintf(&b, "%s : %s", key, item)
			}
			if w, err := value.RawJSON(b.String() + "}"); err != nil || sh.Digest(x) != sh.Digest(value.NewNames("x").Fields([]value.Value{w})) {
				if validUTF8(s) && !strings.Contains(s, "\ufffd") {
					t.Fatalf("%s and %s}", s, b.String())
				}
			}
		}
	})
}

func validUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }
