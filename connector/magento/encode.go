package magento

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep/value"
)

// quiet is something that Magento would take without a word and not keep as it is.
type quiet struct{ text string }

func (q *quiet) Error() string { return q.text }

func quietf(format string, args ...any) error { return &quiet{fmt.Sprintf(format, args...)} }

// The bounds of what Magento keeps.
const (
	mostVarchar = 255
	mostPrice   = 1e14 // decimal(20,6)
)

// plain is a value as Magento writes it, nil for none. Options are looked up elsewhere.
func (a *attribute) plain(v value.Value) (*string, error) {
	if v.IsNull() {
		return nil, nil
	}
	text, err := a.text(v)
	if err != nil || text == "" { // an empty text is no value to Magento
		return nil, err
	}
	return &text, a.check(text)
}

func (a *attribute) text(v value.Value) (string, error) {
	switch {
	case a.input == "boolean":
		return flagText(v)
	case a.input == "date":
		return timeText(v, time.DateOnly)
	case a.input == "datetime" || a.backend == "datetime":
		return timeText(v, time.DateTime)
	case a.decimal():
		return numberText(v)
	}
	switch v.Kind() {
	case value.KindText:
		return v.Text(), nil
	case value.KindBool:
		return flagText(v)
	case value.KindInt, value.KindDecimal, value.KindFloat:
		return numberText(v)
	}
	return "", fmt.Errorf("a %s is no value of this attribute", v.Kind())
}

func (a *attribute) decimal() bool {
	return a.backend == "decimal" || a.input == "price" || a.input == "weight"
}

// check tells what Magento would cut, cap or spoil.
func (a *attribute) check(text string) error {
	switch {
	case beyondThreeBytes(text):
		return quietf("it has a character of four bytes, such as an emoji, which Magento keeps as question marks")
	case a.backend == "varchar" && utf8.RuneCountInString(text) > mostVarchar:
		return quietf("it has %d characters, and Magento cuts it after %d", utf8.RuneCountInString(text), mostVarchar)
	case a.decimal():
		if f, err := strconv.ParseFloat(text, 64); err != nil || math.Abs(f) >= mostPrice {
			return quietf("Magento keeps no number that large")
		}
	case a.code == "status" && text != "1" && text != "2":
		return quietf("a status is 1 or 2")
	case a.code == "visibility" && (len(text) != 1 || text < "1" || text > "4"):
		return quietf("a visibility is 1, 2, 3 or 4")
	}
	return nil
}

func flagText(v value.Value) (string, error) {
	switch {
	case v.Kind() == value.KindBool && v.Bool(), v.Kind() == value.KindInt && v.Int() == 1:
		return "1", nil
	case v.Kind() == value.KindBool, v.Kind() == value.KindInt && v.Int() == 0:
		return "0", nil
	}
	return "", fmt.Errorf("true or false is expected")
}

func timeText(v value.Value, layout string) (string, error) {
	if v.Kind() != value.KindTime {
		return "", fmt.Errorf("a time is expected")
	}
	return v.Time().UTC().Format(layout), nil
}

// numberText is a number in digits: PHP's floats have no need of an exponent.
func numberText(v value.Value) (string, error) {
	switch v.Kind() {
	case value.KindInt:
		return strconv.FormatInt(v.Int(), 10), nil
	case value.KindDecimal:
		return v.Decimal().Trim().String(), nil
	case value.KindFloat:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'f', -1, 64), nil
		}
	case value.KindText:
		if d, err := value.ParseDecimal(strings.TrimSpace(v.Text())); err == nil {
			return d.Trim().String(), nil
		}
	}
	return "", fmt.Errorf("a number is expected")
}

// sameNumber tells whether two texts are one number.
func sameNumber(x, y string) bool {
	a, err := value.ParseDecimal(x)
	if err != nil {
		return false
	}
	b, err := value.ParseDecimal(y)
	return err == nil && a.Trim().String() == b.Trim().String()
}
