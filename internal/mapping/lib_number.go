package mapping

import (
	"math"
	"strings"

	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/value"
)

var (
	oneNumber = []param{{name: "x", class: isNumber}}
	scaled    = []param{{name: "x", class: isNumber}, {name: "digits", class: isInt, optional: true}}
	converted = []param{{name: "x", class: isNumber | isText | isBool}}
)

var numberFunctions = []function{
	{"round", "numbers", "round(x) or round(x, digits)", "half away from zero, to so many digits behind the point (none; -2 is hundreds)", `round(2.345 * 100, 0)`, `235`,
		scaled, sameNumber, false, rounding(decimal.Round)},
	{"floor", "numbers", "floor(x) or floor(x, digits)", "down", `floor(-2.31, 1)`, `-2.4`, scaled, sameNumber, false, rounding(decimal.Floor)},
	{"ceil", "numbers", "ceil(x) or ceil(x, digits)", "up", `ceil(2.01)`, `3`, scaled, sameNumber, false, rounding(decimal.Ceil)},
	{"cut", "numbers", "cut(x) or cut(x, digits)", "towards zero", `cut(-2.39, 1)`, `-2.3`, scaled, sameNumber, false, rounding(decimal.Cut)},
	{"abs", "numbers", "abs(x)", "without its sign", `abs(-2.5)`, `2.5`, oneNumber, sameNumber, false,
		func(w *Worker, a []value.Value) value.Value {
			if c, ok := compareNumbers(a[0], value.Int(0)); ok && c < 0 {
				return w.negate(a[0])
			}
			return a[0]
		}},
	{"min", "numbers", "min(a, b, …) or min(list)", "the least of numbers, texts or times; nulls are left out", `min(3, 2.5)`, `2.5`, manyOf, extremeOf, true, extreme(-1)},
	{"max", "numbers", "max(a, b, …) or max(list)", "the greatest", `max([3, 7, 5])`, `7`, manyOf, extremeOf, true, extreme(1)},
	{"int", "numbers", "int(x)", "a whole number from a number or a text; a fraction or anything else is an error (see round, cut)", `int("42")`, `42`, converted, gives(isExact), false, toInt},
	{"decimal", "numbers", "decimal(x)", "an exact number from a number or a text", `decimal("0.10") * 3`, `0.30`, converted, gives(isDecimal), false,
		func(w *Worker, a []value.Value) value.Value { return value.FromDecimal(w.toDecimal(a[0], "decimal")) }},
	{"float", "numbers", "float(x)", "a 64-bit float from a number or a text", `float("0.5")`, `0.5`, converted, gives(isFloat), false,
		func(w *Worker, a []value.Value) value.Value {
			if a[0].Kind() == value.KindFloat {
				return a[0]
			}
			return value.Float(double(value.FromDecimal(w.toDecimal(a[0], "float"))))
		}},
	{"formatNumber", "numbers", `formatNumber(x, digits) or formatNumber(x, digits, point, group)`, "a text with so many digits behind the point, rounded; with a decimal point and a separator of thousands", `formatNumber(1234.5, 2, ",", ".")`, `"1.234,50"`,
		[]param{{name: "x", class: isNumber}, {name: "digits", class: isInt}, {name: "point", class: isText, optional: true}, {name: "group", class: isText, optional: true}}, gives(isText), false, formatNumber},
}

var manyOf = []param{{name: "values", class: isNull | isNumber | isText | isTime | isList, many: true}}

func sameNumber(args []static) static { return of(args[0].class & isNumber) }

func extremeOf(args []static) static {
	if len(args) == 1 && args[0].class&isList != 0 {
		return args[0].item()
	}
	s := args[0]
	for _, t := range args[1:] {
		s = join(s, t)
	}
	return s
}

// rounding works on exact numbers exactly; a float goes by its shortest text and stays a float.
func rounding(f func(value.Decimal, int) value.Decimal) func(*Worker, []value.Value) value.Value {
	return func(w *Worker, a []value.Value) value.Value {
		digits := int64(0)
		if len(a) > 1 {
			digits = a[1].Int()
		}
		if digits < -decimal.MaxDigits || digits > decimal.MaxDigits {
			w.fail("digits must be between -%d and %d", decimal.MaxDigits, decimal.MaxDigits)
		}
		switch x := a[0]; x.Kind() {
		case value.KindInt:
			if digits >= 0 {
				return x
			}
			return whole(f(decimal.Int(x.Int()), int(digits)), true)
		case value.KindFloat:
			d, ok := decimal.FromFloat(x.Float())
			if !ok {
				return x
			}
			return value.Float(double(value.FromDecimal(f(d, int(digits)))))
		default:
			return value.FromDecimal(f(x.Decimal(), int(digits)))
		}
	}
}

func extreme(want int) func(*Worker, []value.Value) value.Value {
	return func(w *Worker, a []value.Value) value.Value {
		if len(a) == 1 && a[0].Kind() == value.KindList {
			a = a[0].List()
		}
		best := value.Null
		for _, v := range a {
			w.step()
			if v.IsNull() {
				continue
			}
			if best.IsNull() {
				best = v
				continue
			}
			c, ok := order(v, best)
			if !ok {
				w.fail("values that have no order: %s and %s", classOf(v), classOf(best))
			}
			if c == want {
				best = v
			}
		}
		return best
	}
}

// toDecimal takes a number, a truth (1 or 0) or a text that is a number.
func (w *Worker) toDecimal(v value.Value, what string) value.Decimal {
	switch v.Kind() {
	case value.KindBool:
		return decimal.Int(boolInt(v.Bool()))
	case value.KindText:
		d, err := value.ParseDecimal(strings.TrimSpace(v.Text()))
		if err != nil {
			w.fail("%s: the text is no number", what)
		}
		return d
	}
	return w.exact(v)
}

func toInt(w *Worker, a []value.Value) value.Value {
	if a[0].Kind() == value.KindInt {
		return a[0]
	}
	d := w.toDecimal(a[0], "int")
	if !decimal.IsWhole(d) {
		w.fail("int: the number has a fraction; use round() or cut() first")
	}
	return whole(d.Trim(), true)
}

func formatNumber(w *Worker, a []value.Value) value.Value {
	digits := a[1].Int()
	if digits < 0 || digits > 100 {
		w.fail("formatNumber: digits must be between 0 and 100")
	}
	if a[0].Kind() == value.KindFloat && (math.IsNaN(a[0].Float()) || math.IsInf(a[0].Float(), 0)) {
		w.fail("formatNumber: NaN and infinity have no digits")
	}
	point, group := ".", ""
	if len(a) > 2 {
		point = a[2].Text()
	}
	if len(a) > 3 {
		group = a[3].Text()
	}
	d := decimal.Round(w.exact(a[0]), int(digits))
	text, negative := strings.CutPrefix(d.String(), "-")
	before, after, _ := strings.Cut(text, ".")
	w.room("", len(before)*(1+len(group))+len(point)+int(digits))
	var b strings.Builder
	if negative {
		b.WriteByte('-')
	}
	for i, c := range []byte(before) {
		if i > 0 && (len(before)-i)%3 == 0 {
			b.WriteString(group)
		}
		b.WriteByte(c)
	}
	if digits > 0 {
		b.WriteString(point)
		b.WriteString(after)
		b.WriteString(strings.Repeat("0", int(digits)-len(after)))
	}
	return w.text(b.String())
}
