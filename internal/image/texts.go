package image

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/value"
)

func lower(s string) string { return strings.ToLower(s) }

func parseFloat(v value.Value) (float64, bool) {
	text := ""
	if v.Kind() == value.KindText {
		text = v.Text()
	} else {
		text = v.Decimal().String()
	}
	for _, c := range []byte(text) { // no hexadecimal, no underscores
		if c == 'x' || c == 'X' || c == '_' || c == 'p' || c == 'P' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// toText takes what has one plain text. Binary data, which has none, is refused.
func toText(t *value.Type, v value.Value) (value.Value, bool, error) {
	text, changed := "", true
	switch v.Kind() {
	case value.KindText:
		text, changed = v.Text(), false
	case value.KindBytes:
		return v, false, cannot(v, "text")
	case value.KindTime:
		text = v.Time().Format(time.RFC3339Nano)
	default:
		text = string(value.AppendJSON(nil, v))
		if v.Kind() == value.KindFloat {
			text = strings.Trim(text, `"`) // NaN
		}
	}
	if t.Padded {
		if trimmed := strings.TrimRight(text, " "); len(trimmed) != len(text) {
			text, changed = trimmed, true
		}
	}
	if t.Length > 0 && len(text) > t.Length {
		if n := utf8.RuneCountInString(text); n > t.Length {
			return v, false, fmt.Errorf("the text has %d characters, the field holds %d; text is never cut silently", n, t.Length)
		}
	}
	if !changed {
		return v, false, nil
	}
	return value.Text(text), true, nil
}

func toBytes(t *value.Type, v value.Value) (value.Value, bool, error) {
	var b []byte
	switch v.Kind() {
	case value.KindBytes:
		b = v.Bytes()
	case value.KindText:
		b = []byte(v.Text())
	default:
		return v, false, cannot(v, "binary data")
	}
	if t.Length > 0 && len(b) > t.Length {
		return v, false, fmt.Errorf("the data has %d bytes, the field holds %d", len(b), t.Length)
	}
	return value.Bytes(b), v.Kind() != value.KindBytes, nil
}

// toUUID writes a UUID in lower case with hyphens. It reads texts with or without hyphens or braces, and 16 bytes.
func toUUID(v value.Value) (value.Value, bool, error) {
	var raw [16]byte
	switch v.Kind() {
	case value.KindBytes:
		if len(v.Bytes()) != 16 {
			return v, false, cannot(v, "a UUID")
		}
		raw = [16]byte(v.Bytes())
	case value.KindText:
		text := v.Text()
		if isUUID(text) {
			return v, false, nil
		}
		if len(text) == 38 && text[0] == '{' && text[37] == '}' {
			text = text[1:37]
		}
		if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
			text = text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
		}
		if len(text) != 32 {
			return v, false, cannot(v, "a UUID")
		}
		if _, err := hex.Decode(raw[:], []byte(text)); err != nil {
			return v, false, cannot(v, "a UUID")
		}
	default:
		return v, false, cannot(v, "a UUID")
	}
	h := hex.EncodeToString(raw[:])
	return value.Text(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]), true, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
