package memory

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// keyValue is the value of a key's part, where the key field is declared as t.
func keyValue(text string, t value.Type) (value.Value, bool) {
	switch t.Kind {
	case value.IntType:
		n, err := strconv.ParseInt(text, 10, 64)
		return value.Int(n), err == nil
	case value.DecimalType:
		d, err := value.ParseDecimal(text)
		return value.FromDecimal(d), err == nil
	case value.FloatType:
		f, err := strconv.ParseFloat(text, 64)
		return value.Float(f), err == nil
	case value.BoolType:
		return value.Bool(text == "true"), text == "true" || text == "false"
	case value.BytesType:
		b, err := hex.DecodeString(text)
		return value.Bytes(b), err == nil
	case value.DateType, value.WallType, value.InstantType:
		at, err := time.Parse(time.RFC3339Nano, text)
		return value.Time(at), err == nil
	}
	return value.Text(text), true
}

// matchText is equal for values that Find and unique constraints take as equal.
func matchText(tuple []value.Value, fold bool) string {
	var b []byte
	for _, v := range tuple {
		switch v.Kind() {
		case value.KindText:
			text := v.Text()
			if fold {
				text = strings.ToLower(text)
			}
			b = value.AppendQuoted(b, text)
		case value.KindDecimal:
			b = append(b, v.Decimal().Trim().String()...)
		case value.KindFloat:
			b = strconv.AppendFloat(b, v.Float(), 'f', -1, 64)
		case value.KindTime:
			b = append(append(b, '@'), v.Time().UTC().Format(time.RFC3339Nano)...)
		case value.KindBytes:
			b = append(append(b, '#'), hex.EncodeToString(v.Bytes())...)
		default:
			b = value.AppendJSON(b, v)
		}
		b = append(b, '\n')
	}
	return string(b)
}

// fits tells whether a value is of the kind that t holds.
func fits(v value.Value, t value.Type) bool {
	k := v.Kind()
	if k == value.KindNull {
		return true
	}
	switch t.Kind {
	case value.BoolType:
		return k == value.KindBool
	case value.IntType:
		return k == value.KindInt || k == value.KindDecimal && v.Decimal().Trim().Scale() == 0
	case value.FloatType:
		return k == value.KindFloat || k == value.KindInt || k == value.KindDecimal
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
