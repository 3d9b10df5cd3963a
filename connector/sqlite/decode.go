package sqlite

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// decode is the value of what the driver read from a column of that kind. SQLite stores any value in any column: one
// that does not fit the declaration comes as what it is.
func decode(kind value.TypeKind, stored any) value.Value {
	switch x := stored.(type) {
	case int64:
		return decodeInt(kind, x)
	case float64:
		return decodeFloat(kind, x)
	case string:
		return decodeText(kind, x)
	case []byte:
		return value.Bytes(x)
	case bool:
		return value.Bool(x)
	}
	return value.Null
}

func decodeInt(kind value.TypeKind, n int64) value.Value {
	switch kind {
	case value.BoolType:
		if n == 0 || n == 1 {
			return value.Bool(n == 1)
		}
	case value.DecimalType:
		d, _ := value.ParseDecimal(strconv.FormatInt(n, 10))
		return value.FromDecimal(d)
	case value.FloatType:
		if int64(float64(n)) == n {
			return value.Float(float64(n))
		}
	case value.DateType, value.WallType, value.InstantType:
		return value.Time(sqlkit.UnixTime(float64(n), n))
	}
	return value.Int(n)
}

func decodeFloat(kind value.TypeKind, f float64) value.Value {
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
	case kind == value.DecimalType:
		if d, err := value.ParseDecimal(strconv.FormatFloat(f, 'g', -1, 64)); err == nil {
			return value.FromDecimal(d)
		}
	case isTime(kind):
		return value.Time(sqlkit.UnixTime(f, 0))
	}
	return value.Float(f)
}

func decodeText(kind value.TypeKind, s string) value.Value {
	if !utf8.ValidString(s) {
		return value.Bytes([]byte(s))
	}
	switch kind {
	case value.DecimalType:
		if d, err := value.ParseDecimal(s); err == nil {
			return value.FromDecimal(d)
		}
	case value.FloatType:
		if s == "NaN" { // SQLite would store the number as NULL
			return value.Float(math.NaN())
		}
	case value.JSONType:
		if v, err := sqlkit.JSON(s, false); err == nil {
			return v
		}
	case value.DateType, value.WallType, value.InstantType:
		if t, _, ok := sqlkit.ParseTime(s, time.UTC); ok {
			if kind != value.InstantType {
				t = t.UTC()
			}
			return value.Time(t)
		}
	}
	return value.Text(s)
}

// storedText is the text of a stored value in keys and versions: as SQLite holds it, so that it is found again.
func storedText(stored any) string {
	switch x := stored.(type) {
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case string:
		if !utf8.ValidString(x) {
			return hex.EncodeToString([]byte(x))
		}
		return x
	case []byte:
		return hex.EncodeToString(x)
	}
	return ""
}

// place writes a stored value so that its storage class comes back: "i:5", "t:abc", "r:1.5", "b:00ff".
func place(stored any) string {
	switch x := stored.(type) {
	case int64:
		return "i:" + strconv.FormatInt(x, 10)
	case float64:
		return "r:" + strconv.FormatFloat(x, 'g', -1, 64)
	case string:
		if utf8.ValidString(x) {
			return "t:" + x
		}
		return "x:" + hex.EncodeToString([]byte(x))
	case []byte:
		return "b:" + hex.EncodeToString(x)
	}
	return "n:"
}

// unplace reads what place wrote.
func unplace(s string) (any, bool) {
	if len(s) < 2 || s[1] != ':' {
		return nil, false
	}
	body := s[2:]
	switch s[0] {
	case 'i':
		n, err := strconv.ParseInt(body, 10, 64)
		return n, err == nil
	case 'r':
		f, err := strconv.ParseFloat(body, 64)
		return f, err == nil
	case 't':
		return body, true
	case 'x':
		b, err := hex.DecodeString(body)
		return string(b), err == nil
	case 'b':
		b, err := hex.DecodeString(body)
		return b, err == nil
	}
	return nil, false
}
