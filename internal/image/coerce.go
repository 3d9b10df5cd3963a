package image

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/value"
)

// Coerce gives the fields as the target would hold them, in the shape's order: law 7. Fields that are absent stay
// absent; fields that the shape does not have are left out. A value that does not fit, or would lose something, is a
// fault of CodeValue that names the field. Fields that need no change are returned as they are, without a copy.
//
// Decimals are rounded half away from zero to the declared scale, times are brought to the declared unit (rounded or
// cut, as the system does), doubles to the declared bits: that much the target does itself. All else is exact or a
// fault: text is never cut, a number never wraps, a time of day never falls off a date. NaN and infinities pass in
// float and decimal fields (PostgreSQL's numeric holds them), all NaNs being equal, and are faults elsewhere.
// A field that inherits (lockstep.Field.Inherits) becomes null where it says what it would inherit.
func (s *Shape) Coerce(f value.Fields) (value.Fields, error) {
	if f.Len() == 0 {
		return f, nil
	}
	p := s.planFor(f.Names())
	values := f.Values()
	var out []value.Value
	if !p.same {
		out = make([]value.Value, len(p.from))
	}
	for i, at := range p.from {
		v, fd := values[at], &s.fields[p.shape[i]]
		w, changed, err := coerce(&fd.typ, v)
		if err != nil {
			return value.Fields{}, lockstep.NewFault(lockstep.CodeValue, err).On(lockstep.About{Field: fd.name})
		}
		if changed && out == nil {
			out = append(make([]value.Value, 0, len(values)), values...)
		}
		if out != nil {
			out[i] = w
		}
	}
	if len(p.heirs) > 0 {
		out = s.inherit(p, values, out)
	}
	if out == nil {
		return f, nil
	}
	return p.out.Fields(out), nil
}

// inherit makes null of what is said to be inherited anyway. out is nil while it would be a copy of values.
func (s *Shape) inherit(p *plan, values, out []value.Value) []value.Value {
	h := s.hashers.Get().(*hasher)
	defer func() {
		h.release()
		s.hashers.Put(h)
	}()
	for _, heir := range p.heirs {
		now := values
		if out != nil {
			now = out
		}
		if now[heir.at].IsNull() || !h.equal(&s.fields[p.shape[heir.at]].typ, now[heir.at], now[heir.from]) {
			continue
		}
		if out == nil {
			out = slices.Clone(values)
		}
		out[heir.at] = value.Null
	}
	return out
}

// coerce brings one value to a type; changed is false where v is as it should be already.
func coerce(t *value.Type, v value.Value) (w value.Value, changed bool, err error) {
	if v.IsNull() {
		return v, false, nil
	}
	switch t.Kind {
	case value.BoolType:
		return toBool(v)
	case value.IntType:
		return toInt(t, v)
	case value.FloatType:
		return toFloat(t, v)
	case value.DecimalType:
		return toDecimal(t, v)
	case value.TextType:
		return toText(t, v)
	case value.BytesType:
		return toBytes(t, v)
	case value.DateType, value.WallType, value.InstantType:
		return toTime(t, v)
	case value.ClockType:
		return toClock(t, v)
	case value.UUIDType:
		return toUUID(v)
	case value.ListType:
		return toList(t, v)
	case value.ObjectType:
		return toObject(t, v)
	}
	return v, false, nil
}

// cannot says that a value is no such thing. It shows the kind, never the value (law 12: fields can be personal).
func cannot(v value.Value, what string) error {
	return fmt.Errorf("a value of kind %s cannot be held as %s without loss", v.Kind(), what)
}

var trueWords = map[string]bool{"true": true, "t": true, "yes": true, "y": true, "on": true, "1": true,
	"false": false, "f": false, "no": false, "n": false, "off": false, "0": false}

func toBool(v value.Value) (value.Value, bool, error) {
	switch v.Kind() {
	case value.KindBool:
		return v, false, nil
	case value.KindInt:
		if n := v.Int(); n == 0 || n == 1 {
			return value.Bool(n == 1), true, nil
		}
	case value.KindDecimal:
		if text := v.Decimal().Trim().String(); text == "0" || text == "1" {
			return value.Bool(text == "1"), true, nil
		}
	case value.KindText:
		if len(v.Text()) <= 5 {
			if b, ok := trueWords[lower(v.Text())]; ok {
				return value.Bool(b), true, nil
			}
		}
	}
	return v, false, cannot(v, "a truth value")
}

