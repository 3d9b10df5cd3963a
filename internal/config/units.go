package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Rate is so many in so long: "50/s". The zero Rate is no limit.
type Rate struct {
	N   int64
	Per time.Duration
}

// PerSecond is the rate in events per second; 0 is no limit.
func (r Rate) PerSecond() float64 {
	if r.Per == 0 {
		return 0
	}
	return float64(r.N) / r.Per.Seconds()
}

func (r Rate) String() string {
	for unit, per := range rateUnits {
		if per == r.Per {
			return fmt.Sprintf("%d/%s", r.N, unit)
		}
	}
	return "unlimited"
}

var rateUnits = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}

// The patterns are in the JSON schema, too.
const (
	durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+$`
	sizePattern     = `^[0-9]+(\.[0-9]+)? ?(B|kB|MB|GB|KiB|MiB|GiB)$`
	ratePattern     = `^[0-9]+/(s|min|h)$`
	percentPattern  = `^[0-9]+(\.[0-9]+)?%$`
	intPattern      = `^-?(0|[1-9][0-9]*)$`
)

var (
	durationForm = regexp.MustCompile(durationPattern)
	durationPart = regexp.MustCompile(`([0-9.]+)([a-zµ]+)`)
	sizeForm     = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?(B|kB|MB|GB|KiB|MiB|GiB)$`)
	rateForm     = regexp.MustCompile(`^([0-9]+)/(s|min|h)$`)
	percentForm  = regexp.MustCompile(percentPattern)
	intForm      = regexp.MustCompile(intPattern)
)

// The parsers say what is wrong without repeating the text, which may have come from the environment (law 12).

// parseDuration reads Go's durations, and days: "90s", "1h30m", "30d".
func parseDuration(text string) (time.Duration, error) {
	if !durationForm.MatchString(text) {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return 0, errors.New("has no unit: write a duration such as 10s, 5m, 2h or 30d")
		}
		return 0, errors.New("is not a duration such as 10s, 5m, 2h or 30d")
	}
	var sum time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		d, err := time.ParseDuration(part[1] + part[2])
		if part[2] == "d" {
			var days float64
			days, err = strconv.ParseFloat(part[1], 64)
			if days > 100_000 {
				err = errors.New("too long")
			}
			d = time.Duration(math.Round(days * float64(24*time.Hour)))
		}
		if err != nil || sum > math.MaxInt64-d {
			return 0, errors.New("is too long for a duration")
		}
		sum += d
	}
	return sum, nil
}

var sizeUnits = map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// parseSize reads a number of bytes: "4MiB", "500kB".
func parseSize(text string) (int64, error) {
	m := sizeForm.FindStringSubmatch(text)
	if m == nil {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return 0, errors.New("has no unit: write a size such as 64KiB, 4MiB or 500B")
		}
		return 0, errors.New("is not a size such as 64KiB, 4MiB or 500B")
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if n *= sizeUnits[m[2]]; err != nil || n > 1<<50 {
		return 0, errors.New("is too large for a size")
	}
	return int64(math.Round(n)), nil
}

// parseRate reads "50/s", "600/min" or "10000/h".
func parseRate(text string) (Rate, error) {
	m := rateForm.FindStringSubmatch(text)
	if m == nil {
		return Rate{}, errors.New("is not a rate such as 50/s, 600/min or 10000/h")
	}
	n, err := strconv.ParseInt(m[1], 10, 32)
	if err != nil || n == 0 {
		return Rate{}, errors.New("is not a rate from 1 on; leave it out for no limit")
	}
	return Rate{n, rateUnits[m[2]]}, nil
}

// parsePercent reads "10%" as 0.1.
func parsePercent(text string) (float64, error) {
	if !percentForm.MatchString(text) {
		return 0, errors.New("is not a share such as 10%")
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || n > 100 {
		return 0, errors.New("is more than 100%")
	}
	return n / 100, nil
}

func parseInt(text string) (int64, error) {
	if !intForm.MatchString(text) {
		if plain := strings.ReplaceAll(text, "_", ""); plain != text && intForm.MatchString(plain) {
			return 0, errors.New("is written with _ inside: write the digits alone")
		}
		if plain := strings.TrimLeft(text, "0"); plain != text && intForm.MatchString(plain) {
			return 0, errors.New("begins with 0, which some read as octal: write it without")
		}
		return 0, errors.New("is not a whole number")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("is too large")
	}
	return n, nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, errors.New("is neither true nor false")
}
