package value

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Two encodings, one grammar (RFC 8259). Plain JSON (AppendJSON, ParseJSON) is for people and other systems: a
// decimal is a number, bytes are base64, a time is RFC 3339. Tagged JSON (AppendTagged, Decoder) loses nothing and
// is what a store keeps: what plain JSON cannot tell apart is an object with one member whose name begins with "$".

// MaxDepth bounds how deep lists and objects may nest.
const MaxDepth = 256

// maxRawDepth is the same for JSON texts of databases, which go deeper: about what PostgreSQL's stack allows.
const maxRawDepth = 10_000

// AppendJSON appends v as plain JSON. NaN and infinities become texts.
func AppendJSON(b []byte, v Value) []byte { return appendValue(b, v, false) }

// AppendFields appends f as a plain JSON object.
func AppendFields(b []byte, f Fields) []byte { return appendObject(b, f, false) }

// AppendTagged appends f as a tagged JSON object, which Decoder.Fields reads back as it was.
func AppendTagged(b []byte, f Fields) []byte { return appendObject(b, f, true) }

func appendValue(b []byte, v Value, tagged bool) []byte {
	switch v.Kind() {
	case KindNull:
		return append(b, "null"...)
	case KindBool:
		return strconv.AppendBool(b, v.Bool())
	case KindInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case KindFloat:
		return appendFloat(b, v.Float(), tagged)
	case KindDecimal:
		text := v.Decimal().String()
		if tagged && v.Decimal().Scale() == 0 {
			return appendTag(b, "$dec", text)
		}
		return append(b, text...)
	case KindText:
		return AppendQuoted(b, v.Text())
	case KindBytes:
		text := base64.StdEncoding.EncodeToString(v.Bytes())
		if tagged {
			return appendTag(b, "$bytes", text)
		}
		return AppendQuoted(b, text)
	case KindTime:
		return appendTime(b, v.Time(), tagged)
	case KindList:
		if raw, ok := v.rawJSON(); ok && (!tagged || !needsTag(raw)) {
			return append(b, raw...)
		}
		b = append(b, '[')
		for i, item := range v.List() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, item, tagged)
		}
		return append(b, ']')
	default:
		if raw, ok := v.rawJSON(); ok && (!tagged || !needsTag(raw)) {
			return append(b, raw...)
		}
		return appendObject(b, v.Object(), tagged)
	}
}

func appendObject(b []byte, f Fields, tagged bool) []byte {
	start := len(b)
	b = append(b, '{')
	dollar := false
	for i, v := range f.values {
		if i > 0 {
			b = append(b, ',')
		}
		name := f.names.list[i]
		dollar = dollar || (name != "" && name[0] == '$')
		b = AppendQuoted(b, name)
		b = append(b, ':')
		b = appendValue(b, v, tagged)
	}
	b = append(b, '}')
	if tagged && dollar { // a name that looks like a tag: say that it is none
		inner := string(b[start:])
		b = append(b[:start], `{"$obj":`...)
		b = append(b, inner...)
		b = append(b, '}')
	}
	return b
}

func appendTag(b []byte, tag, text string) []byte {
	b = append(b, '{', '"')
	b = append(b, tag...)
	b = append(b, '"', ':')
	b = AppendQuoted(b, text)
	return append(b, '}')
}

func appendFloat(b []byte, f float64, tagged bool) []byte {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	switch {
	case tagged:
		return appendTag(b, "$float", text)
	case math.IsNaN(f) || math.IsInf(f, 0):
		return AppendQuoted(b, text)
	}
	return append(b, text...)
}

func appendTime(b []byte, t time.Time, tagged bool) []byte {
	text := t.Format(time.RFC3339Nano)
	if !tagged {
		return AppendQuoted(b, text)
	}
	_, offset := t.Zone()
	if y := t.Year(); y < 0 || y > 9999 || offset%60 != 0 { // outside RFC 3339
		return appendTag(b, "$unix", fmt.Sprintf("%d %d %d", t.Unix(), t.Nanosecond(), offset))
	}
	return appendTag(b, "$time", text)
}

// needsTag tells whether a JSON text may hold a member that looks like a tag.
func needsTag(raw string) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] == '"' && (raw[i+1] == '$' || raw[i+1] == '\\') {
			return true
		}
	}
	return false
}

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			b = append(append(b, s[from:i]...), "\uFFFD"...)
			i++
			from = i
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// RawJSON is the value of a JSON text that is known to be valid, such as a database's json column. An object or a
// list stays text until somebody looks inside. Then, and in tagged JSON, where such a text may stand, the last of two
// members with one name wins, half of a surrogate pair is U+FFFD, and a number that no Decimal holds is its text.
func RawJSON(text string) (Value, error) {
	for i := range len(text) {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			continue
		case '{', '[':
			s := text[i:]
			return Value{num: uint64(len(s)), ref: jsonRef(stringData(s))}, nil
		}
		break
	}
	return ParseJSON(text)
}

