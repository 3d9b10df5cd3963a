package magento

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// What PHP writes as JSON is loose: whole numbers and flags come as texts, an empty object as [], an empty list as null.
// The types here take all of it.

var errLoose = errors.New("another kind of value is expected")

// number is a whole number: 6, "6", true, null, "".
type number int64

func (n *number) UnmarshalJSON(b []byte) error {
	text := strings.TrimSpace(strings.Trim(string(b), `"`))
	switch text {
	case "null", "", "false":
		*n = 0
		return nil
	case "true":
		*n = 1
		return nil
	}
	if i := strings.IndexByte(text, '.'); i > 0 && strings.Trim(text[i+1:], "0") == "" {
		text = text[:i]
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errLoose
	}
	*n = number(v)
	return nil
}

func (n number) text() string { return strconv.FormatInt(int64(n), 10) }

// flag is a truth: true, 1, "1".
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	switch strings.Trim(string(b), `"`) {
	case "null", "", "false", "0":
		*f = false
	case "true", "1":
		*f = true
	default:
		return errLoose
	}
	return nil
}

// loose is a text that may come as a number or as null.
type loose string

func (l *loose) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*l = ""
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*l = loose(s)
	case len(b) > 0 && (b[0] == '{' || b[0] == '['):
		return errLoose
	default:
		*l = loose(b)
	}
	return nil
}

// listOf reads a list: null and nothing are an empty one; an object with numbers for names is one that PHP has lost
// count of.
func listOf[T any](raw json.RawMessage) ([]T, error) {
	b := bytes.TrimSpace(raw)
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	if b[0] != '{' {
		var out []T
		return out, json.Unmarshal(b, &out)
	}
	var out []T
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	for dec.More() {
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
		var item T
		if err := dec.Decode(&item); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

// list is a list within a document, read by listOf.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(b []byte) error {
	out, err := listOf[T](b)
	*l = out
	return err
}

// object is an object within a document, that may come as an empty list; it is nil where it has nothing.
type object[T any] struct{ it *T }

func (o *object[T]) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		if string(b) == "null" || string(b) == "[]" {
			return nil
		}
		return errLoose
	}
	o.it = new(T)
	return json.Unmarshal(b, o.it)
}
