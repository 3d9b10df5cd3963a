package image

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/lockstep-sync/lockstep/value"
)

// A JSON document is hashed as a tree of 128-bit node hashes: a leaf by tag and canonical content, a list by its
// items in order, an object by its members sorted by the hash of their names. A text that nobody has looked inside
// (value.RawJSON) is hashed by a tokenizer that builds no tree; the result is the same as for the parsed value.

type node = xxh3.Uint128

// member is one member of an object that is being hashed.
type member struct {
	name uint64
	node node
}

// The seeds tell the kinds of leaves apart.
const (
	seedText   = 11
	seedNumber = 12
	seedList   = 13
	seedObject = 14
	seedName   = 15
	seedBroken = 16
)

var (
	nodeNull  = xxh3.Hash128Seed([]byte("null"), 10)
	nodeTrue  = xxh3.Hash128Seed([]byte("true"), 10)
	nodeFalse = xxh3.Hash128Seed([]byte("false"), 10)
)

// maxDepth bounds the recursion. A text that is deeper, or no JSON at all, is hashed as the bytes it is.
const maxDepth = 2000

func (h *hasher) appendNode(b []byte, v value.Value) []byte {
	return append128(append(b, tagJSON), h.node(v))
}

// node hashes a value as the JSON that value.AppendJSON would write for it.
func (h *hasher) node(v value.Value) node {
	if raw, ok := v.RawText(); ok {
		return h.rawNode(raw)
	}
	switch v.Kind() {
	case value.KindNull:
		return nodeNull
	case value.KindBool:
		if v.Bool() {
			return nodeTrue
		}
		return nodeFalse
	case value.KindInt:
		h.text = h.appendInt(h.text[:0], v.Int())
		return xxh3.Hash128Seed(h.text, seedNumber)
	case value.KindDecimal:
		return h.numberNode(v.Decimal().String())
	case value.KindFloat:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return textNode(strconv.FormatFloat(f, 'g', -1, 64))
		}
		var digits [32]byte
		h.text = appendNumber(h.text[:0], strconv.AppendFloat(digits[:0], f, 'e', -1, 64))
		return xxh3.Hash128Seed(h.text, seedNumber)
	case value.KindText:
		return textNode(v.Text())
	case value.KindBytes:
		h.text = base64.StdEncoding.AppendEncode(h.text[:0], v.Bytes())
		return xxh3.Hash128Seed(h.text, seedText)
	case value.KindTime:
		h.text = v.Time().AppendFormat(h.text[:0], time.RFC3339Nano)
		return xxh3.Hash128Seed(h.text, seedText)
	case value.KindList:
		at := len(h.pack)
		for _, item := range v.List() {
			n := h.node(item)
			h.pack = append128(h.pack, n)
		}
		return h.closeList(at)
	default:
		base := len(h.members)
		for name, item := range v.Object().All() {
			m := member{xxh3.HashStringSeed(name, seedName), h.node(item)}
			h.members = append(h.members, m)
		}
		return h.closeObject(base)
	}
}

func textNode(s string) node { return xxh3.HashString128Seed(s, seedText) }

func (h *hasher) numberNode(text string) node {
	h.text = appendNumber(h.text[:0], text)
	return xxh3.Hash128Seed(h.text, seedNumber)
}

func (h *hasher) closeList(at int) node {
	n := xxh3.Hash128Seed(h.pack[at:], seedList)
	h.pack = h.pack[:at]
	return n
}

// closeObject hashes the members from base on. Of members with one name the last counts, as everywhere (PostgreSQL's
// json keeps doubled names, its jsonb and value.RawJSON keep the last).
func (h *hasher) closeObject(base int) node {
	members, at := h.members[base:], len(h.pack)
	if len(members) <= 12 {
		for i := 1; i < len(members); i++ {
			for j := i; j > 0 && members[j].name < members[j-1].name; j-- {
				members[j], members[j-1] = members[j-1], members[j]
			}
		}
	} else {
		slices.SortStableFunc(members, func(a, b member) int {
			switch {
			case a.name < b.name:
				return -1
			case a.name > b.name:
				return 1
			}
			return 0
		})
	}
	for i, m := range members {
		if i+1 < len(members) && members[i+1].name == m.name {
			continue
		}
		h.pack = append128(binary.LittleEndian.AppendUint64(h.pack, m.name), m.node)
	}
	n := xxh3.Hash128Seed(h.pack[at:], seedObject)
	h.pack, h.members = h.pack[:at], h.members[:base]
	return n
}

// rawNode hashes a JSON text.
func (h *hasher) rawNode(raw string) node {
	members, pack := len(h.members), len(h.pack)
	sc := scanner{h: h, s: raw}
	n, ok := sc.value(0)
	if sc.space(); !ok || sc.at != len(raw) {
		h.members, h.pack = h.members[:members], h.pack[:pack]
		return xxh3.HashString128Seed(raw, seedBroken)
	}
	return n
}

