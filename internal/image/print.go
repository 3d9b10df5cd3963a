package image

import (
	"encoding/binary"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/lockstep-sync/lockstep/value"
)

// Printer hashes records as they are, without regard to what their values mean: equal prints are equal records, and
// what differs in print may be equal all the same by law 7. A print takes a tenth of mapping, coercing and digesting.
// It is for one goroutine at a time.
type Printer struct {
	seed  uint64
	names *value.Names
	under uint64 // the seed with the names
	buf   []byte
}

// NewPrinter is a printer whose prints are its own: those of another seed differ.
func NewPrinter(seed string) *Printer { return &Printer{seed: xxh3.HashString(seed)} }

// Print hashes the fields.
func (p *Printer) Print(f value.Fields) xxh3.Uint128 {
	if names := f.Names(); names != p.names || names == nil {
		p.names, p.under = names, p.seed
		if names != nil {
			for _, name := range names.List() {
				p.under = xxh3.HashStringSeed(name, p.under)
			}
		}
	}
	b := p.buf[:0]
	for _, v := range f.Values() {
		b = appendRaw(b, v)
	}
	if p.buf = b; cap(b) > maxKept {
		p.buf = nil
	}
	return xxh3.Hash128Seed(b, p.under)
}

// appendRaw appends a value so that it ends where its head says, and no two values run together.
func appendRaw(b []byte, v value.Value) []byte {
	if raw, ok := v.RawText(); ok {
		return appendSized(b, tagJSON, raw)
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
		return binary.LittleEndian.AppendUint64(append(b, 'I'), uint64(v.Int()))
	case value.KindFloat:
		return binary.LittleEndian.AppendUint64(append(b, tagFloat), math.Float64bits(v.Float()))
	case value.KindDecimal:
		return appendSized(b, tagNumber, v.Decimal().String())
	case value.KindText:
		return appendSized(b, tagText, v.Text())
	case value.KindBytes:
		return appendSized(b, tagBytes, v.Bytes())
	case value.KindTime:
		at := v.Time()
		_, zone := at.Zone() // a mapping can see it
		b = binary.LittleEndian.AppendUint64(append(b, tagTime), uint64(at.Unix()))
		return binary.LittleEndian.AppendUint64(b, uint64(at.Nanosecond())<<32|uint64(uint32(zone)))
	}
	if v.Kind() == value.KindList {
		items := v.List()
		b = binary.AppendUvarint(append(b, tagList), uint64(len(items)))
		for _, item := range items {
			b = appendRaw(b, item)
		}
		return b
	}
	fields := v.Object()
	b = binary.AppendUvarint(append(b, 'O'), uint64(fields.Len()))
	for name, item := range fields.All() {
		b = appendRaw(appendSized(b, tagText, name), item)
	}
	return b
}
