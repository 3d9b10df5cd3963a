package schedule

import (
	"strings"
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// ticks are all times of c in [from, to), as they show on the clocks of the zone with their offset.
func ticks(t *testing.T, c Schedule, from, to string) (out []string) {
	t.Helper()
	start, err1 := time.Parse(time.RFC3339, from)
	end, err2 := time.Parse(time.RFC3339, to)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for at := c.Next(start.Add(-1)); at.Before(end); at = c.Next(at) {
		if at.IsZero() || len(out) > 2000 {
			t.Fatalf("the schedule ends after %v", out)
		}
		out = append(out, at.Format("02 15:04-07"))
	}
	return out
}

func TestCronOnTheDaysTheClocksChange(t *testing.T) {
	for _, tc := range []struct{ zone, cron, from, to, want string }{
		// Spring: 02:00 becomes 03:00. Autumn: 03:00 becomes 02:00.
		{"Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00", "28 02:30+01 29 03:00+02 30 02:30+02"},
		{"Europe/Berlin", "30 2 * * *", "2026-10-24T00:00:00+02:00", "2026-10-27T00:00:00+01:00", "24 02:30+02 25 02:30+02 26 02:30+01"},
		{"Europe/Ljubljana", "30 2 * * *", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "29 03:00+02"},
		{"Europe/Ljubljana", "30 2 * * *", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", "25 02:30+02"},
		{"Europe/Ljubljana", "0 3 * * *", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "29 03:00+02"},
		{"Europe/Ljubljana", "0 3 * * *", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", "25 03:00+01"},
		{"Europe/Ljubljana", "0 2,3 * * *", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "29 03:00+02"},
		{"Europe/Ljubljana", "0 */2 * * *", "2026-10-25T00:00:00+02:00", "2026-10-25T08:00:00+01:00", "25 00:00+02 25 02:00+02 25 04:00+01 25 06:00+01"},
		// New York: 02:00 becomes 03:00 on 8 March; 02:00 becomes 01:00 on 1 November.
		{"America/New_York", "30 2 * * *", "2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00", "08 03:00-04"},
		{"America/New_York", "30 2 * * *", "2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00", "01 02:30-05"},
		{"America/New_York", "30 1 * * *", "2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00", "01 01:30-04"},
		// Lord Howe moves by half an hour: 02:00 becomes 02:30 on 4 October, 02:00 becomes 01:30 on 5 April.
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-04T00:00:00+10:30", "2026-10-05T00:00:00+11:00", "04 02:30+11"},
		{"Australia/Lord_Howe", "30 2 * * *", "2026-10-04T00:00:00+10:30", "2026-10-05T00:00:00+11:00", "04 02:30+11"},
		{"Australia/Lord_Howe", "45 1 * * *", "2026-04-05T00:00:00+11:00", "2026-04-06T00:00:00+10:30", "05 01:45+11"},
		{"Australia/Lord_Howe", "30 2 * * *", "2026-04-05T00:00:00+11:00", "2026-04-06T00:00:00+10:30", "05 02:30+10"},
		// Every hour: by elapsed time.
		{"Europe/Berlin", "0 * * * *", "2026-10-25T01:00:00+02:00", "2026-10-25T04:00:00+01:00", "25 01:00+02 25 02:00+02 25 02:00+01 25 03:00+01"},
		{"Europe/Berlin", "0 * * * *", "2026-03-29T01:00:00+01:00", "2026-03-29T05:00:00+02:00", "29 01:00+01 29 03:00+02 29 04:00+02"},
		// Ordinary crontab rules: either of two days that are both restricted; names; Sunday as 7.
		{"UTC", "0 0 1 * Mon", "2026-06-01T00:00:00Z", "2026-06-09T00:00:00Z", "01 00:00+00 08 00:00+00"},
		{"UTC", "0 0 * * 7", "2026-06-01T00:00:00Z", "2026-06-15T00:00:00Z", "07 00:00+00 14 00:00+00"},
	} {
		c, err := ParseCron(tc.cron, zone(t, tc.zone))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(ticks(t, c, tc.from, tc.to), " "); got != tc.want {
			t.Errorf("%s %s from %s:\n got %s\nwant %s", tc.zone, tc.cron, tc.from, got, tc.want)
		}
	}
}

func TestEveryTwentyMinutesAllYear(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "Europe/Ljubljana", "America/New_York", "Asia/Kathmandu"} {
		c, err := ParseCron("*/20 * * * *", zone(t, name))
		if err != nil {
			t.Fatal(err)
		}
		at := c.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		for at.Year() == 2026 {
			next := c.Next(at)
			if step := next.Sub(at); step != 20*time.Minute {
				t.Fatalf("%s: %s after %s comes %s", name, step, at, next)
			}
			at = next
		}
	}
}

func TestDailyExactlyOnceAllYear(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "Europe/Ljubljana", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago"} {
		for _, text := range []string{"30 2 * * *", "15 2 * * *", "0 0 * * *", "30 1 * * *", "45 23 * * *"} {
			c, err := ParseCron(text, zone(t, name))
			if err != nil {
				t.Fatal(err)
			}
			days := map[string]int{}
			for at := c.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, c.zone).Add(-1)); at.Year() == 2026; at = c.Next(at) {
				days[at.Format(time.DateOnly)]++
			}
			for d := time.Date(2026, 1, 1, 12, 0, 0, 0, c.zone); d.Year() == 2026; d = d.AddDate(0, 0, 1) {
				if n := days[d.Format(time.DateOnly)]; n != 1 {
					t.Errorf("%s %q ran %d times on %s", name, text, n, d.Format(time.DateOnly))
				}
			}
		}
	}
}

