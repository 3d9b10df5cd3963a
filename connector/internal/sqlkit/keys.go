package sqlkit

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// The layouts of times in keys.
const (
	dateLayout = "2006-01-02"
	wallLayout = "2006-01-02T15:04:05.999999999"
)

// KeyText is the canonical text of a key field's value: numbers plain and without needless zeros, so that 5 and 5.00
// are one key; times in ISO 8601; binary as hex.
func KeyText(v value.Value, t value.TypeKind) string {
	switch v.Kind() {
	case value.KindText:
		return v.Text()
	case value.KindInt:
		return strconv.FormatInt(v.Int(), 10)
	case value.KindDecimal:
		return v.Decimal().Trim().String()
	case value.KindFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case value.KindBool:
		return strconv.FormatBool(v.Bool())
	case value.KindBytes:
		return hex.EncodeToString(v.Bytes())
	case value.KindTime:
		switch t {
		case value.DateType:
			return v.Time().UTC().Format(dateLayout)
		case value.WallType:
			return v.Time().UTC().Format(wallLayout)
		}
		return v.Time().UTC().Format(time.RFC3339Nano)
	}
	return string(value.AppendJSON(nil, v))
}

// ColumnKeys are the texts of keys, field by field: ColumnKeys(keys, 2)[1][i] is the second field of keys[i].
func ColumnKeys(keys []lockstep.Key, n int) ([][]string, error) {
	columns := make([][]string, n)
	for i := range columns {
		columns[i] = make([]string, len(keys))
	}
	for i, k := range keys {
		parts, err := k.Parts(n)
		if err != nil {
			return nil, err
		}
		for j, p := range parts {
			columns[j][i] = p
		}
	}
	return columns, nil
}
