package sqlkit

import (
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep/value"
)

// JSON is the value of a JSON column's text. strict says that the database has parsed the text already (jsonb): then
// only what could exceed our own bounds is looked at again; otherwise all of it is.
func JSON(text string, strict bool) (v value.Value, err error) {
	v, err = value.RawJSON(text)
	if err != nil {
		return value.Null, err
	}
	if _, raw := v.RawText(); !raw || (strict && harmless(text)) {
		return v, nil
	}
	// A raw value is parsed when somebody looks inside, and panics then if it cannot be: find out now.
	defer func() {
		if p := recover(); p != nil {
			v, err = value.Null, fmt.Errorf("%v", p)
		}
	}()
	if v.Kind() == value.KindObject {
		v.Object()
	} else {
		v.List()
	}
	return v, nil
}

// harmless tells whether a well-formed text can neither nest too deep nor hold a number that is too long.
func harmless(text string) bool {
	if len(text) < 2*value.MaxDepth {
		return true
	}
	return len(text) < value.MaxDecimalDigits && strings.Count(text, "{")+strings.Count(text, "[") < value.MaxDepth
}
