package image

import (
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// Derive describes a target stream that is created on request: the given fields (mapping.Mapping.Output: a field that
// is copied has the source's declared type) under a name, with a key. What only the source's system knows, such as
// the native type name and defaults, is left behind. A key field that is not among the fields is a fault.
func Derive(name string, fields []lockstep.Field, key []string) (lockstep.Stream, error) {
	out := lockstep.Stream{Name: name, Key: slices.Clone(key), About: -1}
	for _, f := range fields {
		out.Fields = append(out.Fields, lockstep.Field{
			Name: f.Name, Type: portable(f.Type), Nullable: f.Nullable && !slices.Contains(key, f.Name),
		})
	}
	if len(key) == 0 {
		return out, lockstep.Faultf(lockstep.CodeNoKey, "the stream to be created has no key").On(lockstep.About{Stream: name})
	}
	for _, k := range key {
		if out.Field(k) == nil {
			return out, noField(name, k)
		}
	}
	return out, nil
}

func portable(t value.Type) value.Type {
	t.Native = ""
	if t.Elem != nil {
		elem := portable(*t.Elem)
		t.Elem = &elem
	}
	t.Members = slices.Clone(t.Members)
	for i := range t.Members {
		t.Members[i].Type = portable(t.Members[i].Type)
	}
	return t
}
