package value

import (
	"errors"
	"strings"
)

// Decimal is an exact decimal number as its plain text: "-12.3400". The text is canonical but for its scale: no
// exponent, no plus, no needless leading zero, no negative zero; trailing zeros of the fraction are kept, for they
// say its scale. Equality between systems drops them (see Trim). The zero Decimal is not valid; use ParseDecimal.
type Decimal struct{ text string }

// MaxDecimalDigits bounds a decimal's plain text, so that "1e999999999" is refused instead of expanded. It is above
// what PostgreSQL's numeric can hold as declared (1,000 digits).
const MaxDecimalDigits = 20_000

var errDecimal = errors.New("not a decimal number")

// ParseDecimal reads "[+-]digits[.digits][e[+-]digits]".
func ParseDecimal(s string) (Decimal, error) {
	if plainDecimal(s) {
		return Decimal{s}, nil
	}
	return expandDecimal(s)
}

// plainDecimal tells whether s is canonical already: the common case, without an allocation.
func plainDecimal(s string) bool {
	digits := s
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		digits = s[1:]
	}
	if len(digits) > MaxDecimalDigits {
		return false
	}
	point, nonzero := -1, false
	for i := range len(digits) {
		switch c := digits[i]; {
		case c == '.' && point < 0:
			point = i
		case c < '0' || c > '9':
			return false
		case c != '0':
			nonzero = true
		}
	}
	whole := len(digits)
	if point >= 0 {
		whole = point
		if point == len(digits)-1 {
			return false
		}
	}
	return whole > 0 && (whole == 1 || digits[0] != '0') && (nonzero || !negative)
}

func expandDecimal(s string) (Decimal, error) {
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, ok := parseExponent(s[i+1:])
		if !ok {
			return Decimal{}, errDecimal
		}
		exponent, s = e, s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || len(whole)+len(fraction) > MaxDecimalDigits {
		return Decimal{}, errDecimal
	}
	for _, c := range []byte(whole + fraction) {
		if c < '0' || c > '9' {
			return Decimal{}, errDecimal
		}
	}
	switch {
	case exponent > 0:
		fraction += strings.Repeat("0", max(0, exponent-len(fraction)))
		whole, fraction = whole+fraction[:exponent], fraction[exponent:]
	case exponent < 0:
		whole = strings.Repeat("0", max(0, -exponent-len(whole))) + whole
		cut := len(whole) + exponent
		whole, fraction = whole[:cut], whole[cut:]+fraction
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if len(whole)+len(fraction) > MaxDecimalDigits { // or it could not be read again
		return Decimal{}, errDecimal
	}
	text := whole
	if fraction != "" {
		text += "." + fraction
	}
	if negative && strings.Trim(text, "0.") != "" {
		text = "-" + text
	}
	return Decimal{text}, nil
}

func parseExponent(s string) (int, bool) {
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || n > MaxDecimalDigits {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return sign * n, s != "" && n <= MaxDecimalDigits
}

// String is the plain text.
func (d Decimal) String() string { return d.text }

// Scale is how many digits stand after the point.
func (d Decimal) Scale() int {
	if i := strings.IndexByte(d.text, '.'); i >= 0 {
		return len(d.text) - i - 1
	}
	return 0
}

// Trim is d without trailing zeros in its fraction: equal numbers have equal trimmed texts.
func (d Decimal) Trim() Decimal {
	if strings.IndexByte(d.text, '.') < 0 {
		return d
	}
	return Decimal{strings.TrimSuffix(strings.TrimRight(d.text, "0"), ".")}
}
