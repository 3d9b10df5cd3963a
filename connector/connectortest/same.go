package connectortest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/value"
)

// Same tells whether a value read back is the one that was written, to a field declared as t: numbers by value and
// not by scale, times by instant to t's unit, lists item by item unless t is a set, everything else as it is (law 7).
func Same(want, got value.Value, t value.Type) bool {
	if want.IsNull() || got.IsNull() {
		return want.IsNull() && got.IsNull()
	}
	if a, ok := number(want); ok {
		b, ok := number(got)
		return ok && (a == b || t.Kind == value.FloatType && sameFloat(want, got, t.Bits))
	}
	if want.Kind() != got.Kind() {
		return false
	}
	switch want.Kind() {
	case value.KindText:
		a, b := want.Text(), got.Text()
		if t.Padded {
			a, b = strings.TrimRight(a, " "), strings.TrimRight(b, " ")
		}
		return a == b
	case value.KindTime:
		return want.Time().Truncate(max(1, t.Unit)).Equal(got.Time().Truncate(max(1, t.Unit)))
	case value.KindList:
		return sameList(want.List(), got.List(), t)
	case value.KindObject:
		return sameObject(want.Object(), got.Object())
	}
	return value.Equal(want, got)
}

// number is a text that is equal for equal numbers, exact ones and doubles alike.
func number(v value.Value) (string, bool) {
	switch v.Kind() {
	case value.KindInt:
		return strconv.FormatInt(v.Int(), 10), true
	case value.KindDecimal:
		return v.Decimal().Trim().String(), true
	case value.KindFloat:
		text := strconv.FormatFloat(v.Float(), 'f', -1, 64)
		if d, err := value.ParseDecimal(text); err == nil {
			text = d.Trim().String()
		}
		return text, true
	}
	return "", false
}

func sameFloat(want, got value.Value, bits int) bool {
	if bits == 0 {
		bits = 64
	}
	a, _ := number(want)
	b, _ := number(got)
	x, errX := strconv.ParseFloat(a, bits)
	y, errY := strconv.ParseFloat(b, bits)
	return errX == nil && errY == nil && x == y
}

func sameList(want, got []value.Value, t value.Type) bool {
	if len(want) != len(got) {
		return false
	}
	var elem value.Type
	if t.Elem != nil {
		elem = *t.Elem
	}
	taken := make([]bool, len(got))
	for i, w := range want {
		found := false
		for j, g := range got {
			if taken[j] || !t.Unordered && i != j || !Same(w, g, elem) {
				continue
			}
			taken[j], found = true, true
			break
		}
		if !found {
			return false
		}
	}
	return true
}

func sameObject(want, got value.Fields) bool {
	if want.Len() != got.Len() {
		return false
	}
	for name, w := range want.All() {
		g, there := got.Get(name)
		if !there || !Same(w, g, value.Type{}) {
			return false
		}
	}
	return true
}

// closed says why a value is not one of the closed set, "" where it is.
func closed(v value.Value) string {
	switch v.Kind() {
	case value.KindText:
		if !utf8.ValidString(v.Text()) {
			return "a text that is not valid UTF-8"
		}
	case value.KindTime:
		if v.Time().Location() == nil {
			return "a time without a location"
		}
	case value.KindList:
		for _, item := range v.List() {
			if why := closed(item); why != "" {
				return why
			}
		}
	case value.KindObject:
		for name, member := range v.Object().All() {
			if !utf8.ValidString(name) {
				return "a member whose name is not valid UTF-8"
			}
			if why := closed(member); why != "" {
				return why
			}
		}
	}
	return ""
}

// kinds are those that a value of a declared type may have when it is read.
func kindFits(v value.Value, t value.Type) bool {
	k := v.Kind()
	if k == value.KindNull {
		return true
	}
	switch t.Kind {
	case value.BoolType:
		return k == value.KindBool
	case value.IntType:
		return k == value.KindInt || t.Unsigned && k == value.KindDecimal
	case value.FloatType:
		return k == value.KindFloat
	case value.DecimalType:
		return k == value.KindDecimal || k == value.KindInt
	case value.TextType, value.ClockType, value.UUIDType:
		return k == value.KindText
	case value.BytesType:
		return k == value.KindBytes
	case value.DateType, value.WallType, value.InstantType:
		return k == value.KindTime
	case value.ListType:
		return k == value.KindList
	case value.ObjectType:
		return k == value.KindObject
	}
	return true
}

func show(v value.Value) string {
	text := string(value.AppendTagged(nil, value.F("", v)))
	text = strings.TrimSuffix(strings.TrimPrefix(text, `{"":`), "}")
	if len(text) > 200 {
		text = fmt.Sprintf("%s… (%d bytes)", text[:200], len(text))
	}
	if v.Kind() == value.KindTime {
		text += " " + v.Time().Format(time.RFC3339Nano)
	}
	return v.Kind().String() + " " + text
}
