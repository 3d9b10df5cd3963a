package sqlite

import (
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

var errDigits = errors.New("the column stores numbers as floats, which cannot hold this many digits: declare it DECIMAL_TEXT to keep decimals exact")

// encode is what is bound to store v in the column, chosen so that reading gives v back. Where SQLite would change
// the value in silence, it is an error instead.
func encode(c *sqlkit.Column, v value.Value) (any, error) {
	info := infoOf(c.Field)
	if v.IsNull() {
		return nil, nil
	}
	if info.kind == value.JSONType {
		return string(value.AppendJSON(nil, v)), nil
	}
	switch v.Kind() {
	case value.KindBool:
		if info.affinity == text {
			return strconv.FormatBool(v.Bool()), nil
		}
		if v.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	case value.KindInt:
		if info.kind == value.DecimalType && info.affinity == text {
			d, _ := value.ParseDecimal(strconv.FormatInt(v.Int(), 10))
			return scaled(d, c.Type.Scale), nil
		}
		return v.Int(), nil
	case value.KindFloat:
		if math.IsNaN(v.Float()) {
			return "NaN", nil
		}
		return v.Float(), nil
	case value.KindDecimal:
		if info.affinity == text {
			return scaled(v.Decimal(), c.Type.Scale), nil
		}
		return encodeDecimal(info.affinity, v.Decimal())
	case value.KindText:
		return v.Text(), nil
	case value.KindBytes:
		if b := v.Bytes(); b != nil {
			return b, nil
		}
		return []byte{}, nil
	case value.KindTime:
		return string(appendTime(nil, info.kind, v.Time())), nil
	}
	return string(value.AppendJSON(nil, v)), nil
}

// scaled is a decimal's text with at least the declared digits after the point, so that equal numbers are equal texts
// wherever we wrote them.
func scaled(d value.Decimal, scale int) string {
	s, have := d.String(), d.Scale()
	if have >= scale {
		return s
	}
	if have == 0 {
		s += "."
	}
	return s + strings.Repeat("0", scale-have)
}

func encodeDecimal(a affinity, d value.Decimal) (any, error) {
	plain := d.Trim().String()
	switch a {
	case none:
		return d.String(), nil
	case real:
		return strconv.ParseFloat(plain, 64)
	}
	if n, err := strconv.ParseInt(plain, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		return nil, errDigits
	}
	if back, err := value.ParseDecimal(strconv.FormatFloat(f, 'g', -1, 64)); err != nil || back.Trim().String() != plain {
		return nil, errDigits
	}
	return f, nil
}

// appendTime writes a time the way SQLite's own functions read it; an instant in UTC with a Z.
func appendTime(b []byte, kind value.TypeKind, t time.Time) []byte {
	t = t.UTC()
	switch kind {
	case value.DateType:
		return sqlkit.AppendTime(b, t, 0)
	case value.WallType:
		return sqlkit.AppendTime(b, t, ' ')
	}
	return append(sqlkit.AppendTime(b, t, 'T'), 'Z')
}

// keyParams are what is bound to find a key field's text (value.KeyText): first the way in which we store it, then
// other ways that mean the same. SQLite's affinity makes a number of a text where the column holds numbers; a column
// without affinity is compared as it is.
func keyParams(c *sqlkit.Column, part string) []any {
	a := affinityOf(c.Type.Native)
	switch c.Type.Kind {
	case value.BoolType:
		switch part {
		case "true":
			return []any{int64(1), part}
		case "false":
			return []any{int64(0), part}
		}
	case value.DecimalType:
		if d, err := value.ParseDecimal(part); err == nil && a == text {
			return []any{scaled(d, c.Type.Scale), part}
		}
	case value.DateType, value.WallType, value.InstantType:
		if t, err := time.Parse(time.RFC3339Nano, part); err == nil {
			wall := string(sqlkit.AppendTime(nil, t.UTC(), 'T'))
			return []any{string(appendTime(nil, c.Type.Kind, t)), wall, wall + "Z", string(sqlkit.AppendTime(nil, t.UTC(), ' ')), t.Unix()}
		}
	case value.BytesType:
		if b, err := hex.DecodeString(part); err == nil {
			return []any{b, part}
		}
	}
	if a == none {
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && strconv.FormatInt(n, 10) == part {
			return []any{n, part}
		}
	}
	return []any{part}
}

func keyParam(c *sqlkit.Column, part string) any { return keyParams(c, part)[0] }

// keyText is the text of a key field as it is stored.
func keyText(c *sqlkit.Column, stored any) string {
	text, _ := decode(c.Type.Kind, stored).KeyText()
	return text
}

func valueFault(err error, t *sqlkit.Table, key lockstep.Key, field string) *lockstep.Fault {
	return lockstep.NewFault(lockstep.CodeValue, err).On(lockstep.About{Stream: t.Stream.Name, Key: key, Field: field})
}
