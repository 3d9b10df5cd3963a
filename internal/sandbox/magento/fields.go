package magento

import "strings"

// filter is what ?fields= asks for: names, each with a filter of its own or nil for all of it.
type filter map[string]filter

// only cuts an answer to the fields asked for. Names that are not there are left out; where a list is left empty by it,
// PHP's null appears.
func only(v any, fields string) any {
	f, _ := parseFields(fields, 0)
	return cut(v, f)
}

// parseFields reads "a,b[c,d]" up to a closing bracket and returns how far it read.
func parseFields(s string, depth int) (filter, int) {
	f := filter{}
	start, i := 0, 0
	take := func(sub filter) {
		if name := strings.TrimSpace(s[start:i]); name != "" {
			f[name] = sub
		}
	}
	for i < len(s) {
		switch s[i] {
		case ',':
			take(nil)
			start = i + 1
		case '[':
			if depth > maxNesting {
				return f, len(s)
			}
			sub, n := parseFields(s[i+1:], depth+1)
			take(sub)
			i += n + 1
			start = i + 1
		case ']':
			take(nil)
			return f, i
		}
		i++
	}
	if start <= len(s) {
		i = len(s)
		take(nil)
	}
	return f, len(s)
}

func cut(v any, f filter) any {
	switch v := v.(type) {
	case obj:
		out := make(obj, 0, len(f))
		for _, m := range v {
			sub, ok := f[m.name]
			if !ok {
				continue
			}
			value := m.value
			if sub != nil {
				value = cut(value, sub)
			}
			out = append(out, member{m.name, value})
		}
		if len(out) == 0 {
			return []any{} // PHP knows one kind of empty array
		}
		return out
	case []any:
		return cutList(v, f)
	case []obj:
		return cutList(v, f)
	}
	return v
}

func cutList[T any](list []T, f filter) any {
	if len(list) == 0 {
		return nil
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		out = append(out, cut(e, f))
	}
	return out
}
