package mapping

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/value"
)

// failure is how code gives up on a record; Worker.Map turns it into a fault.
type failure struct{ text string }

func (w *Worker) fail(format string, args ...any) {
	panic(failure{fmt.Sprintf(format, args...)})
}

// truth is v as a condition.
func (w *Worker) truth(v value.Value, text string) bool {
	if v.Kind() != value.KindBool {
		w.fail("%s is %s where a truth is needed", text, a(v))
	}
	return v.Bool()
}

// a names the kind of a value for a message; never the value (law 12).
func a(v value.Value) string {
	if v.IsNull() {
		return "null"
	}
	return "a " + classOf(v).String()
}

func (w *Worker) number(v value.Value, op, text string) value.Value {
	if classOf(v)&isNumber == 0 {
		w.fail("%s is %s where %s needs a number", text, a(v), op)
	}
	return v
}

func (w *Worker) negate(v value.Value) value.Value {
	switch v.Kind() {
	case value.KindFloat:
		return value.Float(-v.Float())
	case value.KindInt:
		if n := v.Int(); n != math.MinInt64 {
			return value.Int(-n)
		}
	}
	return value.FromDecimal(decimal.Neg(w.exact(v)))
}

// exact is an exact number as a decimal; a float by its shortest text.
func (w *Worker) exact(v value.Value) value.Decimal {
	switch v.Kind() {
	case value.KindInt:
		return decimal.Int(v.Int())
	case value.KindDecimal:
		return v.Decimal()
	case value.KindFloat:
		if d, ok := decimal.FromFloat(v.Float()); ok {
			return d
		}
		w.fail("NaN and infinity are no decimals")
	}
	w.fail("%s where a number is needed", a(v))
	return value.Decimal{}
}

func double(v value.Value) float64 {
	switch v.Kind() {
	case value.KindFloat:
		return v.Float()
	case value.KindInt:
		return float64(v.Int())
	}
	f, err := strconv.ParseFloat(v.Decimal().String(), 64)
	if err != nil && !math.IsInf(f, 0) { // out of range is infinite
		panic(err) // a decimal's text is a number
	}
	return f
}

// calculate is x op y for + - * / % ** ^. Whole numbers and decimals are exact; with a float on either side it is
// done in floats.
func (w *Worker) calculate(op string, x, y value.Value, left, right string) value.Value {
	w.step()
	k, l := x.Kind(), y.Kind()
	if k == value.KindText && l == value.KindText && op == "+" {
		return w.text(x.Text() + w.room(y.Text(), len(x.Text())))
	}
	w.number(x, op, left)
	w.number(y, op, right)
	if k == value.KindFloat || l == value.KindFloat {
		return value.Float(floats(op, double(x), double(y)))
	}
	if k == value.KindInt && l == value.KindInt {
		if n, ok := ints(op, x.Int(), y.Int()); ok {
			return value.Int(n)
		}
	}
	if op == "**" || op == "^" {
		return w.power(x, y)
	}
	d, err := decimals(op, w.exact(x), w.exact(y))
	if err != nil {
		w.fail("%s %s %s: %v", left, op, right, err)
	}
	return whole(d, k == value.KindInt && l == value.KindInt && op != "/")
}

// whole is d as an int where that is asked for and possible.
func whole(d value.Decimal, asInt bool) value.Value {
	if asInt {
		if v, err := value.ParseJSON(d.String()); err == nil {
			return v
		}
	}
	return value.FromDecimal(d)
}

func floats(op string, x, y float64) float64 {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "%":
		return math.Mod(x, y)
	}
	return math.Pow(x, y)
}

// ints is the fast way; false where the result may not fit or is no whole number.
func ints(op string, x, y int64) (int64, bool) {
	switch op {
	case "+":
		s := x + y
		return s, (s > x) == (y > 0)
	case "-":
		s := x - y
		return s, (s < x) == (y > 0)
	case "*":
		if const31 := int64(1) << 31; x < const31 && x > -const31 && y < const31 && y > -const31 {
			return x * y, true
		}
	case "%":
		if y != 0 && y != -1 {
			return x % y, true
		}
	}
	return 0, false
}

