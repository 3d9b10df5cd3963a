package binlog

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/google/uuid"
)

// Kind is what a Cell holds.
type Kind uint8

// The kinds. Text is UTF-8, as a SELECT in a session of utf8mb4 and UTC would give it: also for decimals, dates, times,
// enums and sets. Unknown is a value that is there and was not decoded, or that the log leaves out.
const (
	Unknown Kind = iota
	Null
	Int
	Uint
	Float32
	Float64
	Text
	Bytes
)

// Cell is a column's value in a row. Its bytes are not written again.
type Cell struct {
	Kind Kind
	num  uint64
	data []byte
}

// Int is the number of an Int.
func (c Cell) Int() int64 { return int64(c.num) }

// Uint is the number of a Uint.
func (c Cell) Uint() uint64 { return c.num }

// Float is the number of a Float32 or a Float64.
func (c Cell) Float() float64 {
	if c.Kind == Float32 {
		return float64(math.Float32frombits(uint32(c.num)))
	}
	return math.Float64frombits(c.num)
}

// Data is the text of a Text, or the bytes of a Bytes.
func (c Cell) Data() []byte { return c.data }

// column is how a column of a table map is written in the rows.
type column struct {
	kind     byte
	meta     uint16
	length   int // of fixed strings: the most bytes
	unsigned bool
	set      *charset // of texts, nil where it is not known
	values   []string // of enums and sets, nil where they are not known
	uuid     bool     // MariaDB's: sixteen bytes, shown as a text
	certain  bool     // false: the value is passed over, and Unknown
}

// realType resolves a fixed string's type: it stands for enums and sets, too.
func realType(kind byte, meta uint16) (byte, int) {
	if kind != mysql.MYSQL_TYPE_STRING || meta < 256 {
		return kind, int(meta)
	}
	high, low := byte(meta>>8), int(meta&0xff)
	if high&0x30 != 0x30 { // lengths over 255 hide two bits in the type
		return high | 0x30, low | int(high&0x30^0x30)<<4
	}
	return high, low
}

// read is the next value, which is not null.
func (c *column) read(r *reader) Cell {
	switch c.kind {
	case mysql.MYSQL_TYPE_TINY:
		return c.whole(r, 1)
	case mysql.MYSQL_TYPE_SHORT:
		return c.whole(r, 2)
	case mysql.MYSQL_TYPE_INT24:
		return c.whole(r, 3)
	case mysql.MYSQL_TYPE_LONG:
		return c.whole(r, 4)
	case mysql.MYSQL_TYPE_LONGLONG:
		return c.whole(r, 8)
	case mysql.MYSQL_TYPE_FLOAT:
		return c.give(Cell{Kind: Float32, num: r.uint(4)})
	case mysql.MYSQL_TYPE_DOUBLE:
		return c.give(Cell{Kind: Float64, num: r.uint(8)})
	case mysql.MYSQL_TYPE_YEAR:
		year := r.uint(1)
		if year != 0 {
			year += 1900
		}
		return c.give(Cell{Kind: Int, num: year})
	case mysql.MYSQL_TYPE_BIT:
		bits := int(c.meta>>8)*8 + int(c.meta&0xff)
		return c.give(Cell{Kind: Bytes, data: r.take((bits + 7) / 8)})
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		return c.decimal(r)
	}
	if cell, ok := c.temporal(r); ok {
		return cell
	}
	return c.sized(r)
}

// give is cell, or nothing where the column is not decoded.
func (c *column) give(cell Cell) Cell {
	if !c.certain {
		return Cell{}
	}
	return cell
}

func (c *column) whole(r *reader, n int) Cell {
	v := r.uint(n)
	if c.unsigned {
		return c.give(Cell{Kind: Uint, num: v})
	}
	shift := 64 - 8*n
	return c.give(Cell{Kind: Int, num: uint64(int64(v<<shift) >> shift)})
}

