package value_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/lockstep-sync/lockstep/value"
)

// draw is any value of the closed set.
func draw(r *rapid.T, depth int) value.Value {
	top := 9
	if depth == 0 {
		top = 7
	}
	switch rapid.IntRange(0, top).Draw(r, "kind") {
	case 0:
		return value.Null
	case 1:
		return value.Bool(rapid.Bool().Draw(r, "bool"))
	case 2:
		return value.Int(rapid.Int64().Draw(r, "int"))
	case 3:
		return value.Float(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)})).Draw(r, "float"))
	case 4:
		d, err := value.ParseDecimal(rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,12})?`).Draw(r, "decimal"))
		if err != nil {
			r.Fatal(err)
		}
		return value.FromDecimal(d)
	case 5:
		return value.Text(rapid.String().Draw(r, "text"))
	case 6:
		return value.Bytes(rapid.SliceOf(rapid.Byte()).Draw(r, "bytes"))
	case 7:
		zone := time.UTC
		if offset := rapid.SampledFrom([]int{0, 3600, -34200, 12345}).Draw(r, "offset"); offset != 0 {
			zone = time.FixedZone("", offset)
		}
		sec := rapid.OneOf(rapid.Int64Range(-1e10, 1e10), rapid.Int64Range(-4e11, 4e11)).Draw(r, "sec") // far beyond what nanoseconds in 64 bits reach
		return value.Time(time.Unix(sec, rapid.Int64Range(0, 999_999_999).Draw(r, "nano")).In(zone))
	case 8:
		return value.List(rapid.SliceOfN(rapid.Custom(func(r *rapid.T) value.Value { return draw(r, depth-1) }), 0, 4).Draw(r, "list")...)
	default:
		return value.Object(drawFields(r, depth-1))
	}
}

func drawFields(r *rapid.T, depth int) value.Fields {
	names := rapid.SliceOfNDistinct(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"$dec", "$obj", "$time", "$", ""})), 0, 4, rapid.ID[string]).Draw(r, "names")
	values := make([]value.Value, len(names))
	for i := range values {
		values[i] = draw(r, depth)
	}
	return value.NewNames(names...).Fields(values)
}

// identical is Equal with NaN equal to itself, and the zone of times.
func identical(a, b value.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case value.KindFloat:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float()) || (math.IsNaN(a.Float()) && math.IsNaN(b.Float()))
	case value.KindTime:
		_, p := a.Time().Zone()
		_, q := b.Time().Zone()
		return a.Time().Equal(b.Time()) && p == q
	case value.KindList:
		if len(a.List()) != len(b.List()) {
			return false
		}
		for i, item := range a.List() {
			if !identical(item, b.List()[i]) {
				return false
			}
		}
		return true
	case value.KindObject:
		return identicalFields(a.Object(), b.Object())
	}
	return value.Equal(a, b)
}

func identicalFields(f, g value.Fields) bool {
	if f.Len() != g.Len() {
		return false
	}
	for i := range f.Len() {
		name, v := f.At(i)
		other, w := g.At(i)
		if name != other || !identical(v, w) {
			return false
		}
	}
	return true
}

// TestTaggedIsFaithful: the store's encoding gives every value back as it was, and is JSON.
func TestTaggedIsFaithful(t *testing.T) {
	var d value.Decoder
	rapid.Check(t, func(r *rapid.T) {
		f := drawFields(r, 3)
		text := string(value.AppendTagged(nil, f))
		if !json.Valid([]byte(text)) {
			r.Fatalf("no JSON: %s", text)
		}
		g, err := d.Fields(text)
		if err != nil || !identicalFields(f, g) {
			r.Fatalf("%s came back as %s: %v", text, value.AppendTagged(nil, g), err)
		}
	})
}

// TestAnyAndBack: a value taken out as Go values and taken in again is the same.
func TestAnyAndBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := draw(r, 3)
		w, err := value.From(v.Any())
		if err != nil || string(value.AppendJSON(nil, sorted(w))) != string(value.AppendJSON(nil, sorted(v))) {
			r.Fatalf("%s came back as %s: %v", v, w, err)
		}
	})
}

// sorted orders the members of objects, whose order a Go map does not keep.
func sorted(v value.Value) value.Value {
	out, err := value.From(v.Any())
	if err != nil {
		return v
	}
	return out
}

// TestPlainJSON: what is written is JSON that encoding/json reads as the same document, and reads back.
func TestPlainJSON(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := draw(r, 3)
		text := value.AppendJSON(nil, v)
		if !json.Valid(text) {
			r.Fatalf("no JSON: %s", text)
		}
		w, err := value.ParseJSON(string(text))
		if err != nil {
			r.Fatalf("%s: %v", text, err)
		}
		if again := value.AppendJSON(nil, w); again == nil || !json.Valid(again) {
			r.Fatalf("%s", again)
		}
	})
	for _, s := range []string{`{"a":1,"a":2}`, `[1,]`, `{"a":1,}`, `01`, `1.`, `.5`, `1e`, `+1`, `"\x"`, `"\ud800"`, `"\ud800\u0041"`, "\"\n\"", `"a`, `tru`, `[1] 2`, ``, ` `, "\"\xff\"", `{"a" 1}`, `{1:2}`, `nulll`, strings.Repeat("[", 300) + strings.Repeat("]", 300), `1e99999`, `NaN`} {
		if v, err := value.ParseJSON(s); err == nil {
			t.Errorf("%.40s is taken as %.40s", s, v)
		}
	}
	for in, want := range map[string]string{`9223372036854775807`: "int", `9223372036854775808`: "decimal", `1.0`: "decimal", `1e3`: "decimal", `-0`: "decimal", ` "a\u00e9\ud83d\ude00" `: "text", `[]`: "list", `{}`: "object", `null`: "null", "\t true\n": "bool"} {
		if v, err := value.ParseJSON(in); err != nil || v.Kind().String() != want {
			t.Errorf("%s is a %s (%v), want %s", in, v.Kind(), err, want)
		}
	}
}

