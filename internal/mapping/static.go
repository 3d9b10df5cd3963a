package mapping

import (
	"github.com/lockstep-sync/lockstep/value"
)

// class is a set of kinds that an expression can have; what is known of it before it runs. Null is always possible
// but for literals, so it is no part of the set, except alone.
type class uint16

const (
	isNull class = 1 << iota
	isBool
	isInt
	isFloat
	isDecimal
	isText
	isBytes
	isTime
	isList
	isObject

	isNumber = isInt | isFloat | isDecimal
	isExact  = isInt | isDecimal
	isAny    = isNull | isBool | isNumber | isText | isBytes | isTime | isList | isObject
)

// static is the type of an expression: its class and, for lists, that of the items.
type static struct {
	class
	elem *static
}

func of(c class) static { return static{class: c} }

func listOf(elem static) static { return static{isList, &elem} }

// item is what the items of a list are.
func (s static) item() static {
	if s.class == isList && s.elem != nil {
		return *s.elem
	}
	return of(isAny)
}

// join is the type of something that is either a or b.
func join(a, b static) static {
	out := of(a.class | b.class)
	switch {
	case a.class == isNull:
		return b
	case b.class == isNull:
		return a
	case a.elem != nil && b.elem != nil && out.class == isList:
		return listOf(join(*a.elem, *b.elem))
	}
	return out
}

var classNames = []struct {
	class
	name string
}{
	{isAny, "any value"}, {isNumber, "number"}, {isExact, "exact number"}, {isNull, "null"}, {isBool, "truth (true or false)"}, {isInt, "whole number"},
	{isFloat, "float"}, {isDecimal, "decimal"}, {isText, "text"}, {isBytes, "binary data"}, {isTime, "time"}, {isList, "list"}, {isObject, "object"},
}

func (c class) String() string {
	out := ""
	for _, n := range classNames {
		if c&n.class == n.class {
			if out != "" {
				out += " or "
			}
			out += n.name
			c &^= n.class
		}
	}
	return out
}

var kindClasses = [...]class{
	value.KindNull: isNull, value.KindBool: isBool, value.KindInt: isInt, value.KindFloat: isFloat, value.KindDecimal: isDecimal,
	value.KindText: isText, value.KindBytes: isBytes, value.KindTime: isTime, value.KindList: isList, value.KindObject: isObject,
}

func classOf(v value.Value) class { return kindClasses[v.Kind()] }

// staticOf is what values of a declared type can be.
func staticOf(t value.Type) static {
	switch t.Kind {
	case value.BoolType:
		return of(isBool)
	case value.IntType:
		if t.Unsigned {
			return of(isExact)
		}
		return of(isInt)
	case value.FloatType:
		return of(isFloat)
	case value.DecimalType:
		return of(isDecimal)
	case value.TextType, value.ClockType, value.UUIDType:
		return of(isText)
	case value.BytesType:
		return of(isBytes)
	case value.DateType, value.WallType, value.InstantType:
		return of(isTime)
	case value.ListType:
		if t.Elem != nil {
			return listOf(staticOf(*t.Elem))
		}
		return of(isList)
	case value.ObjectType:
		return of(isObject)
	}
	return of(isAny)
}

// typeFor proposes the declared type of a target field that is created for an expression.
func typeFor(s static) value.Type {
	switch {
	case s.class == isBool:
		return value.Type{Kind: value.BoolType}
	case s.class == isInt:
		return value.Type{Kind: value.IntType}
	case s.class != 0 && s.class&^isExact == 0:
		return value.Type{Kind: value.DecimalType}
	case s.class != 0 && s.class&^isNumber == 0:
		return value.Type{Kind: value.FloatType}
	case s.class == isText:
		return value.Type{Kind: value.TextType}
	case s.class == isBytes:
		return value.Type{Kind: value.BytesType}
	case s.class == isTime:
		return value.Type{Kind: value.InstantType}
	case s.class == isList, s.class == isObject:
		return value.Type{Kind: value.JSONType}
	}
	return value.Type{}
}

// fits tells whether values of a static type can ever be held as a declared type (internal/image converts).
func (c class) fits(t value.Type) bool {
	var can class
	switch t.Kind {
	case value.BoolType:
		can = isBool | isInt | isDecimal | isText
	case value.IntType:
		can = isBool | isNumber | isText
	case value.FloatType, value.DecimalType:
		can = isNumber | isText
	case value.BytesType:
		can = isBytes | isText
	case value.TextType:
		can = isAny &^ isBytes
	case value.UUIDType:
		can = isText | isBytes
	case value.ClockType:
		can = isText
	case value.DateType, value.WallType, value.InstantType:
		can = isTime | isText
	case value.ListType:
		can = isList
	case value.ObjectType:
		can = isObject
	default:
		can = isAny
	}
	return c&(can|isNull) != 0
}