// sized reads what begins with its length, and enums and sets, whose length the type has.
func (c *column) sized(r *reader) Cell {
	switch c.kind {
	case mysql.MYSQL_TYPE_ENUM:
		return c.enum(r.uint(int(c.meta & 0xff)))
	case mysql.MYSQL_TYPE_SET:
		return c.members(r.uint(int(c.meta & 0xff)))
	case mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING:
		prefix := 1
		if c.length > 255 {
			prefix = 2
		}
		return c.text(r.take(int(r.uint(prefix))))
	case mysql.MYSQL_TYPE_BLOB, mysql.MYSQL_TYPE_GEOMETRY, mysql.MYSQL_TYPE_JSON, mysql.MYSQL_TYPE_VECTOR:
		if c.meta >= 1 && c.meta <= 4 {
			return c.text(r.take(int(r.uint(int(c.meta)))))
		}
	}
	r.b, r.err = nil, errEvent
	return Cell{}
}

func (c *column) text(b []byte) Cell {
	switch {
	case !c.certain || c.set == nil:
		return Cell{}
	case c.set.binary:
		if c.kind == mysql.MYSQL_TYPE_STRING && len(b) < c.length { // the log leaves zeros at the end out
			b = append(bytes.Clone(b), make([]byte, c.length-len(b))...)
		}
		if c.uuid {
			return uuidText(b)
		}
		return Cell{Kind: Bytes, data: b}
	}
	text, ok := c.set.decode(b)
	if !ok {
		return Cell{}
	}
	return Cell{Kind: Text, data: text}
}

// uuidText is a UUID. Tables made by MariaDB before 10.11.5 store its parts in another order, in which the digit of the
// version is one of the variant, 8 to b: only what cannot be that is taken.
func uuidText(b []byte) Cell {
	id, err := uuid.FromBytes(b)
	if err != nil || id != uuid.Nil && (id.Version() < 1 || id.Version() > 7 || id.Variant() != uuid.RFC4122) {
		return Cell{}
	}
	return Cell{Kind: Text, data: []byte(id.String())}
}

func (c *column) enum(n uint64) Cell {
	switch {
	case !c.certain || n > uint64(len(c.values)):
		return Cell{}
	case n == 0: // what a value that is none of them became
		return Cell{Kind: Text}
	}
	return Cell{Kind: Text, data: []byte(c.values[n-1])}
}

func (c *column) members(bits uint64) Cell {
	if !c.certain || bits>>len(c.values) != 0 {
		return Cell{}
	}
	var text []byte
	for i, v := range c.values {
		if bits&(1<<i) != 0 {
			if text != nil {
				text = append(text, ',')
			}
			text = append(text, v...)
		}
	}
	return Cell{Kind: Text, data: text}
}

// groupBytes is how many bytes a group of so many digits takes.
func groupBytes(digits int) int { return [...]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}[digits] }

// decimal reads digits in groups of nine, each a number, the highest first; the first group and the last may have
// less. The first bit is the sign turned around, and a negative number has all its bits so.
func (c *column) decimal(r *reader) Cell {
	precision, scale := int(c.meta>>8), int(c.meta&0xff)
	if scale > precision {
		r.b, r.err = nil, errEvent
		return Cell{}
	}
	whole := precision - scale
	size := whole/9*4 + groupBytes(whole%9) + scale/9*4 + groupBytes(scale%9)
	raw := r.take(size)
	if !c.certain || len(raw) == 0 {
		return Cell{}
	}
	b := bytes.Clone(raw)
	negative := b[0]&0x80 == 0
	b[0] ^= 0x80
	if negative {
		for i := range b {
			b[i] = ^b[i]
		}
	}
	digits := reader{b: b}
	text := make([]byte, 0, precision+3)
	if negative {
		text = append(text, '-')
	}
	first := len(text)
	text = appendGroup(text, &digits, whole%9)
	for range whole / 9 {
		text = appendGroup(text, &digits, 9)
	}
	zeros := 0
	for first+zeros < len(text) && text[first+zeros] == '0' {
		zeros++
	}
	if text = append(text[:first], text[first+zeros:]...); len(text) == first {
		text = append(text, '0')
	}
	if scale > 0 {
		text = append(text, '.')
		for range scale / 9 {
			text = appendGroup(text, &digits, 9)
		}
		text = appendGroup(text, &digits, scale%9)
	}
	return Cell{Kind: Text, data: text}
}

func appendGroup(text []byte, r *reader, digits int) []byte {
	if digits == 0 {
		return text
	}
	return appendPadded(text, r.bigUint(groupBytes(digits)), digits)
}

