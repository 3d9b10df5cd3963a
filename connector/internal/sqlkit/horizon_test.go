package sqlkit

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func TestBegin(t *testing.T) {
	open := func(id string, since float64) Open { return Open{ID: id, Since: at(since)} }
	for _, c := range []struct {
		name      string
		last, now Horizon
		overlap   time.Duration
		want      time.Time
		code      lockstep.Code
	}{
		{name: "nothing open", last: Horizon{Clock: at(0)}, now: Horizon{Clock: at(10)}, want: at(0)},
		{name: "the default overlap", last: Horizon{Clock: at(0)}, now: Horizon{Clock: at(10)}, overlap: -1, want: at(-1)},
		{name: "one has ended", last: Horizon{Clock: at(0), Open: []Open{open("a", -100)}}, now: Horizon{Clock: at(10)}, want: at(-100)},
		{name: "one is still open", last: Horizon{Clock: at(0), Open: []Open{open("a", -100), open("b", -50)}}, now: Horizon{Clock: at(10), Open: []Open{open("a", -100)}}, want: at(-50)},
		{name: "a new one does not count", last: Horizon{Clock: at(0)}, now: Horizon{Clock: at(10), Open: []Open{open("a", 5)}}, want: at(0)},
		{name: "blind before", last: Horizon{Clock: at(0), Blind: true}, now: Horizon{Clock: at(10)}, want: at(-120)},
		{name: "blind now", last: Horizon{Clock: at(0)}, now: Horizon{Clock: at(10), Blind: true}, overlap: time.Second, want: at(-120)},
		{name: "blind with a longer overlap", last: Horizon{Clock: at(0)}, now: Horizon{Clock: at(10), Blind: true}, overlap: time.Hour, want: at(-3600)},
		{name: "the clock is behind", last: Horizon{Clock: at(10)}, now: Horizon{Clock: at(5)}, overlap: -1, code: lockstep.CodeClock},
		{name: "a tiny step back", last: Horizon{Clock: at(10)}, now: Horizon{Clock: at(9.5)}, overlap: -1, want: at(9)},
		{name: "set back, and overtaken since", last: Horizon{Clock: at(0), Boot: "x", Since: time.Minute}, now: Horizon{Clock: at(3), Boot: "x", Since: time.Minute + 10*time.Second}, want: at(-7)},
		{name: "set forward", last: Horizon{Clock: at(0), Boot: "x", Since: time.Minute}, now: Horizon{Clock: at(100), Boot: "x", Since: time.Minute + 10*time.Second}, want: at(0)},
		{name: "another process", last: Horizon{Clock: at(0), Boot: "x", Since: time.Hour}, now: Horizon{Clock: at(3), Boot: "y", Since: time.Second}, want: at(0)},
	} {
		from, err := c.last.Begin(&c.now, c.overlap)
		if c.code != "" {
			if f := lockstep.FaultOf(err); f == nil || f.Code != c.code {
				t.Errorf("%s: %v, want %s", c.name, err, c.code)
			}
			continue
		}
		if err != nil || !from.Equal(c.want) {
			t.Errorf("%s: from %s, want %s; %v", c.name, from, c.want, err)
		}
	}
}

// A transaction whose start nobody knows began before the horizon in which it is first seen, but not before the sweep
// that saw it: what was open earlier was in the list, or counts as ended now.
func TestBeginGivesStarts(t *testing.T) {
	last := Horizon{Clock: at(0), Open: []Open{{"session", at(-30)}, {"prepared/1", at(-99)}}}
	now := Horizon{Clock: at(10), Open: []Open{{ID: "prepared/1"}, {ID: "prepared/2"}}}
	if from, err := last.Begin(&now, 0); err != nil || !from.Equal(at(-30)) {
		t.Fatal(from, err)
	}
	if !now.Open[0].Since.Equal(at(-99)) || !now.Open[1].Since.Equal(at(-30)) {
		t.Errorf("%v", now.Open)
	}
}

func TestReadFeed(t *testing.T) {
	f := Feed{Horizon: Horizon{Clock: at(0), Open: []Open{{"a", at(-1)}}}, Sweep: &Sweep{From: "x", After: []string{"1"}, Next: Horizon{Clock: at(5)}}}
	got, err := ReadFeed(f.Position())
	if err != nil || string(got.Position()) != string(f.Position()) {
		t.Errorf("%s, %v", got.Position(), err)
	}
}

func FuzzReadFeed(f *testing.F) {
	f.Add([]byte(`{"clock":"2026-11-23T12:00:00Z","open":[{"id":"a","since":"2026-11-23T11:00:00Z"}],"sweep":{"from":"x","next":{"clock":"2026-11-23T12:00:00Z"}}}`))
	f.Add([]byte(`{"clock":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		feed, err := ReadFeed(b)
		if err != nil {
			if lockstep.KindOf(err) != lockstep.Lost {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := ReadFeed(feed.Position()); err != nil || string(again.Position()) != string(feed.Position()) {
			t.Errorf("%s is read as %s: %v", feed.Position(), again.Position(), err)
		}
	})
}

func FuzzReadPlace(f *testing.F) {
	f.Add([]byte(`{"after":["1","a"]}`), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if _, err := ReadPlace(b, n); err != nil && lockstep.KindOf(err) != lockstep.Lost {
			t.Errorf("%v", err)
		}
	})
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-23": "2026-11-23T00:00:00Z 24h0m0s", "2026-11-23 10:20": "2026-11-23T10:20:00Z 1m0s", "2026-11-23T10:20:30": "2026-11-23T10:20:30Z 1s",
		"2026-11-23 10:20:30.5": "2026-11-23T10:20:30.5Z 100ms", "2026-11-23T10:20:30.123456789Z": "2026-11-23T10:20:30.123456789Z 1ns",
		"2026-11-23 10:20:30+02": "2026-11-23T08:20:30Z 1s", "2026-11-23 10:20:30 -0530": "2026-11-23T15:50:30Z 1s", "2026-11-23T10:20:30.25+01:00:30": "2026-11-23T09:20:00.25Z 10ms",
		"+12345-01-02": "12345-01-02T00:00:00Z 24h0m0s", "-0043-03-15": "-0043-03-15T00:00:00Z 24h0m0s",
		"2026-02-30": "", "2026-13-01": "", "2026-11-23T25:00:00": "", "23.11.2026": "", "": "", "2026-11-23x": "", "2026-11-23 10": "", "now": "", "20261123": "",
	} {
		got, shape, ok := ParseTime(text, time.UTC)
		show := ""
		if ok {
			show = got.UTC().Format(time.RFC3339Nano) + " " + shape.Step.String()
		}
		if show != want {
			t.Errorf("%q: %q, want %q", text, show, want)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("2026-11-23T10:20:30.5+02:00")
	f.Fuzz(func(t *testing.T, s string) {
		when, shape, ok := ParseTime(s, time.UTC)
		if !ok || shape.Sep == 0 {
			return
		}
		back, _, ok := ParseTime(string(AppendTime(nil, when.UTC(), 'T')), time.UTC)
		if !ok || !back.Equal(when) {
			t.Errorf("%q is %s, and back %s", s, when, back)
		}
	})
}

func TestUnix(t *testing.T) {
	for u := range Unit(Units) {
		if got := UnixTime(u.Number(noon), 0); got.Sub(noon).Abs() > time.Millisecond {
			t.Errorf("unit %d: %s", u, got)
		}
		if low, high := u.Range(); u.Number(noon) < low || u.Number(noon) >= high {
			t.Errorf("unit %d: out of its range", u)
		}
	}
}
