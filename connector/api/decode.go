package api

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
	"github.com/lockstep-sync/lockstep/value"
)

// Pushed is one change as a program sends it.
type Pushed struct {
	Op      string // "upsert", or "" for it; "delete"
	Key     string // may be left out where the fields have it
	Fields  string // a JSON object; "" for none
	Version string
	At      string // RFC 3339
}

// maxText bounds keys and versions.
const maxText = 1024

// Decode reads a pushed change strictly against the declared fields. A field that is left out is null: a change carries a
// record's whole state. The error is a fault about this change alone.
func (s *System) Decode(name string, p Pushed) (lockstep.Change, error) {
	st, err := s.stream(name)
	if err != nil {
		return lockstep.Change{}, err
	}
	var c lockstep.Change
	switch p.Op {
	case "", "upsert":
	case "delete":
		c.Op = lockstep.Delete
	default:
		return c, lockstep.Faultf(lockstep.CodeUsage, "the op is one of upsert and delete")
	}
	if len(p.Fields)+len(p.Key) > s.maxRecord {
		return c, lockstep.Faultf(lockstep.CodeTooLarge, "the record is larger than %d bytes", s.maxRecord)
	}
	if expands(p.Fields) {
		return c, lockstep.Faultf(lockstep.CodeTooLarge, "the record has more than %d numbers with a large exponent: write them out", maxExponents)
	}
	if len(p.Key) > maxText || len(p.Version) > maxText || !utf8.ValidString(p.Key) || !utf8.ValidString(p.Version) {
		return c, lockstep.Faultf(lockstep.CodeKey, "a key or a version is no text of at most %d bytes", maxText)
	}
	c.Record.Version = p.Version
	if p.At != "" {
		if c.Record.At, err = time.Parse(time.RFC3339Nano, p.At); err != nil {
			return c, lockstep.Faultf(lockstep.CodeValue, "`at` is not an instant such as 2006-01-02T15:04:05+01:00")
		}
	}
	values, err := st.values(p.Fields)
	if err != nil {
		return c, err
	}
	if c.Record.Key, err = st.key(p.Key, values); err != nil {
		return c, err
	}
	if c.Op == lockstep.Upsert {
		c.Record.Fields = st.names.Fields(values)
	}
	return c, nil
}

// maxExponents is how many numbers such as 1e1000 a record may have: a few bytes each, they are written out as thousands.
const maxExponents = 100

// expands tells whether a text has more of them, or of what may be read as one.
func expands(text string) bool {
	n := 0
	for i := 0; i < len(text); i++ {
		if text[i] != 'e' && text[i] != 'E' {
			continue
		}
		j := i + 1
		if j < len(text) && (text[j] == '+' || text[j] == '-') {
			j++
		}
		from := j
		for j < len(text) && text[j] >= '0' && text[j] <= '9' {
			j++
		}
		if i > 0 && text[i-1] >= '0' && text[i-1] <= '9' && j-from >= 3 {
			n++
		}
	}
	return n > maxExponents
}

// values are the declared fields of a JSON object, null where it has none.
func (st *stream) values(text string) ([]value.Value, error) {
	values := make([]value.Value, len(st.Fields))
	if text == "" || text == "null" {
		return values, nil
	}
	v, err := value.ParseJSON(text)
	if err != nil || v.Kind() != value.KindObject {
		return nil, lockstep.Faultf(lockstep.CodeValue, "the fields are not a JSON object whose members are there once")
	}
	for name, member := range v.Object().All() {
		at, known := st.index[name]
		if !known {
			return nil, lockstep.Faultf(lockstep.CodeNoField, "no such field is declared").On(lockstep.About{Field: shortened(name)})
		}
		t := st.Fields[at].Type
		typed, err := typetext.FromJSON(member, t)
		if err == nil {
			err = fits(typed, t)
		}
		if err != nil {
			return nil, lockstep.NewFault(lockstep.CodeValue, err).On(lockstep.About{Field: name})
		}
		values[at] = typed
	}
	return values, nil
}

