package magento

import (
	"strconv"

	"github.com/lockstep-sync/lockstep/internal/sandbox/kit"
)

// obj is a JSON object in the order of its members. An empty PHP array is a list on the wire: []any{} is written for it,
// not obj{}.
type obj []member

type member struct {
	name  string
	value any
}

func (o obj) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// set changes a member in its place or adds it.
func (o *obj) set(name string, value any) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

// appendJSON writes as PHP's json_encode does: slashes and all that is not ASCII escaped, floats without a needless ".0".
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case float64:
		return appendFloat(b, v)
	case string:
		return kit.AppendPHPText(b, v, false)
	case obj:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(kit.AppendPHPText(b, m.name, false), ':')
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	case []any:
		return appendList(b, v)
	case []obj:
		return appendList(b, v)
	case []int:
		return appendList(b, v)
	case []string:
		return appendList(b, v)
	case map[string]any:
		return appendJSON(b, sortedObj(v))
	}
	return append(b, "null"...)
}

func appendList[T any](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, v)
	}
	return append(b, ']')
}

func appendFloat(b []byte, f float64) []byte {
	if f >= 1e17 || f <= -1e17 {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}
