package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/sqlite"
)

func TestContract(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Connector:  sqlite.Connector,
		New:        newPlace,
		ServerKeys: true,
		Refusals:   refusals(),
		Tracks: []connectortest.Track{
			{Track: lockstep.Track{By: lockstep.Timestamp, Overlap: -1}, Rereads: true},
			{Track: lockstep.Track{By: lockstep.Version}, Rereads: true},
			{Track: lockstep.Track{By: lockstep.Flag}, Rereads: true},
			{Track: lockstep.Track{By: lockstep.Trigger}, Deletes: true, Rereads: true},
		},
	})
}

func newPlace(t *testing.T, streams ...lockstep.Stream) connectortest.Place {
	settings := lockstep.Settings{"path": filepath.Join(t.TempDir(), "test.db"), "create": true}
	s := open(t, settings)
	for _, stream := range streams {
		script, err := s.Create(t.Context(), stream, stream.ServerKeys)
		if err != nil {
			t.Fatal(err)
		}
		if stream.ServerKeys { // a whole number as the only key is chosen by SQLite where it is left out
			exec(t, settings.Text("path"), strings.Replace(script, " NOT NULL", "", 1))
		}
	}
	return place(settings)
}
