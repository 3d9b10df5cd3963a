// Package image holds law 7: the one definition of equality. A Shape is the declared types of the target's mapped
// fields; it coerces a record to what the target would hold, hashes it, and compares two images field by field. Pure:
// no I/O, no clock. A Shape may be used by many goroutines at once.
package image

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/decimal"
	"github.com/lockstep-sync/lockstep/value"
)

// Options say how images are compared beyond the declared types.
type Options struct {
	Ignore    []string                 // fields that are sent but not compared
	Tolerance map[string]value.Decimal // numbers that differ by no more than this count as equal in Diff
	Unordered []string                 // lists that are sets, whatever the stream declares
	Absent    []string                 // fields that an image may leave out, so that the target's stay as they are
}

// Shape is what images of one flow look like.
type Shape struct {
	fields  []field // in stream order
	index   map[string]int
	hashed  []int // the fields that count for the digest, in the order of their names
	tag     [tagSize]byte
	plans   [4]atomic.Pointer[plan]
	missed  atomic.Uint32 // names without a plan: the next one goes where the oldest is
	hashers sync.Pool
}

type field struct {
	name      string
	typ       value.Type
	ignore    bool
	inherits  string // the field whose value counts as null here, "" for none
	tolerance *value.Decimal
	seed      uint64 // of the name, for the digest
}

// New is the shape of the named fields of a stream, in the stream's order; nil names all fields that can be written.
// A stream that declares no fields at all (a folder of files, say) takes every name as AnyType. Unknown names are a
// fault of CodeNoField.
func New(stream lockstep.Stream, fields []string, opt Options) (*Shape, error) {
	s := &Shape{index: map[string]int{}}
	s.hashers.New = func() any { return new(hasher) }
	if len(stream.Fields) == 0 {
		for _, name := range fields {
			s.add(name, value.Type{})
		}
	}
	for _, f := range stream.Fields {
		if (fields == nil && !f.ReadOnly) || slices.Contains(fields, f.Name) {
			s.add(f.Name, f.Type)
			last := &s.fields[len(s.fields)-1]
			last.ignore, last.inherits = f.WriteOnly, f.Inherits
		}
	}
	for _, name := range fields {
		if _, ok := s.index[name]; !ok {
			return nil, noField(stream.Name, name)
		}
	}
	if err := s.apply(stream, opt); err != nil {
		return nil, err
	}
	for i, f := range s.fields {
		if !f.ignore {
			s.hashed = append(s.hashed, i)
		}
	}
	slices.SortFunc(s.hashed, func(a, b int) int { return strings.Compare(s.fields[a].name, s.fields[b].name) })
	s.tag = s.tagged(opt)
	return s, nil
}

func (s *Shape) add(name string, typ value.Type) {
	s.index[name] = len(s.fields)
	s.fields = append(s.fields, field{name: name, typ: typ, seed: nameSeed(name)})
}

// apply sets the options. A name that the stream has and the shape has not is fine: it is not compared anyway.
func (s *Shape) apply(stream lockstep.Stream, opt Options) error {
	each := func(name string, do func(*field)) error {
		if i, ok := s.index[name]; ok {
			do(&s.fields[i])
			return nil
		}
		if stream.Field(name) == nil {
			return noField(stream.Name, name)
		}
		return nil
	}
	for _, name := range opt.Ignore {
		if err := each(name, func(f *field) { f.ignore = true }); err != nil {
			return err
		}
	}
	for _, name := range opt.Unordered {
		if err := each(name, func(f *field) { f.typ.Unordered = true }); err != nil {
			return err
		}
	}
	for name, by := range opt.Tolerance {
		by = decimal.Abs(by)
		if err := each(name, func(f *field) { f.tolerance = &by }); err != nil {
			return err
		}
	}
	return nil
}

func noField(stream, name string) error {
	return lockstep.Faultf(lockstep.CodeNoField, "there is no field %q", name).On(lockstep.About{Stream: stream, Field: name})
}

// Fields are the names of the shape's fields, in stream order.
func (s *Shape) Fields() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

// plan is how the fields of one Names list are laid out in the shape. The records of a page share their Names: those
// that come out of a mapping have one list, their coerced images may have another, and so has the target. With one plan
// only, mapped records made two plans each: that was three quarters of what they cost.
type plan struct {
	in     *value.Names
	out    *value.Names
	from   []int // of each field of out: where it stands in `in`
	shape  []int // of each field of out: where it stands in the shape
	same   bool  // out is in, field by field
	hashed []int // of each hashed field of the shape: where it stands in `in`, or -1
	heirs  []heir
}

// heir is a field that inherits and the field that it inherits from, by their places in plan.out.
type heir struct{ at, from int }

func (s *Shape) planFor(names *value.Names) *plan {
	for i := range s.plans {
		if p := s.plans[i].Load(); p != nil && p.in == names {
			return p
		}
	}
	p := &plan{in: names, same: true}
	var list []string
	for i, f := range s.fields {
		if at := names.Index(f.name); at >= 0 {
			p.same = p.same && at == len(list)
			list, p.from, p.shape = append(list, f.name), append(p.from, at), append(p.shape, i)
		}
	}
	if p.same = p.same && len(list) == names.Len(); p.same {
		p.out = names
	} else {
		p.out = value.NewNames(list...)
	}
	for at, i := range p.shape {
		if from := s.fields[i].inherits; from != "" && p.out.Index(from) >= 0 {
			p.heirs = append(p.heirs, heir{at, p.out.Index(from)})
		}
	}
	for _, i := range s.hashed {
		p.hashed = append(p.hashed, names.Index(s.fields[i].name))
	}
	s.plans[s.missed.Add(1)%uint32(len(s.plans))].Store(p)
	return p
}
