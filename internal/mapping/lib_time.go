package mapping

import (
	"math"
	"strings"
	"time"
	_ "time/tzdata" // zones are the same on every machine

	"github.com/lockstep-sync/lockstep/value"
)

// zones keeps the time zones that a worker has met.
type zones map[string]*time.Location

// maxZones bounds how many are kept; there are about 600.
const maxZones = 1000

func (w *Worker) zone(name string) *time.Location {
	if l, ok := w.zones[name]; ok {
		return l
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "Local" || name == "" {
		w.fail("%q is no time zone; use a name such as Europe/Ljubljana or UTC", name)
	}
	if w.zones == nil || len(w.zones) >= maxZones {
		w.zones = zones{}
	}
	w.zones[name] = l
	return l
}

var oneTime = []param{{name: "time", class: isTime}}

var timeFunctions = []function{
	{"date", "times", "date(time), date(text) or date(year, month, day)", "the day, as a time at midnight UTC: of a time in its own zone, or of a text YYYY-MM-DD", `text(date("2026-11-23"))`, `"2026-11-23T00:00:00Z"`,
		[]param{{name: "x", class: isTime | isText | isInt}, {name: "month", class: isInt, optional: true}, {name: "day", class: isInt, optional: true}}, gives(isTime), false, date},
	{"parse", "times", "parse(text, layout) or parse(text, layout, zone)", `a time from a text; in UTC unless a zone is given or the text has one. Layouts are made of YYYY YY MM M DD D HH H mm ss SSS (as many S as digits) and Z (an offset); "iso" is ISO 8601`,
		`parse("23.11.2026 14:05", "DD.MM.YYYY HH:mm")`, `"2026-11-23T14:05:00Z"`,
		[]param{{name: "text", class: isText}, {name: "layout", class: isText}, {name: "zone", class: isText, optional: true}}, gives(isTime), false, parseTime},
	{"format", "times", "format(time, layout)", "a time as text, in its own zone; the layouts are those of parse", `format(date(2026, 11, 3), "D.M.YYYY")`, `"3.11.2026"`,
		[]param{{name: "time", class: isTime}, {name: "layout", class: isText}}, gives(isText), false,
		func(w *Worker, a []value.Value) value.Value { return w.text(a[0].Time().Format(w.layout(a[1].Text()))) }},
	{"inZone", "times", "inZone(time, zone)", "the same instant on the clocks of a zone", `format(inZone(parse("2026-07-01T10:00:00Z", "iso"), "Europe/Ljubljana"), "HH:mm Z")`, `"12:00 +02:00"`,
		[]param{{name: "time", class: isTime}, {name: "zone", class: isText}}, gives(isTime), false,
		func(w *Worker, a []value.Value) value.Value { return value.Time(a[0].Time().In(w.zone(a[1].Text()))) }},
	{"add", "times", "add(time, number, unit)", `later by so many "years", "months", "days", "hours", "minutes", "seconds" or "milliseconds"; a day that the month has not is its last`, `format(add(date(2026, 1, 31), 1, "months"), "YYYY-MM-DD")`, `"2026-02-28"`,
		[]param{{name: "time", class: isTime}, {name: "number", class: isInt}, {name: "unit", class: isText}}, gives(isTime), false, addTime},
	{"diff", "times", "diff(from, to, unit)", `how many whole "days", "hours", "minutes", "seconds" or "milliseconds" from one time to the other`, `diff(date(2026, 1, 1), date(2026, 3, 1), "days")`, `59`,
		[]param{{name: "from", class: isTime}, {name: "to", class: isTime}, {name: "unit", class: isText}}, gives(isInt), false, diff},
	{"year", "times", "year(time)", "its year, in its own zone; so are month(), day(), hour(), minute(), second()", `year(date(2026, 11, 3))`, `2026`, oneTime, gives(isInt), false, part(time.Time.Year)},
	{"month", "times", "month(time)", "1 to 12", `month(date(2026, 11, 3))`, `11`, oneTime, gives(isInt), false, part(func(t time.Time) int { return int(t.Month()) })},
	{"day", "times", "day(time)", "1 to 31", `day(date(2026, 11, 3))`, `3`, oneTime, gives(isInt), false, part(time.Time.Day)},
	{"hour", "times", "hour(time)", "0 to 23", `hour(date(2026, 11, 3))`, `0`, oneTime, gives(isInt), false, part(time.Time.Hour)},
	{"minute", "times", "minute(time)", "0 to 59", `minute(date(2026, 11, 3))`, `0`, oneTime, gives(isInt), false, part(time.Time.Minute)},
	{"second", "times", "second(time)", "0 to 59", `second(date(2026, 11, 3))`, `0`, oneTime, gives(isInt), false, part(time.Time.Second)},
	{"weekday", "times", "weekday(time)", "1 (Monday) to 7 (Sunday)", `weekday(date(2026, 11, 23))`, `1`, oneTime, gives(isInt), false,
		part(func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 })},
	{"unix", "times", "unix(time)", "seconds since 1970, a fraction left out", `unix(date(1970, 1, 2))`, `86400`, oneTime, gives(isInt), false,
		func(w *Worker, a []value.Value) value.Value { return value.Int(a[0].Time().Unix()) }},
	{"fromUnix", "times", "fromUnix(seconds)", "the time so many seconds after 1970, in UTC", `text(fromUnix(86400))`, `"1970-01-02T00:00:00Z"`,
		[]param{{name: "seconds", class: isInt}}, gives(isTime), false, fromUnix},
}

