package postgres

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

var errText = errors.New("the database sent a value that does not look like its type")

// decode is the value of a cell in text format. Texts go into the arena; numbers and times need no memory.
func decode(a *sqlkit.Arena, t *value.Type, cell []byte) (value.Value, error) {
	if cell == nil {
		return value.Null, nil
	}
	switch t.Kind {
	case value.BoolType:
		return value.Bool(len(cell) == 1 && cell[0] == 't'), nil
	case value.IntType:
		n, ok := parseInt(cell)
		if !ok {
			return value.Null, errText
		}
		return value.Int(n), nil
	case value.DecimalType:
		return decodeDecimal(a.Text(cell))
	case value.FloatType:
		f, err := strconv.ParseFloat(unsafe.String(&cell[0], len(cell)), 64)
		return value.Float(f), err
	case value.BytesType:
		if !bytes.HasPrefix(cell, []byte(`\x`)) {
			return value.Null, errText
		}
		room := a.Room(len(cell)/2 - 1)
		_, err := hex.Decode(room, cell[2:])
		return value.Bytes(room), err
	case value.DateType, value.WallType, value.InstantType:
		if when, ok := parseTime(cell); ok {
			return value.Time(when), nil
		}
		return value.Text(a.Text(cell)), nil // infinity, -infinity
	case value.JSONType:
		return sqlkit.JSON(a.Text(cell), isJSONB(t.Native))
	case value.ListType:
		return parseArray(a.Text(cell), t.Elem)
	}
	return value.Text(a.Text(cell)), nil
}

// decodeDecimal reads a numeric. What is no number comes as a float: NaN, Infinity.
func decodeDecimal(text string) (value.Value, error) {
	d, err := value.ParseDecimal(text)
	if err == nil {
		return value.FromDecimal(d), nil
	}
	switch text {
	case "NaN":
		return value.Float(math.NaN()), nil
	case "Infinity":
		return value.Float(math.Inf(1)), nil
	case "-Infinity":
		return value.Float(math.Inf(-1)), nil
	}
	return value.Null, errors.New("the number has more digits than fit")
}

func parseInt(b []byte) (int64, bool) {
	digits, negative := b, false
	if len(b) > 0 && b[0] == '-' {
		digits, negative = b[1:], true
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// parseTime reads a date, or a timestamp with or without the offset +00, in DateStyle ISO: "2026-11-23 10:20:30.5+00",
// "10000-01-01", "0044-03-15 BC". Infinity is not ok.
func parseTime(b []byte) (time.Time, bool) {
	bc := bytes.HasSuffix(b, []byte(" BC"))
	if bc {
		b = b[:len(b)-3]
	}
	year, b, ok := number(b, '-')
	month, b, ok2 := number(b, '-')
	if !ok || !ok2 || len(b) < 2 {
		return time.Time{}, false
	}
	day := two(b)
	if bc {
		year = 1 - year
	}
	if len(b) == 2 {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), true
	}
	if len(b) < 11 || b[2] != ' ' || b[5] != ':' || b[8] != ':' {
		return time.Time{}, false
	}
	hour, minute, second, nanos := two(b[3:]), two(b[6:]), two(b[9:]), 0
	b = b[11:]
	if len(b) > 0 && b[0] == '.' {
		scale := 1_000_000_000
		for b = b[1:]; len(b) > 0 && b[0] >= '0' && b[0] <= '9'; b = b[1:] {
			scale /= 10
			nanos += int(b[0]-'0') * scale
		}
	}
	if len(b) != 0 && string(b) != "+00" {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC), true
}

// number reads digits up to the mark, and what is behind it.
func number(b []byte, mark byte) (int, []byte, bool) {
	n := 0
	for i, c := range b {
		if c == mark && i > 0 {
			return n, b[i+1:], true
		}
		if c < '0' || c > '9' {
			return 0, nil, false
		}
		n = n*10 + int(c-'0')
	}
	return 0, nil, false
}

func two(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }
