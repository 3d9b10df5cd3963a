package mysql

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

var (
	errText  = errors.New("the database sent a value that does not look like its type")
	errUTF8  = errors.New("the text is not valid UTF-8: it was stored under a wrong character set")
	errZero  = errors.New("the date is zero, or a part of it is, and zero_dates is park")
	errRange = errors.New("the number has more digits than fit")
)

// decode is the value of a cell as the driver hands it out: whole numbers and doubles as such, all else as text. Texts
// go into the arena; numbers and times need no memory.
func decode(a *sqlkit.Arena, t *value.Type, cell driver.Value, park bool) (value.Value, error) {
	switch cell := cell.(type) {
	case nil:
		return value.Null, nil
	case int64:
		return decodeInt(t, cell), nil
	case uint64:
		return decodeUint(t, cell)
	case float64:
		if t.Kind == value.FloatType && t.Bits == 32 {
			return value.Float(float64(float32(cell))), nil
		}
		return value.Float(cell), nil
	case float32:
		return value.Float(float64(cell)), nil
	case []byte:
		return decodeText(a, t, cell, park)
	}
	return value.Null, errText
}

// decodeInt is a whole number as the column means it. A tinyint(1) that is neither 0 nor 1 is no truth value.
func decodeInt(t *value.Type, n int64) value.Value {
	if t.Kind == value.BoolType && (n == 0 || n == 1) {
		return value.Bool(n == 1)
	}
	return value.Int(n)
}

func decodeUint(t *value.Type, n uint64) (value.Value, error) {
	if n <= math.MaxInt64 {
		return decodeInt(t, int64(n)), nil
	}
	return decodeDecimal(strconv.FormatUint(n, 10))
}

func decodeDecimal(text string) (value.Value, error) {
	d, err := value.ParseDecimal(text)
	if err != nil {
		return value.Null, errRange
	}
	return value.FromDecimal(d), nil
}

func decodeText(a *sqlkit.Arena, t *value.Type, cell []byte, park bool) (value.Value, error) {
	switch t.Kind {
	case value.BoolType, value.IntType: // BIT, big-endian
		var wide [8]byte
		if len(cell) > len(wide) {
			return value.Null, errText
		}
		copy(wide[len(wide)-len(cell):], cell)
		return decodeUint(t, binary.BigEndian.Uint64(wide[:]))
	case value.DecimalType:
		return decodeDecimal(a.Text(cell))
	case value.FloatType:
		f, err := strconv.ParseFloat(string(cell), 64)
		return value.Float(f), err
	case value.BytesType:
		room := a.Room(len(cell))
		copy(room, cell)
		return value.Bytes(room), nil
	case value.DateType, value.WallType, value.InstantType:
		when, zero, ok := parseTime(cell)
		switch {
		case !ok:
			return value.Null, errText
		case zero && park:
			return value.Null, errZero
		case zero:
			return value.Null, nil
		}
		return value.Time(when), nil
	case value.ClockType:
		return value.Text(a.Text(shortClock(cell))), nil
	}
	if !utf8.Valid(cell) {
		return value.Null, errUTF8
	}
	switch t.Kind {
	case value.JSONType:
		return sqlkit.JSON(a.Text(cell), false)
	case value.ListType:
		return decodeSet(a.Text(cell)), nil
	}
	return value.Text(a.Text(cell)), nil
}

func decodeSet(text string) value.Value {
	if text == "" {
		return value.List()
	}
	words := strings.Split(text, ",")
	items := make([]value.Value, len(words))
	for i, w := range words {
		items[i] = value.Text(w)
	}
	return value.List(items...)
}

// shortClock is a time of day without needless zeros of its fraction.
func shortClock(cell []byte) []byte {
	if bytes.IndexByte(cell, '.') < 0 {
		return cell
	}
	return bytes.TrimSuffix(bytes.TrimRight(cell, "0"), []byte("."))
}

// parseTime reads "2026-11-23" or "2026-11-23 10:20:30.5". zero says that the date, or a part of it, is zero.
func parseTime(b []byte) (t time.Time, zero, ok bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return t, false, false
	}
	year, month, day := two(b)*100+two(b[2:]), two(b[5:]), two(b[8:])
	if month == 0 || day == 0 {
		return t, true, true
	}
	hour, minute, second, nanos := 0, 0, 0, 0
	if b = b[10:]; len(b) > 0 {
		if len(b) < 9 || (b[0] != ' ' && b[0] != 'T') || b[3] != ':' || b[6] != ':' {
			return t, false, false
		}
		hour, minute, second = two(b[1:]), two(b[4:]), two(b[7:])
		if b = b[9:]; len(b) > 0 && b[0] == '.' {
			scale := 1_000_000_000
			for b = b[1:]; len(b) > 0 && b[0] >= '0' && b[0] <= '9'; b = b[1:] {
				scale /= 10
				nanos += int(b[0]-'0') * scale
			}
		}
		if len(b) != 0 {
			return t, false, false
		}
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return t, t.Day() != day, month <= 12 // such as February 30th, which ALLOW_INVALID_DATES lets in
}

func two(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }
