package postgres

import (
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// Type OIDs of pg_type.dat; they never change.
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOid         = 26
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidNumeric     = 1700
	oidUUID        = 2950
	oidJSONB       = 3802
)

// typeOf is the type of a column: its type's OID (of the base type, where it is a domain), its modifier, and the OID
// of its elements where it is an array. Types that are not listed come and go as their text.
func typeOf(oid, elem uint32, mod int, native string) value.Type {
	if elem != 0 {
		item := scalar(elem, mod)
		return value.Type{Kind: value.ListType, Elem: &item, Native: native}
	}
	t := scalar(oid, mod)
	t.Native = native
	return t
}

func scalar(oid uint32, mod int) value.Type {
	switch oid {
	case oidBool:
		return value.Type{Kind: value.BoolType}
	case oidInt2:
		return value.Type{Kind: value.IntType, Bits: 16}
	case oidInt4:
		return value.Type{Kind: value.IntType, Bits: 32}
	case oidInt8:
		return value.Type{Kind: value.IntType, Bits: 64}
	case oidOid:
		return value.Type{Kind: value.IntType, Bits: 32, Unsigned: true}
	case oidFloat4:
		return value.Type{Kind: value.FloatType, Bits: 32}
	case oidFloat8:
		return value.Type{Kind: value.FloatType, Bits: 64}
	case oidNumeric:
		t := value.Type{Kind: value.DecimalType}
		if mod >= 4 {
			t.Precision, t.Scale = (mod-4)>>16, (mod-4)&0x7ff
			if t.Scale > 1023 { // a negative scale, since PostgreSQL 15
				t.Scale -= 2048
			}
		}
		return t
	case oidVarchar:
		return value.Type{Kind: value.TextType, Length: max(0, mod-4)}
	case oidBpchar:
		return value.Type{Kind: value.TextType, Length: max(0, mod-4), Padded: true}
	case oidBytea:
		return value.Type{Kind: value.BytesType}
	case oidDate:
		return value.Type{Kind: value.DateType}
	case oidTime:
		return value.Type{Kind: value.ClockType, Unit: unit(mod)}
	case oidTimestamp:
		return value.Type{Kind: value.WallType, Unit: unit(mod)}
	case oidTimestamptz:
		return value.Type{Kind: value.InstantType, Unit: unit(mod)}
	case oidJSON, oidJSONB:
		return value.Type{Kind: value.JSONType}
	case oidUUID:
		return value.Type{Kind: value.UUIDType}
	}
	return value.Type{Kind: value.TextType}
}

// unit is the smallest step of a time type with that many digits.
func unit(digits int) time.Duration {
	if digits < 0 || digits > 6 {
		return time.Microsecond
	}
	d := time.Second
	for range digits {
		d /= 10
	}
	return d
}

// declare is the SQL type of a column that is made for a type.
func declare(t value.Type) string {
	switch t.Kind {
	case value.BoolType:
		return "boolean"
	case value.IntType:
		return declareInt(t)
	case value.FloatType:
		if t.Bits == 32 {
			return "real"
		}
		return "double precision"
	case value.DecimalType:
		if t.Precision > 0 && t.Precision <= 1000 {
			return "numeric(" + strconv.Itoa(t.Precision) + "," + strconv.Itoa(t.Scale) + ")"
		}
		return "numeric"
	case value.BytesType:
		return "bytea"
	case value.DateType:
		return "date"
	case value.ClockType:
		return "time" + precision(t.Unit)
	case value.WallType:
		return "timestamp" + precision(t.Unit)
	case value.InstantType:
		return "timestamptz" + precision(t.Unit)
	case value.JSONType, value.ObjectType:
		return "jsonb"
	case value.UUIDType:
		return "uuid"
	case value.ListType:
		if t.Elem == nil || t.Elem.Kind == value.ListType || t.Elem.Kind == value.AnyType || t.Elem.Kind == value.ObjectType {
			return "jsonb"
		}
		return declare(*t.Elem) + "[]"
	}
	if t.Length > 0 && t.Length <= 10_485_760 {
		return "varchar(" + strconv.Itoa(t.Length) + ")"
	}
	return "text"
}

func declareInt(t value.Type) string {
	bits := t.Bits
	if t.Unsigned { // the next larger signed type
		bits = map[int]int{8: 16, 16: 32, 32: 64}[t.Bits]
		if bits == 0 {
			return "numeric(20,0)"
		}
	}
	switch bits {
	case 8, 16:
		return "smallint"
	case 32:
		return "integer"
	}
	return "bigint"
}

func precision(unit time.Duration) string {
	if unit <= time.Microsecond {
		return ""
	}
	digits := 0
	for d := time.Second; d > unit; d /= 10 {
		digits++
	}
	return "(" + strconv.Itoa(digits) + ")"
}

// isJSON tells whether a column's text was parsed by the server already.
func isJSONB(native string) bool { return strings.HasPrefix(native, "jsonb") }
