package decimal

import (
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/lockstep-sync/lockstep/value"
)

// Add is a + b, exactly. Its scale is the larger of the two.
func Add(a, b value.Decimal) (value.Decimal, error) {
	if x, y, scale, ok := aligned(a, b); ok {
		return format(x+y, scale), nil // both are below 10^18: the sum fits
	}
	return exact((*apd.Context).Add, a, b)
}

// Sub is a - b, exactly.
func Sub(a, b value.Decimal) (value.Decimal, error) {
	if x, y, scale, ok := aligned(a, b); ok {
		return format(x-y, scale), nil
	}
	return exact((*apd.Context).Sub, a, b)
}

// Mul is a * b, exactly. Its scale is the sum of the two.
func Mul(a, b value.Decimal) (value.Decimal, error) {
	x, s, ok := small(a)
	y, t, ok2 := small(b)
	if ok && ok2 && s+t <= maxSmall {
		if hi, lo := bits.Mul64(uint64(abs(x)), uint64(abs(y))); hi == 0 && lo < 1<<63 {
			return format(x*y, s+t), nil
		}
	}
	return exact((*apd.Context).Mul, a, b)
}

// Quo is a / b to QuoDigits significant digits, without needless trailing zeros.
func Quo(a, b value.Decimal) (value.Decimal, error) {
	if Sign(b) == 0 {
		return value.Decimal{}, ErrZero
	}
	ctx := context(QuoDigits)
	var out apd.Decimal
	if _, err := ctx.Quo(&out, wide(a), wide(b)); err != nil {
		return value.Decimal{}, err
	}
	d, err := fromWide(&out)
	return d.Trim(), err
}

// Rem is what is left of a after taking b away as often as it goes, with a's sign: Rem(-7.5, 2) is -1.5.
func Rem(a, b value.Decimal) (value.Decimal, error) {
	if Sign(b) == 0 {
		return value.Decimal{}, ErrZero
	}
	if x, y, scale, ok := aligned(a, b); ok {
		return format(x%y, scale), nil
	}
	return exact((*apd.Context).Rem, a, b)
}

// Pow is a raised to a whole number from 0 to 1000, exactly.
func Pow(a value.Decimal, n int) (value.Decimal, error) {
	if n < 0 || n > MaxDigits {
		return value.Decimal{}, ErrDigits
	}
	out, err := Int(1), error(nil)
	for ; n > 0 && err == nil; n >>= 1 {
		if n&1 == 1 {
			if out, err = Mul(out, a); err != nil {
				break
			}
		}
		if n > 1 {
			a, err = Mul(a, a)
		}
	}
	return out, err
}

// Neg is -a.
func Neg(a value.Decimal) value.Decimal {
	if s := a.String(); s[0] == '-' {
		return plain(s[1:])
	} else if Sign(a) != 0 {
		return plain("-" + s)
	}
	return a
}

// Abs is a without its sign.
func Abs(a value.Decimal) value.Decimal {
	if a.String()[0] == '-' {
		return Neg(a)
	}
	return a
}

func abs(n int64) int64 { return max(n, -n) }

// aligned brings two small decimals to one scale; both stay below 10^18.
func aligned(a, b value.Decimal) (x, y int64, scale int, ok bool) {
	x, s, ok := small(a)
	y, t, ok2 := small(b)
	if !ok || !ok2 {
		return 0, 0, 0, false
	}
	scale = max(s, t)
	x, ok = shift(x, scale-s)
	y, ok2 = shift(y, scale-t)
	return x, y, scale, ok && ok2
}

func shift(n int64, by int) (int64, bool) {
	if by > maxSmall || abs(n) >= powers[maxSmall]/powers[by] {
		return 0, by == 0
	}
	return n * powers[by], true
}

func context(digits uint32) *apd.Context {
	return &apd.Context{Precision: digits, MaxExponent: apd.MaxExponent, MinExponent: apd.MinExponent,
		Rounding: apd.RoundHalfUp, Traps: apd.DefaultTraps &^ apd.Inexact &^ apd.Rounded}
}

// exact runs an operation and refuses a result that needed rounding.
func exact(op func(*apd.Context, *apd.Decimal, *apd.Decimal, *apd.Decimal) (apd.Condition, error), a, b value.Decimal) (value.Decimal, error) {
	var out apd.Decimal
	cond, err := op(context(MaxDigits), &out, wide(a), wide(b))
	if cond.Any() && cond&^(apd.Rounded) != 0 {
		return value.Decimal{}, ErrDigits
	}
	if err != nil {
		return value.Decimal{}, err
	}
	return fromWide(&out)
}

func wide(d value.Decimal) *apd.Decimal {
	out, _, err := apd.NewFromString(d.String())
	if err != nil {
		panic("decimal: " + err.Error())
	}
	return out
}

func fromWide(d *apd.Decimal) (value.Decimal, error) {
	if d.NumDigits()+max(0, int64(d.Exponent)) > MaxDigits || int64(d.Exponent) < -MaxDigits {
		return value.Decimal{}, ErrDigits
	}
	out, err := value.ParseDecimal(d.Text('f'))
	if err != nil {
		return out, ErrDigits
	}
	return out, nil
}
