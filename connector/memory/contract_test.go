package memory_test

import (
	"context"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/memory"
	"github.com/lockstep-sync/lockstep/value"
)

func TestContract(t *testing.T) {
	for name, rules := range map[string]memory.Rules{"each": {}, "whole": {Whole: true}, "later": {Later: slowly}} {
		t.Run(name, func(t *testing.T) {
			connectortest.Run(t, connectortest.Harness{
				Connector: memory.Connector,
				New: func(t *testing.T, streams ...lockstep.Stream) connectortest.Place {
					sys := memory.New()
					for _, s := range streams {
						sys.DefineStream(s, rules)
					}
					return place(sys)
				},
				Tracks: []connectortest.Track{
					{Track: lockstep.Track{By: lockstep.Log}, Deletes: true},
					{Track: lockstep.Track{By: lockstep.Timestamp}},
				},
				Refusals:   refusals(rules),
				ServerKeys: true,
				IfVersion:  true,
				Later: func(t *testing.T) connectortest.Place {
					sys := memory.New()
					sys.DefineStream(connectortest.Item(), memory.Rules{Later: slowly})
					return place(sys)
				},
			})
		})
	}
}

func place(sys *memory.System) connectortest.Place {
	return connectortest.Place{
		Open: func(ctx context.Context) (lockstep.System, error) {
			return memory.Systems{"it": sys}.Open(ctx, lockstep.Settings{"name": "it"})
		},
		Put: func(_ *testing.T, stream string, records ...value.Fields) {
			for _, f := range records {
				sys.Put(stream, f)
			}
		},
		Delete: func(_ *testing.T, stream string, keys ...lockstep.Key) {
			for _, k := range keys {
				sys.Delete(stream, k)
			}
		},
	}
}

func refusals(base memory.Rules) []connectortest.Refusal {
	with := func(change func(*memory.Rules)) func(*testing.T) (connectortest.Place, string) {
		return func(*testing.T) (connectortest.Place, string) {
			rules, sys := base, memory.New()
			change(&rules)
			sys.DefineStream(connectortest.Item(), rules)
			return place(sys), "item"
		}
	}
	item := func(id, name string, qty any) lockstep.Write {
		return lockstep.Write{ID: id, Key: lockstep.Key(id), Fields: value.F("id", id, "name", name, "qty", qty)}
	}
	good := []lockstep.Write{item("a", "x", 1), item("b", "y", 2), item("c", "z", 3)}
	return []connectortest.Refusal{
		{Name: "unique", New: with(func(r *memory.Rules) { r.Unique = []string{"name"} }), Good: good, Bad: item("d", "x", 4), Want: lockstep.CodeUnique},
		{Name: "not null", New: with(func(r *memory.Rules) { r.NotNull = []string{"qty"} }), Good: good, Bad: item("d", "w", nil), Want: lockstep.CodeConstraint},
		{Name: "reference", New: with(func(r *memory.Rules) { r.References = map[string]string{"note": "brand"} }), Good: good,
			Bad: lockstep.Write{Key: "d", Fields: value.F("id", "d", "note", "7")}, Want: lockstep.CodeReference},
		{Name: "type", New: with(func(*memory.Rules) {}), Good: good, Bad: item("d", "w", "many"), Want: lockstep.CodeValue},
	}
}

// slowly does each operation when it is asked about for the third time, under another receipt by then.
func slowly(_, asked int) memory.Fate {
	return []memory.Fate{memory.NotYet, memory.Renew, memory.Do}[min(asked, 3)-1]
}
