package kit

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendPHPText appends a text as PHP's json_encode does: slashes escaped, all that is not ASCII as \u. With html it does so
// with the options of Symfony's JsonResponse: what HTML could misread goes as \u, too.
func AppendPHPText(b []byte, s string, html bool) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			b = appendByte(b, c, html)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r > 0xffff {
			r -= 0x10000
			b = appendUnit(b, 0xd800+(r>>10))
			r = 0xdc00 + (r & 0x3ff)
		}
		b = appendUnit(b, r)
	}
	return append(b, '"')
}

func appendByte(b []byte, c byte, html bool) []byte {
	if html && strings.IndexByte(`<>&'"`, c) >= 0 {
		return fmt.Appendf(b, `\u%04X`, c) // these are written large, all others small
	}
	switch c {
	case '"', '\\', '/':
		return append(b, '\\', c)
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
	}
	if c < 0x20 {
		return appendUnit(b, rune(c))
	}
	return append(b, c)
}

func appendUnit(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
