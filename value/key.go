package value

import (
	"encoding/hex"
	"strconv"
	"time"
)

// KeyText is the text of a value as a part of a lockstep.Key: the same for every system, so that a key made of a
// mapped image equals the key that the target gives its record. Null has no text ("", false).
//
//	bool     true, false
//	int      plain digits
//	decimal  plain digits without trailing zeros of the fraction
//	float    the shortest text that reads back as the same number
//	text     as it is
//	bytes    lower-case hex
//	time     RFC 3339 in UTC with as many digits of the second as it has
func (v Value) KeyText() (string, bool) {
	switch v.Kind() {
	case KindNull:
		return "", false
	case KindInt:
		return strconv.FormatInt(v.Int(), 10), true
	case KindDecimal:
		return v.Decimal().Trim().String(), true
	case KindFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), true
	case KindBytes:
		return hex.EncodeToString(v.Bytes()), true
	case KindTime:
		return v.Time().UTC().Format(time.RFC3339Nano), true
	default:
		return v.String(), true
	}
}
