package sqlkit

import (
	"math"
	"time"
)

// Unit is how a number stands for a time.
type Unit uint8

// The units, by the size of a number that means a time of our days: a Julian day is about 2.5 million, seconds since
// 1970 are some 10^9, and each finer unit a thousand times more.
const (
	Julian Unit = iota
	Seconds
	Millis
	Micros
	Nanos
	Units = iota
)

// bounds are the smallest numbers of each unit; the last is beyond all.
var bounds = [...]float64{0, 5.4e6, 1e11, 1e14, 1e17, math.Inf(1)}

// Range is the numbers that are read as u: from low up to, not including, high.
func (u Unit) Range() (low, high float64) { return bounds[u], bounds[u+1] }

const julianEpoch = 2440587.5 // 1970-01-01 as a Julian day

// UnitOf is the unit that a number is read in. Whole numbers below the seconds' range are seconds: nobody keeps a
// whole Julian day, and 0 is 1970.
func UnitOf(f float64, whole bool) Unit {
	f = math.Abs(f)
	for u := Nanos; u > Julian; u-- {
		if f >= bounds[u] {
			return u
		}
	}
	if whole {
		return Seconds
	}
	return Julian
}

// UnixTime is the time of a number; n is the number itself where it is whole, else 0.
func UnixTime(f float64, n int64) time.Time {
	whole := n != 0 || f == 0
	switch UnitOf(f, whole) {
	case Julian:
		f = (f - julianEpoch) * 86400
	case Millis:
		if whole {
			return time.UnixMilli(n).UTC()
		}
		f /= 1e3
	case Micros:
		if whole {
			return time.UnixMicro(n).UTC()
		}
		f /= 1e6
	case Nanos:
		if whole {
			return time.Unix(0, n).UTC()
		}
		f /= 1e9
	default:
		if whole {
			return time.Unix(n, 0).UTC()
		}
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(math.Round(frac*1e6))*1e3).UTC()
}

// Number is t in the unit.
func (u Unit) Number(t time.Time) float64 {
	switch u {
	case Julian:
		return float64(t.UnixMilli())/86400e3 + julianEpoch
	case Millis:
		return float64(t.UnixMilli())
	case Micros:
		return float64(t.UnixMicro())
	case Nanos:
		return float64(t.UnixNano())
	}
	return float64(t.Unix())
}
