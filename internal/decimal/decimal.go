// Package decimal calculates with exact decimal numbers. Numbers of up to 18 digits are done in machine words; larger
// ones by apd. Nothing is rounded unless the function says so. Pure: no I/O, no state.
package decimal

import (
	"errors"
	"math"
	"strconv"

	"github.com/lockstep-sync/lockstep/value"
)

// MaxDigits bounds the digits of a result, so that a product of products cannot grow without end. It is what
// PostgreSQL's numeric can declare.
const MaxDigits = 1000

// QuoDigits is how many significant digits a quotient has when it does not come out even; it is rounded half away
// from zero.
const QuoDigits = 34

// Errors of arithmetic.
var (
	ErrDigits = errors.New("the result has more than 1000 digits")
	ErrZero   = errors.New("division by zero")
)

// Int is n as a decimal of scale 0.
func Int(n int64) value.Decimal { return plain(strconv.FormatInt(n, 10)) }

// FromFloat is the shortest decimal that reads back as f; false for NaN and infinities.
func FromFloat(f float64) (value.Decimal, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return value.Decimal{}, false
	}
	d, err := value.ParseDecimal(strconv.FormatFloat(f, 'f', -1, 64))
	return d, err == nil
}

// plain takes a text that is a decimal by construction.
func plain(text string) value.Decimal {
	d, err := value.ParseDecimal(text)
	if err != nil {
		panic("decimal: " + text + ": " + err.Error())
	}
	return d
}

// maxSmall is how many digits fit into an int64 whatever they are.
const maxSmall = 18

var powers = [maxSmall + 1]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// small is d as coefficient and scale, where it has at most 18 digits.
func small(d value.Decimal) (coef int64, scale int, ok bool) {
	s := d.String()
	if len(s) > maxSmall+2 || s == "" {
		return 0, 0, false
	}
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	digits := 0
	for i := range len(s) {
		if s[i] == '.' {
			scale = len(s) - i - 1
			continue
		}
		coef = coef*10 + int64(s[i]-'0')
		digits++
	}
	if digits > maxSmall {
		return 0, 0, false
	}
	if negative {
		coef = -coef
	}
	return coef, scale, true
}

// format is coef / 10^scale.
func format(coef int64, scale int) value.Decimal {
	var buf, digits [48]byte
	b, u := buf[:0], uint64(coef)
	if coef < 0 {
		b, u = append(b, '-'), -u
	}
	text := strconv.AppendUint(digits[:0], u, 10)
	whole := len(text) - scale
	if whole <= 0 {
		b = append(b, '0')
	} else {
		b = append(b, text[:whole]...)
	}
	if scale > 0 {
		b = append(b, '.')
		for range -whole {
			b = append(b, '0')
		}
		b = append(b, text[max(0, whole):]...)
	}
	return plain(string(b))
}
