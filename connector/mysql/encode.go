package mysql

import (
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

var (
	errNoNumber     = errors.New("the database has no such number as NaN or infinity")
	errNoNumberText = errors.New("the text is no number")
	errFraction     = errors.New("the number has a fraction, and the column holds whole numbers")
	errComma        = errors.New("a word of a set holds a comma")
	errYear         = errors.New("the database holds years from 1 to 9999 only")
)

// encode is what is sent to store v in a column of the type, chosen so that reading gives v back. Where the server
// would change the value in silence, it is an error instead.
func encode(t *value.Type, v value.Value) (driver.Value, error) {
	if v.IsNull() {
		return nil, nil
	}
	if t.Kind == value.JSONType {
		if text, raw := v.RawText(); raw {
			return text, nil
		}
		return string(value.AppendJSON(nil, v)), nil
	}
	switch v.Kind() {
	case value.KindBool:
		switch t.Kind {
		case value.TextType, value.AnyType:
			return strconv.FormatBool(v.Bool()), nil
		}
		if v.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	case value.KindInt:
		if t.Kind == value.TextType {
			return strconv.FormatInt(v.Int(), 10), nil
		}
		return v.Int(), nil
	case value.KindFloat:
		return encodeFloat(t, v.Float())
	case value.KindDecimal:
		return encodeDecimal(t, v.Decimal())
	case value.KindText:
		if isBit(t) { // the server would store the letters' bits
			n, err := strconv.ParseUint(v.Text(), 10, 64)
			if err != nil {
				return nil, errNoNumberText
			}
			return n, nil
		}
		return v.Text(), nil
	case value.KindBytes:
		if b := v.Bytes(); b != nil {
			return b, nil
		}
		return []byte{}, nil
	case value.KindTime:
		return encodeTime(t, v.Time())
	case value.KindList:
		if t.Kind == value.ListType {
			return encodeSet(v.List())
		}
	}
	return string(value.AppendJSON(nil, v)), nil
}

func isBit(t *value.Type) bool { return strings.HasPrefix(t.Native, "bit(") }

func encodeFloat(t *value.Type, f float64) (driver.Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errNoNumber
	}
	if t.Kind == value.IntType && f != math.Trunc(f) {
		return nil, errFraction
	}
	// As a text it takes its way through the server's own reading of doubles, whatever it is written like.
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

func encodeDecimal(t *value.Type, d value.Decimal) (driver.Value, error) {
	if t.Kind != value.IntType {
		return d.String(), nil
	}
	if d = d.Trim(); d.Scale() > 0 {
		return nil, errFraction
	}
	if n, err := strconv.ParseUint(d.String(), 10, 64); err == nil {
		return n, nil
	}
	return d.String(), nil
}

func encodeSet(items []value.Value) (driver.Value, error) {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = item.String()
		if strings.Contains(words[i], ",") {
			return nil, errComma
		}
	}
	return strings.Join(words, ","), nil
}

// encodeTime writes a time in UTC, rounded to what the column keeps: MySQL would round, MariaDB cut.
func encodeTime(t *value.Type, at time.Time) (driver.Value, error) {
	at = at.UTC()
	switch t.Kind {
	case value.DateType:
		if y := at.Year(); y < 1 || y > 9999 {
			return nil, errYear
		}
		return string(sqlkit.AppendTime(nil, at, 0)), nil
	case value.WallType, value.InstantType:
		at = at.Round(max(t.Unit, time.Microsecond))
		if y := at.Year(); y < 1 || y > 9999 {
			return nil, errYear
		}
		return string(sqlkit.AppendTime(nil, at, ' ')), nil
	}
	return string(append(sqlkit.AppendTime(nil, at, 'T'), 'Z')), nil
}

// keyArg is a key field's text (value.KeyText) as it is compared with the column. A text that cannot be a value of
// the column's type is not ok: the server would take "12x" for 12.
func keyArg(c *sqlkit.Column, part string) (arg driver.Value, ok bool) {
	switch c.Type.Kind {
	case value.BoolType:
		switch part {
		case "true":
			return int64(1), true
		case "false":
			return int64(0), true
		}
		n, err := strconv.ParseInt(part, 10, 8)
		return n, err == nil
	case value.IntType:
		if n, err := strconv.ParseInt(part, 10, 64); err == nil {
			return n, part[0] != '+'
		}
		n, err := strconv.ParseUint(part, 10, 64)
		return n, err == nil && c.Type.Unsigned
	case value.DecimalType:
		d, err := value.ParseDecimal(part)
		return d.String(), err == nil
	case value.FloatType:
		f, err := strconv.ParseFloat(part, 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case value.BytesType:
		b, err := hex.DecodeString(part)
		return b, err == nil
	case value.DateType, value.WallType, value.InstantType:
		at, err := time.Parse(time.RFC3339Nano, part)
		if err != nil {
			return nil, false
		}
		arg, err = encodeTime(&c.Type, at)
		return arg, err == nil
	}
	return part, true
}

// keyMark is the parameter of a key field as its column is compared with it: the server would compare a decimal with
// a text as doubles.
func keyMark(c *sqlkit.Column) string {
	if c.Type.Kind == value.DecimalType {
		return "CAST(? AS DECIMAL(65," + strconv.Itoa(c.Type.Scale) + "))"
	}
	return "?"
}