func part(f func(time.Time) int) func(*Worker, []value.Value) value.Value {
	return func(_ *Worker, a []value.Value) value.Value { return value.Int(int64(f(a[0].Time()))) }
}

func date(w *Worker, a []value.Value) value.Value {
	switch v := a[0]; {
	case v.Kind() == value.KindTime:
		t := v.Time()
		return value.Time(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC))
	case v.Kind() == value.KindText:
		t, err := time.Parse(time.DateOnly, v.Text())
		if err != nil {
			w.fail("date: the text is no day in the form YYYY-MM-DD")
		}
		return value.Time(t)
	case v.Kind() != value.KindInt || len(a) != 3 || a[1].Kind() != value.KindInt || a[2].Kind() != value.KindInt:
		w.fail("date needs a time, a text, or year, month and day")
	}
	y, m, d := a[0].Int(), a[1].Int(), a[2].Int()
	if m < 1 || m > 12 || d < 1 || d > 31 {
		w.fail("date: there is no such day")
	}
	t := time.Date(w.year(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC)
	if int64(t.Day()) != d {
		w.fail("date: there is no such day")
	}
	return value.Time(t)
}

// year keeps years where every system can hold them.
func (w *Worker) year(y int64) int {
	if y < -9999 || y > 99999 {
		w.fail("the year is out of range")
	}
	return int(y)
}

// layouts maps our words to Go's. Longer words come first.
var layoutWords = []struct{ word, layout string }{
	{"YYYY", "2006"}, {"YY", "06"}, {"MM", "01"}, {"M", "1"}, {"DD", "02"}, {"D", "2"}, {"HH", "15"}, {"H", "15"}, {"mm", "04"}, {"ss", "05"}, {"Z", "Z07:00"},
}

