package magento

import (
	"net/http"
	"strconv"
	"strings"
)

// matcher is a condition made ready: ok is false for a value that is not there.
type matcher func(v string, ok bool) bool

// collation is how a column compares.
type collation uint8

const (
	byText   collation = iota // without regard to case
	byNumber                  // integers and decimals
	byBytes                   // dates, which are all of one form
)

func (k collation) order() func(a, b string) int {
	return [...]func(a, b string) int{textOrder, numberOrder, strings.Compare}[k]
}

// match makes a condition ready for a column or attribute. What it does not know it takes for eq, as the real one does.
func (c condition) match(k collation) (matcher, error) {
	compare := k.order()
	switch c.op {
	case "is":
		return nil, internalError("0000000000001")
	case "moreq", "nfinset":
		return func(string, bool) bool { return false }, nil
	case "null":
		return func(_ string, ok bool) bool { return !ok }, nil
	case "notnull":
		return func(_ string, ok bool) bool { return ok }, nil
	case "gt":
		return func(v string, ok bool) bool { return ok && compare(v, c.value) > 0 }, nil
	case "gteq", "from":
		return func(v string, ok bool) bool { return ok && compare(v, c.value) >= 0 }, nil
	case "lt":
		return func(v string, ok bool) bool { return ok && compare(v, c.value) < 0 }, nil
	case "lteq", "to":
		return func(v string, ok bool) bool { return ok && compare(v, c.value) <= 0 }, nil
	case "neq":
		return func(v string, ok bool) bool { return ok && compare(v, c.value) != 0 }, nil
	case "in", "nin":
		return among(c.value, c.op == "in", k), nil
	case "like", "nlike":
		pattern, want := []rune(strings.ToLower(c.value)), c.op == "like"
		return func(v string, ok bool) bool { return ok && like([]rune(strings.ToLower(v)), pattern) == want }, nil
	case "finset":
		want := strings.ToLower(c.value)
		return func(v string, ok bool) bool {
			for part := range strings.SplitSeq(strings.ToLower(v), ",") {
				if ok && part == want {
					return true
				}
			}
			return false
		}, nil
	}
	return func(v string, ok bool) bool { return ok && compare(v, c.value) == 0 }, nil
}

func among(list string, want bool, k collation) matcher {
	set := map[string]bool{}
	for part := range strings.SplitSeq(list, ",") {
		set[folded(part, k)] = true
	}
	return func(v string, ok bool) bool { return ok && set[folded(v, k)] == want }
}

func folded(s string, k collation) string {
	if k == byNumber {
		return strconv.FormatFloat(asNumber(s), 'f', -1, 64)
	}
	return foldSKU(s)
}

func textOrder(a, b string) int { return strings.Compare(foldSKU(a), foldSKU(b)) }

func numberOrder(a, b string) int {
	x, y := asNumber(a), asNumber(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// like is SQL's: % for any characters, _ for one.
func like(s, pattern []rune) bool {
	i, j, star, back := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '%':
			star, back = j, i
			j++
		case j < len(pattern) && (pattern[j] == '_' || pattern[j] == s[i]):
			i++
			j++
		case star >= 0:
			back++
			i, j = back, star+1
		default:
			return false
		}
	}
	for j < len(pattern) && pattern[j] == '%' {
		j++
	}
	return j == len(pattern)
}

func unknownField(name string) error {
	return fail(http.StatusBadRequest, `The "%1" attribute name is invalid. Reset the name and try again.`, name)
}

// among are the values of an eq or in.
func (c condition) among() []string {
	if c.op == "in" {
		return strings.Split(c.value, ",")
	}
	return []string{c.value}
}
