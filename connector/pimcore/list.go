package pimcore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// row is an object as it was read.
type row struct {
	id     string
	date   string // modificationDate as it stands in the answer: seconds
	change lockstep.Change
	size   int
	ends   []int // of each relation of the plan: how many ends it showed
}

// listed is a page of a listing.
type listed struct {
	rows  []row
	total int // -1 where it was not asked for
	clock time.Time
	room  []value.Value // of which the rows' values are made
}

// values are a row's, of room for several.
func (l *listed) values(width, rows int) []value.Value {
	if len(l.room) < width {
		l.room = make([]value.Value, width*rows)
	}
	out := l.room[:width:width]
	l.room = l.room[width:]
	return out
}

// list reads a page.
func (s *System) list(ctx context.Context, p *plan, name string, l listing) (*listed, error) {
	d := p.document(name, l)
	a, err := s.client.post(ctx, d)
	if err != nil {
		return nil, err
	}
	if len(a.errors) > 0 {
		return nil, s.checked(pageFault(d, a.errors))
	}
	out, err := p.read(a.data, "get"+upper(p.class.name)+"Listing", l.first)
	if err != nil {
		return nil, lockstep.Faultf(lockstep.CodeServer, "half an answer: %w", err).On(lockstep.About{Stream: p.class.name, Request: d.name})
	}
	out.clock = a.clock
	return out, nil
}

// checked forgets the schema where an answer says that it is not as it was.
func (s *System) checked(err error) error {
	if f := lockstep.FaultOf(err); f.Code == lockstep.CodeDrift {
		s.forget()
	}
	return err
}

var (
	errHalf = errors.New("a list of objects is missing")
	errNoID = errors.New("an object without its id or its date")
)

// read reads the data of a listing's answer.
func (p *plan) read(data, root string, about int) (*listed, error) {
	c := &cursor{text: data}
	out := &listed{total: -1}
	found := false
	err := c.members(func(name string) error {
		if name != root || c.space() != '{' {
			return c.skip()
		}
		return c.members(func(name string) error {
			switch name {
			case "totalCount":
				text, err := c.number()
				if err == nil {
					out.total, err = strconv.Atoi(text)
				}
				return err
			case "edges":
				found = true
				return c.items(func() error { return p.edge(c, out, about) })
			}
			return c.skip()
		})
	})
	if err == nil && !found {
		err = errHalf
	}
	return out, err
}

func (p *plan) edge(c *cursor, out *listed, about int) error {
	return c.members(func(name string) error {
		if name != "node" {
			return c.skip()
		}
		if c.null() {
			return errHalf
		}
		if out.rows == nil {
			out.rows = make([]row, 0, about)
		}
		r, err := p.row(c, out.values(len(p.fields), max(1, about)))
		out.rows = append(out.rows, r)
		return err
	})
}

// row reads an object. A value that is not what was declared is the fault of this record alone.
func (p *plan) row(c *cursor, values []value.Value) (row, error) {
	r := row{}
	if len(p.relations) > 0 {
		r.ends = make([]int, len(p.relations))
	}
	var fault *lockstep.Fault
	var key, gone value.Value
	start := c.at
	err := c.members(func(name string) error {
		from, taken := c.at, false
		read := func(f *field, into *value.Value) error {
			c.at = from
			v, err := f.read.under(name, c)
			if bad, ok := errors.AsType[*valueError](err); ok {
				c.at = from
				if fault == nil {
					fault = lockstep.Faultf(lockstep.CodeValue, "%w", bad).On(lockstep.About{Stream: p.class.name, Field: f.name})
				}
				return c.skip()
			}
			taken = true
			if into.IsNull() {
				*into = v
			}
			return err
		}
		var err error
		switch name {
		case idField:
			r.id, err = c.scalar()
			taken = true
		case modifiedField:
			if r.date, err = c.scalar(); r.date == "" {
				r.date = "0" // nobody ever stamped it
			}
			taken = true
		}
		if err != nil {
			return err
		}
		for _, i := range p.at[name] {
			if err := read(p.fields[i], &values[i]); err != nil {
				return err
			}
		}
		if p.key != nil && p.key.read.has(name) {
			if err := read(p.key, &key); err != nil {
				return err
			}
		}
		if p.gone != nil && p.gone.read.has(name) {
			if err := read(p.gone, &gone); err != nil {
				return err
			}
		}
		for i := range p.relations {
			if p.relations[i].key == name {
				c.at, taken = from, true
				if r.ends[i], err = c.count(); err != nil {
					return err
				}
			}
		}
		if taken || c.at != from {
			return nil
		}
		return c.skip()
	})
	if err != nil {
		return r, err
	}
	at, err := strconv.ParseInt(r.date, 10, 64)
	if err != nil || r.id == "" || at > maxUnix {
		return r, errNoID
	}
	r.size = c.at - start
	r.change.Record = lockstep.Record{Key: lockstep.Key(r.id), Fields: p.names.Fields(values), Version: r.date, At: time.Unix(at, 0).UTC()}
	r.change.Fault = fault
	p.finish(&r, key, gone)
	return r, nil
}

// finish gives a row its key where that is not the id, and says whether it counts as gone.
func (p *plan) finish(r *row, key, gone value.Value) {
	rec := &r.change.Record
	if p.key != nil {
		text, ok := keyText(key)
		if !ok {
			rec.Key = lockstep.Key("object " + r.id)
			r.change.Fault = lockstep.Faultf(lockstep.CodeNullKey, "object %s has no %s", r.id, p.key.name).On(lockstep.About{Stream: p.class.name, Field: p.key.name})
		} else {
			rec.Key = lockstep.MakeKey(text)
		}
	}
	if p.gone != nil && !gone.IsNull() && (gone.Kind() != value.KindBool || gone.Bool()) {
		r.change.Op = lockstep.Delete
	}
	if r.change.Fault != nil {
		f := r.change.Fault.On(lockstep.About{Key: rec.Key})
		r.change.Fault = f
		rec.Fields = value.Fields{}
	}
}

// keyText is the text of a key's value; false where there is none.
func keyText(v value.Value) (string, bool) {
	switch v.Kind() {
	case value.KindText:
		return v.Text(), v.Text() != ""
	case value.KindInt, value.KindDecimal:
		return v.String(), true
	}
	return "", false
}

// has tells whether a field is read of a member of the answered object.
func (s *shape) has(key string) bool {
	for _, k := range s.keys {
		if k == key {
			return true
		}
	}
	return false
}

// under reads a field of the member of that name, at which c stands.
func (s *shape) under(key string, c *cursor) (value.Value, error) {
	for i, k := range s.keys {
		if k == key {
			return s.subs[i].value(c)
		}
	}
	return value.Null, c.skip()
}

// scalar is a text or a number, as its text; "" for null.
func (c *cursor) scalar() (string, error) {
	switch c.space() {
	case '"':
		return c.string()
	case 'n':
		_, err := c.word()
		return "", err
	}
	return c.number()
}

// count is how many ends a relation shows.
func (c *cursor) count() (int, error) {
	switch c.space() {
	case 'n':
		_, err := c.word()
		return 0, err
	case '[':
		n := 0
		err := c.items(func() error {
			if !c.null() {
				n++
				return c.skip()
			}
			return nil
		})
		return n, err
	}
	return 1, c.skip()
}
