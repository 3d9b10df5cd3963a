package memory

import (
	"context"

	"github.com/lockstep-sync/lockstep"
)

// Connector opens an empty system each time.
var Connector lockstep.Connector = Systems(nil)

// Systems is a connector that opens these systems by their names, and an empty one for any other name.
type Systems map[string]*System

// Spec describes the connector.
func (Systems) Spec() lockstep.Spec {
	return lockstep.Spec{
		Kind:     "memory",
		Summary:  "Records held in the memory of the process, for tests and trials. They are gone when it ends.",
		Source:   true,
		Target:   true,
		Trackers: []lockstep.Tracker{lockstep.Log, lockstep.Timestamp, lockstep.Snapshot},
		Settings: []lockstep.Setting{
			{Name: "name", Type: lockstep.TextSetting, Help: "Which of the process's memory systems to open; empty opens a new one."},
		},
		Example: "type: memory",
	}
}

// Open is the named system, or a new one.
func (c Systems) Open(ctx context.Context, s lockstep.Settings) (lockstep.System, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if sys, ok := c[s.Text("name")]; ok {
		return sys, nil
	}
	return New(), nil
}