// Asked at any moment, Next gives the same tick as when asked tick by tick.
func TestNextFromAnyMoment(t *testing.T) {
	for _, text := range []string{"30 2 * * *", "*/20 * * * *", "0,30 1-3 * * *"} {
		for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "America/New_York"} {
			c, err := ParseCron(text, zone(t, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, start := range []string{"2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"} {
				from, _ := time.Parse(time.DateOnly, start)
				next := c.Next(from)
				for at := from; at.Before(from.Add(60 * time.Hour)); at = at.Add(7 * time.Minute) {
					for !next.After(at) {
						next = c.Next(next)
					}
					if got := c.Next(at); !got.Equal(next) {
						t.Fatalf("%s %s: after %s comes %s, not %s", name, text, at, got, next)
					}
				}
			}
		}
	}
}

func TestCronErrors(t *testing.T) {
	for _, text := range []string{"", "* * * *", "* * * * * *", "@daily", "@every 1s", "TZ=UTC * * * *", "60 * * * *", "* 25 * * *", "0 0 30 2 *", "a b c d e", "H * * * *"} {
		if c, err := ParseCron(text, time.UTC); err == nil {
			t.Errorf("%q is taken as %v", text, c)
		}
	}
}

func TestDue(t *testing.T) {
	c, err := ParseCron("0 3 * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	last := time.Date(2026, 5, 1, 3, 0, 0, 0, time.UTC)
	for now, want := range map[time.Time]bool{
		last.Add(time.Hour):           false,
		last.Add(24*time.Hour - 1):    false,
		last.Add(24 * time.Hour):      true,
		last.Add(30 * 24 * time.Hour): true,
	} {
		if Due(c, last, now) != want {
			t.Errorf("at %s: due is %v", now, !want)
		}
	}
	if Due(c, time.Time{}, last) {
		t.Error("what never ran is not a missed run")
	}
	if e, err := ParseEvery(time.Minute); err != nil || Due(e, last, last.Add(59*time.Second)) || !Due(e, last, last.Add(time.Minute)) {
		t.Error("every minute")
	}
	if _, err := ParseEvery(0); err == nil {
		t.Error("an interval of zero is taken")
	}
}

func TestZones(t *testing.T) {
	for _, bad := range []string{"", "Mars/Phobos", "../etc/passwd"} {
		if _, err := ParseZone(bad); err == nil {
			t.Errorf("zone %q is taken", bad)
		}
	}
}