// scanner walks a JSON text once.
type scanner struct {
	h  *hasher
	s  string
	at int
}

func (sc *scanner) space() {
	for sc.at < len(sc.s) && sc.s[sc.at] <= ' ' {
		sc.at++
	}
}

func (sc *scanner) next(c byte) bool {
	if sc.space(); sc.at < len(sc.s) && sc.s[sc.at] == c {
		sc.at++
		return true
	}
	return false
}

func (sc *scanner) value(depth int) (node, bool) {
	if sc.space(); sc.at >= len(sc.s) || depth > maxDepth {
		return node{}, false
	}
	switch c := sc.s[sc.at]; c {
	case '"':
		text, ok := sc.string()
		return xxh3.HashString128Seed(text, seedText), ok
	case '{':
		return sc.object(depth)
	case '[':
		return sc.list(depth)
	case 't':
		return nodeTrue, sc.word("true")
	case 'f':
		return nodeFalse, sc.word("false")
	case 'n':
		return nodeNull, sc.word("null")
	default:
		start := sc.at
		for sc.at < len(sc.s) && numeric[sc.s[sc.at]] {
			sc.at++
		}
		return sc.h.numberNode(sc.s[start:sc.at]), sc.at > start
	}
}

var numeric = [256]bool{'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true,
	'8': true, '9': true, '-': true, '+': true, '.': true, 'e': true, 'E': true}

func (sc *scanner) word(w string) bool {
	if len(sc.s)-sc.at < len(w) || sc.s[sc.at:sc.at+len(w)] != w {
		return false
	}
	sc.at += len(w)
	return true
}

func (sc *scanner) list(depth int) (node, bool) {
	sc.at++
	at := len(sc.h.pack)
	if sc.next(']') {
		return sc.h.closeList(at), true
	}
	for {
		n, ok := sc.value(depth + 1)
		if !ok {
			return node{}, false
		}
		sc.h.pack = append128(sc.h.pack, n)
		if sc.next(',') {
			continue
		}
		return sc.h.closeList(at), sc.next(']')
	}
}

func (sc *scanner) object(depth int) (node, bool) {
	sc.at++
	base := len(sc.h.members)
	if sc.next('}') {
		return sc.h.closeObject(base), true
	}
	for {
		if sc.space(); sc.at >= len(sc.s) || sc.s[sc.at] != '"' {
			return node{}, false
		}
		text, ok := sc.string()
		name := xxh3.HashStringSeed(text, seedName)
		if !ok || !sc.next(':') {
			return node{}, false
		}
		n, ok := sc.value(depth + 1)
		if !ok {
			return node{}, false
		}
		sc.h.members = append(sc.h.members, member{name, n})
		if sc.next(',') {
			continue
		}
		return sc.h.closeObject(base), sc.next('}')
	}
}

// string reads a string at its opening quote. The result is good until the next string with an escape is read.
func (sc *scanner) string() (string, bool) {
	s := sc.s
	start := sc.at + 1
	for i := start; i < len(s); i++ {
		switch s[i] {
		case '"':
			sc.at = i + 1
			return s[start:i], true
		case '\\':
			return sc.escaped(start, i)
		}
	}
	return "", false
}

func (sc *scanner) escaped(start, i int) (string, bool) {
	b := append(sc.h.text[:0], sc.s[start:i]...)
	for i < len(sc.s) {
		c := sc.s[i]
		switch {
		case c == '"':
			sc.at, sc.h.text = i+1, b
			return stringOf(b), true
		case c != '\\':
			b = append(b, c)
			i++
			continue
		case i+1 >= len(sc.s):
			return "", false
		}
		i += 2
		switch e := sc.s[i-1]; e {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, n := codepoint(sc.s[i:])
			if n == 0 {
				return "", false
			}
			b = appendRune(b, r)
			i += n
		default:
			b = append(b, e)
		}
	}
	return "", false
}

// codepoint reads what stands behind \u: four digits, or the two halves of a pair. n is how many bytes that were.
func codepoint(s string) (r rune, n int) {
	if len(s) < 4 {
		return 0, 0
	}
	high, err := strconv.ParseUint(s[:4], 16, 32)
	if err != nil {
		return 0, 0
	}
	if utf16.IsSurrogate(rune(high)) && len(s) >= 10 && s[4] == '\\' && s[5] == 'u' {
		if low, err := strconv.ParseUint(s[6:10], 16, 32); err == nil {
			if r := utf16.DecodeRune(rune(high), rune(low)); r != utf8.RuneError {
				return r, 10
			}
		}
	}
	return rune(high), 4
}

// appendRune writes a lone surrogate, which PostgreSQL's json can hold, in its three-byte form: two of them differ.
func appendRune(b []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0xBF, 0x80|byte(r)&0xBF)
	}
	return utf8.AppendRune(b, r)
}