// TestRawJSON: JSON of databases may hold what we would not write ourselves; looking inside never fails, and the
// store gives it back.
func TestRawJSON(t *testing.T) {
	deep := strings.Repeat("[", 3000) + strings.Repeat("]", 3000)
	for _, s := range []string{`{"a":1,"a":2}`, `["\ud800"]`, `["\ud800\u0041","\udc00x"]`, `[1e99999, 2]`, deep, ` [ 1 , 2 ] `, `{"$dec":"x"}`, `[{"$obj":1,"\u0024time":2}]`, `{}`, `[]`} {
		v, err := value.RawJSON(s)
		if err != nil {
			t.Fatal(err)
		}
		if raw, ok := v.RawText(); !ok || strings.TrimSpace(raw) != strings.TrimSpace(s) {
			t.Errorf("%.40s does not stay text: %.40s", s, raw)
		}
		inside := v.Any()
		var d value.Decoder
		f, err := d.Fields(string(value.AppendTagged(nil, value.NewNames("x").Fields([]value.Value{v}))))
		if err != nil {
			t.Errorf("%.40s is lost in the store: %v", s, err)
			continue
		}
		back, _ := f.Get("x")
		a, _ := value.From(inside)
		if got, want := string(value.AppendJSON(nil, sorted(back))), string(value.AppendJSON(nil, a)); got != want {
			t.Errorf("%.40s came back as %.40s", want, got)
		}
	}
	v, _ := value.RawJSON(`{"a":1,"a":2}`)
	if a, _ := v.Object().Get("a"); a.Int() != 2 || v.Object().Len() != 1 {
		t.Error("the last of two members wins")
	}
	if v, _ := value.RawJSON(`["\ud83d\ude00\ud800\u0041"]`); v.List()[0].Text() != "😀\uFFFDA" {
		t.Errorf("%q", v.List()[0].Text())
	}
	if v, err := value.RawJSON(` 12 `); err != nil || v.Kind() != value.KindInt {
		t.Errorf("a scalar is parsed at once: %v %v", v, err)
	}
}

func TestDecimal(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "-0": "0", "-0.00": "0.00", "+1": "1", "007": "7", "00.50": "0.50", ".5": "0.5", "5.": "5", "1e3": "1000", "1.5E-3": "0.0015", "-12.3400": "-12.3400", "1.23e1": "12.3", "0e5": "0",
		"12e-1": "1.2", "1e-2": "0.01", "-1e+2": "-100"} {
		if d, err := value.ParseDecimal(in); err != nil || d.String() != want {
			t.Errorf("%s: %s, %v; want %s", in, d, err, want)
		}
	}
	for _, in := range []string{"", "-", ".", "1.2.3", "a", "1e", "e5", "1e999999999", "1e20001", strings.Repeat("9", 20001), "0x10", "1_0", " 1", "NaN", "Infinity", "--1", "+-1", "1e5.5"} {
		if d, err := value.ParseDecimal(in); err == nil {
			t.Errorf("%.20q is taken as %.20s", in, d)
		}
	}
	for in, want := range map[string]string{"12.300": "12.3", "12.000": "12", "100": "100", "0.0": "0", "-1.50": "-1.5"} {
		if d, _ := value.ParseDecimal(in); d.Trim().String() != want || d.Scale() != len(in)-strings.IndexByte(in+".", '.')-1 && strings.Contains(in, ".") {
			t.Errorf("%s trims to %s with scale %d", in, d.Trim(), d.Scale())
		}
	}
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"1", "-0.00", "1e5", ".5e-3", "+00.10E+2", "1e20000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := value.ParseDecimal(s)
		if err != nil {
			return
		}
		again, err := value.ParseDecimal(d.String())
		if err != nil || again != d {
			t.Fatalf("%q: %.100s is not canonical", s, d)
		}
		if len(s) > 200 || len(d.String()) > 2000 {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		got, ok2 := new(big.Rat).SetString(d.String())
		if !ok || !ok2 || want.Cmp(got) != 0 {
			t.Fatalf("%q is not %s", s, d)
		}
		if trimmed, _ := new(big.Rat).SetString(d.Trim().String()); trimmed.Cmp(got) != 0 {
			t.Fatalf("%s trims to %s", d, d.Trim())
		}
	})
}

