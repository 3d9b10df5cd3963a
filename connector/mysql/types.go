package mysql

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// definition is what the catalog, or the binary log, says of a column's type.
type definition struct {
	base      string // "varchar"
	native    string // "varchar(20)", "bigint(20) unsigned"
	length    int
	precision int
	scale     int
	digits    int // of the second
	comment   string
}

// utcComment marks a DATETIME column whose times are instants, written in UTC: TIMESTAMP ends in 2038.
const utcComment = "UTC"

// typeOf is the type of a column. Types that are not listed come and go as their text.
func typeOf(d definition) value.Type {
	t := scalar(d)
	t.Native = d.native
	return t
}

func scalar(d definition) value.Type {
	unsigned := strings.Contains(d.native, "unsigned")
	switch d.base {
	case "tinyint":
		if d.native == "tinyint(1)" {
			return value.Type{Kind: value.BoolType}
		}
		return value.Type{Kind: value.IntType, Bits: 8, Unsigned: unsigned}
	case "smallint":
		return value.Type{Kind: value.IntType, Bits: 16, Unsigned: unsigned}
	case "mediumint", "int":
		return value.Type{Kind: value.IntType, Bits: 32, Unsigned: unsigned}
	case "bigint":
		return value.Type{Kind: value.IntType, Bits: 64, Unsigned: unsigned}
	case "year":
		return value.Type{Kind: value.IntType, Bits: 16}
	case "bit":
		if d.precision <= 1 {
			return value.Type{Kind: value.BoolType}
		}
		return value.Type{Kind: value.IntType, Bits: 64, Unsigned: true}
	case "decimal":
		return value.Type{Kind: value.DecimalType, Precision: d.precision, Scale: d.scale}
	case "float":
		return value.Type{Kind: value.FloatType, Bits: 32}
	case "double":
		return value.Type{Kind: value.FloatType, Bits: 64}
	case "char":
		return value.Type{Kind: value.TextType, Length: d.length, Padded: true}
	case "varchar":
		return value.Type{Kind: value.TextType, Length: d.length}
	case "binary", "varbinary":
		return value.Type{Kind: value.BytesType, Length: d.length}
	case "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
		"geometrycollection", "geomcollection", "vector":
		return value.Type{Kind: value.BytesType}
	case "date":
		return value.Type{Kind: value.DateType}
	case "time":
		return value.Type{Kind: value.ClockType, Unit: unit(d.digits)}
	case "datetime":
		if d.comment == utcComment {
			return value.Type{Kind: value.InstantType, Unit: unit(d.digits)}
		}
		return value.Type{Kind: value.WallType, Unit: unit(d.digits)}
	case "timestamp":
		return value.Type{Kind: value.InstantType, Unit: unit(d.digits)}
	case "json":
		return value.Type{Kind: value.JSONType}
	case "uuid":
		return value.Type{Kind: value.UUIDType}
	case "set":
		return value.Type{Kind: value.ListType, Elem: &value.Type{Kind: value.TextType}, Unordered: true}
	}
	return value.Type{Kind: value.TextType}
}

// mayBeLarge tells whether values of a type may be longer than the 65,535 bytes that a row has otherwise.
func mayBeLarge(base string) bool {
	return strings.HasSuffix(base, "text") || strings.HasSuffix(base, "blob") ||
		slices.Contains([]string{"json", "geometry", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection"}, base)
}

// unit is the smallest step of a time type with that many digits.
func unit(digits int) time.Duration {
	d := time.Second
	for range min(digits, 6) {
		d /= 10
	}
	return d
}

// declarer declares the columns of a new table.
type declarer struct {
	facts *facts
	keys  int // how many columns the key has
	room  int // what is left of the bytes that a row may have beside its large values
}

// maxRow is the room of a new table's row for texts and bytes: the server's limit is 65,535 bytes.
const maxRow = 60_000

// declare is the SQL type of a column that is made for a type.
func (d *declarer) declare(t value.Type, key bool) string {
	switch t.Kind {
	case value.BoolType:
		return "tinyint(1)"
	case value.IntType:
		return declareInt(t)
	case value.FloatType:
		if t.Bits == 32 {
			return "float"
		}
		return "double"
	case value.DecimalType:
		if t.Precision > 0 && t.Precision <= 65 && t.Scale <= min(30, t.Precision) && t.Scale >= 0 {
			return "decimal(" + strconv.Itoa(t.Precision) + "," + strconv.Itoa(t.Scale) + ")"
		}
		return "decimal(65,30)"
	case value.BytesType:
		return d.sized("varbinary", "longblob", t.Length, 1, key)
	case value.DateType:
		return "date"
	case value.ClockType:
		return "time" + precision(t.Unit)
	case value.WallType:
		return "datetime" + precision(t.Unit)
	case value.InstantType:
		return "datetime" + precision(t.Unit)
	case value.UUIDType:
		if d.facts.maria && d.facts.version >= 100700 {
			return "uuid"
		}
		return "char(36) CHARACTER SET ascii"
	case value.JSONType, value.ObjectType, value.ListType:
		if !key {
			return "json"
		}
	}
	return d.sized("varchar", "longtext", t.Length, 4, key)
}

// sized declares a text or bytes: short where its length is declared and the row has room for it, or in a key, whose
// index takes 3,072 bytes.
func (d *declarer) sized(short, long string, length, width int, key bool) string {
	if key {
		most := min(255, 3072/width/max(1, d.keys))
		if length == 0 || length > most {
			length = most
		}
	}
	if size := length*width + 2; length > 0 && (key || size <= d.room/4) {
		d.room -= size
		return short + "(" + strconv.Itoa(length) + ")"
	}
	return long
}

func declareInt(t value.Type) string {
	name := "bigint"
	switch t.Bits {
	case 8:
		name = "tinyint"
		if !t.Unsigned { // tinyint(1) is a truth value
			return "tinyint(4)"
		}
	case 16:
		name = "smallint"
	case 32:
		name = "int"
	}
	if t.Unsigned {
		name += " unsigned"
	}
	return name
}

func precision(unit time.Duration) string {
	if unit <= time.Microsecond {
		return "(6)"
	}
	digits := 0
	for d := time.Second; d > unit; d /= 10 {
		digits++
	}
	if digits == 0 {
		return ""
	}
	return "(" + strconv.Itoa(digits) + ")"
}
