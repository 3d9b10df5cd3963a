// Package typetext writes and reads types as the settings of connectors do: decimal(12,2), wall(s), list<text>; and values of
// these types as plain texts and plain JSON.
package typetext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// The types:
//
//	any bool int int8 int16 int32 uint uint8 uint16 uint32 float float32 decimal decimal(12,2) text text(40) char(10)
//	bytes bytes(16) date clock wall instant json uuid object list list<int> set<text>
//
// clock, wall and instant take the smallest step that is kept: wall(s), wall(ms), wall(us).

var units = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond}

// Of is t as text, which Parse reads.
func Of(t value.Type) string {
	name := t.Kind.String()
	switch t.Kind {
	case value.IntType:
		if t.Unsigned {
			name = "uint"
		}
		return name + bitsText(t.Bits)
	case value.FloatType:
		return name + bitsText(t.Bits)
	case value.DecimalType:
		if t.Precision > 0 {
			return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
		}
	case value.TextType, value.BytesType:
		if t.Padded {
			name = "char"
		}
		if t.Length > 0 {
			return fmt.Sprintf("%s(%d)", name, t.Length)
		}
	case value.ClockType, value.WallType, value.InstantType:
		for unit, d := range units {
			if d == t.Unit && d != time.Nanosecond {
				return name + "(" + unit + ")"
			}
		}
	case value.ListType:
		if t.Unordered {
			name = "set"
		}
		if t.Elem != nil {
			return name + "<" + Of(*t.Elem) + ">"
		}
	}
	return name
}

func bitsText(bits int) string {
	if bits == 0 || bits == 64 {
		return ""
	}
	return strconv.Itoa(bits)
}

var typeWords = map[string]value.Type{
	"any": {}, "bool": {Kind: value.BoolType}, "decimal": {Kind: value.DecimalType},
	"int": {Kind: value.IntType}, "int8": {Kind: value.IntType, Bits: 8}, "int16": {Kind: value.IntType, Bits: 16},
	"int32": {Kind: value.IntType, Bits: 32}, "int64": {Kind: value.IntType, Bits: 64},
	"uint": {Kind: value.IntType, Unsigned: true}, "uint8": {Kind: value.IntType, Bits: 8, Unsigned: true},
	"uint16": {Kind: value.IntType, Bits: 16, Unsigned: true}, "uint32": {Kind: value.IntType, Bits: 32, Unsigned: true},
	"uint64": {Kind: value.IntType, Bits: 64, Unsigned: true},
	"float":  {Kind: value.FloatType}, "float32": {Kind: value.FloatType, Bits: 32}, "float64": {Kind: value.FloatType, Bits: 64},
	"text": {Kind: value.TextType}, "char": {Kind: value.TextType, Padded: true}, "bytes": {Kind: value.BytesType},
	"date": {Kind: value.DateType}, "clock": {Kind: value.ClockType}, "wall": {Kind: value.WallType}, "instant": {Kind: value.InstantType},
	"json": {Kind: value.JSONType}, "uuid": {Kind: value.UUIDType}, "object": {Kind: value.ObjectType},
	"list": {Kind: value.ListType}, "set": {Kind: value.ListType, Unordered: true},
}

// Parse reads what Of writes.
func Parse(text string) (value.Type, error) {
	bad := fmt.Errorf("%q is no type; types are text, int, decimal(12,2), date, wall, instant, bool, json and others", text)
	name, inner, angled := strings.Cut(strings.TrimSpace(text), "<")
	name, args, braced := strings.Cut(name, "(")
	t, known := typeWords[strings.ToLower(name)]
	if !known || braced && !strings.HasSuffix(args, ")") || angled && (!strings.HasSuffix(inner, ">") || t.Kind != value.ListType) {
		return value.Type{}, bad
	}
	if angled {
		elem, err := Parse(strings.TrimSuffix(inner, ">"))
		t.Elem = &elem
		return t, err
	}
	if !braced {
		return t, nil
	}
	first, second, two := strings.Cut(strings.TrimSuffix(args, ")"), ",")
	first, second = strings.TrimSpace(first), strings.TrimSpace(second)
	if t.Kind == value.ClockType || t.Kind == value.WallType || t.Kind == value.InstantType {
		unit, ok := units[strings.ToLower(first)]
		if !ok || two {
			return value.Type{}, bad
		}
		t.Unit = unit
		return t, nil
	}
	n, err := strconv.Atoi(first)
	if err != nil || n < 1 {
		return value.Type{}, bad
	}
	switch {
	case t.Kind == value.DecimalType:
		t.Precision = n
		if two {
			if t.Scale, err = strconv.Atoi(second); err != nil || t.Scale < 0 || t.Scale > n {
				return value.Type{}, bad
			}
		}
		return t, nil
	case (t.Kind == value.TextType || t.Kind == value.BytesType) && !two:
		t.Length = n
		return t, nil
	}
	return value.Type{}, bad
}

// Cut parts "price decimal(12, 2)" into a name and the type behind it. A name with a blank needs a type behind it.
func Cut(text string) (name, typ string, typed bool) {
	text = strings.TrimSpace(text)
	for i := len(text) - 1; i > 0; i-- {
		if text[i] != ' ' {
			continue
		}
		if _, err := Parse(text[i+1:]); err == nil {
			return strings.TrimSpace(text[:i]), text[i+1:], true
		}
	}
	if i := strings.IndexByte(text, ' '); i > 0 {
		return text[:i], strings.TrimSpace(text[i+1:]), true
	}
	return text, "", false
}

// Fields reads a list of fields with their types; one without a type is text.
func Fields(texts []string) ([]lockstep.Field, error) {
	var out []lockstep.Field
	for _, text := range texts {
		name, typ, typed := Cut(text)
		if !typed {
			typ = "text"
		}
		t, err := Parse(typ)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slices.ContainsFunc(out, func(f lockstep.Field) bool { return f.Name == name }) {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		out = append(out, lockstep.Field{Name: name, Type: t, Nullable: true})
	}
	return out, nil
}
