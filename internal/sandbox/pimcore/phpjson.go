package pimcore

import (
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// phpString appends a text as PHP's json_encode does with the options of Symfony's JsonResponse: slashes escaped, what
// HTML could misread and all that is not ASCII as \u.
func phpString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			b = phpByte(b, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r > 0xffff {
			r -= 0x10000
			b = phpUnit(b, 0xd800+(r>>10))
			r = 0xdc00 + (r & 0x3ff)
		}
		b = phpUnit(b, r)
	}
	return append(b, '"')
}

func phpByte(b []byte, c byte) []byte {
	switch c {
	case '/':
		return append(b, '\\', '/')
	case '\\':
		return append(b, '\\', '\\')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '<':
		return append(b, `\u003C`...)
	case '>':
		return append(b, `\u003E`...)
	case '&':
		return append(b, `\u0026`...)
	case '\'':
		return append(b, `\u0027`...)
	case '"':
		return append(b, `\u0022`...)
	}
	if c < 0x20 {
		return phpUnit(b, rune(c))
	}
	return append(b, c)
}

func phpUnit(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

func phpFloat(b []byte, f float64) []byte {
	if f >= 1e15 || f <= -1e15 {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}
