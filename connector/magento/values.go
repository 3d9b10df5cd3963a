package magento

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// errValue is a value that is not what its attribute's type says. Its text holds no value (law 12).
var errValue = errors.New("the shop gives a value that does not fit the field's type")

// read makes the value of an attribute from what Magento gives. Nothing, null and an empty text are null: Magento keeps
// no difference.
func (a *attribute) read(raw json.RawMessage) (value.Value, error) {
	if a.input == "multiselect" {
		return a.readMany(raw)
	}
	var text loose
	if len(raw) == 0 {
		return value.Null, nil
	}
	if err := json.Unmarshal(raw, &text); err != nil {
		return value.Null, errValue
	}
	if text == "" {
		return value.Null, nil
	}
	switch {
	case a.chooses():
		// An option that nobody knows, which Magento keeps without a word, is none.
		if label, known := a.byValue[string(text)]; known {
			return value.Text(label), nil
		}
		return value.Null, nil
	case a.input == "boolean":
		var b flag
		if json.Unmarshal(raw, &b) != nil {
			return value.Null, errValue
		}
		return value.Bool(bool(b)), nil
	case a.input == "date":
		return readDate(string(text))
	case a.input == "datetime", a.backend == "datetime":
		return readTime(string(text))
	case a.input == "price", a.input == "weight", a.backend == "decimal":
		return readDecimal(string(text))
	case a.backend == "int":
		return readInt(string(text))
	}
	return value.Text(string(text)), nil
}

// readMany makes the list of labels of a multiselect: "4,5", or a list. Where there is nothing it is empty.
func (a *attribute) readMany(raw json.RawMessage) (value.Value, error) {
	var text loose
	var ids []string
	if len(raw) == 0 {
		return value.List(), nil
	}
	if json.Unmarshal(raw, &text) == nil {
		if text == "" {
			return value.List(), nil
		}
		ids = strings.Split(string(text), ",")
	} else {
		many, err := listOf[loose](raw)
		if err != nil {
			return value.Null, errValue
		}
		for _, id := range many {
			ids = append(ids, string(id))
		}
	}
	var labels []value.Value
	for _, id := range ids {
		if label, known := a.byValue[strings.TrimSpace(id)]; known {
			labels = append(labels, value.Text(label))
		}
	}
	return value.List(labels...), nil
}

// unknownOptions are the options that a value names and a does not know.
func (a *attribute) unknownOptions(raw json.RawMessage) []string {
	var text loose
	if !a.chooses() || json.Unmarshal(raw, &text) != nil || text == "" {
		return nil
	}
	var out []string
	for id := range strings.SplitSeq(string(text), ",") {
		if id = strings.TrimSpace(id); id != "" {
			if _, known := a.byValue[id]; !known {
				out = append(out, id)
			}
		}
	}
	return out
}

// Magento's times are UTC, in whole seconds.
const (
	timeLayout = "2006-01-02 15:04:05"
	dateLayout = "2006-01-02"
)

func readTime(text string) (value.Value, error) {
	for _, layout := range [...]string{timeLayout, dateLayout, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return value.Time(t.UTC()), nil
		}
	}
	if strings.HasPrefix(text, "0000-00-00") {
		return value.Null, nil
	}
	return value.Null, errValue
}

func readDate(text string) (value.Value, error) {
	v, err := readTime(text)
	if err != nil || v.IsNull() {
		return v, err
	}
	return value.Time(v.Time().Truncate(24 * time.Hour)), nil
}

func writeTime(t time.Time) string { return t.UTC().Format(timeLayout) }

func readDecimal(text string) (value.Value, error) {
	d, err := value.ParseDecimal(text)
	if err != nil {
		return value.Null, errValue
	}
	return value.FromDecimal(d), nil
}

func readInt(text string) (value.Value, error) {
	var n number
	if n.UnmarshalJSON([]byte(text)) != nil {
		return value.Null, errValue
	}
	return value.Int(int64(n)), nil
}

// readAs makes a value of a type that is no attribute's, from a column of a record.
func readAs(t value.Type, raw json.RawMessage) (value.Value, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return value.Null, nil
	}
	switch t.Kind {
	case value.ObjectType, value.ListType, value.JSONType, value.AnyType:
		v, err := value.ParseJSON(string(raw))
		if err != nil || t.Kind == value.ObjectType && v.Kind() != value.KindObject {
			if err == nil && v.Kind() == value.KindList && len(v.List()) == 0 {
				return value.Null, nil // an empty object
			}
			return value.Null, errValue
		}
		return v, nil
	case value.BoolType:
		var b flag
		if json.Unmarshal(raw, &b) != nil {
			return value.Null, errValue
		}
		return value.Bool(bool(b)), nil
	}
	var text loose
	if json.Unmarshal(raw, &text) != nil {
		return value.Null, errValue
	}
	if text == "" {
		return value.Null, nil
	}
	switch t.Kind {
	case value.IntType:
		return readInt(string(text))
	case value.DecimalType:
		return readDecimal(string(text))
	case value.DateType:
		return readDate(string(text))
	case value.InstantType:
		return readTime(string(text))
	}
	return value.Text(string(text)), nil
}

// searched is a value as searches compare it; false where it equals nothing.
func searched(v value.Value) (string, bool) {
	switch v.Kind() {
	case value.KindText:
		return v.Text(), true
	case value.KindInt:
		return strconv.FormatInt(v.Int(), 10), true
	case value.KindBool:
		return map[bool]string{true: "1", false: "0"}[v.Bool()], true
	case value.KindDecimal:
		return v.Decimal().String(), true
	case value.KindTime:
		return writeTime(v.Time()), true
	}
	return "", false
}
