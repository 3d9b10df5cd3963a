package value

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// From takes a Go value into the closed set: nil, bool, whole numbers, floats, Decimal, string, []byte, time.Time,
// []any, map[string]any (its members in the order of their names), Fields and Value itself.
func From(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Null, nil
	case Value:
		return x, nil
	case bool:
		return Bool(x), nil
	case int:
		return Int(int64(x)), nil
	case int8:
		return Int(int64(x)), nil
	case int16:
		return Int(int64(x)), nil
	case int32:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case uint8:
		return Int(int64(x)), nil
	case uint16:
		return Int(int64(x)), nil
	case uint32:
		return Int(int64(x)), nil
	case uint:
		return fromUint(uint64(x))
	case uint64:
		return fromUint(x)
	case float32:
		return Float(float64(x)), nil
	case float64:
		return Float(x), nil
	case Decimal:
		return FromDecimal(x), nil
	case string:
		return Text(x), nil
	case []byte:
		return Bytes(x), nil
	case time.Time:
		return Time(x), nil
	case Fields:
		return Object(x), nil
	case []Value:
		return List(x...), nil
	case []any:
		items := make([]Value, len(x))
		for i, item := range x {
			v, err := From(item)
			if err != nil {
				return Null, err
			}
			items[i] = v
		}
		return List(items...), nil
	case []string:
		items := make([]Value, len(x))
		for i, item := range x {
			items[i] = Text(item)
		}
		return List(items...), nil
	case map[string]any:
		names := slices.Sorted(maps.Keys(x))
		values := make([]Value, len(names))
		for i, name := range names {
			v, err := From(x[name])
			if err != nil {
				return Null, err
			}
			values[i] = v
		}
		return Object(NewNames(names...).Fields(values)), nil
	}
	return Null, fmt.Errorf("value: a %T is not in the closed set of values", x)
}

func fromUint(n uint64) (Value, error) {
	if n <= math.MaxInt64 {
		return Int(int64(n)), nil
	}
	d, err := ParseDecimal(fmt.Sprint(n))
	return FromDecimal(d), err
}

// Any is v as a Go value: nil, bool, int64, float64, Decimal, string, []byte, time.Time, []any or map[string]any.
func (v Value) Any() any {
	switch v.Kind() {
	case KindNull:
		return nil
	case KindBool:
		return v.Bool()
	case KindInt:
		return v.Int()
	case KindFloat:
		return v.Float()
	case KindDecimal:
		return v.Decimal()
	case KindText:
		return v.Text()
	case KindBytes:
		return v.Bytes()
	case KindTime:
		return v.Time()
	case KindList:
		items := v.List()
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = item.Any()
		}
		return out
	default:
		f := v.Object()
		out := make(map[string]any, f.Len())
		for name, member := range f.All() {
			out[name] = member.Any()
		}
		return out
	}
}
