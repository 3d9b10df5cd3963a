package value

import (
	"encoding/json"
	"unsafe"
)

// raw takes the list or object that a field of tagged JSON holds as text, as RawJSON does, where no tag can be in it:
// it is seldom looked into, and making it of values took a third of decoding a record, and most of its memory. False
// leaves it to be parsed.
func (d *Decoder) raw() (Value, bool) {
	end := d.closing()
	if end < 0 {
		return Null, false
	}
	text := d.s[d.at:end]
	if needsTag(text) || !json.Valid(unsafe.Slice(unsafe.StringData(text), len(text))) {
		return Null, false
	}
	d.at = end
	return Value{num: uint64(len(text)), ref: jsonRef(stringData(text))}, true
}

// closing is behind the bracket that closes the one at hand, or -1.
func (d *Decoder) closing() int {
	depth := 0
	for i := d.at; i < len(d.s); i++ {
		switch d.s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			for i++; i < len(d.s) && d.s[i] != '"'; i++ {
				if d.s[i] == '\\' {
					i++
				}
			}
		}
	}
	return -1
}
