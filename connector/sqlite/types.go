package sqlite

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// affinity is what SQLite does to a value on its way into a column.
type affinity uint8

const (
	none affinity = iota
	text
	integer
	real
	numeric
)

// affinityOf follows SQLite's own rules (datatype3, section 3.1), in their order.
func affinityOf(declared string) affinity {
	d := strings.ToUpper(declared)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(d, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return integer
	case has("CHAR", "CLOB", "TEXT"):
		return text
	case d == "" || has("BLOB"):
		return none
	case has("REAL", "FLOA", "DOUB"):
		return real
	}
	return numeric
}

var declaration = regexp.MustCompile(`^\s*([^(]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*([^)]*)$`)

// typeOf is the type that a declaration means. SQLite does not hold columns to their declarations: lengths and bit
// sizes are not enforced, so they are not told.
func typeOf(declared string) value.Type {
	t := value.Type{Native: declared}
	word, a, b, given := strings.ToUpper(declared), 0, 0, false
	if m := declaration.FindStringSubmatch(declared); m != nil {
		word, given = strings.ToUpper(strings.TrimSpace(m[1]+" "+m[4])), m[2] != ""
		a, _ = strconv.Atoi(m[2])
		b, _ = strconv.Atoi(m[3])
	}
	switch word {
	case "BOOLEAN", "BOOL":
		t.Kind = value.BoolType
	case "DECIMAL", "NUMERIC", "NUMBER", "MONEY", "DECIMAL_TEXT":
		t.Kind, t.Precision, t.Scale = value.DecimalType, a, b
	case "DATE":
		t.Kind = value.DateType
	case "TIME":
		t.Kind = value.ClockType
	case "DATETIME", "TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE":
		t.Kind, t.Unit = value.WallType, unit(a, given)
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "DATETIMEOFFSET":
		t.Kind, t.Unit = value.InstantType, unit(a, given)
	case "JSON", "JSON_TEXT", "JSONB":
		t.Kind = value.JSONType
	case "UUID", "UUID_TEXT", "GUID", "UNIQUEIDENTIFIER":
		t.Kind = value.UUIDType
	case "BYTEA", "BINARY", "VARBINARY":
		t.Kind = value.BytesType
	default:
		t.Kind = byAffinity(word)
	}
	return t
}

func byAffinity(word string) value.TypeKind {
	switch affinityOf(word) {
	case integer:
		return value.IntType
	case text:
		return value.TextType
	case real:
		return value.FloatType
	case none:
		if word != "" {
			return value.BytesType
		}
	}
	return value.AnyType
}

func unit(digits int, given bool) time.Duration {
	if !given || digits > 9 {
		return 0
	}
	d := time.Second
	for range digits {
		d /= 10
	}
	return d
}

// declare is the declaration of a column that is made for a type. It is chosen so that SQLite keeps every value as
// it is: a decimal would lose digits as a number, and a JSON text such as 1.0 would become 1, so both get a name that
// means TEXT to SQLite and more to people and to typeOf.
func declare(t value.Type) string {
	switch t.Kind {
	case value.BoolType:
		return "BOOLEAN"
	case value.IntType:
		if t.Unsigned && (t.Bits == 64 || t.Bits == 0) {
			return "DECIMAL_TEXT(20,0)"
		}
		return "INTEGER"
	case value.FloatType:
		return "REAL"
	case value.DecimalType:
		if t.Precision > 0 {
			return "DECIMAL_TEXT(" + strconv.Itoa(t.Precision) + "," + strconv.Itoa(t.Scale) + ")"
		}
		return "DECIMAL_TEXT"
	case value.TextType:
		return "TEXT"
	case value.BytesType:
		return "BLOB"
	case value.DateType:
		return "DATE"
	case value.ClockType:
		return "TIME"
	case value.WallType:
		return "TIMESTAMP" + precision(t.Unit)
	case value.InstantType:
		return "TIMESTAMPTZ" + precision(t.Unit)
	case value.JSONType, value.ListType, value.ObjectType:
		return "JSON_TEXT"
	case value.UUIDType:
		return "UUID_TEXT"
	}
	return ""
}

func precision(unit time.Duration) string {
	if unit <= time.Nanosecond {
		return ""
	}
	digits := 0
	for d := time.Second; d > unit && digits < 9; d /= 10 {
		digits++
	}
	return "(" + strconv.Itoa(digits) + ")"
}

// columnInfo is what Column.Info would be: how a column stores.
type columnInfo struct {
	affinity affinity
	kind     value.TypeKind
}

func infoOf(f lockstep.Field) columnInfo { return columnInfo{affinityOf(f.Type.Native), f.Type.Kind} }
