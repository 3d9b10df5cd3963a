package image

import (
	"bytes"
	"unsafe"

	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/value"
)

// Difference is one field in which two images differ.
type Difference struct {
	Field  string
	Ours   value.Value // what we would have it be
	Theirs value.Value // what it is; null where it is absent
}

// Diff compares two coerced images field by field, in the shape's order. Ignored fields are left out, so are fields
// that ours does not have (they would not be sent); an absent field of theirs is null; numbers within the field's
// tolerance are equal. No difference means level: law 7.
func (s *Shape) Diff(ours, theirs value.Fields) []Difference {
	var out []Difference
	s.compare(ours, theirs, func(d Difference) bool {
		out = append(out, d)
		return true
	})
	return out
}

// Level tells whether Diff finds nothing.
func (s *Shape) Level(ours, theirs value.Fields) bool {
	level := true
	s.compare(ours, theirs, func(Difference) bool {
		level = false
		return false
	})
	return level
}

func (s *Shape) compare(ours, theirs value.Fields, report func(Difference) bool) {
	h := s.hashers.Get().(*hasher)
	defer func() {
		h.release()
		s.hashers.Put(h)
	}()
	for i := range s.fields {
		fd := &s.fields[i]
		if fd.ignore {
			continue
		}
		a, ok := ours.Get(fd.name)
		if !ok {
			continue
		}
		b, _ := theirs.Get(fd.name)
		if b.IsNull() && fd.inherits != "" {
			if _, told := ours.Get(fd.inherits); !told { // ours was not compared with what it would inherit
				b, _ = theirs.Get(fd.inherits)
			}
		}
		if !h.equal(&fd.typ, a, b) && !within(fd.tolerance, a, b) && !report(Difference{fd.name, a, b}) {
			return
		}
	}
}

// equal compares by the canonical encoding, so that Diff and Digest cannot disagree.
func (h *hasher) equal(t *value.Type, a, b value.Value) bool {
	if a.Kind() == value.KindText && b.Kind() == value.KindText && t.Kind != value.JSONType && !t.Folded {
		return a.Text() == b.Text()
	}
	if x, ok := a.RawText(); ok {
		if y, ok := b.RawText(); ok && x == y {
			return true
		}
	}
	h.buf = h.encode(h.buf[:0], t, a)
	n := len(h.buf)
	h.buf = h.encode(h.buf, t, b)
	return bytes.Equal(h.buf[:n], h.buf[n:])
}

func within(tolerance *value.Decimal, a, b value.Value) bool {
	if tolerance == nil || a.Kind() == value.KindText || b.Kind() == value.KindText {
		return false
	}
	x, ok := asDecimal(a)
	y, ok2 := asDecimal(b)
	if !ok || !ok2 {
		return false
	}
	off, err := decimal.Sub(x, y)
	return err == nil && decimal.Cmp(decimal.Abs(off), *tolerance) <= 0
}

// stringOf looks at b as a string; b must not be written to while it is in use.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
