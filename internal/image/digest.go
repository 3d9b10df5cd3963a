package image

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/zeebo/xxh3"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// DigestVersion is the first byte of every digest. A link whose digest has another version is labelled anew from a
// fresh look at both sides; nothing is sent for it (law 7).
const DigestVersion = '2'

// DigestSize is the length of a digest: the version, the tag of the shape and 96 bits of xxh3.
const DigestSize = 17

const tagSize = 4

// Made tells whether a digest was made by this version, over fields of the same names and types, and so can be compared
// with one of this shape. Fields that are new are no part of an older digest, and a null leaves no trace in it: what
// the target holds there only a look tells.
func (s *Shape) Made(d lockstep.Digest) bool {
	return len(d) == DigestSize && d[0] == DigestVersion && string(d[1:1+tagSize]) == string(s.tag[:])
}

// Tag names what the shape's digests cover, as a text.
func (s *Shape) Tag() string { return hex.EncodeToString(s.tag[:]) }

// tagged is the tag: a hash over what makes two digests comparable.
func (s *Shape) tagged(opt Options) [tagSize]byte {
	var b []byte
	for _, i := range s.hashed {
		fd := &s.fields[i]
		b = appendType(appendSized(b, tagText, fd.name), &fd.typ)
		if slices.Contains(opt.Absent, fd.name) {
			b = append(b, '?')
		}
		if fd.inherits != "" {
			b = append(append(b, '<'), fd.inherits...)
		}
	}
	var tag [tagSize]byte
	binary.BigEndian.PutUint32(tag[:], uint32(xxh3.Hash(b)))
	return tag
}

// appendType writes what of a type decides how a value is coerced and hashed.
func appendType(b []byte, t *value.Type) []byte {
	b = fmt.Appendf(b, "{%v %v %v %v %v %v %v %v %v %v <nil> }", // as a whole Type was printed before it had members
		t.Kind, t.Bits, t.Unsigned, t.Length, t.Padded, t.Precision, t.Scale, t.Unit, t.Cuts, t.Unordered)
	if t.Folded {
		b = append(b, '~')
	}
	if t.Elem != nil {
		b = appendType(append(b, '['), t.Elem)
	}
	for i := range t.Members {
		m := &t.Members[i]
		b = appendType(appendSized(append(b, '{'), tagText, m.Name), &m.Type)
		b = value.AppendJSON(b, m.Default)
	}
	return append(b, ';')
}

// Digest hashes coerced fields. What does not make a difference to the target does not make one here: the order of
// fields; absent or null; 12.30, 12.3 and 12; -0 or 0; the zone of an instant; white space, member order and the
// spelling of numbers in JSON; the order of a set. Ignored fields do not count. Text counts byte by byte.
func (s *Shape) Digest(f value.Fields) lockstep.Digest {
	h := s.hashers.Get().(*hasher)
	b := h.buf[:0]
	if f.Len() > 0 {
		p, values := s.planFor(f.Names()), f.Values()
		for i, at := range p.hashed {
			if at < 0 || values[at].IsNull() {
				continue
			}
			fd := &s.fields[s.hashed[i]]
			b = binary.LittleEndian.AppendUint64(b, fd.seed)
			b = h.encode(b, &fd.typ, values[at])
		}
	}
	h.buf = b
	sum := xxh3.Hash128(b)
	var out [DigestSize]byte
	out[0] = DigestVersion
	copy(out[1:], s.tag[:])
	binary.BigEndian.PutUint64(out[1+tagSize:], sum.Hi)
	binary.BigEndian.PutUint32(out[9+tagSize:], uint32(sum.Lo))
	h.release()
	s.hashers.Put(h)
	return lockstep.Digest(out[:])
}

func nameSeed(name string) uint64 { return xxh3.HashStringSeed(name, 1) }

// hasher holds the buffers that a digest needs; one goroutine at a time.
type hasher struct {
	buf     []byte
	sets    []xxh3.Uint128
	members []member
	text    []byte // unescaped JSON strings and canonical numbers
	pack    []byte // what is hashed of a JSON list or object, and of a set
}

// maxKept is how large a buffer may stay in the pool, so that one huge record does not hold memory for ever (law 11).
const maxKept = 1 << 20

func (h *hasher) release() {
	if cap(h.buf) > maxKept {
		h.buf = nil
	}
	if cap(h.text) > maxKept {
		h.text = nil
	}
	if cap(h.pack) > maxKept {
		h.pack = nil
	}
	if cap(h.members) > maxKept/32 {
		h.members = nil
	}
}

// The tags of the canonical encoding. Every encoding ends where its tag says, so that no two values run together.
const (
	tagNull   = 'z'
	tagFalse  = 'f'
	tagTrue   = 't'
	tagNumber = 'n'
	tagFloat  = 'd'
	tagText   = 's'
	tagBytes  = 'x'
	tagTime   = 'i'
	tagList   = 'l'
	tagSet    = 'u'
	tagJSON   = 'j'
	tagObject = 'o' // of declared members, all of them, in their order
)

