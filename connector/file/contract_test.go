package file

import (
	"context"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/value"
)

func TestContract(t *testing.T) {
	for _, ext := range []string{".csv", ".csv.gz", ".jsonl"} {
		t.Run(ext[1:], func(t *testing.T) {
			connectortest.Run(t, connectortest.Harness{
				Connector: Connector,
				New: func(t *testing.T, streams ...lockstep.Stream) connectortest.Place {
					return newPlace(t, ext, streams...)
				},
				Refusals: []connectortest.Refusal{
					{Name: "type", New: func(t *testing.T) (connectortest.Place, string) {
						return newPlace(t, ext, connectortest.Item()), "item"
					},
						Good: []lockstep.Write{{Key: "a", Fields: value.F("id", "a", "qty", 1)}, {Key: "b", Fields: value.F("id", "b", "qty", 2)}},
						Bad:  lockstep.Write{Key: "c", Fields: value.F("id", "c", "qty", "many")}, Want: lockstep.CodeValue},
					{Name: "null key", New: func(t *testing.T) (connectortest.Place, string) {
						return newPlace(t, ext, connectortest.Item()), "item"
					},
						Good: []lockstep.Write{{Key: "a", Fields: value.F("id", "a", "qty", 1)}},
						Bad:  lockstep.Write{Fields: value.F("id", nil, "qty", 1)}, Want: lockstep.CodeNullKey},
				},
			})
		})
	}
}

func newPlace(t *testing.T, ext string, streams ...lockstep.Stream) connectortest.Place {
	dir, table := t.TempDir(), map[string]lockstep.Settings{}
	for _, s := range streams {
		table[s.Name] = lockstep.Settings{"pattern": s.Name + ext}
	}
	place := connectortest.Place{Open: func(ctx context.Context) (lockstep.System, error) {
		return Connector.Open(ctx, lockstep.Settings{"path": dir, "streams": table})
	}}
	sys := mustOpen(t, dir, table)
	for _, s := range streams {
		if _, err := sys.Create(t.Context(), s, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := sys.Close(); err != nil {
		t.Fatal(err)
	}
	return place
}

func mustOpen(t *testing.T, dir string, table map[string]lockstep.Settings) *System {
	t.Helper()
	sys, err := Connector.Open(context.WithoutCancel(t.Context()), lockstep.Settings{"path": dir, "streams": table})
	if err != nil {
		t.Fatal(err)
	}
	return sys.(*System)
}
