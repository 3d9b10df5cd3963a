package magento

import (
	"strings"
	"time"
)

// phpDate reads a date as PHP's strtotime does, as far as people write such: a zone is read and not converted.
func phpDate(s string, now time.Time) (time.Time, bool) {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "now":
		return now.UTC(), true
	case "today":
		return now.UTC().Truncate(24 * time.Hour), true
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04", "2006-01-02T15:04Z07:00", "2.1.2006", "2.1.2006 15:04", "2.1.2006 15:04:05",
		"1/2/2006", "1/2/2006 15:04", "2006/01/02", "2006/01/02 15:04:05", "20060102", "2 January 2006", "January 2, 2006", "2 Jan 2006",
		time.RFC1123, time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC), true
		}
	}
	return time.Time{}, false
}
