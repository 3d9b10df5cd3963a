package schedule

import "time"

// A wall clock is written here as a time.Time in UTC: it has no gaps and no doubles, so that arithmetic and matching
// are plain. instant and wallOf convert, and are where both DST changes are dealt with.

// wallOf is what the clocks of loc show at t.
func wallOf(t time.Time, loc *time.Location) time.Time {
	t = t.In(loc)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is when the clocks of loc show wall. Where they show it twice, it is the first time; where they skip it, it
// is the moment of the change. So a later wall clock never gives an earlier instant.
func instant(wall time.Time, loc *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), loc)
	start, end := t.ZoneBounds()
	switch got := wallOf(t, loc); {
	case got.After(wall): // skipped, and time.Date chose the side after the change
		return start
	case got.Before(wall): // skipped, and it chose the side before
		return end
	}
	if start.IsZero() {
		return t
	}
	_, offset := start.Add(-1).Zone()
	if first := wall.Add(-time.Duration(offset) * time.Second).In(loc); first.Before(start) {
		return first // shown before the change already
	}
	return t
}
