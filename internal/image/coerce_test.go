package image_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/value"
)

func dec(s string) value.Decimal {
	d, err := value.ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

func from(t testing.TB, x any) value.Value {
	t.Helper()
	if s, ok := x.(raw); ok {
		v, err := value.RawJSON(string(s))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, err := value.From(x)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// raw is a JSON text that stays text.
type raw string

func shape(t testing.TB, typ value.Type, opt image.Options) *image.Shape {
	t.Helper()
	s, err := image.New(lockstep.Stream{Name: "s", Fields: []lockstep.Field{{Name: "x", Type: typ}}}, nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func coerce(t testing.TB, typ value.Type, x any) (value.Value, error) {
	t.Helper()
	f, err := shape(t, typ, image.Options{}).Coerce(value.NewNames("x").Fields([]value.Value{from(t, x)}))
	if err != nil {
		return value.Null, err
	}
	v, _ := f.Get("x")
	return v, nil
}

var (
	cet     = time.FixedZone("", 3600)
	noon    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	instant = value.Type{Kind: value.InstantType, Unit: time.Microsecond}
	price   = value.Type{Kind: value.DecimalType, Precision: 6, Scale: 2}
)

func TestCoerce(t *testing.T) {
	type row struct {
		typ  value.Type
		in   any
		want any // nil error expected
	}
	k := func(k value.TypeKind) value.Type { return value.Type{Kind: k} }
	for _, c := range []row{
		{price, dec("12.345"), dec("12.35")}, {price, dec("-12.345"), dec("-12.35")}, {price, dec("9999.99"), dec("9999.99")}, {price, 12, dec("12")}, {price, "12.5", dec("12.5")}, {price, 0.1, dec("0.1")},
		{price, dec("1.2"), dec("1.2")}, {value.Type{Kind: value.DecimalType, Precision: 3, Scale: -2}, dec("12345"), dec("12300")}, {value.Type{Kind: value.DecimalType, Precision: 2, Scale: 4}, dec("0.00991"), dec("0.0099")},
		{k(value.DecimalType), dec("1.23456789012345678901234567890"), dec("1.23456789012345678901234567890")},
		{k(value.IntType), dec("12.00"), 12}, {k(value.IntType), 12.0, 12}, {k(value.IntType), "12", 12}, {k(value.IntType), true, 1}, {k(value.IntType), "-0", 0}, {k(value.IntType), "1e3", 1000},
		{value.Type{Kind: value.IntType, Bits: 8}, -128, -128}, {value.Type{Kind: value.IntType, Bits: 8, Unsigned: true}, 255, 255},
		{value.Type{Kind: value.IntType, Unsigned: true}, dec("18446744073709551615"), dec("18446744073709551615")}, {value.Type{Kind: value.IntType, Unsigned: true}, dec("7"), 7},
		{k(value.FloatType), 12, 12.0}, {k(value.FloatType), dec("0.1"), 0.1}, {k(value.FloatType), "1.5", 1.5}, {value.Type{Kind: value.FloatType, Bits: 32}, 0.1, float64(float32(0.1))},
		{k(value.BoolType), 1, true}, {k(value.BoolType), dec("0.0"), false}, {k(value.BoolType), "TRUE", true}, {k(value.BoolType), "f", false}, {k(value.BoolType), "Off", false},
		{k(value.TextType), 12, "12"}, {k(value.TextType), dec("12.50"), "12.50"}, {k(value.TextType), true, "true"}, {k(value.TextType), noon, "2026-11-23T12:00:00Z"}, {k(value.TextType), []any{1, "a"}, `[1,"a"]`},
		{value.Type{Kind: value.TextType, Length: 3}, "čšž", "čšž"}, {value.Type{Kind: value.TextType, Length: 3, Padded: true}, "ab   ", "ab"}, {value.Type{Kind: value.TextType, Length: 5}, "ab  ", "ab  "},
		{k(value.TextType), math.NaN(), "NaN"}, {k(value.BytesType), "ab", []byte("ab")}, {k(value.BytesType), []byte{0, 255}, []byte{0, 255}},
		{k(value.DateType), noon.Add(-12 * time.Hour), noon.Add(-12 * time.Hour)}, {k(value.DateType), "2026-11-23", noon.Add(-12 * time.Hour)}, {k(value.DateType), time.Date(2026, 11, 23, 0, 0, 0, 0, cet), noon.Add(-12 * time.Hour)},
		{instant, noon.In(cet), noon}, {instant, noon.Add(1500 * time.Nanosecond), noon.Add(2 * time.Microsecond)}, {instant, noon.Add(2500 * time.Nanosecond), noon.Add(3 * time.Microsecond)}, {instant, "2026-11-23T13:00:00+01:00", noon},
		{instant, "2026-11-23 12:00:00+00", noon}, {value.Type{Kind: value.InstantType, Unit: time.Second, Cuts: true}, noon.Add(999 * time.Millisecond), noon}, {instant, time.Date(1, 1, 1, 0, 0, 0, 500, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)},
		{k(value.WallType), "2026-11-23 12:00:00", noon}, {k(value.WallType), noon.In(cet), noon},
		{k(value.ClockType), "08:05:00.5000", "08:05:00.5"}, {k(value.ClockType), "8:05", "08:05:00"}, {k(value.ClockType), "24:00:00", "24:00:00"}, {k(value.ClockType), "-838:59:59", "-838:59:59"},
		{value.Type{Kind: value.ClockType, Unit: time.Second}, "08:05:00.5", "08:05:01"}, {value.Type{Kind: value.ClockType, Unit: time.Second, Cuts: true}, "08:05:00.9", "08:05:00"},
		{k(value.UUIDType), "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {k(value.UUIDType), "{a0eebc999c0b4ef8bb6d6bb9bd380a11}", nil},
		{k(value.UUIDType), "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {k(value.UUIDType), []byte("\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{value.Type{Kind: value.ListType, Elem: &value.Type{Kind: value.IntType}}, []any{1, "2", nil}, []any{1, 2, nil}}, {k(value.ListType), raw("[1]"), []any{1}}, {k(value.ObjectType), raw(`{"a":1}`), map[string]any{"a": 1}},
		{k(value.JSONType), "text", "text"}, {k(value.AnyType), noon.In(cet), noon.In(cet)}, {k(value.IntType), nil, nil},
	} {
		got, err := coerce(t, c.typ, c.in)
		if c.want == nil && c.in != nil {
			if err == nil {
				t.Errorf("%v as %s gives %v, want a fault", c.in, c.typ.Kind, got)
			}
			continue
		}
		if want := from(t, c.want); err != nil || !value.Equal(got, want) {
			t.Errorf("%v as %s gives %s %v (%v), want %v", c.in, c.typ.Kind, got.Kind(), got, err, want)
		}
	}
}

// TestRefused: what would lose something is a fault that names the field, and never shows the value.
func TestRefused(t *testing.T) {
	k := func(k value.TypeKind) value.Type { return value.Type{Kind: k} }
	for _, c := range []struct {
		typ value.Type
		in  any
	}{
		{price, dec("10000")}, {price, dec("9999.995")}, {price, "secret"}, {price, true}, {price, []byte("1")}, {value.Type{Kind: value.DecimalType, Precision: 2, Scale: 4}, dec("0.01")},
		{k(value.IntType), dec("12.5")}, {k(value.IntType), 12.5}, {k(value.IntType), "secret"}, {k(value.IntType), math.NaN()}, {k(value.IntType), dec("9223372036854775808")}, {k(value.IntType), 1e300},
		{value.Type{Kind: value.IntType, Bits: 8}, 128}, {value.Type{Kind: value.IntType, Bits: 16, Unsigned: true}, -1}, {value.Type{Kind: value.IntType, Bits: 32}, 1 << 40}, {value.Type{Kind: value.IntType, Unsigned: true}, dec("18446744073709551616")},
		{k(value.FloatType), 9007199254740993}, {k(value.FloatType), math.MaxInt64}, {k(value.FloatType), "0x10"}, {value.Type{Kind: value.FloatType, Bits: 32}, 1e300}, {k(value.FloatType), "1e999"}, {k(value.FloatType), true},
		{k(value.BoolType), 2}, {k(value.BoolType), "secret"}, {k(value.BoolType), ""}, {value.Type{Kind: value.TextType, Length: 3}, "secret"}, {k(value.TextType), []byte("x")}, {value.Type{Kind: value.BytesType, Length: 1}, []byte("xy")},
		{k(value.BytesType), 1}, {k(value.DateType), noon}, {k(value.DateType), "23.11.2026"}, {k(value.DateType), 20261123}, {instant, "2026-11-23 12:00:00"}, {k(value.WallType), "secret"}, {k(value.ClockType), "25"},
		{k(value.ClockType), "12:60:00"}, {k(value.ClockType), noon}, {k(value.ClockType), "12:00:00+02"}, {k(value.UUIDType), "secret"}, {k(value.UUIDType), []byte("x")}, {k(value.UUIDType), 1}, {k(value.ListType), "[1]"},
		{value.Type{Kind: value.ListType, Elem: &value.Type{Kind: value.IntType}}, []any{"secret"}}, {k(value.ObjectType), raw("[1]")}, {k(value.ListType), raw("[secret")},
	} {
		got, err := coerce(t, c.typ, c.in)
		f := lockstep.FaultOf(err)
		if err == nil || f.Code != lockstep.CodeValue || f.About.Field != "x" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v as %s: %v, %v", c.in, c.typ.Kind, got, err)
		}
	}
}

func TestShape(t *testing.T) {
	stream := lockstep.Stream{Name: "s", Fields: []lockstep.Field{{Name: "a"}, {Name: "b"}, {Name: "c", ReadOnly: true}}}
	s, err := image.New(stream, []string{"b", "a"}, image.Options{Ignore: []string{"c"}})
	if err != nil || strings.Join(s.Fields(), " ") != "a b" {
		t.Fatalf("fields stand in the stream's order: %v, %v", s.Fields(), err)
	}
	if f, err := s.Coerce(value.F("b", 1, "other", 2, "a", 3)); err != nil || strings.Join(f.Names().List(), " ") != "a b" {
		t.Errorf("%v, %v", f.Names().List(), err)
	}
	if f, err := s.Coerce(value.F("b", 1)); err != nil || strings.Join(f.Names().List(), " ") != "b" {
		t.Errorf("what is absent stays absent: %v, %v", f, err)
	}
	all, _ := image.New(stream, nil, image.Options{})
	if strings.Join(all.Fields(), " ") != "a b" {
		t.Errorf("nil is all that can be written: %v", all.Fields())
	}
	free, err := image.New(lockstep.Stream{}, []string{"x", "y"}, image.Options{})
	if err != nil || strings.Join(free.Fields(), " ") != "x y" {
		t.Errorf("a stream without declarations takes all: %v, %v", free, err)
	}
	for _, opt := range []image.Options{{Ignore: []string{"zz"}}, {Unordered: []string{"zz"}}, {Tolerance: map[string]value.Decimal{"zz": dec("1")}}} {
		if _, err := image.New(stream, nil, opt); err == nil || lockstep.FaultOf(err).Code != lockstep.CodeNoField {
			t.Errorf("%+v: %v", opt, err)
		}
	}
	if _, err := image.New(stream, []string{"zz"}, image.Options{}); lockstep.FaultOf(err).About.Field != "zz" {
		t.Error(err)
	}
}

// TestCoerceSharesNames: the images of one page share their names, and the input is never written to.
func TestCoerceSharesNames(t *testing.T) {
	stream := lockstep.Stream{Fields: []lockstep.Field{{Name: "a", Type: value.Type{Kind: value.IntType}}, {Name: "b", Type: value.Type{Kind: value.TextType}}}}
	s, _ := image.New(stream, nil, image.Options{})
	names := value.NewNames("b", "a")
	one, two := names.Fields([]value.Value{value.Text("x"), value.Text("1")}), names.Fields([]value.Value{value.Text("y"), value.Int(2)})
	f, err := s.Coerce(one)
	g, err2 := s.Coerce(two)
	if err != nil || err2 != nil || f.Names() != g.Names() {
		t.Fatal(err, err2)
	}
	if v, _ := one.Get("a"); v.Kind() != value.KindText {
		t.Error("the input was written to")
	}
	if v, _ := f.Get("a"); v.Int() != 1 {
		t.Error(v)
	}
}

func TestDerive(t *testing.T) {
	fields := []lockstep.Field{{Name: "id", Type: value.Type{Kind: value.IntType, Bits: 64, Native: "bigint"}, Nullable: true, Default: true}, {Name: "n", Type: value.Type{Kind: value.ListType, Elem: &value.Type{Native: "x"}}, Nullable: true, ReadOnly: true}}
	s, err := image.Derive("copy", fields, []string{"id"})
	if err != nil || s.Name != "copy" || s.Fields[0].Nullable || s.Fields[0].Default || s.Fields[0].Type.Native != "" || s.Fields[1].ReadOnly || !s.Fields[1].Nullable || s.Fields[1].Type.Elem.Native != "" {
		t.Errorf("%+v, %v", s, err)
	}
	if fields[1].Type.Elem.Native != "x" {
		t.Error("the source's description was written to")
	}
	if _, err := image.Derive("copy", fields, nil); lockstep.FaultOf(err).Code != lockstep.CodeNoKey {
		t.Error(err)
	}
	if _, err := image.Derive("copy", fields, []string{"zz"}); lockstep.FaultOf(err).Code != lockstep.CodeNoField {
		t.Error(err)
	}
}
