package value

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
)

// member is the value of an object's member; asIs says that it stands under "$obj".
func (d *Decoder) member(asIs bool) (Value, error) {
	d.asIs = asIs
	v, err := d.value()
	d.asIs = false
	return v, err
}

// untag is the value that an object with one member, a tag, stands for.
func (d *Decoder) untag(tag string, v Value) (Value, error) {
	if tag == "$obj" && v.Kind() == KindObject {
		return v, nil
	}
	if v.Kind() != KindText {
		return Null, d.error("invalid tag " + tag)
	}
	text := v.Text()
	switch tag {
	case "$dec":
		dec, err := ParseDecimal(text)
		return FromDecimal(dec), err
	case "$float":
		f, err := strconv.ParseFloat(text, 64)
		return Float(f), err
	case "$bytes":
		b, err := base64.StdEncoding.DecodeString(text)
		return Bytes(b), err
	case "$time":
		t, err := time.Parse(time.RFC3339Nano, text)
		return Time(t), err
	case "$unix":
		var sec int64
		var nsec, offset int
		if _, err := fmt.Sscanf(text, "%d %d %d", &sec, &nsec, &offset); err != nil {
			return Null, err
		}
		return Time(time.Unix(sec, int64(nsec)).In(time.FixedZone("", offset))), nil
	}
	return Null, d.error("unknown tag " + tag)
}
