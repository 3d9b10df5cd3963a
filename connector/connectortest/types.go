package connectortest

import (
	"strconv"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

var typeTests = map[string]func(*testing.T, Harness){
	"fidelity": func(t *testing.T, h Harness) {
		for _, s := range Corpus() {
			if h.Holds == nil || h.Holds(s) {
				t.Run(s.Name, func(t *testing.T) { runSample(t, h, s) })
			}
		}
	},
}

// runSample moves the values of a sample into the system by Apply, and holds what Scan and Fetch read against them.
func runSample(t *testing.T, h Harness, s Sample) {
	b := begin(t, h, lockstep.Stream{Name: "sample", Key: []string{"id"}, Fields: []lockstep.Field{
		{Name: "id", Type: value.Type{Kind: value.IntType}}, {Name: "v", Type: s.Type, Nullable: true}}})
	values := s.Values
	if !h.NoNull {
		values = append(values, value.Null)
	}
	writes, keys := make([]lockstep.Write, len(values)), make([]lockstep.Key, len(values))
	for i, v := range values {
		keys[i] = lockstep.Key(strconv.Itoa(i))
		writes[i] = lockstep.Write{Key: keys[i], Fields: value.F("id", i, "v", v)}
	}
	b.apply("sample", writes...)
	look := func(how string, got map[lockstep.Key]lockstep.Record) {
		t.Helper()
		for i, want := range values {
			have, there := got[keys[i]].Fields.Get("v")
			switch {
			case !there:
				t.Errorf("%s: value %d, %s, is not there", how, i, show(want))
			case !Same(want, have, s.Type):
				t.Errorf("%s: value %d is %s, want %s", how, i, show(have), show(want))
			case !kindFits(have, s.Type):
				t.Errorf("%s: value %d is a %s, which a field of type %s does not hold", how, i, have.Kind(), s.Type.Kind)
			}
		}
	}
	r := b.read("sample", "id", "v")
	look("Fetch", b.fetch(r, keys...))
	b.reopen()
	look("Fetch in a new system", b.fetch(r, keys...))
	if _, scans := b.sys.(lockstep.Scanner); scans {
		got := map[lockstep.Key]lockstep.Record{}
		for _, rec := range b.scan(r, wide) {
			got[rec.Key] = rec
		}
		look("Scan", got)
	}
	if def := b.stream("sample"); def.Field("v") == nil {
		t.Error("Streams does not list the field")
	}
}
