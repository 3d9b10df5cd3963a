package magento

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oauth signs requests as Magento checks them, which is not quite RFC 5849: it decodes a part of the path before it
// signs it, and sorts parameters in natural order, so that [2] stands before [10].
type oauth struct {
	key, secret, token, tokenSecret string
}

const signMethod = "HMAC-SHA256"

// header is the Authorization of a request to a URL as the server sees it. Each has a nonce and a time of its own, also
// where a request is sent again: Magento takes a nonce as used before it looks at the signature.
func (o *oauth) header(method, url string, now time.Time) string {
	return o.sign(method, url, rand.Text(), strconv.FormatInt(now.Unix(), 10))
}

func (o *oauth) sign(method, url, nonce, stamp string) string {
	params := [][2]string{
		{"oauth_consumer_key", o.key}, {"oauth_nonce", nonce}, {"oauth_signature_method", signMethod},
		{"oauth_timestamp", stamp}, {"oauth_token", o.token}, {"oauth_version", "1.0"},
	}
	mac := hmac.New(sha256.New, []byte(escape(o.secret)+"&"+escape(o.tokenSecret)))
	mac.Write([]byte(baseString(method, url, params)))
	params = append(params, [2]string{"oauth_signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))})
	var b strings.Builder
	for i, p := range params {
		b.WriteString(map[bool]string{true: "OAuth ", false: ", "}[i == 0])
		b.WriteString(escape(p[0]) + `="` + escape(p[1]) + `"`)
	}
	return b.String()
}

// baseString is what is signed. The body is no part of it.
func baseString(method, url string, params [][2]string) string {
	base, query, _ := strings.Cut(url, "?")
	all := map[string]string{} // of two parameters with one name the last counts
	for _, p := range params {
		all[escape(p[0])] = escape(p[1])
	}
	for part := range strings.SplitSeq(query, "&") {
		// A part with two = is dropped on the other side, too, so that every = in a value must be escaped.
		if name, v, ok := strings.Cut(part, "="); ok && !strings.Contains(v, "=") {
			all[escape(unescape(name))] = escape(unescape(v))
		}
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.SortFunc(names, naturalOrder)
	for i, name := range names {
		names[i] = name + "=" + all[name]
	}
	return method + "&" + escape(signedURL(base)) + "&" + escape(strings.Join(names, "&"))
}

// signedURL is a URL without its query as Magento signs it.
func signedURL(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	host, scheme = strings.ToLower(host), strings.ToLower(scheme)
	if scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host + encodePath(dropDots(decodePath(path)))
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~"

// decodePath decodes the escapes of those characters that Magento lets stand in a path as they are.
func decodePath(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c, ok := hexAt(path, i)
		switch {
		case !ok:
			b.WriteByte(path[i])
			continue
		case strings.IndexByte(letters+":@&=+$,/;%", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

// encodePath escapes what may not stand in a path, and every % that begins no escape.
func encodePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		_, escaped := hexAt(path, i)
		c := path[i]
		if escaped || c != '%' && strings.IndexByte(letters+")(:@&=+$,/;", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString(escape(string(c)))
	}
	return b.String()
}

// dropDots takes the segments "." and ".." out of a path.
func dropDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	segments := strings.Split(path, "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
		case "..":
			if len(out) > 1 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/")
}

func hexAt(s string, i int) (byte, bool) {
	if s[i] != '%' || i+2 >= len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
	return byte(n), err == nil
}

// escape escapes all but the unreserved characters of RFC 3986: in signatures, in paths and in queries.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	plain := 0
	for plain < len(s) && strings.IndexByte(letters, s[plain]) >= 0 {
		plain++
	}
	if plain == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:plain])
	for i := plain; i < len(s); i++ {
		if c := s[i]; strings.IndexByte(letters, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// unescape decodes escapes, and nothing else: a + is no blank.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := hexAt(s, i); ok {
			b.WriteByte(c)
			i += 2
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// naturalOrder compares as PHP's strnatcmp: runs of digits count as numbers, or as a fraction's digits where one begins
// with 0, and white space does not count.
func naturalOrder(a, b string) int {
	i, j := 0, 0
	for {
		for i < len(a) && isSpace(a[i]) {
			i++
		}
		for j < len(b) && isSpace(b[j]) {
			j++
		}
		if i >= len(a) || j >= len(b) {
			return cmp.Compare(len(a)-i, len(b)-j)
		}
		if isDigit(a[i]) && isDigit(b[j]) {
			da, db := digitsAt(a, i), digitsAt(b, j)
			if c := compareDigits(da, db); c != 0 {
				return c
			}
			i, j = i+len(da), j+len(db)
			continue
		}
		if c := cmp.Compare(a[i], b[j]); c != 0 {
			return c
		}
		i, j = i+1, j+1
	}
}

func compareDigits(a, b string) int {
	if a[0] == '0' || b[0] == '0' {
		return cmp.Compare(a, b)
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func digitsAt(s string, i int) string {
	end := i
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	return s[i:end]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
