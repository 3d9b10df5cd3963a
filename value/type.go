package value

import "time"

// TypeKind is what a field is declared to hold.
type TypeKind uint8

// The declared kinds. A system's own type names are kept in Type.Native.
const (
	AnyType TypeKind = iota // nothing is declared: every value fits as it is
	BoolType
	IntType
	FloatType
	DecimalType
	TextType
	BytesType
	DateType      // a day: KindTime at midnight UTC
	ClockType     // a time of day: KindText "15:04:05.999999"
	WallType      // a date and time without a zone: KindTime in UTC
	InstantType   // a point in time: KindTime
	JSONType      // any JSON document: null, bool, int, decimal, text, list or object
	UUIDType      // KindText, lower case with hyphens
	ListType      // KindList of Elem
	ObjectType    // KindObject
	typeKindCount = iota
)

var typeKindNames = [...]string{"any", "bool", "int", "float", "decimal", "text", "bytes", "date", "clock", "wall", "instant", "json", "uuid", "list", "object"}

func (k TypeKind) String() string { return typeKindNames[k] }

// Type is what a system declares of a field. Coercing a value to it (internal/image) gives the value as the system
// would hold it, so that both sides can be compared by law 7.
type Type struct {
	Kind      TypeKind
	Bits      int           // IntType: 8, 16, 32 or 64, 0 is 64; FloatType: 32 or 64, 0 is 64
	Unsigned  bool          // IntType
	Length    int           // TextType in characters, BytesType in bytes; 0 is unbounded
	Padded    bool          // TextType: trailing blanks do not count (CHAR(n))
	Folded    bool          // TextType: letter case does not count (a choice by its label)
	Precision int           // DecimalType: digits in all; 0 is unbounded, and Scale is then free
	Scale     int           // DecimalType: digits after the point
	Unit      time.Duration // WallType, InstantType, ClockType: the smallest step kept; 0 is a nanosecond
	Cuts      bool          // the system cuts a finer time off; otherwise it rounds half away from zero
	Unordered bool          // ListType: a set
	Elem      *Type         // ListType: what the items are; nil is AnyType
	Members   []Member      // ObjectType: all that it has; nil is anything
	Native    string        // as the system writes it, for people and for drift: "numeric(12,4)"
}

// Member is what an object has under a name. One that is absent, or null, is its default.
type Member struct {
	Name    string
	Type    Type
	Default Value
}
