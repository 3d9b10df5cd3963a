package image

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// toTime brings a value to a date, a wall clock or an instant. An instant put into a wall clock is its UTC reading; a
// wall clock put into an instant counts as UTC: a mapping that means another zone says so. Texts are read in ISO 8601
// form; one without a zone is no instant.
func toTime(t *value.Type, v value.Value) (value.Value, bool, error) {
	var at time.Time
	changed := false
	switch v.Kind() {
	case value.KindTime:
		at = v.Time()
	case value.KindText:
		parsed, err := parseTime(t.Kind, v.Text())
		if err != nil {
			return v, false, err
		}
		at, changed = parsed, true
	default:
		return v, false, cannot(v, "a "+t.Kind.String())
	}
	if t.Kind == value.DateType {
		return toDate(v, at, changed)
	}
	if at.Location() != time.UTC {
		at, changed = at.UTC(), true
	}
	if unit := t.Unit; unit > 1 && at.Nanosecond() != 0 || unit > time.Second {
		cut := at.Round(unit)
		if t.Cuts {
			cut = at.Truncate(unit)
		}
		if !cut.Equal(at) {
			at, changed = cut, true
		}
	}
	if !changed {
		return v, false, nil
	}
	return value.Time(at), true, nil
}

// toDate takes a day: a time at midnight of its own zone.
func toDate(v value.Value, at time.Time, changed bool) (value.Value, bool, error) {
	if h, m, s := at.Clock(); h != 0 || m != 0 || s != 0 || at.Nanosecond() != 0 {
		return v, false, errors.New("a time cannot be held as a date without loss; use date(…) in the mapping")
	}
	if at.Location() == time.UTC && !changed {
		return v, false, nil
	}
	return value.Time(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)), true, nil
}

func parseTime(kind value.TypeKind, text string) (time.Time, error) {
	layouts := []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07"}
	switch kind {
	case value.DateType:
		layouts = []string{time.DateOnly}
	case value.WallType:
		layouts = []string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", time.DateOnly}
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("the text is no %s in ISO 8601 form; use parse(…) in the mapping", kind)
}

// toClock writes a time of day as "15:04:05" with as much of a fraction as there is, without trailing zeros. What
// MySQL's TIME and PostgreSQL's 24:00:00 can hold beyond a day is taken as well.
func toClock(t *value.Type, v value.Value) (value.Value, bool, error) {
	if v.Kind() != value.KindText {
		return v, false, cannot(v, "a time of day")
	}
	text := v.Text()
	d, err := parseClock(text)
	if err != nil {
		return v, false, err
	}
	if t.Unit > 1 {
		if t.Cuts {
			d = d.Truncate(t.Unit)
		} else {
			d = d.Round(t.Unit)
		}
	}
	if out := formatClock(d); out != text {
		return value.Text(out), true, nil
	}
	return v, false, nil
}

var errClock = errors.New("the text is no time of day such as 15:04:05.999")

func parseClock(text string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(text, "-")
	rest, fraction, hasFraction := strings.Cut(rest, ".")
	parts := strings.Split(rest, ":")
	if len(parts) < 2 || len(parts) > 3 || (hasFraction && (len(parts) < 3 || fraction == "" || len(fraction) > 9)) {
		return 0, errClock
	}
	total := time.Duration(0)
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second}[:len(parts)] {
		n, ok := digits(parts[i])
		if !ok || (i > 0 && (n > 59 || len(parts[i]) != 2)) || len(parts[i]) > 3 {
			return 0, errClock
		}
		total += time.Duration(n) * unit
	}
	if hasFraction {
		n, ok := digits((fraction + "00000000")[:9])
		if !ok {
			return 0, errClock
		}
		total += time.Duration(n)
	}
	if negative {
		total = -total
	}
	return total, nil
}

func digits(s string) (n int, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, s != ""
}

func formatClock(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	text := fmt.Sprintf("%s%02d:%02d:%02d", sign, d/time.Hour, d/time.Minute%60, d/time.Second%60)
	if nano := d % time.Second; nano > 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%09d", nano), "0")
	}
	return text
}
