package schedule

import (
	"strings"
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		zone, window, at, change string
		open                     bool
	}{
		{"UTC", "06:00-23:00", "2026-06-01T06:00:00Z", "2026-06-01T23:00:00Z", true},
		{"UTC", "06:00-23:00", "2026-06-01T05:59:59Z", "2026-06-01T06:00:00Z", false},
		{"UTC", "06:00-23:00", "2026-06-01T23:00:00Z", "2026-06-02T06:00:00Z", false},
		{"UTC", "22:00-04:00", "2026-06-01T23:00:00Z", "2026-06-02T04:00:00Z", true},
		{"UTC", "22:00-04:00", "2026-06-01T03:00:00Z", "2026-06-01T04:00:00Z", true},
		{"UTC", "22:00-04:00", "2026-06-01T04:00:00Z", "2026-06-01T22:00:00Z", false},
		// 5 June 2026 is a Friday. Over midnight belongs to the day it begins on.
		{"UTC", "Fri 22:00-04:00", "2026-06-06T03:00:00Z", "2026-06-06T04:00:00Z", true},
		{"UTC", "Fri 22:00-04:00", "2026-06-05T03:00:00Z", "2026-06-05T22:00:00Z", false},
		{"UTC", "Mon-Fri 08:00-18:00", "2026-06-05T18:00:00Z", "2026-06-08T08:00:00Z", false},
		{"UTC", "Mon-Fri 08:00-18:00;sat,SUN 10:00-12:00", "2026-06-05T18:00:00Z", "2026-06-06T10:00:00Z", false},
		{"UTC", "Fri-Mon 08:00-18:00", "2026-06-08T19:00:00Z", "2026-06-12T08:00:00Z", false},
		// Spans that touch or overlap are one.
		{"UTC", "08:00-12:00;12:00-14:00;13:00-15:00", "2026-06-05T09:00:00Z", "2026-06-05T15:00:00Z", true},
		{"UTC", "Mon-Fri 00:00-24:00", "2026-06-03T09:00:00Z", "2026-06-06T00:00:00Z", true},
		{"UTC", "00:00-24:00", "2026-06-03T09:00:00Z", "", true},
		{"UTC", "Mon 00:00-24:00", "2026-06-02T00:00:00Z", "2026-06-08T00:00:00Z", false},
		// In the zone, and on the days when the clocks change.
		{"Europe/Ljubljana", "06:00-23:00", "2026-06-01T04:00:00Z", "2026-06-01T21:00:00Z", true},
		{"Europe/Ljubljana", "22:00-04:00", "2026-03-28T22:00:00Z", "2026-03-29T02:00:00Z", true},
		{"Europe/Ljubljana", "22:00-04:00", "2026-10-24T22:00:00Z", "2026-10-25T03:00:00Z", true},
		{"Europe/Ljubljana", "02:30-05:00", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", false},
		{"Europe/Ljubljana", "01:00-02:30", "2026-10-25T00:29:00Z", "2026-10-25T00:30:00Z", true},
		{"Europe/Ljubljana", "01:00-02:30", "2026-10-25T01:10:00Z", "2026-10-26T00:00:00Z", false},
		{"Europe/Ljubljana", "02:00-03:00", "2026-10-25T00:10:00Z", "2026-10-25T02:00:00Z", true},
		{"Europe/Ljubljana", "02:10-02:50", "2026-03-29T00:30:00Z", "2026-03-30T00:10:00Z", false}, // swallowed
		{"Australia/Lord_Howe", "02:15-04:00", "2026-10-03T15:00:00Z", "2026-10-03T15:30:00Z", false},
	} {
		w, err := ParseWindow(strings.Split(tc.window, ";"), zone(t, tc.zone))
		if err != nil {
			t.Fatal(err)
		}
		now := at(tc.at)
		if w.Open(now) != tc.open {
			t.Errorf("%s %s at %s: open is %v", tc.zone, tc.window, tc.at, !tc.open)
			continue
		}
		same, change := w.NextOpen(now), w.NextClose(now)
		if !tc.open {
			same, change = change, same
		}
		if !same.Equal(now) {
			t.Errorf("%s %s at %s: as it is already, yet %s", tc.zone, tc.window, tc.at, same)
		}
		if tc.change == "" {
			if !change.IsZero() {
				t.Errorf("%s %s at %s: changes at %s, not never", tc.zone, tc.window, tc.at, change)
			}
		} else if !change.Equal(at(tc.change)) {
			t.Errorf("%s %s at %s: changes at %s, not %s", tc.zone, tc.window, tc.at, change.UTC(), tc.change)
		}
	}
}

func TestWindowAlways(t *testing.T) {
	var w Window
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	if !w.Open(now) || !w.NextOpen(now).Equal(now) || !w.NextClose(now).IsZero() || w.String() != "always" {
		t.Error("the zero window is always open")
	}
}

func TestWindowErrors(t *testing.T) {
	for _, text := range []string{"", "6-23", "06:00", "06:00-25:00", "06:00-06:00", "24:00-06:00", "6:00-23:00", "Mon-Foo 06:00-23:00", "Mon 06:00 - 23:00", "06:60-07:00"} {
		if w, err := ParseWindow([]string{text}, time.UTC); err == nil {
			t.Errorf("%q is taken as %v", text, w)
		}
	}
}
