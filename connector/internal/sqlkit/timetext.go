package sqlkit

import (
	"strconv"
	"time"
)

// Shape says how a time was written as text.
type Shape struct {
	Sep    byte          // 'T' or ' ', 0 for a date alone
	Zoned  bool          // a zone or an offset is part of it
	Offset bool          // an offset other than Z
	Step   time.Duration // what the text can tell apart: a day, a minute, a second, or less
}

// ParseTime reads ISO 8601 as people and databases write it: a date, alone or followed by "T" or a blank, hours,
// minutes, and maybe seconds, a fraction of up to nine digits and a zone. A text without a zone is read in loc.
func ParseTime(s string, loc *time.Location) (time.Time, Shape, bool) {
	p := timeParser{s: s}
	sh := Shape{Step: 24 * time.Hour}
	negative := p.sign()
	year := p.digits(4, 6)
	month, day := p.after('-', 2), 0
	day = p.after('-', 2)
	if p.bad || month < 1 || month > 12 || day < 1 || day > 31 {
		return time.Time{}, sh, false
	}
	if negative {
		year = -year
	}
	if p.end() {
		t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, loc)
		return t, sh, t.Day() == day
	}
	sh.Sep = p.next()
	hour, minute := p.digits(2, 2), p.after(':', 2)
	sh.Step = time.Minute
	second, nanos := 0, 0
	if p.peek() == ':' {
		second, sh.Step = p.after(':', 2), time.Second
		if p.peek() == '.' || p.peek() == ',' {
			p.next()
			nanos, sh.Step = p.fraction()
		}
	}
	if zone, ok := p.zone(&sh); ok && sh.Zoned {
		loc = zone
	}
	if p.bad || !p.end() || (sh.Sep != 'T' && sh.Sep != ' ' && sh.Sep != 't') || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, sh, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, loc)
	return t, sh, time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() == day
}

type timeParser struct {
	s   string
	at  int
	bad bool
}

func (p *timeParser) end() bool { return p.at >= len(p.s) }

func (p *timeParser) peek() byte {
	if p.end() {
		return 0
	}
	return p.s[p.at]
}

func (p *timeParser) next() byte {
	c := p.peek()
	p.at++
	return c
}

func (p *timeParser) sign() bool {
	c := p.peek()
	if c == '-' || c == '+' {
		p.at++
	}
	return c == '-'
}

// digits reads between least and most digits.
func (p *timeParser) digits(least, most int) int {
	from := p.at
	n := 0
	for p.at < len(p.s) && p.at-from < most && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
		n = n*10 + int(p.s[p.at]-'0')
		p.at++
	}
	p.bad = p.bad || p.at-from < least
	return n
}

func (p *timeParser) after(c byte, n int) int {
	if p.next() != c {
		p.bad = true
		return 0
	}
	return p.digits(n, n)
}

func (p *timeParser) fraction() (nanos int, step time.Duration) {
	from := p.at
	nanos = p.digits(1, 9)
	step = time.Second
	for range p.at - from {
		step /= 10
	}
	nanos *= int(step)
	for p.peek() >= '0' && p.peek() <= '9' { // beyond a nanosecond
		p.at++
	}
	return nanos, step
}

func (p *timeParser) zone(sh *Shape) (*time.Location, bool) {
	if p.peek() == ' ' {
		p.at++
	}
	switch p.peek() {
	case 0:
		return nil, true
	case 'Z', 'z':
		p.at++
		sh.Zoned = true
		return time.UTC, true
	case '+', '-':
		sh.Zoned = true
		negative := p.sign()
		seconds := p.digits(2, 2) * 3600
		for _, unit := range [...]int{60, 1} {
			if p.peek() == ':' {
				p.at++
			} else if c := p.peek(); c < '0' || c > '9' {
				break
			}
			seconds += p.digits(2, 2) * unit
		}
		if negative {
			seconds = -seconds
		}
		sh.Offset = seconds != 0
		if seconds == 0 {
			return time.UTC, true
		}
		return time.FixedZone("", seconds), true
	}
	p.bad = true
	return nil, false
}

// AppendTime appends t in the zone it has, the way ParseTime reads it back: "2006-01-02", sep, "15:04:05" and a
// fraction without trailing zeros. sep 0 leaves the time of day out.
func AppendTime(b []byte, t time.Time, sep byte) []byte {
	year, month, day := t.Date()
	if year < 0 {
		b = append(b, '-')
		year = -year
	} else if year > 9999 {
		b = append(b, '+')
	}
	b = appendPadded(b, year, 4)
	b = appendPadded(append(b, '-'), int(month), 2)
	b = appendPadded(append(b, '-'), day, 2)
	if sep == 0 {
		return b
	}
	hour, minute, second := t.Clock()
	b = appendPadded(append(b, sep), hour, 2)
	b = appendPadded(append(b, ':'), minute, 2)
	b = appendPadded(append(b, ':'), second, 2)
	if nanos := t.Nanosecond(); nanos != 0 {
		b = appendPadded(append(b, '.'), nanos, 9)
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	return b
}

func appendPadded(b []byte, n, width int) []byte {
	for ; width > 1 && n < pow10(width-1); width-- {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}