// FuzzJSONText: any text is read or refused; what is read is what encoding/json reads.
func FuzzJSONText(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true],"b":{}}`, `"\u00e9\ud83d\ude00"`, `{"$dec":"1"}`, `{"$obj":{"$obj":1}}`, `[[[]]]`, `-0.0e-5`, `{"a":{"$unix":"1 2 3"}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d value.Decoder
		if g, err := d.Fields(s); err == nil {
			h, err := d.Fields(string(value.AppendTagged(nil, g)))
			if err != nil || !identicalFields(g, h) {
				t.Fatalf("%q is not stored faithfully: %v", s, err)
			}
		}
		v, err := value.ParseJSON(s)
		if err != nil {
			return
		}
		if !json.Valid([]byte(s)) {
			t.Fatalf("%q is no JSON", s)
		}
		out := value.AppendJSON(nil, v)
		var a, b any
		if strings.Contains(s, "-0") { // encoding/json keeps the sign of zero, which no decimal has
			return
		}
		if json.Unmarshal([]byte(s), &a) == nil && json.Unmarshal(out, &b) == nil {
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if string(x) != string(y) {
				t.Fatalf("%q was read as %s", s, out)
			}
		}
	})
}

func TestEqual(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v, w := draw(r, 2), draw(r, 2)
		if hasNaN(v) {
			return
		}
		if !value.Equal(v, v) || value.Equal(v, w) != value.Equal(w, v) {
			r.Fatalf("%s and %s", v, w)
		}
	})
	a, b := value.F("x", 1, "y", "a"), value.F("y", "a", "x", 1)
	if !a.Equal(b) || a.Equal(value.F("x", 1)) || a.Equal(value.F("x", 1, "z", "a")) {
		t.Error("fields are equal in any order")
	}
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	if !value.Equal(value.Time(at), value.Time(at.In(time.FixedZone("", 3600)))) || value.Equal(value.Int(1), value.Text("1")) {
		t.Error("times are equal by instant, kinds never mix")
	}
}

func hasNaN(v value.Value) bool { return strings.Contains(v.String(), "NaN") }

func TestFields(t *testing.T) {
	var zero value.Fields
	if zero.Len() != 0 || zero.Names() != nil || zero.Size() != 0 || !zero.Equal(value.Fields{}) {
		t.Error("the zero Fields is empty")
	}
	if _, ok := zero.Get("x"); ok {
		t.Error("the zero Fields has no x")
	}
	f := zero.With("a", value.Int(1)).With("b", value.Text("x"))
	g := f.With("a", value.Int(2))
	if v, _ := f.Get("a"); v.Int() != 1 || f.Names() != g.Names() {
		t.Error("With writes to its receiver, or does not share names")
	}
	if h := f.With("c", value.Null); h.Len() != 3 || f.Len() != 2 || f.Names().Index("c") != -1 || h.Names().Index("c") != 2 {
		t.Error("a new name goes to the end of a copy")
	}
	if big := value.F("t", strings.Repeat("x", 1000), "l", []string{"abc", "de"}); big.Size() < 1005 || big.Size() > 1200 {
		t.Errorf("size %d", big.Size())
	}
	for name, do := range map[string]func(){"doubled names": func() { value.NewNames("a", "a") }, "too few values": func() { value.NewNames("a").Fields(nil) }, "wrong kind": func() { value.Int(1).Text() }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s must panic", name)
				}
			}()
			do()
		}()
	}
}

func TestLayout(t *testing.T) {
	if size := unsafe.Sizeof(value.Value{}); size != 24 {
		t.Errorf("a Value takes %d bytes, the figures were made with 24", size)
	}
	at, text := time.Now(), strings.Repeat("x", 100)
	if n := testing.AllocsPerRun(100, func() { _, _ = value.Time(at), value.Text(text) }); n != 0 {
		t.Errorf("times and texts allocate %v times", n)
	}
	for _, v := range []value.Value{value.Text(""), value.Bytes(nil), value.List(), value.Object(value.Fields{})} {
		if v.IsNull() || v.Kind() == value.KindNull {
			t.Error("empty is not null")
		}
	}
	if _, err := value.From(struct{}{}); err == nil {
		t.Error("the set is closed")
	}
	if v, err := value.From(uint64(math.MaxUint64)); err != nil || v.Decimal().String() != "18446744073709551615" {
		t.Error(v, err)
	}
}
