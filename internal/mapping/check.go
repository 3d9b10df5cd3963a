package mapping

import (
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Image is what a check needs of law 7: internal/image's Shape.
type Image interface {
	Coerce(value.Fields) (value.Fields, error)
	Level(ours, theirs value.Fields) bool
}

// Mismatch is a field that is not as a fixture has it. Want or Got is null where it is absent.
type Mismatch struct {
	Field     string
	Want, Got value.Value
}

// Checked is what became of a fixture.
type Checked struct {
	Fixture Fixture
	OK      bool
	Message string     // why not, where it is not a matter of fields
	Fields  []Mismatch // in the mapping's order
	Output  value.Fields
}

// Check runs a fixture. The input is first brought to the source's types and the output to the target's, so that a
// file can say "2026-11-23" and 19.9; equality is law 7's, ignored fields and tolerances included.
func (m *Mapping) Check(f Fixture, source, target Image) Checked {
	out := Checked{Fixture: f}
	input, err := source.Coerce(f.Input)
	if err != nil {
		return out.because("the input does not fit the source: %v", err)
	}
	for name := range f.Input.All() {
		if _, ok := input.Get(name); !ok {
			return out.because("the source has no field %q%s", name, hint(name, m.fields))
		}
	}
	resolve := func(r lockstep.Ref) (lockstep.Key, bool) {
		key, ok := f.Links[r.Flow][string(r.Key)]
		return lockstep.Key(key), ok
	}
	got, keep, err := m.Worker().Map(lockstep.Record{Fields: m.whole(input)}, resolve)
	if err == nil && keep {
		got, err = target.Coerce(got)
	}
	switch {
	case err != nil && f.Error == "":
		return out.because("%v", err)
	case err != nil:
		fault := lockstep.FaultOf(err)
		if string(fault.Code) != f.Error && !strings.Contains(fault.Error(), f.Error) {
			return out.because("expected an error with %q, got: %v", f.Error, err)
		}
	case f.Error != "":
		out.Output = got
		return out.because("expected an error with %q, but there was none", f.Error)
	case keep == f.Filtered:
		return out.because("the filter %s the record", map[bool]string{true: "keeps", false: "leaves out"}[keep])
	case keep:
		return out.compare(got, target)
	}
	out.OK = true
	return out
}

// whole is a fixture's input with nulls for what it does not name: a record that lacks a field is another thing.
func (m *Mapping) whole(input value.Fields) value.Fields {
	var names []string
	var values []value.Value
	for name, v := range input.All() {
		names, values = append(names, name), append(values, v)
	}
	for _, name := range m.fields {
		if _, there := input.Get(name); !there {
			names, values = append(names, name), append(values, value.Null)
		}
	}
	return value.NewNames(names...).Fields(values)
}

func (c Checked) because(format string, args ...any) Checked {
	c.Message = fmt.Sprintf(format, args...)
	return c
}

func (c Checked) compare(got value.Fields, target Image) Checked {
	c.Output = got
	expect, whole := c.Fixture.Contains, false
	if c.Fixture.Expect != nil {
		expect, whole = c.Fixture.Expect, true
	}
	if expect == nil {
		return c.because("there is nothing to compare with")
	}
	want, err := target.Coerce(*expect)
	if err != nil {
		return c.because("what is expected does not fit the target: %v", err)
	}
	for name, v := range expect.All() {
		w, known := want.Get(name)
		g, there := got.Get(name)
		if !known {
			w = v // not a field of the target
		}
		one := value.NewNames(name)
		if !known || !there || !target.Level(one.Fields([]value.Value{w}), one.Fields([]value.Value{g})) {
			c.Fields = append(c.Fields, Mismatch{name, w, g})
		}
	}
	for name, g := range got.All() {
		if _, ok := expect.Get(name); !ok && whole {
			c.Fields = append(c.Fields, Mismatch{name, value.Null, g})
		}
	}
	c.OK = len(c.Fields) == 0
	return c
}
