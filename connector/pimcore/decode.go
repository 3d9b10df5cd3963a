package pimcore

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/value"
)

// shape says how a value is made of the JSON that stands at a cursor.
type shape struct {
	op    shapeOp
	keys  []string     // opMember, opObject: members of the JSON object
	subs  []*shape     // what is made of each; opList, opKeyed, opFind: of an item
	slots []int        // opObject: which member of the result each is for
	names *value.Names // opObject
	by    string       // opKeyed, opFind: the member of an item that names it
	find  string       // opFind: the name looked for
	typ   value.Type   // opLeaf
	zone  *time.Location
	cut   string // opLeaf: what is left out at the beginning of a text
}

type shapeOp uint8

const (
	opLeaf   shapeOp = iota
	opMember         // the first of the members that is not null
	opObject         // an object of its members
	opList           // a list of the items
	opKeyed          // an object of the items by their names
	opFind           // the item of a name
)

// dedupe leaves one of equal keys: a union's types read alike.
func (s *shape) dedupe() {
	seen := map[string]bool{}
	var keys []string
	var subs []*shape
	for i, key := range s.keys {
		if !seen[key] {
			keys, subs = append(keys, key), append(subs, s.subs[i])
		}
		seen[key] = true
	}
	s.keys, s.subs = keys, subs
}

// valueError is a value that is not what was declared. The text of the value is not in it (law 12).
type valueError struct{ text string }

func (e *valueError) Error() string { return e.text }

func wrongValue(format string, args ...any) error { return &valueError{fmt.Sprintf(format, args...)} }

// value makes the value at c. With a valueError, c stands anywhere in it; other errors are those of the JSON.
func (s *shape) value(c *cursor) (value.Value, error) {
	if c.null() {
		if s.op == opList || s.op == opLeaf && s.typ.Kind == value.ListType {
			return value.List(), nil // an empty list comes as [] or as null, as it was written last
		}
		return value.Null, nil
	}
	switch s.op {
	case opMember:
		return s.member(c)
	case opObject:
		out := make([]value.Value, s.names.Len())
		err := s.fill(c, out)
		return value.Object(s.names.Fields(out)), err
	case opList:
		return s.list(c)
	case opKeyed:
		return s.keyed(c)
	case opFind:
		return s.found(c)
	}
	return s.leaf(c)
}

func (s *shape) member(c *cursor) (value.Value, error) {
	if c.space() != '{' {
		return value.Null, wrongValue("no object where the path goes on")
	}
	out := value.Null
	err := c.members(func(name string) error {
		for i, key := range s.keys {
			if key == name {
				v, err := s.subs[i].value(c)
				if out.IsNull() {
					out = v
				}
				return err
			}
		}
		return c.skip()
	})
	return out, err
}

// fill sets the members of an object; one member of the JSON may be read for several.
func (s *shape) fill(c *cursor, out []value.Value) error {
	if c.space() != '{' {
		return wrongValue("no object where the path goes on")
	}
	return c.members(func(name string) error {
		from, taken := c.at, false
		for i, key := range s.keys {
			if key != name {
				continue
			}
			c.at, taken = from, true
			v, err := s.subs[i].value(c)
			if err != nil {
				return err
			}
			if out[s.slots[i]].IsNull() {
				out[s.slots[i]] = v
			}
		}
		if taken {
			return nil
		}
		return c.skip()
	})
}

func (s *shape) list(c *cursor) (value.Value, error) {
	if c.space() != '[' {
		return value.Null, wrongValue("no list where one is declared")
	}
	var out []value.Value
	err := c.items(func() error {
		v, err := s.subs[0].value(c)
		switch {
		case err != nil:
			return err
		case v.IsNull():
		case v.Kind() == value.KindList && s.subs[0].nested():
			out = append(out, v.List()...)
		default:
			out = append(out, v)
		}
		return nil
	})
	return value.List(out...), err
}

// nested tells a path with another [] in it.
func (s *shape) nested() bool {
	return s.op == opList || s.op == opMember && len(s.subs) > 0 && s.subs[0].nested()
}

// named reads the name of the item at c and stays before it.
func (s *shape) named(c *cursor) (string, error) {
	from, name := c.at, ""
	if c.space() != '{' {
		return "", wrongValue("no object where the path goes on")
	}
	err := c.members(func(member string) error {
		if member != s.by || c.space() != '"' {
			return c.skip()
		}
		text, err := c.string()
		name = text
		return err
	})
	c.at = from
	return name, err
}

func (s *shape) found(c *cursor) (value.Value, error) {
	if c.space() != '[' {
		return value.Null, wrongValue("no list where one is declared")
	}
	out := value.Null
	err := c.items(func() error {
		name, err := s.named(c)
		if err != nil {
			return err
		}
		if name != s.find || !out.IsNull() {
			return c.skip()
		}
		out, err = s.subs[0].value(c)
		return err
	})
	return out, err
}

func (s *shape) keyed(c *cursor) (value.Value, error) {
	if c.space() != '[' {
		return value.Null, wrongValue("no list where one is declared")
	}
	var names []string
	var values []value.Value
	seen := map[string]bool{}
	err := c.items(func() error {
		name, err := s.named(c)
		if err != nil {
			return err
		}
		if seen[name] {
			return c.skip()
		}
		seen[name] = true
		v, err := s.subs[0].value(c)
		names, values = append(names, name), append(values, v)
		return err
	})
	return value.Object(value.NewNames(names...).Fields(values)), err
}

// leaf makes a value of its declared type.
func (s *shape) leaf(c *cursor) (value.Value, error) {
	switch s.typ.Kind {
	case value.AnyType, value.JSONType, value.ObjectType:
		return c.any()
	case value.ListType:
		return s.leafList(c)
	}
	switch c.space() {
	case '"':
		text, err := c.string()
		if err != nil {
			return value.Null, err
		}
		return s.ofText(strings.TrimPrefix(text, s.cut))
	case 't', 'f':
		word, err := c.word()
		if err != nil {
			return value.Null, err
		}
		return s.ofBool(word == "true")
	case '{', '[':
		return value.Null, wrongValue("an object or a list where a %s is declared", s.typ.Kind)
	}
	text, err := c.number()
	if err != nil {
		return value.Null, err
	}
	return s.ofNumber(text)
}

func (s *shape) leafList(c *cursor) (value.Value, error) {
	item := &shape{op: opLeaf, zone: s.zone, typ: value.Type{}}
	if s.typ.Elem != nil {
		item.typ = *s.typ.Elem
	}
	return (&shape{op: opList, subs: []*shape{item}}).list(c)
}

func (s *shape) ofBool(b bool) (value.Value, error) {
	switch s.typ.Kind {
	case value.BoolType:
		return value.Bool(b), nil
	case value.TextType:
		return value.Text(map[bool]string{true: "true", false: "false"}[b]), nil
	case value.IntType, value.DecimalType, value.FloatType:
		return s.ofNumber(map[bool]string{true: "1", false: "0"}[b])
	}
	return value.Null, wrongValue("a truth where a %s is declared", s.typ.Kind)
}

// any is whatever stands there: whole numbers are ints, others decimals.
func (c *cursor) any() (value.Value, error) {
	text, err := c.span()
	if err != nil {
		return value.Null, err
	}
	return value.ParseJSON(text)
}

func decodeBytes(text string) (value.Value, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return value.Null, wrongValue("a text that is no base64 where bytes are declared")
	}
	return value.Bytes(b), nil
}
