package magento

import (
	"net/url"
	"strconv"
	"strings"
)

// parseQuery reads a query as PHP does: a[b][0]=c is nested, a[]=c counts, the last one of a name wins.
func parseQuery(raw string) object {
	q := object{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = unescape(name), unescape(value)
		put(q, name, value)
	}
	return q
}

func unescape(s string) string {
	u, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return u
}

const maxNesting = 12

func put(q object, name, value string) {
	i := strings.IndexByte(name, '[')
	if i <= 0 {
		q[name] = value
		return
	}
	keys := []string{name[:i]}
	for rest := name[i:]; len(rest) > 0 && rest[0] == '[' && len(keys) < maxNesting; {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			break
		}
		keys, rest = append(keys, rest[1:end]), rest[end+1:]
	}
	for _, k := range keys[:len(keys)-1] {
		q = into(q, k)
	}
	last := keys[len(keys)-1]
	if last == "" {
		last = strconv.Itoa(len(q))
	}
	q[last] = value
}

func into(q object, key string) object {
	if key == "" {
		key = strconv.Itoa(len(q))
	}
	o, ok := q[key].(object)
	if !ok {
		o = object{}
		q[key] = o
	}
	return o
}
