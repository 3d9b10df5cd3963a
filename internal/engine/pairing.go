package engine

import (
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/conflict"
	"github.com/lockstep-sync/lockstep/internal/image"
)

// Pair makes two flows a pair: a reads side A of their set, b side B. Each reads what the other writes, too, so that
// both see the same of a record.
func Pair(a, b *Flow, p conflict.Policy) error {
	for _, f := range []*Flow{a, b} {
		f.Back, f.Policy = b, p
		if f == b {
			f.Back = a
		}
		f.Read.Fields = slices.Clone(f.Read.Fields)
		for _, name := range f.Back.Mapping.Writes() {
			if !slices.Contains(f.Read.Fields, name) {
				f.Read.Fields = append(f.Read.Fields, name)
			}
		}
		for _, name := range f.From.Key {
			if !slices.Contains(f.Read.Fields, name) {
				f.Read.Fields = append(f.Read.Fields, name)
			}
		}
	}
	own := map[*Flow]map[string]bool{a: {}, b: {}}
	for a.alone(own) || b.alone(own) { // what depends on what the other decides alone is its own, too
	}
	for _, f := range []*Flow{a, b} {
		var err error
		for _, part := range []struct {
			own bool
			to  **image.Shape
		}{{true, &f.Own}, {false, &f.Shared}} {
			names := f.Mapping.Writes()
			names = slices.DeleteFunc(names, func(name string) bool { return own[f][name] != part.own })
			if len(names) == 0 {
				continue
			}
			if *part.to, err = image.New(f.To, names, f.Compare); err != nil {
				return lockstep.FaultOf(err).On(f.about(""))
			}
		}
	}
	return nil
}

// alone adds to own the fields of the target that only this flow decides: those that the flow back makes nothing of, and
// those that are not made of fields alone that both carry. It says whether there were more than before.
func (f *Flow) alone(own map[*Flow]map[string]bool) (more bool) {
	carried, read := map[string]bool{}, map[string]bool{}
	for _, name := range f.Back.Mapping.Writes() {
		carried[name] = !own[f.Back][name]
		for _, in := range f.Back.Mapping.Inputs(name) {
			read[in] = true
		}
	}
	for _, name := range f.Mapping.Writes() {
		inputs := f.Mapping.Inputs(name)
		foreign := slices.ContainsFunc(inputs, func(in string) bool { return !carried[in] })
		if !own[f][name] && (foreign || len(inputs) == 0 || !read[name]) {
			own[f][name], more = true, true
		}
	}
	return more
}
