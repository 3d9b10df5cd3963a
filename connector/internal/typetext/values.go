package typetext

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/value"
)

// The texts of values: bool true and false, numbers plain, bytes in base64, a day 2006-01-02, a wall clock
// 2006-01-02T15:04:05, an instant as RFC 3339 with its zone, lists and objects as JSON.
const (
	dayForm  = "2006-01-02"
	wallForm = "2006-01-02T15:04:05.999999999"
)

// Value is a text as a value of its declared type.
func Value(s string, t value.Type) (value.Value, error) {
	switch t.Kind {
	case value.AnyType, value.TextType:
		return value.Text(s), nil
	case value.BoolType:
		return Bool(s)
	case value.IntType:
		return parseInt(s, t)
	case value.FloatType:
		f, err := strconv.ParseFloat(s, bits(t))
		if err != nil {
			return value.Null, errors.New("not a number that fits")
		}
		return value.Float(f), nil
	case value.DecimalType:
		d, err := value.ParseDecimal(s)
		return value.FromDecimal(d), err
	case value.BytesType:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return value.Null, errors.New("not base64")
		}
		return value.Bytes(b), nil
	case value.DateType:
		return parseTime(s, "not a day such as 2006-01-02", dayForm, "2006-01-02T00:00:00Z", "2006-01-02T00:00:00", "2006-01-02 00:00:00")
	case value.WallType:
		return parseTime(s, "not a date and time such as 2006-01-02T15:04:05", wallForm, wallForm+"Z", "2006-01-02 15:04:05.999999999", dayForm)
	case value.InstantType:
		return parseTime(s, "not an instant such as 2006-01-02T15:04:05+01:00", time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00")
	case value.ClockType:
		if _, err := time.Parse("15:04:05.999999999", s); err != nil {
			return value.Null, errors.New("not a time of day such as 15:04:05")
		}
		return value.Text(s), nil
	case value.UUIDType:
		if len(s) != 36 || strings.Trim(strings.ToLower(s), "0123456789abcdef-") != "" {
			return value.Null, errors.New("not a UUID")
		}
		return value.Text(strings.ToLower(s)), nil
	}
	v, err := value.ParseJSON(s)
	if err != nil {
		return value.Null, err
	}
	return FromJSON(v, t)
}

func bits(t value.Type) int {
	if t.Bits == 0 {
		return 64
	}
	return t.Bits
}

// Bool reads what people write for true and false.
func Bool(s string) (value.Value, error) {
	switch strings.ToLower(s) {
	case "true", "t", "1", "yes":
		return value.Bool(true), nil
	case "false", "f", "0", "no":
		return value.Bool(false), nil
	}
	return value.Null, errors.New("neither true nor false")
}

func parseInt(s string, t value.Type) (value.Value, error) {
	if !t.Unsigned {
		n, err := strconv.ParseInt(s, 10, bits(t))
		if err != nil {
			return value.Null, fmt.Errorf("not a whole number of %d bits", bits(t))
		}
		return value.Int(n), nil
	}
	n, err := strconv.ParseUint(s, 10, bits(t))
	if err != nil {
		return value.Null, fmt.Errorf("not a whole number of %d bits without a sign", bits(t))
	}
	return value.From(n)
}

func parseTime(s, what string, forms ...string) (value.Value, error) {
	for _, form := range forms {
		if at, err := time.Parse(form, s); err == nil {
			return value.Time(at), nil
		}
	}
	return value.Null, errors.New(what)
}

// FromJSON is a plain JSON value as a value of its declared type.
func FromJSON(v value.Value, t value.Type) (value.Value, error) {
	k := v.Kind()
	switch {
	case k == value.KindNull, t.Kind == value.AnyType, t.Kind == value.JSONType:
		return v, nil
	case k == value.KindText && t.Kind != value.ListType && t.Kind != value.ObjectType:
		return Value(v.Text(), t)
	case t.Kind == value.ListType && k == value.KindList && t.Elem != nil:
		items := make([]value.Value, len(v.List()))
		for i, item := range v.List() {
			var err error
			if items[i], err = FromJSON(item, *t.Elem); err != nil {
				return value.Null, err
			}
		}
		return value.List(items...), nil
	case t.Kind == value.IntType && (k == value.KindInt || k == value.KindDecimal),
		t.Kind == value.FloatType && (k == value.KindInt || k == value.KindDecimal),
		t.Kind == value.DecimalType && k == value.KindInt,
		t.Kind == value.TextType && (k == value.KindInt || k == value.KindDecimal || k == value.KindBool):
		return Value(v.String(), t)
	case t.Kind == value.DecimalType && k == value.KindDecimal, t.Kind == value.BoolType && k == value.KindBool,
		t.Kind == value.ListType && k == value.KindList, t.Kind == value.ObjectType && k == value.KindObject:
		return v, nil
	}
	return value.Null, fmt.Errorf("a %s where the declared type is %s", k, Of(t))
}

// Check says why a value cannot stand in a field of type t, nil where it can.
func Check(v value.Value, t value.Type) error {
	k := v.Kind()
	ok := true
	switch t.Kind {
	case value.BoolType:
		ok = k == value.KindBool
	case value.IntType:
		ok = k == value.KindInt || k == value.KindDecimal
	case value.FloatType:
		ok = k == value.KindFloat || k == value.KindInt || k == value.KindDecimal
	case value.DecimalType:
		ok = k == value.KindDecimal || k == value.KindInt
	case value.TextType, value.ClockType, value.UUIDType:
		ok = k == value.KindText
	case value.BytesType:
		ok = k == value.KindBytes
	case value.DateType, value.WallType, value.InstantType:
		ok = k == value.KindTime
	case value.ListType:
		ok = k == value.KindList
	case value.ObjectType:
		ok = k == value.KindObject
	}
	switch {
	case k == value.KindNull:
		return nil
	case !ok:
		return fmt.Errorf("a %s does not fit a field of type %s", k, Of(t))
	case k == value.KindTime && (v.Time().Year() < 0 || v.Time().Year() > 9999):
		return errors.New("only the years 0 to 9999 can be written")
	case k == value.KindText && !utf8.ValidString(v.Text()):
		return errors.New("a text that is not UTF-8")
	case t.Kind == value.IntType:
		_, err := parseInt(v.String(), t)
		return err
	}
	return nil
}

// Text is a value's text, which Value reads. Null has none.
func Text(v value.Value, t value.Type) string {
	switch v.Kind() {
	case value.KindText:
		if t.Kind != value.JSONType {
			return v.Text()
		}
	case value.KindFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case value.KindBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case value.KindTime:
		return formatTime(v.Time(), t)
	}
	return string(AppendJSON(nil, v, t))
}

func formatTime(at time.Time, t value.Type) string {
	switch t.Kind {
	case value.DateType:
		return at.Format(dayForm)
	case value.WallType:
		return at.Format(wallForm)
	}
	return at.Format(time.RFC3339Nano)
}

// AppendJSON is a value as plain JSON, days and wall clocks in their own forms.
func AppendJSON(b []byte, v value.Value, t value.Type) []byte {
	switch v.Kind() {
	case value.KindTime:
		return value.AppendQuoted(b, formatTime(v.Time(), t))
	case value.KindFloat:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return value.AppendQuoted(b, Text(v, t))
		}
	case value.KindList:
		if t.Elem == nil {
			break
		}
		b = append(b, '[')
		for i, item := range v.List() {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, item, *t.Elem)
		}
		return append(b, ']')
	}
	return value.AppendJSON(b, v)
}