func decimals(op string, x, y value.Decimal) (value.Decimal, error) {
	switch op {
	case "+":
		return decimal.Add(x, y)
	case "-":
		return decimal.Sub(x, y)
	case "*":
		return decimal.Mul(x, y)
	case "%":
		return decimal.Rem(x, y)
	}
	return decimal.Quo(x, y)
}

func (w *Worker) power(x, y value.Value) value.Value {
	if y.Kind() != value.KindInt || y.Int() < -decimal.MaxDigits || y.Int() > decimal.MaxDigits {
		w.fail("the exponent must be a whole number between -%d and %d", decimal.MaxDigits, decimal.MaxDigits)
	}
	n := int(y.Int())
	d, err := decimal.Pow(w.exact(x), max(n, -n))
	if err == nil && n < 0 {
		d, err = decimal.Quo(decimal.Int(1), d)
	}
	if err != nil {
		w.fail("%v", err)
	}
	return whole(d, x.Kind() == value.KindInt && n >= 0)
}

// same tells whether two values are equal: numbers by what they are worth, times by instant, lists item by item.
func same(x, y value.Value) bool {
	k, l := classOf(x), classOf(y)
	if k&isNumber != 0 && l&isNumber != 0 {
		c, ok := compareNumbers(x, y)
		return ok && c == 0
	}
	if k != l {
		return false
	}
	switch k {
	case isList:
		p, q := x.List(), y.List()
		if len(p) != len(q) {
			return false
		}
		for i := range p {
			if !same(p[i], q[i]) {
				return false
			}
		}
		return true
	case isObject:
		p, q := x.Object(), y.Object()
		if p.Len() != q.Len() {
			return false
		}
		for name, v := range p.All() {
			if other, ok := q.Get(name); !ok || !same(v, other) {
				return false
			}
		}
		return true
	}
	return value.Equal(x, y)
}

// compareNumbers is false with NaN.
func compareNumbers(x, y value.Value) (int, bool) {
	if x.Kind() == value.KindInt && y.Kind() == value.KindInt {
		return compare(x.Int(), y.Int()), true
	}
	p, ok := finite(x)
	q, ok2 := finite(y)
	if ok && ok2 {
		return decimal.Cmp(p, q), true
	}
	f, g := double(x), double(y)
	return compare(f, g), !math.IsNaN(f) && !math.IsNaN(g)
}

func finite(v value.Value) (value.Decimal, bool) {
	switch v.Kind() {
	case value.KindInt:
		return decimal.Int(v.Int()), true
	case value.KindDecimal:
		return v.Decimal(), true
	}
	return decimal.FromFloat(v.Float())
}

func compare[T int64 | float64 | string](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// order compares two numbers, two texts (byte by byte) or two times; false where they have no order.
func order(x, y value.Value) (int, bool) {
	k, l := classOf(x), classOf(y)
	switch {
	case k&isNumber != 0 && l&isNumber != 0:
		return compareNumbers(x, y)
	case k != l:
		return 0, false
	case k == isText:
		return strings.Compare(x.Text(), y.Text()), true
	case k == isTime:
		return x.Time().Compare(y.Time()), true
	case k == isBytes:
		return bytes.Compare(x.Bytes(), y.Bytes()), true
	}
	return 0, false
}

func (w *Worker) ordered(op string, x, y value.Value, left, right string) bool {
	c, ok := order(x, y)
	if !ok {
		if classOf(x)&classOf(y)&isFloat != 0 || (classOf(x)|classOf(y))&^isNumber == 0 {
			return false // NaN is neither below nor above anything
		}
		w.fail("%s compares %s, which is %s, with %s, which is %s", op, left, a(x), right, a(y))
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}
