package decimal

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/lockstep-sync/lockstep/value"
)

func dec(t interface{ Fatal(...any) }, s string) value.Decimal {
	d, err := value.ParseDecimal(s)
	if err != nil {
		t.Fatal(s, err)
	}
	return d
}

func TestRound(t *testing.T) {
	for _, c := range []struct {
		in               string
		scale            int
		round, flo, ceil string
	}{
		{"2.5", 0, "3", "2", "3"}, {"-2.5", 0, "-3", "-3", "-2"}, {"2.4999", 0, "2", "2", "3"}, {"-0.4", 0, "0", "-1", "0"},
		{"0.5", 0, "1", "0", "1"}, {"9.995", 2, "10.00", "9.99", "10.00"}, {"12.3", 2, "12.3", "12.3", "12.3"},
		{"1.005", 2, "1.01", "1.00", "1.01"}, {"-99.999", 2, "-100.00", "-100.00", "-99.99"}, {"1250", -2, "1300", "1200", "1300"},
		{"49", -2, "0", "0", "100"}, {"50", -2, "100", "0", "100"}, {"7", -3, "0", "0", "1000"}, {"0.00", 1, "0.0", "0.0", "0.0"},
		{"123456789012345678901234567890.125", 2, "123456789012345678901234567890.13", "123456789012345678901234567890.12", "123456789012345678901234567890.13"},
	} {
		d := dec(t, c.in)
		if got := Round(d, c.scale).String(); got != c.round {
			t.Errorf("Round(%s, %d) = %s, want %s", c.in, c.scale, got, c.round)
		}
		if got := Floor(d, c.scale).String(); got != c.flo {
			t.Errorf("Floor(%s, %d) = %s, want %s", c.in, c.scale, got, c.flo)
		}
		if got := Ceil(d, c.scale).String(); got != c.ceil {
			t.Errorf("Ceil(%s, %d) = %s, want %s", c.in, c.scale, got, c.ceil)
		}
	}
}

// TestAgainstRationals checks the arithmetic against math/big's rationals, at machine size and beyond.
func TestAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?`)
		a, b := dec(t, text.Draw(t, "a")), dec(t, text.Draw(t, "b"))
		x, _ := new(big.Rat).SetString(a.String())
		y, _ := new(big.Rat).SetString(b.String())
		if got := Cmp(a, b); got != x.Cmp(y) {
			t.Fatalf("Cmp(%s, %s) = %d", a, b, got)
		}
		check := func(name string, got value.Decimal, err error, want *big.Rat) {
			if err != nil {
				t.Fatalf("%s(%s, %s): %v", name, a, b, err)
			}
			if z, _ := new(big.Rat).SetString(got.String()); z.Cmp(want) != 0 {
				t.Fatalf("%s(%s, %s) = %s, want %s", name, a, b, got, want.FloatString(30))
			}
		}
		sum, err := Add(a, b)
		check("Add", sum, err, new(big.Rat).Add(x, y))
		difference, err := Sub(a, b)
		check("Sub", difference, err, new(big.Rat).Sub(x, y))
		product, err := Mul(a, b)
		check("Mul", product, err, new(big.Rat).Mul(x, y))
		check("Neg", Neg(a), nil, new(big.Rat).Neg(x))
		if y.Sign() == 0 {
			if _, err := Quo(a, b); err != ErrZero {
				t.Fatal(err)
			}
			return
		}
		rem, err := Rem(a, b)
		quotient := new(big.Rat).Quo(x, y)
		whole := new(big.Int).Quo(quotient.Num(), quotient.Denom())
		check("Rem", rem, err, new(big.Rat).Sub(x, new(big.Rat).Mul(y, new(big.Rat).SetInt(whole))))
		q, err := Quo(a, b)
		if err != nil {
			t.Fatal(err)
		}
		z, _ := new(big.Rat).SetString(q.String())
		off := new(big.Rat).Sub(z, quotient)
		limit := new(big.Rat).Quo(new(big.Rat).Abs(quotient), new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(33), nil)))
		if off.Abs(off).Cmp(limit) > 0 {
			t.Fatalf("Quo(%s, %s) = %s", a, b, q)
		}
	})
}

func TestQuoIsTidy(t *testing.T) {
	for _, c := range [][3]string{{"10", "4", "2.5"}, {"1", "3", "0.3333333333333333333333333333333333"}, {"2", "3", "0.6666666666666666666666666666666667"}, {"600", "3", "200"}, {"-1", "8", "-0.125"}} {
		if got, err := Quo(dec(t, c[0]), dec(t, c[1])); err != nil || got.String() != c[2] {
			t.Errorf("%s / %s = %s, %v; want %s", c[0], c[1], got, err, c[2])
		}
	}
	if _, err := Pow(dec(t, "99999"), 900); err != ErrDigits {
		t.Errorf("an endless power: %v", err)
	}
	if got, err := Pow(dec(t, "1.1"), 10); err != nil || got.String() != "2.5937424601" {
		t.Errorf("1.1^10 = %s, %v", got, err)
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		d                string
		precision, scale int
		want             bool
	}{
		{"99.99", 4, 2, true}, {"100", 4, 2, false}, {"-99.99", 4, 2, true}, {"0.99", 2, 2, true}, {"1", 2, 2, false}, {"0", 2, 2, true}, {"0.0099", 2, 4, true}, {"0.01", 2, 4, false},
		{"0.0100", 2, 4, false}, {"0", 2, 4, true}, {"0.0000", 2, 4, true}, {"12300", 3, -2, true}, {"123400", 3, -2, false},
	} {
		if got := Fits(dec(t, c.d), c.precision, c.scale); got != c.want {
			t.Errorf("%s in decimal(%d,%d): %v", c.d, c.precision, c.scale, got)
		}
	}
}
