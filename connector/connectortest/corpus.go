package connectortest

import (
	"math"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// Sample is a type with values that must survive the way into a system and back.
type Sample struct {
	Name   string
	Type   value.Type
	Values []value.Value
}

// Corpus is the type fidelity corpus: the values that get lost most often. Every sample also goes with null.
func Corpus() []Sample {
	return append(append(numbers(), texts()...), append(times(), documents()...)...)
}

func numbers() []Sample {
	tiny, small, medium := int64(math.MinInt16), int64(math.MinInt32), int64(math.MinInt64)
	return []Sample{
		{"bool", value.Type{Kind: value.BoolType}, list(true, false)},
		{"int16", value.Type{Kind: value.IntType, Bits: 16}, list(0, 1, -1, tiny, math.MaxInt16)},
		{"int32", value.Type{Kind: value.IntType, Bits: 32}, list(0, small, math.MaxInt32)},
		{"int64", value.Type{Kind: value.IntType, Bits: 64}, list(0, medium, math.MaxInt64, 1<<53+1, -(1<<53 + 1))},
		{"uint64", value.Type{Kind: value.IntType, Bits: 64, Unsigned: true}, list(0, uint64(math.MaxUint64), uint64(math.MaxInt64)+1)},
		{"float64", value.Type{Kind: value.FloatType, Bits: 64}, list(0.0, 1.5, -0.1, math.Pi, 1e-7, 1e21, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64)},
		{"float32", value.Type{Kind: value.FloatType, Bits: 32}, list(0.0, 1.5, -0.25, float64(float32(0.1)), float64(math.MaxFloat32))},
		{"float specials", value.Type{Kind: value.FloatType, Bits: 64}, list(math.NaN(), math.Inf(1), math.Inf(-1))},
		{"decimal(12,2)", value.Type{Kind: value.DecimalType, Precision: 12, Scale: 2}, decimals("0", "0.00", "0.01", "-0.01", "12.30", "9999999999.99", "-9999999999.99")},
		{"decimal(38,0)", value.Type{Kind: value.DecimalType, Precision: 38}, decimals("0", strings.Repeat("9", 38), "-"+strings.Repeat("9", 38), "1"+strings.Repeat("0", 37), "9007199254740993")},
		{"decimal(38,10)", value.Type{Kind: value.DecimalType, Precision: 38, Scale: 10}, decimals("1234567890123456789012345678.0123456789", "-0.0000000001", "0.1", "1.10")},
		{"decimal", value.Type{Kind: value.DecimalType}, decimals("0", "1.0", "1.10", "-12.3400", "0.00000000000000000001", "123456789012345678901234567890.123456789012345678901234567890")},
	}
}

func texts() []Sample {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return []Sample{
		{"text", value.Type{Kind: value.TextType}, list("", " ", "a", " blanks on both sides ", "line\nline", "dos\r\nline", "\ttab", "\r", `back\slash`, `\N`, `\.`, "NULL", "null",
			`"`, `""`, `a "quoted" word`, "it's", "a,b;c|d", "čšž ŠĐČ", "日本語", "😀🏳️‍🌈", "e\u0301", "\u00e9", "\ufeffbom", "{}", "[1]", "0012", "1e5", "true", "-- x", "$1", "%s", "{{x}}",
			"\x01\x1f\x7f", strings.Repeat("long ", 4000), strings.Repeat("😀", 1000))},
		{"text with NUL", value.Type{Kind: value.TextType}, list("a\x00b")},
		{"text(10)", value.Type{Kind: value.TextType, Length: 10}, list("", "0123456789", strings.Repeat("😀", 10))},
		{"bytes", value.Type{Kind: value.BytesType}, list([]byte{}, []byte{0}, []byte("text"), all, []byte{0xff, 0xfe}, []byte(`\x00`))},
		{"uuid", value.Type{Kind: value.UUIDType}, list("00000000-0000-0000-0000-000000000000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "ffffffff-ffff-ffff-ffff-ffffffffffff")},
	}
}

func times() []Sample {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	at := func(text string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			panic(err)
		}
		return t
	}
	return []Sample{
		{"date", value.Type{Kind: value.DateType}, list(day(2026, 2, 28), day(2024, 2, 29), day(1, 1, 1), day(9999, 12, 31), day(1969, 12, 31), day(1582, 10, 10), day(1900, 1, 1))},
		{"clock", value.Type{Kind: value.ClockType, Unit: time.Microsecond}, list("00:00:00", "23:59:59", "12:30:00.5", "12:30:00.000001", "23:59:59.999999")},
		{"wall", value.Type{Kind: value.WallType, Unit: time.Microsecond}, list(at("2026-11-23T14:30:00Z"), at("2026-03-29T02:30:00Z"), at("1969-12-31T23:59:59.999999Z"),
			at("2026-01-02T03:04:05.000001Z"), at("2026-01-02T03:04:05.1Z"), at("0001-01-01T00:00:00Z"), at("9999-12-31T23:59:59.999999Z"))},
		{"wall in seconds", value.Type{Kind: value.WallType, Unit: time.Second}, list(at("2026-11-23T14:30:00Z"), at("1900-01-01T00:00:00Z"))},
		{"instant", value.Type{Kind: value.InstantType, Unit: time.Microsecond}, list(at("2026-11-23T14:30:00Z"), at("2026-11-23T14:30:00.123456+05:30"), at("2026-10-25T02:30:00+02:00"),
			at("2026-10-25T02:30:00+01:00"), at("1969-12-31T23:59:59.999999-08:00"), at("1900-01-01T00:00:00Z"), at("2300-01-01T00:00:00Z"))},
	}
}

func documents() []Sample {
	text, whole := value.Type{Kind: value.TextType}, value.Type{Kind: value.IntType}
	return []Sample{
		{"json", value.Type{Kind: value.JSONType}, docs(`{}`, `[]`, `{"a":1}`, `{"b":[1,{"c":null}],"a":"x"}`, `{"n":12345678901234567890.12345678901234567890}`, `{"n":9007199254740993}`,
			`[0.1,1.10,-0.5,100000000000000000000]`, `{"u":"\u010d\ud83d\ude00","t":"a\tb\nc\\d\"e"}`, `{"$float":"no tag"}`, `{"":""}`, `[[[[[[]]]]]]`, `{"a":"😀"}`)},
		{"json scalars", value.Type{Kind: value.JSONType}, docs(`true`, `false`, `0`, `-1.5`, `"text"`, `""`, `"[1]"`, `"null"`)},
		{"list of text", value.Type{Kind: value.ListType, Elem: &text}, []value.Value{value.List(), value.List(list("")...), value.List(list("a", "b")...),
			value.List(list("a,b", `c"d`, `e\f`, "{g}", "NULL", " ", "čšž 😀", "line\nline")...)}},
		{"list of text with nulls", value.Type{Kind: value.ListType, Elem: &text}, []value.Value{value.List(value.Null), value.List(value.Text("a"), value.Null, value.Text("NULL"))}},
		{"list of int", value.Type{Kind: value.ListType, Elem: &whole}, []value.Value{value.List(), value.List(list(1, -2, math.MaxInt64)...)}},
	}
}

func list(xs ...any) []value.Value {
	out := make([]value.Value, len(xs))
	for i, x := range xs {
		v, err := value.From(x)
		if err != nil {
			panic(err)
		}
		out[i] = v
	}
	return out
}

func decimals(texts ...string) []value.Value {
	out := make([]value.Value, len(texts))
	for i, text := range texts {
		d, err := value.ParseDecimal(text)
		if err != nil {
			panic(err)
		}
		out[i] = value.FromDecimal(d)
	}
	return out
}

func docs(texts ...string) []value.Value {
	out := make([]value.Value, len(texts))
	for i, text := range texts {
		v, err := value.ParseJSON(text)
		if err != nil {
			panic(err)
		}
		out[i] = v
	}
	return out
}