var maxUnsigned = mustDecimal("18446744073709551615")

func mustDecimal(text string) value.Decimal {
	d, err := value.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

func toInt(t *value.Type, v value.Value) (value.Value, bool, error) {
	w, changed := v, false
	switch v.Kind() {
	case value.KindInt:
	case value.KindBool:
		w, changed = value.Int(0), true
		if v.Bool() {
			w = value.Int(1)
		}
	default:
		d, ok := asDecimal(v)
		if !ok || !decimal.IsWhole(d) {
			return v, false, cannot(v, "a whole number")
		}
		d = d.Trim()
		parsed, err := value.ParseJSON(d.String()) // an int where it fits, else a decimal
		if err != nil {
			return v, false, cannot(v, "a whole number")
		}
		w, changed = parsed, !value.Equal(v, parsed)
	}
	if !fitsInt(t, w) {
		return v, false, fmt.Errorf("the number is out of the range of %s", intName(t))
	}
	return w, changed, nil
}

func fitsInt(t *value.Type, v value.Value) bool {
	bits := t.Bits
	if bits == 0 {
		bits = 64
	}
	if v.Kind() == value.KindDecimal { // beyond 64 bits signed
		d := v.Decimal()
		return t.Unsigned && bits == 64 && decimal.Sign(d) > 0 && decimal.Cmp(d, maxUnsigned) <= 0
	}
	n := v.Int()
	if t.Unsigned {
		return n >= 0 && (bits == 64 || n < 1<<bits)
	}
	return bits == 64 || (n >= -1<<(bits-1) && n < 1<<(bits-1))
}

func intName(t *value.Type) string {
	name, bits := "signed", t.Bits
	if t.Unsigned {
		name = "unsigned"
	}
	if bits == 0 {
		bits = 64
	}
	return fmt.Sprintf("%d bits %s", bits, name)
}

// asDecimal is a number, or a text that is one, exactly; a double by its shortest text.
func asDecimal(v value.Value) (value.Decimal, bool) {
	switch v.Kind() {
	case value.KindInt:
		return decimal.Int(v.Int()), true
	case value.KindDecimal:
		return v.Decimal(), true
	case value.KindFloat:
		return decimal.FromFloat(v.Float())
	case value.KindText:
		d, err := value.ParseDecimal(v.Text())
		return d, err == nil
	}
	return value.Decimal{}, false
}

func toFloat(t *value.Type, v value.Value) (value.Value, bool, error) {
	var f float64
	switch v.Kind() {
	case value.KindFloat:
		f = v.Float()
	case value.KindInt:
		f = float64(v.Int())
		if f >= 1<<63 || int64(f) != v.Int() {
			return v, false, cannot(v, "a double")
		}
	case value.KindDecimal, value.KindText:
		g, ok := parseFloat(v)
		if !ok {
			return v, false, cannot(v, "a double")
		}
		f = g
	default:
		return v, false, cannot(v, "a double")
	}
	if t.Bits == 32 && !math.IsNaN(f) {
		g := float64(float32(f))
		if math.IsInf(g, 0) && !math.IsInf(f, 0) {
			return v, false, errors.New("the number is out of the range of a 32-bit float")
		}
		f = g
	}
	return value.Float(f), v.Kind() != value.KindFloat || (f != v.Float() && !math.IsNaN(f)), nil
}

func toDecimal(t *value.Type, v value.Value) (value.Value, bool, error) {
	if v.Kind() == value.KindFloat && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		return v, false, nil
	}
	d, ok := asDecimal(v)
	if !ok {
		return v, false, cannot(v, "a decimal")
	}
	changed := v.Kind() != value.KindDecimal
	if t.Precision > 0 {
		if d.Scale() > t.Scale {
			d, changed = decimal.Round(d, t.Scale), true
		}
		if !decimal.Fits(d, t.Precision, t.Scale) {
			return v, false, fmt.Errorf("the number is larger than decimal(%d,%d) holds", t.Precision, t.Scale)
		}
	}
	if !changed {
		return v, false, nil
	}
	return value.FromDecimal(d), true, nil
}
