package magento

import (
	"maps"
	"slices"
	"strings"
)

// baseString is what a request's signature is made of, as PHP makes it: it deviates from RFC 5849 in the path, which is
// partly decoded, and in the order of parameters, which is natural.
func baseString(method, origin, path, query string, oauth map[string]string) string {
	params := map[string]string{}
	for k, v := range oauth {
		if k != "oauth_signature" && k != "realm" {
			params[encoded(k)] = encoded(v)
		}
	}
	for part := range strings.SplitSeq(query, "&") {
		pair := strings.Split(part, "=")
		if len(pair) == 2 { // a part with another = in it is passed over
			params[encoded(rawDecoded(pair[0]))] = encoded(rawDecoded(pair[1]))
		}
	}
	var list []string
	for _, k := range slices.SortedFunc(maps.Keys(params), naturalOrder) {
		list = append(list, k+"="+params[k])
	}
	return strings.ToUpper(method) + "&" + encoded(origin+signedPath(path)) + "&" + encoded(strings.Join(list, "&"))
}

// unreserved are the characters that stay as they are in a percent-encoded value.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || strings.IndexByte("-._~", c) >= 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

const upperHex = "0123456789ABCDEF"

func escape(b *strings.Builder, c byte) {
	b.WriteByte('%')
	b.WriteByte(upperHex[c>>4])
	b.WriteByte(upperHex[c&15])
}

func encoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if unreserved(s[i]) {
			b.WriteByte(s[i])
		} else {
			escape(&b, s[i])
		}
	}
	return b.String()
}

// escaped reads %XX at the begin of s.
func escaped(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	hi, lo := strings.IndexByte(upperHex, upper(s[1])), strings.IndexByte(upperHex, upper(s[2]))
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0 //nolint:gosec // two digits of 4 bits
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'f' {
		return c - 'a' + 'A'
	}
	return c
}

// rawDecoded decodes %XX where it is one; + stays +.
func rawDecoded(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := escaped(s[i:]); ok {
			b.WriteByte(c)
			i += 2
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// signedPath is a path as it is signed: harmless escapes decoded, dot segments resolved, the rest encoded again.
func signedPath(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c, ok := escaped(path[i:])
		switch {
		case !ok:
			b.WriteByte(path[i])
			continue
		case unreserved(c), strings.IndexByte(":@&=+$,/;%", c) >= 0:
			b.WriteByte(c)
		default:
			escape(&b, c)
		}
		i += 2
	}
	path = withoutDots(b.String())
	b.Reset()
	for i := range len(path) {
		c := path[i]
		_, whole := escaped(path[i:])
		if unreserved(c) || strings.IndexByte(")(:@&=+$,/;", c) >= 0 || whole {
			b.WriteByte(c)
		} else {
			escape(&b, c)
		}
	}
	return b.String()
}

func withoutDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	parts := strings.Split(path, "/")
	for i, p := range parts {
		last := i == len(parts)-1
		switch p {
		case ".", "..":
			if p == ".." && len(out) > 1 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, p)
		}
	}
	return strings.Join(out, "/")
}

// naturalOrder is PHP's strnatcmp: runs of digits compare as numbers, so that [2] comes before [10].
func naturalOrder(a, b string) int {
	a, b = withoutZeros(a), withoutZeros(b)
	for len(a) > 0 && len(b) > 0 {
		if isDigit(a[0]) && isDigit(b[0]) {
			n, m := digits(a), digits(b)
			var order int
			if a[0] == '0' || b[0] == '0' {
				order = strings.Compare(a[:n], b[:m]) // as the digits behind a point
			} else if order = n - m; order == 0 {
				order = strings.Compare(a[:n], b[:m])
			}
			if order != 0 {
				return order
			}
			a, b = a[n:], b[m:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func withoutZeros(s string) string {
	for len(s) > 1 && s[0] == '0' && isDigit(s[1]) {
		s = s[1:]
	}
	return s
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}