// rawJSON is the JSON text of a value that was made by RawJSON.
func (v Value) rawJSON() (string, bool) {
	if p, ok := v.ref.(jsonRef); ok {
		return stringOf(p, v.num), true
	}
	return "", false
}

// RawText is the untouched JSON text behind a value made by RawJSON; false for every other value.
func (v Value) RawText() (string, bool) { return v.rawJSON() }

func (v Value) parsed() Value {
	raw, _ := v.rawJSON()
	d := Decoder{lenient: true}
	out, err := d.parse(raw)
	if err != nil {
		panic("value: RawJSON was given an invalid text: " + err.Error())
	}
	return out
}

// ParseJSON reads one plain JSON document. Whole numbers that fit become ints, other numbers decimals. Doubled
// names, invalid UTF-8 and anything behind the document are errors.
func ParseJSON(text string) (Value, error) {
	d := Decoder{}
	return d.parse(text)
}

// Decoder reads tagged JSON. Records read one after the other share their names. It is for one goroutine.
type Decoder struct {
	s       string
	at      int
	depth   int
	tagged  bool
	asIs    bool // the next object stands under "$obj": its own name is no tag
	lenient bool // takes what a database's json can hold: see RawJSON
	last    *Names
	scratch []string
}

// Fields reads what AppendTagged wrote. The values share text's memory.
func (d *Decoder) Fields(text string) (Fields, error) {
	d.tagged, d.lenient = true, true
	v, err := d.parse(text)
	if err != nil {
		return Fields{}, err
	}
	if v.Kind() != KindObject {
		return Fields{}, errors.New("value: not an object")
	}
	return v.Object(), nil
}

func (d *Decoder) parse(text string) (Value, error) {
	d.s, d.at, d.depth = text, 0, 0
	if !utf8.ValidString(text) {
		return Null, errors.New("JSON: invalid UTF-8")
	}
	v, err := d.value()
	if err != nil {
		return Null, err
	}
	if d.space(); d.at != len(d.s) {
		return Null, d.error("more than one document")
	}
	return v, nil
}

func (d *Decoder) error(what string) error { return fmt.Errorf("JSON: %s at byte %d", what, d.at) }

