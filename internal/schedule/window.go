package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window is when a flow may deliver: some spans of the week, in a time zone. The zero Window is always open. A span
// belongs to the day on which it begins. Its ends are wall clocks: where the clocks show one twice the first counts,
// where they skip it the moment of the change does; so a span never opens twice in one day.
type Window struct {
	spans []span
	zone  *time.Location
	text  string
}

// span is open on days from start to end, in time since midnight; end may lie in the next day.
type span struct {
	days       [7]bool
	start, end time.Duration
}

// ParseWindow reads spans such as "06:00-23:00", "Mon-Fri 08:00-18:00", "Sat,Sun 00:00-24:00" or, over midnight,
// "22:00-04:00". No span at all is a Window that is always open.
func ParseWindow(texts []string, zone *time.Location) (Window, error) {
	w := Window{zone: zone, text: strings.Join(texts, "; ")}
	for _, text := range texts {
		s, err := parseSpan(text)
		if err != nil {
			return Window{}, fmt.Errorf("the window %q: %w", text, err)
		}
		w.spans = append(w.spans, s)
	}
	return w, nil
}

func parseSpan(text string) (s span, err error) {
	fields := strings.Fields(text)
	switch len(fields) {
	case 1:
		s.days = [7]bool{true, true, true, true, true, true, true}
	case 2:
		if s.days, err = parseDays(fields[0]); err != nil {
			return s, err
		}
	default:
		return s, fmt.Errorf("a window is written \"06:00-23:00\" or \"Mon-Fri 08:00-18:00\"")
	}
	from, to, ok := strings.Cut(fields[len(fields)-1], "-")
	if !ok {
		return s, fmt.Errorf("a window is written \"06:00-23:00\" or \"Mon-Fri 08:00-18:00\"")
	}
	if s.start, err = parseClock(from); err != nil {
		return s, err
	}
	if s.end, err = parseClock(to); err != nil {
		return s, err
	}
	switch {
	case s.start == s.end:
		return s, fmt.Errorf("it begins when it ends; a whole day is 00:00-24:00")
	case s.start == day:
		return s, fmt.Errorf("it cannot begin at 24:00")
	case s.end < s.start:
		s.end += day
	}
	return s, nil
}

const day = 24 * time.Hour

func parseClock(text string) (time.Duration, error) {
	if text == "24:00" {
		return day, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != 5 {
		return 0, fmt.Errorf("%q is not a time of day such as 06:00", text)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseDays reads "Mon-Fri", "Sat,Sun" or "Fri-Mon".
func parseDays(text string) (days [7]bool, err error) {
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		first, last := slices.Index(dayNames, strings.ToLower(from)), slices.Index(dayNames, strings.ToLower(to))
		if first < 0 || last < 0 {
			return days, fmt.Errorf("%q is not a day of the week; they are Mon, Tue, Wed, Thu, Fri, Sat, Sun", part)
		}
		for d := first; ; d = (d + 1) % 7 {
			days[d] = true
			if d == last {
				break
			}
		}
	}
	return days, nil
}

// Always tells whether the window has no spans and so never closes.
func (w Window) Always() bool { return len(w.spans) == 0 }

// Open tells whether t lies in the window.
func (w Window) Open(t time.Time) bool {
	open, _ := w.around(t)
	return open
}

// NextOpen is when the window is open next: t itself where it is open. It is zero where that never happens.
func (w Window) NextOpen(t time.Time) time.Time {
	open, change := w.around(t)
	if open {
		return t
	}
	return change
}

// NextClose is when the window closes next: t itself where it is closed. It is zero where that never happens.
func (w Window) NextClose(t time.Time) time.Time {
	open, change := w.around(t)
	if !open {
		return t
	}
	return change
}

func (w Window) String() string {
	if w.Always() {
		return "always"
	}
	return w.text + " " + w.zone.String()
}

// horizon is how many days around tell all there is: a week, and a day for what the change of the clocks moves.
const horizon = 9

// around tells whether w is open at t, and when that changes next: zero where it does not.
func (w Window) around(t time.Time) (open bool, change time.Time) {
	if w.Always() {
		return true, time.Time{}
	}
	today := wallOf(t, w.zone).Truncate(day)
	type stretch struct{ from, to time.Time }
	var stretches []stretch
	for d := -2; d <= horizon; d++ {
		midnight := today.AddDate(0, 0, d)
		for _, s := range w.spans {
			if s.days[midnight.Weekday()] {
				stretches = append(stretches, stretch{instant(midnight.Add(s.start), w.zone), instant(midnight.Add(s.end), w.zone)})
			}
		}
	}
	slices.SortFunc(stretches, func(a, b stretch) int { return a.from.Compare(b.from) })
	var until time.Time // of the open stretch that t lies in, with all that touches it
	for _, s := range stretches {
		switch {
		case !s.to.After(t) || !s.to.After(s.from): // over, or swallowed by the change of the clocks
		case !s.from.After(t) || (open && !s.from.After(until)):
			open = true
			if s.to.After(until) {
				until = s.to
			}
		case !open:
			return false, s.from
		default:
			return true, until
		}
	}
	if open && wallOf(until, w.zone).Sub(today) >= (horizon-1)*day {
		return true, time.Time{}
	}
	return open, until
}
