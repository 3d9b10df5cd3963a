package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/schedule"
	"github.com/lockstep-sync/lockstep/value"
)

// The leaves.
var (
	text = scalar[string]{"a text", map[string]any{"type": []string{"string", "number", "boolean"}, "pattern": `\S`}, func(text string) (string, error) {
		if strings.TrimSpace(text) == "" {
			return "", errors.New("is empty")
		}
		return text, nil
	}}
	boolean  = scalar[bool]{"true or false", orText("boolean", `^(true|false)$`), parseBool}
	number   = scalar[int]{"a whole number", orText("integer", intPattern), parseSmallInt}
	duration = scalar[time.Duration]{"a duration such as 10s, 5m or 30d", pattern(durationPattern), parseDuration}
	size     = scalar[int64]{"a size such as 4MiB", pattern(sizePattern), parseSize}
	rate     = scalar[Rate]{"a rate such as 50/s", pattern(ratePattern), parseRate}
	percent  = scalar[float64]{"a share such as 10%", pattern(percentPattern), parsePercent}
	decimal  = scalar[value.Decimal]{"a number", orText("number", `^[0-9]+(\.[0-9]+)?$`), parseTolerance}
	zone     = scalar[*time.Location]{"a time zone such as Europe/Ljubljana", map[string]any{"type": "string"}, schedule.ParseZone}
	priority = scalar[lockstep.Priority]{"one of high, normal, low", map[string]any{"enum": []string{"high", "normal", "low"}}, parsePriority}
)

func pattern(p string) map[string]any { return map[string]any{"type": "string", "pattern": p} }

// orText is a leaf that may stand in quotes, too.
func orText(kind, p string) map[string]any {
	return map[string]any{"anyOf": []any{map[string]any{"type": kind}, pattern(p)}}
}

func parseSmallInt(text string) (int, error) {
	n, err := parseInt(text)
	if err == nil && (n > 1<<31-1 || n < -1<<31) {
		err = errors.New("is too large")
	}
	return int(n), err
}

func parseTolerance(text string) (value.Decimal, error) {
	d, err := value.ParseDecimal(text)
	if err != nil || strings.HasPrefix(text, "-") {
		return d, errors.New("is not a number from 0 on")
	}
	return d, nil
}

func parsePriority(text string) (lockstep.Priority, error) {
	switch text {
	case "high":
		return lockstep.High, nil
	case "normal":
		return lockstep.Normal, nil
	case "low":
		return lockstep.Low, nil
	}
	return 0, errors.New("is none of high, normal, low")
}

func join(names []string) string { return strings.Join(names, ", ") }

// within bounds a number.
func within(low, high int) scalar[int] {
	s := number.checked(fmt.Sprintf("a whole number from %d to %d", low, high), func(n int) error {
		if n < low || n > high {
			return fmt.Errorf("is not from %d to %d", low, high)
		}
		return nil
	})
	s.schema = map[string]any{"anyOf": []any{map[string]any{"type": "integer", "minimum": low, "maximum": high}, pattern(intPattern)}}
	return s
}

// lasting bounds a duration.
func lasting(least, most time.Duration) scalar[time.Duration] {
	return duration.checked(duration.word, func(d time.Duration) error {
		if d < least || d > most {
			return fmt.Errorf("is not between %s and %s", shortDuration(least), shortDuration(most))
		}
		return nil
	})
}

// upTo bounds a size.
func upTo(least, most int64) scalar[int] {
	return scalar[int]{size.word, size.schema, func(text string) (int, error) {
		n, err := size.parse(text)
		if err == nil && (n < least || n > most) {
			err = fmt.Errorf("is not between %s and %s", shortSize(least), shortSize(most))
		}
		return int(n), err
	}}
}

func shortDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func shortSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}

var nameForm = regexp.MustCompile(namePattern)

const namePattern = `^[A-Za-z][A-Za-z0-9_-]{0,63}$`

// checkName is what is wrong with a name of a system or flow: it is used in commands, paths and metrics.
func checkName(name string) string {
	if nameForm.MatchString(name) {
		return ""
	}
	return "a name begins with a letter and has letters, digits, _ and - only, up to 64"
}