func (d *Decoder) space() {
	for d.at < len(d.s) {
		switch d.s[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *Decoder) value() (Value, error) {
	d.space()
	if d.at == len(d.s) {
		return Null, d.error("unexpected end")
	}
	switch c := d.s[d.at]; {
	case c == '"':
		s, err := d.text()
		return Text(s), err
	case c == '{', c == '[':
		if d.tagged && d.depth == 1 {
			if v, ok := d.raw(); ok {
				return v, nil
			}
		}
		if c == '[' {
			return d.list()
		}
		return d.object()
	case c == '-' || (c >= '0' && c <= '9'):
		return d.number()
	}
	for _, word := range [...]struct {
		text string
		v    Value
	}{{"null", Null}, {"true", Bool(true)}, {"false", Bool(false)}} {
		if len(d.s)-d.at >= len(word.text) && d.s[d.at:d.at+len(word.text)] == word.text {
			d.at += len(word.text)
			return word.v, nil
		}
	}
	return Null, d.error("unexpected character")
}

func (d *Decoder) number() (Value, error) {
	start, whole := d.at, true
	if d.s[d.at] == '-' {
		d.at++
	}
	first := d.at
	digits := func() int {
		from := d.at
		for d.at < len(d.s) && d.s[d.at] >= '0' && d.s[d.at] <= '9' {
			d.at++
		}
		return d.at - from
	}
	if n := digits(); n == 0 || (n > 1 && d.s[first] == '0') {
		return Null, d.error("invalid number")
	}
	if d.at < len(d.s) && d.s[d.at] == '.' {
		whole = false
		d.at++
		if digits() == 0 {
			return Null, d.error("invalid number")
		}
	}
	if d.at < len(d.s) && (d.s[d.at] == 'e' || d.s[d.at] == 'E') {
		whole = false
		d.at++
		if d.at < len(d.s) && (d.s[d.at] == '+' || d.s[d.at] == '-') {
			d.at++
		}
		if digits() == 0 {
			return Null, d.error("invalid number")
		}
	}
	text := d.s[start:d.at]
	if whole {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
			return Int(n), nil
		}
	}
	dec, err := ParseDecimal(text)
	switch {
	case err == nil:
		return FromDecimal(dec), nil
	case d.lenient:
		return Text(text), nil
	}
	return Null, d.error("number out of bounds")
}

func (d *Decoder) list() (Value, error) {
	if err := d.enter(); err != nil {
		return Null, err
	}
	var items []Value
	for d.space(); ; d.space() {
		if d.at < len(d.s) && d.s[d.at] == ']' && len(items) == 0 {
			break
		}
		v, err := d.value()
		if err != nil {
			return Null, err
		}
		items = append(items, v)
		d.space()
		if d.at < len(d.s) && d.s[d.at] == ',' {
			d.at++
			continue
		}
		if d.at < len(d.s) && d.s[d.at] == ']' {
			break
		}
		return Null, d.error("expected , or ]")
	}
	d.at++
	d.depth--
	return List(items...), nil
}

func (d *Decoder) enter() error {
	d.at++
	limit := MaxDepth
	if d.lenient {
		limit = maxRawDepth
	}
	if d.depth++; d.depth > limit {
		return d.error("nested too deep")
	}
	return nil
}

func (d *Decoder) object() (Value, error) {
	if err := d.enter(); err != nil {
		return Null, err
	}
	asIs, base := d.asIs, len(d.scratch)
	d.asIs = false
	defer func() { d.scratch = d.scratch[:base] }()
	var values []Value
	if d.last != nil && d.depth == 1 {
		values = make([]Value, 0, len(d.last.list))
	}
	for d.space(); ; d.space() {
		if d.at < len(d.s) && d.s[d.at] == '}' && len(values) == 0 {
			break
		}
		if d.at >= len(d.s) || d.s[d.at] != '"' {
			return Null, d.error("expected a name")
		}
		name, err := d.text()
		if err != nil {
			return Null, err
		}
		if d.space(); d.at >= len(d.s) || d.s[d.at] != ':' {
			return Null, d.error("expected :")
		}
		d.at++
		v, err := d.member(d.tagged && !asIs && name == "$obj")
		if err != nil {
			return Null, err
		}
		d.scratch, values = append(d.scratch, name), append(values, v)
		d.space()
		if d.at < len(d.s) && d.s[d.at] == ',' {
			d.at++
			continue
		}
		if d.at < len(d.s) && d.s[d.at] == '}' {
			break
		}
		return Null, d.error("expected , or }")
	}
	d.at++
	d.depth--
	names := d.scratch[base:]
	if d.tagged && !asIs && len(names) == 1 && len(names[0]) > 1 && names[0][0] == '$' {
		return d.untag(names[0], values[0])
	}
	return d.fields(names, values)
}

// fields shares the names of the last object with equal ones.
func (d *Decoder) fields(names []string, values []Value) (Value, error) {
	if d.last != nil && equalNames(d.last.list, names) {
		return Object(Fields{d.last, values}), nil
	}
	n := &Names{list: make([]string, 0, len(names)), index: make(map[string]int, len(names))}
	kept := values[:0:0]
	for i, name := range names {
		if at, doubled := n.index[name]; doubled {
			if !d.lenient {
				return Null, d.error("doubled name " + strconv.Quote(name))
			}
			kept[at] = values[i]
			continue
		}
		n.index[name] = len(n.list)
		n.list, kept = append(n.list, name), append(kept, values[i])
	}
	if d.depth == 0 {
		d.last = n
	}
	return Object(Fields{n, kept}), nil
}

func equalNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// text reads a string; without escapes it shares the input's memory.
func (d *Decoder) text() (string, error) {
	d.at++
	start := d.at
	for d.at < len(d.s) {
		switch c := d.s[d.at]; {
		case c == '"':
			s := d.s[start:d.at]
			d.at++
			return s, nil
		case c == '\\':
			return d.escaped(start)
		case c < 0x20:
			return "", d.error("control character in a string")
		}
		d.at++
	}
	return "", d.error("unexpected end")
}

func (d *Decoder) escaped(start int) (string, error) {
	b := append(make([]byte, 0, len(d.s[start:d.at])+64), d.s[start:d.at]...)
	for d.at < len(d.s) {
		c := d.s[d.at]
		switch {
		case c == '"':
			d.at++
			return string(b), nil
		case c < 0x20:
			return "", d.error("control character in a string")
		case c != '\\':
			b = append(b, c)
			d.at++
			continue
		}
		if d.at+1 >= len(d.s) {
			break
		}
		d.at += 2
		switch e := d.s[d.at-1]; e {
		case '"', '\\', '/':
			b = append(b, e)
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
			r, err := d.codepoint()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", d.error("invalid escape")
		}
	}
	return "", d.error("unexpected end")
}

func (d *Decoder) codepoint() (rune, error) {
	r, ok := d.hex4()
	if !ok {
		return 0, d.error("invalid \\u")
	}
	if r < 0xD800 || r > 0xDFFF {
		return r, nil
	}
	behind := d.at
	if r <= 0xDBFF && d.at+1 < len(d.s) && d.s[d.at] == '\\' && d.s[d.at+1] == 'u' {
		d.at += 2
		if low, ok := d.hex4(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return 0x10000 + (r-0xD800)<<10 + (low - 0xDC00), nil
		}
	}
	if d.lenient {
		d.at = behind
		return utf8.RuneError, nil
	}
	return 0, d.error("lone surrogate")
}

func (d *Decoder) hex4() (rune, bool) {
	if d.at+4 > len(d.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.s[d.at:d.at+4], 16, 32)
	d.at += 4
	return rune(n), err == nil
}
