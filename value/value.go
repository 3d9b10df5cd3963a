// Package value holds the closed set of values that a record's fields can have, and Fields, the opaque list of
// them. It is the hot path of every page, so its layout was chosen by benchmark (docs/performance.md): a Value is 24
// bytes and holds text, numbers and times without an allocation of its own.
package value

import (
	"fmt"
	"math"
	"time"
	"unsafe"
)

// Kind is which of the closed set a Value is.
type Kind uint8

// The closed set. A connector hands out nothing else, and is handed nothing else.
const (
	KindNull Kind = iota
	KindBool
	KindInt     // 64 bits, signed
	KindFloat   // IEEE 754 double; NaN and infinities are values
	KindDecimal // exact, with its scale
	KindText    // valid UTF-8
	KindBytes
	KindTime // an instant with a zone, or a wall clock in UTC (the field's Type tells which)
	KindList
	KindObject
)

var kindNames = [...]string{"null", "bool", "int", "float", "decimal", "text", "bytes", "time", "list", "object"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Value is one value of a field. The zero Value is null. Values are immutable: the bytes behind one are never
// written again, so a page's values may share one buffer.
type Value struct {
	num uint64
	// ref is nil for null, a Kind for bool, int and float, and one of the pointer types below otherwise.
	ref any
}

type (
	textRef    *byte
	bytesRef   *byte
	decimalRef *byte
	jsonRef    *byte // an object or list still in its JSON text
	zoneRef    *time.Location
	listRef    *Value
	objectRef  *Fields
)

// Null is the null value.
var Null = Value{}

// Bool is a truth value.
func Bool(b bool) Value {
	if b {
		return Value{num: 1, ref: KindBool}
	}
	return Value{ref: KindBool}
}

// Int is a whole number.
func Int(n int64) Value { return Value{num: uint64(n), ref: KindInt} }

// Float is a double.
func Float(f float64) Value { return Value{num: math.Float64bits(f), ref: KindFloat} }

// Text is a string; it must be valid UTF-8.
func Text(s string) Value { return Value{num: uint64(len(s)), ref: textRef(unsafe.StringData(s))} }

// Bytes is binary data. b must not be written to afterwards.
func Bytes(b []byte) Value { return Value{num: uint64(len(b)), ref: bytesRef(unsafe.SliceData(b))} }

// FromDecimal is an exact number.
func FromDecimal(d Decimal) Value {
	return Value{num: uint64(len(d.text)), ref: decimalRef(unsafe.StringData(d.text))}
}

// Time is an instant. Its monotonic part is dropped, its zone is kept. A wall clock without a zone is given in UTC.
func Time(t time.Time) Value {
	t = t.Round(0)
	// UnixNano is exact for the years 1678 to 2262; sentinel dates outside go by pointer.
	if y := t.Year(); y > 1678 && y < 2262 {
		return Value{num: uint64(t.UnixNano()), ref: zoneRef(t.Location())}
	}
	return Value{ref: t}
}

// List is an ordered list. vs must not be written to afterwards.
func List(vs ...Value) Value { return Value{num: uint64(len(vs)), ref: listRef(unsafe.SliceData(vs))} }

// Object is a nested record.
func Object(f Fields) Value { return Value{ref: objectRef(&f)} }

// Kind tells which of the closed set v is.
func (v Value) Kind() Kind {
	switch r := v.ref.(type) {
	case nil:
		return KindNull
	case Kind:
		return r
	case textRef:
		return KindText
	case bytesRef:
		return KindBytes
	case decimalRef:
		return KindDecimal
	case zoneRef, time.Time:
		return KindTime
	case listRef:
		return KindList
	case objectRef:
		return KindObject
	case jsonRef:
		if *r == '{' {
			return KindObject
		}
		return KindList
	}
	panic("value: unknown kind")
}

// IsNull tells whether v is null.
func (v Value) IsNull() bool { return v.ref == nil }

// Bool is the truth value of a KindBool. It panics for another kind, as the getters below do.
func (v Value) Bool() bool {
	v.must(KindBool)
	return v.num != 0
}

// Int is the number of a KindInt.
func (v Value) Int() int64 {
	v.must(KindInt)
	return int64(v.num)
}

// Float is the number of a KindFloat.
func (v Value) Float() float64 {
	v.must(KindFloat)
	return math.Float64frombits(v.num)
}

// Text is the string of a KindText.
func (v Value) Text() string {
	if p, ok := v.ref.(textRef); ok {
		return unsafe.String((*byte)(p), v.num)
	}
	v.must(KindText)
	return ""
}

// Bytes is the data of a KindBytes. It must not be written to.
func (v Value) Bytes() []byte {
	if p, ok := v.ref.(bytesRef); ok {
		return unsafe.Slice((*byte)(p), v.num)
	}
	v.must(KindBytes)
	return nil
}

// Decimal is the number of a KindDecimal.
func (v Value) Decimal() Decimal {
	if p, ok := v.ref.(decimalRef); ok {
		return Decimal{unsafe.String((*byte)(p), v.num)}
	}
	v.must(KindDecimal)
	return Decimal{}
}

// Time is the instant of a KindTime.
func (v Value) Time() time.Time {
	switch r := v.ref.(type) {
	case zoneRef:
		return time.Unix(0, int64(v.num)).In((*time.Location)(r))
	case time.Time:
		return r
	}
	v.must(KindTime)
	return time.Time{}
}

// List is the items of a KindList. It must not be written to.
func (v Value) List() []Value {
	switch r := v.ref.(type) {
	case listRef:
		return unsafe.Slice((*Value)(r), v.num)
	case jsonRef:
		return v.parsed().List()
	}
	v.must(KindList)
	return nil
}

// Object is the members of a KindObject.
func (v Value) Object() Fields {
	switch r := v.ref.(type) {
	case objectRef:
		return *(*Fields)(r)
	case jsonRef:
		return v.parsed().Object()
	}
	v.must(KindObject)
	return Fields{}
}

func (v Value) must(k Kind) {
	if got := v.Kind(); got != k {
		panic(fmt.Sprintf("value: %s asked of a %s", k, got))
	}
}

// String shows v for people; it is not an encoding (see AppendJSON).
func (v Value) String() string {
	switch v.Kind() {
	case KindText:
		return v.Text()
	case KindBytes:
		return fmt.Sprintf("%x", v.Bytes())
	default:
		return string(AppendJSON(nil, v))
	}
}

// Equal tells whether a and b are the same value: kind and content, times by instant, objects in any order of their
// members. Equality between two systems is law 7's digest (internal/image), not this.
func Equal(a, b Value) bool {
	k := a.Kind()
	if k != b.Kind() {
		return false
	}
	switch k {
	case KindNull:
		return true
	case KindBool, KindInt:
		return a.num == b.num
	case KindFloat:
		return a.num == b.num || a.Float() == b.Float()
	case KindDecimal:
		return a.Decimal() == b.Decimal()
	case KindText:
		return a.Text() == b.Text()
	case KindBytes:
		return string(a.Bytes()) == string(b.Bytes())
	case KindTime:
		return a.Time().Equal(b.Time())
	case KindList:
		x, y := a.List(), b.List()
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	default:
		return a.Object().Equal(b.Object())
	}
}

func stringData(s string) *byte { return unsafe.StringData(s) }

func stringOf(p jsonRef, n uint64) string { return unsafe.String((*byte)(p), n) }
