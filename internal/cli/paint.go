package cli

import (
	"fmt"
	"strings"
	"time"
)

// paint colours text, or leaves it as it is.
type paint bool

func (p paint) with(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) good(s string) string { return p.with("32", s) }
func (p paint) bad(s string) string  { return p.with("31;1", s) }
func (p paint) old(s string) string  { return p.with("31", s) }
func (p paint) warn(s string) string { return p.with("33", s) }
func (p paint) info(s string) string { return p.with("36", s) }
func (p paint) dim(s string) string  { return p.with("2", s) }
func (p paint) bold(s string) string { return p.with("1", s) }

// number is n with thousands marked: 12,345.
func number(n int64) string {
	s := fmt.Sprint(n)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if neg {
		return "-" + s
	}
	return s
}

// count is a number with its word: 1 record, 2 records.
func count(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if strings.HasSuffix(word, "y") {
		return number(n) + " " + strings.TrimSuffix(word, "y") + "ies"
	}
	return number(n) + " " + word + "s"
}

// span is a duration as people say it: 850ms, 12.3s, 4m05s, 3h10m, 2d4h.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// moment is a time as people read it, with how long ago it was; "never" where there is none.
func moment(at, now time.Time) string {
	if at.IsZero() {
		return "never"
	}
	ago := now.Sub(at)
	at = at.Local()
	text := at.Format("15:04:05")
	if y, m, d := now.Local().Date(); at.Year() != y || at.Month() != m || at.Day() != d {
		text = at.Format("2006-01-02 15:04:05")
	}
	if ago < 0 {
		return text
	}
	if ago < time.Second {
		return text + " (now)"
	}
	if ago < time.Minute {
		return fmt.Sprintf("%s (%ds ago)", text, int(ago.Seconds()))
	}
	return fmt.Sprintf("%s (%s ago)", text, span(ago))
}
