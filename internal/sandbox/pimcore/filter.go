package pimcore

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// condition is a compiled filter. A condition that the database would refuse is broken: the listing's object still
// comes, its totalCount and edges fail.
type condition struct {
	match  func(o *object) bool
	broken bool
}

// filterDepth bounds what is nested.
const filterDepth = 64

// pair is a member of a JSON object; PHP keeps their order, and so does the text of the SQL.
type pair struct {
	name  string
	value any
}

type members []pair

// decodeFilter reads the JSON text, members in order, numbers as text.
func decodeFilter(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more behind the end")
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	if depth > filterDepth {
		return nil, errors.New("too deep")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		var m members
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			m = append(m, pair{name.(string), v})
		}
		_, err = d.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

// falsy is PHP's idea of it, which an object never is.
func falsy(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || v == "0"
	case json.Number:
		f, err := v.Float64()
		return err == nil && f == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// filter compiles the argument.
func (s *Server) filter(c *class, text, language string) (condition, error) {
	v, err := decodeFilter(text)
	if err != nil || falsy(v) {
		return condition{}, told("unable to decode filter")
	}
	b := filterBuilder{s: s, class: c, language: language}
	switch v := v.(type) {
	case members:
		return b.group(v, false)
	case []any:
		return b.list(v, false)
	}
	return condition{}, errInternal
}

type filterBuilder struct {
	s        *Server
	class    *class
	language string
}

// group joins the members of an object. The joint is handed down: inside $or everything is ORed, members of one object
// and operators of one column too.
func (b filterBuilder) group(m members, or bool) (condition, error) {
	if len(m) == 0 {
		return condition{broken: true}, nil // "WHERE ()"
	}
	var parts []condition
	for _, p := range m {
		part, err := b.member(p, or)
		if err != nil {
			return condition{}, err
		}
		parts = append(parts, part)
	}
	return join(parts, or), nil
}

func (b filterBuilder) member(p pair, or bool) (condition, error) {
	switch strings.ToLower(p.name) {
	case "$and", "$or":
		or = strings.EqualFold(p.name, "$or")
		switch v := p.value.(type) {
		case []any:
			return b.list(v, or)
		case members:
			return b.group(v, or)
		}
		return condition{}, errInternal
	}
	switch v := p.value.(type) {
	case []any:
		return condition{}, errInternal
	case members:
		var parts []condition
		for _, op := range v {
			part, err := b.operator(p.name, op)
			if err != nil {
				return condition{}, err
			}
			parts = append(parts, part)
		}
		if len(parts) == 0 {
			return condition{broken: true}, nil
		}
		return join(parts, or), nil
	}
	return b.compare(p.name, "=", p.value)
}

func (b filterBuilder) list(items []any, or bool) (condition, error) {
	if len(items) == 0 {
		return condition{broken: true}, nil
	}
	var parts []condition
	for _, item := range items {
		var part condition
		var err error
		switch v := item.(type) {
		case members:
			part, err = b.group(v, or)
		case []any:
			part, err = b.list(v, or)
		default:
			err = errInternal
		}
		if err != nil {
			return condition{}, err
		}
		parts = append(parts, part)
	}
	return join(parts, or), nil
}

func (b filterBuilder) operator(column string, op pair) (condition, error) {
	switch op.value.(type) {
	case []any, members:
		return condition{}, errInternal // quoting a list
	}
	switch name := strings.ToLower(op.name); name {
	case "$gt", "$gte", "$lt", "$lte", "$like", "$notlike", "$not":
		return b.compare(column, name, op.value)
	}
	return condition{broken: true}, nil // $notnull and all that is unknown: SQL that the database refuses
}

// compare is one comparison of a column with a constant.
func (b filterBuilder) compare(column, op string, constant any) (condition, error) {
	if b.s.conf().Version >= 12 {
		switch constant.(type) {
		case json.Number, bool:
			return condition{}, errInternal // its database layer quotes texts only
		}
	}
	fn, brick := b.s.column(b.class, column, b.language)
	if fn == nil || brick && op != "=" && op != "$not" {
		return condition{broken: true}, nil
	}
	if constant == nil {
		switch op {
		case "=":
			return condition{match: func(o *object) bool { return fn(o).null }}, nil
		case "$not":
			return condition{match: func(o *object) bool { return !fn(o).null }}, nil
		}
		return condition{match: func(*object) bool { return false }}, nil
	}
	text := constantText(constant)
	if op == "$like" || op == "$notlike" {
		like := op == "$like"
		return condition{match: func(o *object) bool {
			c := fn(o)
			return !c.null && matchLike(c.asText(), text, c.binary) == like
		}}, nil
	}
	number := leadingNumber(text)
	return condition{match: func(o *object) bool {
		c := fn(o)
		return !c.null && holds(op, c.compare(cell{text: text, num: number}))
	}}, nil
}

func holds(op string, n int) bool {
	switch op {
	case "=":
		return n == 0
	case "$not":
		return n != 0
	case "$gt":
		return n > 0
	case "$gte":
		return n >= 0
	case "$lt":
		return n < 0
	}
	return n <= 0
}

func constantText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "1"
		}
	}
	return ""
}

// leadingNumber is a text in a comparison with a number: as much of it as is one, else 0.
func leadingNumber(s string) float64 {
	s = strings.TrimSpace(s)
	for n := len(s); n > 0; n-- {
		if f, err := strconv.ParseFloat(s[:n], 64); err == nil {
			return f
		}
	}
	return 0
}

func (c cell) asText() string {
	if c.numeric {
		return strconv.FormatFloat(c.num, 'f', -1, 64)
	}
	return c.text
}

func join(parts []condition, or bool) condition {
	for _, p := range parts {
		if p.broken {
			return condition{broken: true}
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return condition{match: func(o *object) bool {
		for _, p := range parts {
			if p.match(o) == or {
				return or
			}
		}
		return !or
	}}
}

// matchLike is SQL's LIKE: % any text, _ one character, \ takes the next one as it is.
func matchLike(s, pattern string, binary bool) bool {
	if !binary {
		s, pattern = strings.ToLower(s), strings.ToLower(pattern)
	}
	return likeAt([]byte(s), []byte(pattern))
}

func likeAt(s, p []byte) bool {
	var back, from = -1, 0
	for i, j := 0, 0; ; {
		switch {
		case j < len(p) && p[j] == '%':
			back, from, j = j, i, j+1
			continue
		case i == len(s):
			return len(bytes.Trim(p[j:], "%")) == 0
		case j < len(p) && p[j] == '\\' && j+1 < len(p) && p[j+1] == s[i]:
			i, j = i+1, j+2
			continue
		case j < len(p) && (p[j] == '_' || p[j] == s[i]) && p[j] != '\\':
			i, j = i+1, j+1
			continue
		}
		if back < 0 {
			return false
		}
		from++
		i, j = from, back+1
	}
}
