package schedule

import (
	"testing"
	"time"
)

func FuzzParseCron(f *testing.F) {
	for _, text := range []string{"0 3 * * *", "*/20 * * * *", "0 0 1 * Mon", "0 0 29 2 *", "? ? ? ? ?", "1-5/2,7 22-2 L * 5#3"} {
		f.Add(text, int64(1_790_000_000))
	}
	zone, err := ParseZone("Australia/Lord_Howe")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		c, err := ParseCron(text, zone)
		if err != nil {
			return
		}
		after := time.Unix(at%4_000_000_000, 0) // to 2096
		next := c.Next(after)
		if next.IsZero() || !next.After(after) {
			t.Fatalf("after %s comes %s", after, next)
		}
		if second := c.Next(next); !second.After(next) {
			t.Fatalf("after %s comes %s", next, second)
		}
	})
}

func FuzzParseWindow(f *testing.F) {
	f.Add("06:00-23:00", "Sat,Sun 22:00-04:00", int64(1_790_000_000))
	f.Fuzz(func(t *testing.T, a, b string, at int64) {
		w, err := ParseWindow([]string{a, b}, time.UTC)
		if err != nil {
			return
		}
		now := time.Unix(at%4_000_000_000, 0)
		if w.Open(now) {
			if end := w.NextClose(now); !end.IsZero() && (w.Open(end) || !w.Open(end.Add(-1))) {
				t.Fatalf("open at %s, and said to close at %s", now, end)
			}
		} else if start := w.NextOpen(now); !w.Open(start) || w.Open(start.Add(-1)) {
			t.Fatalf("closed at %s, and said to open at %s", now, start)
		}
	})
}
