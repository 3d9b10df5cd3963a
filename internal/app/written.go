package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/image"
	"github.com/lockstep-sync/lockstep/internal/mapping"
	"github.com/lockstep-sync/lockstep/value"
)

// shape is what images of the flow look like.
func (b *builder) shape(f *config.Flow, to lockstep.Stream, m *mapping.Mapping) (*image.Shape, image.Options) {
	names := m.Writes()
	known := len(to.Fields) > 0
	opt := image.Options{Tolerance: map[string]value.Decimal{}, Absent: m.Absent()}
	for i, name := range f.Ignore {
		if b.writable(f, to, fmt.Sprintf("ignore[%d]", i), name) && (known || slices.Contains(names, name)) {
			opt.Ignore = append(opt.Ignore, name)
		}
	}
	if name := tracked(b.cfg, f); slices.Contains(names, name) && !slices.Contains(opt.Ignore, name) {
		opt.Ignore = append(opt.Ignore, name) // a time that each side stamps itself says nothing of the record
	}
	for name, by := range f.Tolerance {
		if b.writable(f, to, "tolerance."+name, name) && (known || slices.Contains(names, name)) {
			opt.Tolerance[name] = by
		}
	}
	shape, err := image.New(to, names, opt)
	if err != nil {
		b.report(f, "map", lockstep.FaultOf(err).Code, "", "%s", lockstep.FaultOf(err).Err)
		return nil, opt
	}
	return shape, opt
}

// match is by which fields of the target a record is found before it is linked.
func (b *builder) match(f *config.Flow, to lockstep.Stream, m *mapping.Mapping) []string {
	writes := m.Writes()
	for i, name := range f.Match {
		setting := fmt.Sprintf("match[%d]", i)
		if b.writable(f, to, setting, name) && !slices.Contains(writes, name) {
			b.report(f, setting, lockstep.CodeNoField, "give it one under `map`", "the mapping gives the match field %q no value", name)
		}
	}
	if to.ServerKeys {
		if f.Match == nil && !to.Pulled && !containsAll(writes, to.Key) {
			b.notes = append(b.notes, Finding{
				Level: "warning", Flow: f.Name,
				What: "there are no match fields, and the target chooses its keys: after an unknown outcome nobody can look, " +
					"and records that are there already are made twice",
				Next: "Name fields that tell records apart under `match`.",
			})
		}
		return f.Match
	}
	for _, key := range to.Key {
		if !slices.Contains(writes, key) {
			b.report(f, "map", lockstep.CodeNoKey, "", "the mapping gives the key field %q of %s no value", key, to.Name)
		}
	}
	if slices.Equal(f.Match, to.Key) {
		return nil
	}
	return f.Match
}

// disable is what a disabled record gets, as the target holds it.
func (b *builder) disable(f *config.Flow, to lockstep.Stream) value.Fields {
	if f.To.OnDelete != config.DisableIt {
		return value.Fields{}
	}
	names, values := make([]string, 0, len(f.To.Disable)), make([]value.Value, 0, len(f.To.Disable))
	for _, c := range f.To.Disable {
		if b.writable(f, to, "to.disable."+c.Field, c.Field) {
			names, values = append(names, c.Field), append(values, c.Value)
		}
	}
	shape, err := image.New(to, names, image.Options{})
	if err != nil {
		b.report(f, "to.disable", lockstep.FaultOf(err).Code, "", "%s", lockstep.FaultOf(err).Err)
		return value.Fields{}
	}
	fields, err := shape.Coerce(value.NewNames(names...).Fields(values))
	if err != nil {
		fault := lockstep.FaultOf(err)
		b.report(f, "to.disable."+fault.About.Field, fault.Code, "", "%s", fault.Err)
	}
	return fields
}

// remark notes what makes trouble later, without being wrong.
func (b *builder) remark(f *config.Flow, to lockstep.Stream, m *mapping.Mapping) {
	var bare []string
	for _, fd := range to.Fields {
		chosen := to.ServerKeys && slices.Contains(to.Key, fd.Name)
		if !fd.Nullable && !fd.Default && !fd.ReadOnly && !chosen && !slices.Contains(m.Writes(), fd.Name) {
			bare = append(bare, fd.Name)
		}
	}
	if len(bare) > 0 {
		b.notes = append(b.notes, Finding{
			Level: "warning", Flow: f.Name,
			What: fmt.Sprintf("the target needs a value for %s, and the mapping gives none: no record can be created", strings.Join(bare, ", ")),
			Next: "Give the fields a value under `map`, or a default in the target.",
		})
	}
	for _, name := range m.Links() {
		if other := b.cfg.Flow(name); other != nil && other.To.System != f.To.System {
			b.notes = append(b.notes, Finding{
				Level: "warning", Flow: f.Name,
				What: fmt.Sprintf("link(%q, …) gives keys of %s, but this flow writes to %s", name, other.To.System, f.To.System),
			})
		}
	}
}

// writable reports a name that is no field of the target.
func (b *builder) writable(f *config.Flow, to lockstep.Stream, setting, name string) bool {
	if len(to.Fields) == 0 || to.Field(name) != nil {
		return true
	}
	b.report(f, setting, lockstep.CodeNoField, hintOf(name, fieldNames(to.Fields)), "the stream %s of %s has no field %q", to.Name, f.To.System, name)
	return false
}
