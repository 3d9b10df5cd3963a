package pimcore

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// ofText makes a value of a JSON text. An empty text is no number and no time: it is null.
func (s *shape) ofText(text string) (value.Value, error) {
	kind := s.typ.Kind
	switch {
	case kind == value.TextType:
		return value.Text(text), nil
	case text == "":
		return value.Null, nil
	}
	switch kind {
	case value.BoolType:
		switch text {
		case "1", "true":
			return value.Bool(true), nil
		case "0", "false":
			return value.Bool(false), nil
		}
		return value.Null, wrongValue("a text that is no truth where one is declared")
	case value.IntType, value.DecimalType, value.FloatType:
		return s.ofNumber(text)
	case value.DateType, value.WallType, value.InstantType:
		return s.ofTime(text)
	case value.ClockType:
		return clockText(text)
	case value.UUIDType:
		return value.Text(strings.ToLower(text)), nil
	case value.BytesType:
		return decodeBytes(text)
	}
	return value.Null, wrongValue("a text where a %s is declared", kind)
}

// ofNumber makes a value of a number's text. Decimals come through a double: a declared scale takes back what that
// did to them.
func (s *shape) ofNumber(text string) (value.Value, error) {
	switch s.typ.Kind {
	case value.TextType:
		return value.Text(text), nil
	case value.IntType:
		return wholeNumber(text)
	case value.FloatType:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return value.Null, wrongValue("a text that is no number where a float is declared")
		}
		return value.Float(f), nil
	case value.DecimalType:
		return s.decimal(text)
	case value.BoolType:
		if text == "0" || text == "1" {
			return value.Bool(text == "1"), nil
		}
	case value.DateType, value.WallType, value.InstantType:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > maxUnix || n < -maxUnix {
			return value.Null, wrongValue("a number that is no time in seconds where a %s is declared", s.typ.Kind)
		}
		return s.time(time.Unix(n, 0)), nil
	}
	return value.Null, wrongValue("a number where a %s is declared", s.typ.Kind)
}

// maxUnix is the end of the year 9999.
const maxUnix = 253402300799

func wholeNumber(text string) (value.Value, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return value.Int(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return value.Null, wrongValue("no whole number where one is declared")
	}
	return value.Int(int64(f)), nil
}

func (s *shape) decimal(text string) (value.Value, error) {
	d, err := value.ParseDecimal(text)
	if err != nil {
		return value.Null, wrongValue("a text that is no number where a decimal is declared")
	}
	if s.typ.Precision == 0 || d.Scale() <= s.typ.Scale {
		return value.FromDecimal(d), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value.Null, wrongValue("a number that is too large where a decimal is declared")
	}
	if d, err = value.ParseDecimal(strconv.FormatFloat(f, 'f', s.typ.Scale, 64)); err != nil {
		return value.Null, wrongValue("a number that is too large where a decimal is declared")
	}
	return value.FromDecimal(d), nil
}

// timeForms are how Pimcore writes dates: in the zone of its PHP, without offset. The last one is what a project's own
// field may write.
var timeForms = [...]string{"2006-01-02 15:04:05", "2006-01-02", "2006-01-02 15:04", "2006-01-02T15:04:05", time.RFC3339Nano}

func (s *shape) ofTime(text string) (value.Value, error) {
	zone := s.zone
	if zone == nil {
		zone = time.UTC
	}
	for _, form := range timeForms {
		if len(form) != len(text) && form != time.RFC3339Nano {
			continue
		}
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return s.time(t), nil
		}
	}
	return value.Null, wrongValue("a text that is no time where a %s is declared", s.typ.Kind)
}

// time is an instant as the declared type has it.
func (s *shape) time(t time.Time) value.Value {
	zone := s.zone
	if zone == nil {
		zone = time.UTC
	}
	if s.typ.Kind == value.InstantType {
		return value.Time(t.UTC())
	}
	t = t.In(zone)
	y, m, d := t.Date()
	if s.typ.Kind == value.DateType {
		return value.Time(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
	}
	return value.Time(time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC))
}

// clockText is a time of day as lockstep writes it: Pimcore keeps hours and minutes.
func clockText(text string) (value.Value, error) {
	for _, form := range [...]string{"15:04", "15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			return value.Text(t.Format("15:04:05")), nil
		}
	}
	return value.Null, wrongValue("a text that is no time of day where one is declared")
}
