package pimcore

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// cursor reads a JSON text once, from left to right, without making a tree of it. What it hands out shares the text's
// memory where it can.
type cursor struct {
	text  string
	at    int
	depth int
}

var errJSON = errors.New("not JSON")

// maxDepth bounds how deep an answer may nest.
const maxDepth = 100

// space skips blanks and says what stands there: 0 at the end.
func (c *cursor) space() byte {
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return b
		}
	}
	return 0
}

// take takes b if it comes next.
func (c *cursor) take(b byte) bool {
	if c.space() == b {
		c.at++
		return true
	}
	return false
}

// null takes a null if it comes next.
func (c *cursor) null() bool {
	if c.space() == 'n' && strings.HasPrefix(c.text[c.at:], "null") {
		c.at += 4
		return true
	}
	return false
}

// end is an error where anything is left.
func (c *cursor) end() error {
	if c.space() != 0 || c.at < len(c.text) {
		return errJSON
	}
	return nil
}

func (c *cursor) enter() error {
	if c.depth++; c.depth > maxDepth {
		return errJSON
	}
	return nil
}

// members calls fn at the value of each member of an object; fn must take it.
func (c *cursor) members(fn func(name string) error) error {
	if !c.take('{') {
		return errJSON
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer func() { c.depth-- }()
	if c.take('}') {
		return nil
	}
	for {
		name, err := c.string()
		if err != nil {
			return err
		}
		if !c.take(':') {
			return errJSON
		}
		if err := fn(name); err != nil {
			return err
		}
		if c.take('}') {
			return nil
		}
		if !c.take(',') {
			return errJSON
		}
	}
}

// items calls fn at each item of a list; fn must take it.
func (c *cursor) items(fn func() error) error {
	if !c.take('[') {
		return errJSON
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer func() { c.depth-- }()
	if c.take(']') {
		return nil
	}
	for {
		if err := fn(); err != nil {
			return err
		}
		if c.take(']') {
			return nil
		}
		if !c.take(',') {
			return errJSON
		}
	}
}

// string takes a text. The whole answer is known to be UTF-8.
func (c *cursor) string() (string, error) {
	if !c.take('"') {
		return "", errJSON
	}
	from := c.at
	end := strings.IndexByte(c.text[from:], '"')
	if end < 0 {
		return "", errJSON
	}
	s := c.text[from : from+end]
	if i := strings.IndexByte(s, '\\'); i >= 0 {
		c.at = from + i
		return c.escaped(from)
	}
	c.at = from + end + 1
	return s, nil
}

// escaped goes on with a text in which something is escaped: PHP escapes every slash, and signs of HTML.
func (c *cursor) escaped(from int) (string, error) {
	var b strings.Builder
	b.Grow(c.at - from + 32)
	b.WriteString(c.text[from:c.at])
	for c.at < len(c.text) {
		switch char := c.text[c.at]; {
		case char == '"':
			c.at++
			return b.String(), nil
		case char != '\\':
			run := c.at
			for c.at < len(c.text) && c.text[c.at] != '"' && c.text[c.at] != '\\' {
				c.at++
			}
			b.WriteString(c.text[run:c.at])
		default:
			if err := c.escape(&b); err != nil {
				return "", err
			}
		}
	}
	return "", errJSON
}

func (c *cursor) escape(b *strings.Builder) error {
	if c.at+1 >= len(c.text) {
		return errJSON
	}
	char := c.text[c.at+1]
	c.at += 2
	switch char {
	case '"', '\\', '/':
		b.WriteByte(char)
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'u':
		r, err := c.hex()
		if err != nil {
			return err
		}
		if utf16.IsSurrogate(r) {
			low := rune(-1)
			if strings.HasPrefix(c.text[c.at:], `\u`) {
				c.at += 2
				if low, err = c.hex(); err != nil {
					return err
				}
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return errJSON
			}
		}
		b.WriteRune(r)
	default:
		return errJSON
	}
	return nil
}

func (c *cursor) hex() (rune, error) {
	if c.at+4 > len(c.text) {
		return 0, errJSON
	}
	n, err := strconv.ParseUint(c.text[c.at:c.at+4], 16, 16)
	c.at += 4
	return rune(n), err
}

// number takes a number as its text; whether it is one shows when it is read.
func (c *cursor) number() (string, error) {
	b := c.space()
	if b != '-' && (b < '0' || b > '9') {
		return "", errJSON
	}
	from := c.at
	for c.at < len(c.text) {
		switch b := c.text[c.at]; {
		case b >= '0' && b <= '9', b == '-', b == '+', b == '.', b == 'e', b == 'E':
			c.at++
			continue
		}
		break
	}
	return c.text[from:c.at], nil
}

// word takes true, false or null.
func (c *cursor) word() (string, error) {
	c.space()
	for _, w := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(c.text[c.at:], w) {
			c.at += len(w)
			return w, nil
		}
	}
	return "", errJSON
}

// skip takes a value of any kind.
func (c *cursor) skip() error {
	switch c.space() {
	case '{':
		return c.members(func(string) error { return c.skip() })
	case '[':
		return c.items(c.skip)
	case '"':
		return c.skipString()
	case 't', 'f', 'n':
		_, err := c.word()
		return err
	}
	_, err := c.number()
	return err
}

// skipString takes a text without making it: up to the next quote that no odd number of backslashes stands before.
func (c *cursor) skipString() error {
	c.at++
	for {
		i := strings.IndexByte(c.text[c.at:], '"')
		if i < 0 {
			return errJSON
		}
		c.at += i + 1
		slashes := 0
		for c.text[c.at-2-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return nil
		}
	}
}

// span takes a value of any kind and gives its text.
func (c *cursor) span() (string, error) {
	c.space()
	from := c.at
	if err := c.skip(); err != nil {
		return "", err
	}
	return c.text[from:c.at], nil
}