func shortened(name string) string {
	if len(name) > 100 {
		return strings.ToValidUTF8(name[:100], "") + "…"
	}
	return name
}

// fits tells why a value is not one of the type, exactly as declared: nothing is cut or rounded on the way in.
func fits(v value.Value, t value.Type) error {
	if err := typetext.Check(v, t); err != nil || v.IsNull() {
		return err
	}
	switch {
	case t.Kind == value.TextType && t.Length > 0 && utf8.RuneCountInString(v.Text()) > t.Length:
		return fmt.Errorf("a text longer than %d characters", t.Length)
	case t.Kind == value.BytesType && t.Length > 0 && len(v.Bytes()) > t.Length:
		return fmt.Errorf("longer than %d bytes", t.Length)
	case t.Kind == value.DecimalType && t.Precision > 0:
		digits := v.String()
		if v.Kind() == value.KindDecimal {
			digits = v.Decimal().Trim().String()
		}
		whole, fraction, _ := strings.Cut(strings.TrimPrefix(digits, "-"), ".")
		if len(strings.TrimLeft(whole, "0")) > t.Precision-t.Scale || len(fraction) > t.Scale {
			return fmt.Errorf("more digits than %s has", typetext.Of(t))
		}
	case t.Kind == value.ListType && t.Elem != nil:
		for _, item := range v.List() {
			if err := fits(item, *t.Elem); err != nil {
				return err
			}
		}
	}
	return nil
}

// key is the record's key as lockstep writes it. Key fields that the fields leave out are filled in from the key that
// was given, and the two must agree.
func (st *stream) key(given string, values []value.Value) (lockstep.Key, error) {
	var parts []string
	if given != "" {
		var err error
		if parts, err = lockstep.Key(given).Parts(len(st.Key)); err != nil {
			return "", lockstep.NewFault(lockstep.CodeKey, errors.New("a composite key is a JSON array with one text for each key field, such as [\"1\",\"a\"]"))
		}
	}
	out := make([]string, len(st.Key))
	for i, name := range st.Key {
		at := st.index[name]
		var named value.Value
		if parts != nil {
			var err error
			t := st.Fields[at].Type
			if named, err = partOf(parts[i], t); err == nil {
				err = fits(named, t)
			}
			if err != nil {
				return "", lockstep.NewFault(lockstep.CodeKey, fmt.Errorf("the key: %w", err)).On(lockstep.About{Field: name})
			}
			if values[at].IsNull() {
				values[at] = named
			}
		}
		text, ok := values[at].KeyText()
		if !ok || text == "" {
			return "", lockstep.Faultf(lockstep.CodeNullKey, "the record has no key").On(lockstep.About{Field: name})
		}
		if was, ok := named.KeyText(); ok && was != text {
			return "", lockstep.Faultf(lockstep.CodeKey, "the key and the key fields do not agree").On(lockstep.About{Field: name})
		}
		out[i] = text
	}
	if key := lockstep.MakeKey(out...); len(key) <= maxText {
		return key, nil
	}
	return "", lockstep.Faultf(lockstep.CodeKey, "the key is longer than %d bytes", maxText)
}

// partOf is a part of a key as the value that it was written from.
func partOf(text string, t value.Type) (value.Value, error) {
	if t.Kind != value.BytesType {
		return typetext.Value(text, t)
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return value.Null, errors.New("not hexadecimal")
	}
	return value.Bytes(b), nil
}

// AppendFields writes the fields of a record that is handed out, as a JSON object.
func (s *System) AppendFields(b []byte, name string, fields value.Fields) ([]byte, error) {
	st, err := s.stream(name)
	if err != nil {
		return b, err
	}
	b = append(b, '{')
	for i := range fields.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		field, v := fields.At(i)
		b = append(value.AppendQuoted(b, field), ':')
		var t value.Type
		if at, known := st.index[field]; known {
			t = st.Fields[at].Type
		}
		b = typetext.AppendJSON(b, v, t)
	}
	return append(b, '}'), nil
}
