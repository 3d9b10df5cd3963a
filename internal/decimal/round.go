package decimal

import (
	"strings"

	"github.com/lockstep-sync/lockstep/value"
)

// Sign is -1, 0 or 1.
func Sign(d value.Decimal) int {
	s := d.String()
	for i := range len(s) {
		if s[i] >= '1' && s[i] <= '9' {
			if s[0] == '-' {
				return -1
			}
			return 1
		}
	}
	return 0
}

// WholeDigits is how many digits stand before the point, leading zeros left out: 0 for 0.5.
func WholeDigits(d value.Decimal) int {
	s := strings.TrimPrefix(d.String(), "-")
	if i := strings.IndexByte(s, '.'); i >= 0 {
		s = s[:i]
	}
	if s == "0" {
		return 0
	}
	return len(s)
}

// Fits tells whether a number that is rounded to the scale needs no more than so many digits in all, as
// decimal(precision, scale) has it. A precision below the scale asks for zeros behind the point: decimal(2,4) ends at
// 0.0099.
func Fits(d value.Decimal, precision, scale int) bool {
	whole := WholeDigits(d)
	if precision >= scale || whole > 0 {
		return whole <= precision-scale
	}
	_, fraction, _ := strings.Cut(d.String(), ".")
	zeros := len(fraction) - len(strings.TrimLeft(fraction, "0"))
	return zeros >= scale-precision || zeros == len(fraction)
}

// IsWhole tells whether nothing but zeros stands behind the point.
func IsWhole(d value.Decimal) bool {
	s := d.String()
	i := strings.IndexByte(s, '.')
	return i < 0 || strings.Trim(s[i+1:], "0") == ""
}

// Cmp is -1, 0 or 1: a below, equal to or above b. Scales do not matter.
func Cmp(a, b value.Decimal) int {
	s, t := Sign(a), Sign(b)
	if s != t {
		if s < t {
			return -1
		}
		return 1
	}
	if s == 0 {
		return 0
	}
	wholeA, fracA, _ := strings.Cut(strings.TrimPrefix(a.String(), "-"), ".")
	wholeB, fracB, _ := strings.Cut(strings.TrimPrefix(b.String(), "-"), ".")
	c := len(wholeA) - len(wholeB)
	if c == 0 {
		c = strings.Compare(wholeA, wholeB)
	}
	if c == 0 {
		c = strings.Compare(strings.TrimRight(fracA, "0"), strings.TrimRight(fracB, "0"))
	}
	switch {
	case c < 0:
		return -s
	case c > 0:
		return s
	}
	return 0
}

// Round rounds half away from zero to so many digits behind the point; a negative scale rounds to tens, hundreds, …
// A number that has no more digits than that is returned as it is.
func Round(d value.Decimal, scale int) value.Decimal { return cut(d, scale, half) }

// Floor is the largest number of that scale that is not above d, Ceil the smallest that is not below it, and Cut d
// with the digits further behind left out.
func Floor(d value.Decimal, scale int) value.Decimal {
	return cut(d, scale, func(s string, _ byte, rest bool) bool { return s[0] == '-' && rest })
}

// Ceil is described with Floor.
func Ceil(d value.Decimal, scale int) value.Decimal {
	return cut(d, scale, func(s string, _ byte, rest bool) bool { return s[0] != '-' && rest })
}

// Cut is described with Floor.
func Cut(d value.Decimal, scale int) value.Decimal {
	return cut(d, scale, func(string, byte, bool) bool { return false })
}

func half(_ string, next byte, _ bool) bool { return next >= '5' }

// cut keeps the digits up to scale. away says, from the number's text, the first digit cut off and whether anything
// but zeros is cut off, if the last digit kept goes one up.
func cut(d value.Decimal, scale int, away func(text string, next byte, rest bool) bool) value.Decimal {
	if d.Scale() <= scale {
		return d
	}
	text := d.String()
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	keep := len(whole) + scale
	digits := whole + fraction
	next, rest := byte('0'), digits
	if keep >= 0 {
		next, rest = digits[keep], digits[keep:]
	}
	kept := make([]byte, 0, len(digits)+3+max(0, -scale))
	kept = append(append(kept, '-', '0'), digits[:max(0, keep)]...) // room for a carry
	if away(text, next, strings.Trim(rest, "0") != "") {
		i := len(kept) - 1
		for ; kept[i] == '9'; i-- {
			kept[i] = '0'
		}
		kept[i]++
	}
	for range -scale {
		kept = append(kept, '0')
	}
	if scale > 0 {
		at := len(kept) - scale
		kept = append(kept, 0)
		copy(kept[at+1:], kept[at:])
		kept[at] = '.'
	}
	if text[0] != '-' {
		kept = kept[1:]
	}
	out, err := value.ParseDecimal(string(kept))
	if err != nil { // the carry made it longer than any decimal: no field holds either
		return d
	}
	return out
}