func appendPadded(text []byte, n uint64, digits int) []byte {
	var buf [20]byte
	number := strconv.AppendUint(buf[:0], n, 10)
	for i := len(number); i < digits; i++ {
		text = append(text, '0')
	}
	return append(text, number...)
}

// temporal reads dates and times. Those with "2" have fractions of a second; the older forms have none.
func (c *column) temporal(r *reader) (Cell, bool) {
	var text []byte
	switch c.kind {
	case mysql.MYSQL_TYPE_DATE:
		n := r.uint(3)
		text = appendDate(nil, n>>9, n>>5&15, n&31)
	case mysql.MYSQL_TYPE_TIMESTAMP2:
		text = appendInstant(int64(r.bigUint(4)), c.fraction(r), int(c.meta))
	case mysql.MYSQL_TYPE_TIMESTAMP:
		text = appendInstant(int64(r.uint(4)), 0, 0)
	case mysql.MYSQL_TYPE_DATETIME2:
		n := r.bigUint(5) - 0x8000000000
		micros := c.fraction(r)
		text = appendDate(nil, n>>22/13, n>>22%13, n>>17&31)
		text = appendClock(append(text, ' '), n>>12&31, n>>6&63, n&63, micros, int(c.meta))
	case mysql.MYSQL_TYPE_DATETIME:
		n := r.uint(8)
		text = appendDate(nil, n/1e10, n/1e8%100, n/1e6%100)
		text = appendClock(append(text, ' '), n/1e4%100, n/100%100, n%100, 0, 0)
	case mysql.MYSQL_TYPE_TIME2:
		text = c.clock(r)
	case mysql.MYSQL_TYPE_TIME:
		n := int64(r.uint(3)<<40) >> 40
		if n < 0 {
			text, n = append(text, '-'), -n
		}
		text = appendClock(text, uint64(n/10000), uint64(n/100%100), uint64(n%100), 0, 0)
	default:
		return Cell{}, false
	}
	return c.give(Cell{Kind: Text, data: text}), true
}

// fractionUnit is how many microseconds one step of a stored fraction is, by its bytes.
func fractionUnit(size int) uint64 { return [...]uint64{0, 10000, 100, 1}[size] }

func (c *column) fractionSize(r *reader) int {
	if c.meta > 6 {
		r.b, r.err = nil, errEvent
		return 0
	}
	return int(c.meta+1) / 2
}

func (c *column) fraction(r *reader) uint64 {
	size := c.fractionSize(r)
	return r.bigUint(size) * fractionUnit(size)
}

// clock reads a time: seconds and fraction as one number around a middle, so that negative ones sort.
func (c *column) clock(r *reader) (text []byte) {
	size := c.fractionSize(r)
	n := int64(r.bigUint(3+size)) - 0x800000<<(8*size)
	if n < 0 {
		text, n = append(text, '-'), -n
	}
	whole := uint64(n) >> (8 * size)
	micros := uint64(n) & (1<<(8*size) - 1) * fractionUnit(size)
	return appendClock(text, whole>>12&0x3ff, whole>>6&63, whole&63, micros, int(c.meta))
}

func appendInstant(seconds int64, micros uint64, digits int) []byte {
	if seconds == 0 { // the zero date: a TIMESTAMP begins a second later
		return appendClock([]byte("0000-00-00 "), 0, 0, 0, micros, digits)
	}
	t := time.Unix(seconds, 0).UTC()
	text := appendDate(nil, uint64(t.Year()), uint64(t.Month()), uint64(t.Day()))
	return appendClock(append(text, ' '), uint64(t.Hour()), uint64(t.Minute()), uint64(t.Second()), micros, digits)
}

func appendDate(text []byte, year, month, day uint64) []byte {
	text = append(appendPadded(text, year, 4), '-')
	text = append(appendPadded(text, month, 2), '-')
	return appendPadded(text, day, 2)
}

func appendClock(text []byte, hour, minute, second, micros uint64, digits int) []byte {
	text = append(appendPadded(text, hour, 2), ':')
	text = append(appendPadded(text, minute, 2), ':')
	text = appendPadded(text, second, 2)
	if digits > 0 && digits <= 6 {
		text = appendPadded(append(text, '.'), micros, 6)
		text = text[:len(text)-6+digits]
	}
	return text
}