// layout translates a layout. A letter or digit that is no word of a layout is a failure: Go would read it as one.
func (w *Worker) layout(s string) string {
	if s == "iso" {
		return time.RFC3339Nano
	}
	var b strings.Builder
next:
	for s != "" {
		if n := len(s) - len(strings.TrimLeft(s, "S")); n > 0 {
			if n > 9 || b.Len() == 0 || (!strings.HasSuffix(b.String(), ".") && !strings.HasSuffix(b.String(), ",")) {
				w.fail("layout: S stands behind a point, at most nine times")
			}
			b.WriteString(strings.Repeat("0", n))
			s = s[n:]
			continue
		}
		for _, l := range layoutWords {
			if rest, ok := strings.CutPrefix(s, l.word); ok {
				b.WriteString(l.layout)
				s = rest
				continue next
			}
		}
		if c := s[0]; c != 'T' && (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			w.fail("layout: %q is no word of a layout (YYYY YY MM M DD D HH H mm ss SSS Z)", s[:1])
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

func parseTime(w *Worker, a []value.Value) value.Value {
	zone := time.UTC
	if len(a) > 2 {
		zone = w.zone(a[2].Text())
	}
	t, err := time.ParseInLocation(w.layout(a[1].Text()), a[0].Text(), zone)
	if err != nil {
		w.fail("parse: the text is not in the layout %q", a[1].Text())
	}
	if _, offset := t.Zone(); t.Location() != zone && offset == 0 {
		t = t.UTC()
	}
	return value.Time(t)
}

var units = map[string]time.Duration{"days": 24 * time.Hour, "hours": time.Hour, "minutes": time.Minute, "seconds": time.Second, "milliseconds": time.Millisecond}

func addTime(w *Worker, a []value.Value) value.Value {
	t, n := a[0].Time(), a[1].Int()
	out := t
	switch unit := a[2].Text(); unit {
	case "years", "months":
		if n > 1_000_000 || n < -1_000_000 {
			w.fail("add: the number is out of range")
		}
		months := n
		if unit == "years" {
			months = n * 12
		}
		out = addMonths(t, int(months))
	case "days":
		if n > 40_000_000 || n < -40_000_000 {
			w.fail("add: the number is out of range")
		}
		out = t.AddDate(0, 0, int(n)) // a day of the calendar, whatever the clocks do
	default:
		by, ok := units[unit]
		if !ok {
			w.fail("add: %q is no unit: years, months, days, hours, minutes, seconds or milliseconds", unit)
		}
		if n > math.MaxInt64/int64(by) || n < -math.MaxInt64/int64(by) {
			w.fail("add: the number is out of range")
		}
		out = t.Add(time.Duration(n) * by)
	}
	w.year(int64(out.Year()))
	return value.Time(out)
}

// addMonths keeps the day, or takes the last of the month where it has fewer.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return time.Date(first.Year(), first.Month(), min(t.Day(), last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
}

func diff(w *Worker, a []value.Value) value.Value {
	by, ok := units[a[2].Text()]
	if !ok {
		w.fail("diff: %q is no unit: days, hours, minutes, seconds or milliseconds", a[2].Text())
	}
	from, to := a[0].Time(), a[1].Time()
	seconds, nano := to.Unix()-from.Unix(), int64(to.Nanosecond()-from.Nanosecond())
	if by < time.Second {
		if s := math.Abs(float64(seconds)); s > math.MaxInt64/2000 {
			w.fail("diff: the times are too far apart")
		}
		return value.Int(seconds*1000 + towardsZero(seconds, nano, int64(by)))
	}
	if seconds > 0 && nano < 0 {
		seconds--
	}
	if seconds < 0 && nano > 0 {
		seconds++
	}
	return value.Int(seconds / int64(by/time.Second))
}

// towardsZero is the milliseconds of nano, rounded towards zero as seen from the whole difference.
func towardsZero(seconds, nano, by int64) int64 {
	q := nano / by
	switch rest := nano % by; {
	case rest < 0 && seconds > 0:
		q--
	case rest > 0 && seconds < 0:
		q++
	}
	return q
}

func fromUnix(w *Worker, a []value.Value) value.Value {
	n := a[0].Int()
	if n > 3e12 || n < -3e12 {
		w.fail("fromUnix: the number is out of range; are these milliseconds?")
	}
	return value.Time(time.Unix(n, 0).UTC())
}