// encode appends v, which is coerced to t, in its canonical form.
func (h *hasher) encode(b []byte, t *value.Type, v value.Value) []byte {
	if t.Members != nil && v.Kind() == value.KindObject {
		b = append(b, tagObject)
		for i := range t.Members {
			one, _ := v.Object().Get(t.Members[i].Name)
			b = h.encode(b, &t.Members[i].Type, one)
		}
		return b
	}
	if t.Kind == value.JSONType || t.Kind == value.ObjectType {
		return h.appendNode(b, v)
	}
	switch v.Kind() {
	case value.KindNull:
		return append(b, tagNull)
	case value.KindBool:
		if v.Bool() {
			return append(b, tagTrue)
		}
		return append(b, tagFalse)
	case value.KindInt:
		return h.appendInt(append(b, tagNumber), v.Int())
	case value.KindDecimal:
		return appendNumber(append(b, tagNumber), v.Decimal().String())
	case value.KindFloat:
		return h.appendFloat(b, t, v.Float())
	case value.KindText:
		if t.Folded {
			return appendSized(b, tagText, lower(v.Text()))
		}
		return appendSized(b, tagText, v.Text())
	case value.KindBytes:
		return appendSized(b, tagBytes, v.Bytes())
	case value.KindTime:
		at := v.Time()
		b = binary.LittleEndian.AppendUint64(append(b, tagTime), uint64(at.Unix()))
		return binary.LittleEndian.AppendUint32(b, uint32(at.Nanosecond()))
	case value.KindList:
		return h.appendList(b, t, v)
	default:
		return h.appendNode(b, v)
	}
}

func appendSized[T string | []byte](b []byte, tag byte, s T) []byte {
	b = binary.AppendUvarint(append(b, tag), uint64(len(s)))
	return append(b, s...)
}

// appendFloat writes a double by its bits, one zero and one NaN. In a field that is not declared float it is a
// number among numbers, so that 12.0 is 12.
func (h *hasher) appendFloat(b []byte, t *value.Type, f float64) []byte {
	switch {
	case math.IsNaN(f):
		f = math.NaN()
	case f == 0:
		f = 0
	}
	if t.Kind == value.FloatType || math.IsNaN(f) || math.IsInf(f, 0) {
		return binary.LittleEndian.AppendUint64(append(b, tagFloat), math.Float64bits(f))
	}
	var digits [32]byte
	return appendNumber(append(b, tagNumber), strconv.AppendFloat(digits[:0], f, 'e', -1, 64))
}

func (h *hasher) appendInt(b []byte, n int64) []byte {
	var digits [24]byte
	return appendNumber(b, strconv.AppendInt(digits[:0], n, 10))
}

// appendList writes the items in order, or, of a set, the sorted hashes of its items: the same items as often each.
func (h *hasher) appendList(b []byte, t *value.Type, v value.Value) []byte {
	elem := t.Elem
	if elem == nil {
		elem = &value.Type{}
	}
	if elem.Kind == value.AnyType && !t.Unordered {
		return h.appendNode(b, v)
	}
	items := v.List()
	if !t.Unordered {
		b = binary.AppendUvarint(append(b, tagList), uint64(len(items)))
		for _, item := range items {
			b = h.encode(b, elem, item)
		}
		return b
	}
	start, base := len(b), len(h.sets)
	for _, item := range items {
		if elem.Kind == value.AnyType {
			b = h.appendNode(b[:start], item) // as in a JSON list: a time is its text
		} else {
			b = h.encode(b[:start], elem, item)
		}
		h.sets = append(h.sets, xxh3.Hash128(b[start:]))
	}
	sums := h.sets[base:]
	slices.SortFunc(sums, compare128)
	b = binary.AppendUvarint(append(b[:start], tagSet), uint64(len(sums)))
	for _, sum := range sums {
		b = append128(b, sum)
	}
	h.sets = h.sets[:base]
	return b
}

func compare128(a, b xxh3.Uint128) int {
	switch {
	case a.Hi < b.Hi || (a.Hi == b.Hi && a.Lo < b.Lo):
		return -1
	case a == b:
		return 0
	}
	return 1
}

func append128(b []byte, u xxh3.Uint128) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, u.Hi), u.Lo)
}

// appendNumber writes a decimal number in the one form that all its spellings share: sign, digits without zeros at
// either end, and the power of ten of the last digit. The text is a number of JSON or of value.Decimal.
func appendNumber[T string | []byte](b []byte, text T) []byte {
	i, sign := 0, byte('+')
	if len(text) > 0 && text[0] == '-' {
		i, sign = 1, '-'
	}
	at := len(b)
	b = append(b, 0, 0) // sign and room
	exponent, fraction, any := 0, false, false
	zeros := 0 // zeros seen behind the last other digit
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '.':
			fraction = true
		case c == '0':
			if any {
				zeros++
			}
			if fraction {
				exponent--
			}
		case c >= '1' && c <= '9':
			for ; zeros > 0; zeros-- {
				b = append(b, '0')
			}
			b, any = append(b, c), true
			if fraction {
				exponent--
			}
		default: // e or E
			exponent += parseExponent(text[i+1:])
			i = len(text)
		}
	}
	if !any {
		b[at], b[at+1] = '0', ';'
		return b
	}
	b[at], b[at+1] = sign, ':'
	b = binary.AppendVarint(append(b, ';'), int64(exponent+zeros))
	return b
}

// parseExponent reads a JSON exponent; one that is absurdly large stays at a bound that no other number has.
func parseExponent[T string | []byte](s T) int {
	n, negative := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '-':
			negative = true
		case c >= '0' && c <= '9' && n < 1<<40:
			n = n*10 + int(c-'0')
		}
	}
	if negative {
		return -n
	}
	return n
}
