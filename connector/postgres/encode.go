package postgres

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// appendText appends a value that is not null in PostgreSQL's text form for a column of that type, unescaped. A text
// or a JSON document goes by whole, see plainText.
func appendText(b []byte, t *value.Type, v value.Value) []byte {
	if t.Kind == value.JSONType {
		return value.AppendJSON(b, v)
	}
	switch v.Kind() {
	case value.KindBool:
		if t.Kind == value.IntType || t.Kind == value.DecimalType || t.Kind == value.FloatType {
			if v.Bool() {
				return append(b, '1')
			}
			return append(b, '0')
		}
		return strconv.AppendBool(b, v.Bool())
	case value.KindInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case value.KindFloat:
		return appendFloat(b, v.Float())
	case value.KindDecimal:
		if t.Kind == value.IntType {
			return append(b, v.Decimal().Trim().String()...)
		}
		return append(b, v.Decimal().String()...)
	case value.KindText:
		return append(b, v.Text()...)
	case value.KindBytes:
		return hex.AppendEncode(append(b, `\x`...), v.Bytes())
	case value.KindTime:
		return appendTime(b, t.Kind, v.Time())
	case value.KindList:
		if t.Kind == value.ListType {
			return appendList(b, t.Elem, v.List())
		}
	}
	return value.AppendJSON(b, v)
}

// plainText is a value's text where it needs no conversion: most bytes of most records.
func plainText(t *value.Type, v value.Value) (string, bool) {
	switch v.Kind() {
	case value.KindText:
		return v.Text(), t.Kind != value.JSONType
	case value.KindObject, value.KindList:
		if t.Kind == value.JSONType {
			return v.RawText()
		}
	}
	return "", false
}

func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// appendTime writes a time in ISO form and UTC; a year before Christ with BC. Finer steps than PostgreSQL keeps are
// rounded here, half up, so that both sides of a comparison see the same.
func appendTime(b []byte, kind value.TypeKind, t time.Time) []byte {
	t = t.UTC().Round(time.Microsecond)
	bc := t.Year() <= 0
	if bc {
		t = time.Date(1-t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	start := len(b)
	switch kind {
	case value.DateType:
		b = sqlkit.AppendTime(b, t, 0)
	case value.WallType:
		b = sqlkit.AppendTime(b, t, ' ')
	case value.InstantType:
		b = append(sqlkit.AppendTime(b, t, ' '), "+00"...)
	default:
		b = append(sqlkit.AppendTime(b, t, 'T'), 'Z')
	}
	if b[start] == '+' { // a year of five digits: PostgreSQL wants no sign
		b = append(b[:start], b[start+1:]...)
	}
	if bc {
		b = append(b, " BC"...)
	}
	return b
}

func appendList(b []byte, elem *value.Type, items []value.Value) []byte {
	b = append(b, '{')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case item.IsNull():
			b = append(b, "NULL"...)
		case item.Kind() == value.KindList && elem.Kind != value.JSONType:
			b = appendList(b, elem, item.List())
		default:
			b = appendItem(b, appendText(nil, elem, item))
		}
	}
	return append(b, '}')
}
