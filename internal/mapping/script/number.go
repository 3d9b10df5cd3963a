package script

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/value"
)

// decimalValue is an exact number as a script sees it.
type decimalValue struct{ d value.Decimal }

func (v decimalValue) String() string        { return v.d.String() }
func (v decimalValue) Type() string          { return "decimal" }
func (v decimalValue) Freeze()               {}
func (v decimalValue) Truth() starlark.Bool  { return decimal.Cmp(v.d, decimal.Int(0)) != 0 }
func (v decimalValue) Hash() (uint32, error) { return starlark.String(v.d.Trim().String()).Hash() }

// Cmp orders decimals.
func (v decimalValue) Cmp(y starlark.Value, _ int) (int, error) {
	return decimal.Cmp(v.d, y.(decimalValue).d), nil
}

// Unary is the sign.
func (v decimalValue) Unary(op syntax.Token) (starlark.Value, error) {
	switch op {
	case syntax.MINUS:
		return decimalValue{decimal.Neg(v.d)}, nil
	case syntax.PLUS:
		return v, nil
	}
	return nil, nil
}

// timeValue is a time as a script sees it; the functions of the house look inside.
type timeValue struct{ t time.Time }

func (v timeValue) String() string        { return v.t.Format(time.RFC3339Nano) }
func (v timeValue) Type() string          { return "time" }
func (v timeValue) Freeze()               {}
func (v timeValue) Truth() starlark.Bool  { return true }
func (v timeValue) Hash() (uint32, error) { return uint32(v.t.UnixNano() ^ v.t.UnixNano()>>32), nil }

// Cmp orders times by instant.
func (v timeValue) Cmp(y starlark.Value, _ int) (int, error) {
	return v.t.Compare(y.(timeValue).t), nil
}

// isNumber tells whether v is a number, and whether it is exact.
func isNumber(v starlark.Value) (number, exact bool) {
	switch v.(type) {
	case starlark.Int, decimalValue:
		return true, true
	case starlark.Float:
		return true, false
	}
	return false, false
}

// exactOf is an exact number as a decimal.
func exactOf(v starlark.Value) value.Decimal {
	if d, ok := v.(decimalValue); ok {
		return d.d
	}
	n := v.(starlark.Int)
	if small, ok := n.Int64(); ok {
		return decimal.Int(small)
	}
	d, err := value.ParseDecimal(n.String())
	if err != nil {
		panic(err) // whole numbers are bounded
	}
	return d
}

func floatOf(v starlark.Value) float64 {
	switch v := v.(type) {
	case starlark.Float:
		return float64(v)
	case starlark.Int:
		return float64(v.Float())
	}
	f, err := strconv.ParseFloat(v.String(), 64)
	if err != nil && !math.IsInf(f, 0) {
		panic(err) // a decimal's text is a number
	}
	return f
}

// calculate is x op y of two numbers: exact, but where one of them is a float.
func calculate(op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	_, a := isNumber(x)
	_, b := isNumber(y)
	m, mOK := x.(starlark.Int)
	n, nOK := y.(starlark.Int)
	switch {
	case !a || !b:
		return starlark.Binary(op, starlark.Float(floatOf(x)), starlark.Float(floatOf(y)))
	case mOK && nOK && op != syntax.SLASH:
		if op == syntax.STAR && bits(m)+bits(n) > maxBits {
			return nil, errTooLong
		}
		v, err := starlark.Binary(op, x, y)
		if k, ok := v.(starlark.Int); ok && bits(k) > maxBits {
			return nil, errTooLong
		}
		return v, err
	}
	p, q := exactOf(x), exactOf(y)
	var d value.Decimal
	var err error
	switch op {
	case syntax.PLUS:
		d, err = decimal.Add(p, q)
	case syntax.MINUS:
		d, err = decimal.Sub(p, q)
	case syntax.STAR:
		d, err = decimal.Mul(p, q)
	case syntax.SLASH:
		d, err = decimal.Quo(p, q)
	default:
		return nil, fmt.Errorf("%s needs whole numbers; see floor(), round() and cut()", op)
	}
	return decimalValue{d}, err
}

var errTooLong = fmt.Errorf("a whole number of more than %d bits", maxBits)

func bits(n starlark.Int) int {
	if _, ok := n.Int64(); ok {
		return 64
	}
	return n.BigInt().BitLen()
}

// order compares two values that have an order; numbers by what they are worth.
func order(x, y starlark.Value) (int, error) {
	p, a := isNumber(x)
	q, b := isNumber(y)
	if p && q && a && b {
		m, mOK := x.(starlark.Int)
		n, nOK := y.(starlark.Int)
		if mOK && nOK {
			return m.Cmp(n, 0)
		}
		return decimal.Cmp(exactOf(x), exactOf(y)), nil
	}
	if p && q {
		f, okF := finite(x)
		g, okG := finite(y)
		if okF && okG {
			return decimal.Cmp(f, g), nil
		}
		x, y = starlark.Float(floatOf(x)), starlark.Float(floatOf(y))
	}
	if less, err := starlark.Compare(syntax.LT, x, y); err != nil || less {
		return -1, err
	}
	if more, err := starlark.Compare(syntax.GT, x, y); err != nil || more {
		return 1, err
	}
	return 0, nil
}

func finite(v starlark.Value) (value.Decimal, bool) {
	if f, ok := v.(starlark.Float); ok {
		return decimal.FromFloat(float64(f))
	}
	return exactOf(v), true
}

var errDeep = errors.New("a value is nested too deeply, or holds itself")

// same tells whether two values are equal: numbers by what they are worth, wherever they stand.
func same(t *starlark.Thread, x, y starlark.Value, depth int) (bool, error) {
	if depth > maxDepth {
		return false, errDeep
	}
	p, _ := isNumber(x)
	q, _ := isNumber(y)
	if p && q {
		f, okF := finite(x)
		g, okG := finite(y)
		if okF && okG {
			return decimal.Cmp(f, g) == 0, nil
		}
		return floatOf(x) == floatOf(y), nil
	}
	if x.Type() != y.Type() {
		return false, nil
	}
	switch x := x.(type) {
	case starlark.String:
		if len(x) != len(y.(starlark.String)) {
			return false, nil
		}
		return x == y.(starlark.String), work(t, len(x)>>8)
	case starlark.Bytes:
		return x == y.(starlark.Bytes), work(t, len(x)>>8)
	case starlark.Indexable:
		z, ok := y.(starlark.Indexable)
		if !ok || x.Len() != z.Len() {
			return false, nil
		}
		if err := work(t, x.Len()); err != nil {
			return false, err
		}
		for i := range x.Len() {
			if eq, err := same(t, x.Index(i), z.Index(i), depth+1); err != nil || !eq {
				return false, err
			}
		}
		return true, nil
	case *starlark.Dict:
		return sameDict(t, x, y.(*starlark.Dict), depth)
	}
	return starlark.Equal(x, y)
}

func sameDict(t *starlark.Thread, x, y *starlark.Dict, depth int) (bool, error) {
	if x.Len() != y.Len() {
		return false, nil
	}
	if err := work(t, x.Len()); err != nil {
		return false, err
	}
	for k, v := range x.Entries() {
		w, found, err := y.Get(k)
		if err != nil || !found {
			return false, err
		}
		if eq, err := same(t, v, w, depth+1); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}
