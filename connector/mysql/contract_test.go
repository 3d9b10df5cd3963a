package mysql_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/mysql"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

func TestContract(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Connector:  mysql.Connector,
		New:        newPlace,
		ServerKeys: true,
		Refusals:   refusals(),
		Tracks: []connectortest.Track{
			{Track: lockstep.Track{By: lockstep.Timestamp, Overlap: -1}, Rereads: true},
			{Track: lockstep.Track{By: lockstep.Version}, Rereads: true},
			{Track: lockstep.Track{By: lockstep.Flag}, Rereads: true},
			{Track: lockstep.Track{By: lockstep.Trigger}, Deletes: true, Rereads: true},
			{Track: lockstep.Track{By: lockstep.Log}, Deletes: true},
		},
		Holds: func(s connectortest.Sample) bool { return s.Name != "float specials" }, // there is no NaN
	})
}

// dsnOf remembers the database of a test.
var dsnOf = map[string]string{}

func newPlace(t *testing.T, streams ...lockstep.Stream) connectortest.Place {
	dsn := testkit.MariaDB(t)
	dsnOf[t.Name()] = dsn
	settings := lockstep.Settings{"dsn": dsn, "statement_timeout": time.Minute}
	s := open(t, settings)
	for _, stream := range streams {
		if _, err := s.Create(t.Context(), stream, false); err != nil {
			t.Fatal(err)
		}
		if stream.ServerKeys {
			exec(t, dsn, "ALTER TABLE `"+stream.Name+"` MODIFY `"+stream.Key[0]+"` bigint NOT NULL AUTO_INCREMENT")
		}
	}
	return connectortest.Place{Open: func(ctx context.Context) (lockstep.System, error) { return mysql.Connector.Open(ctx, settings) }}
}

func connect(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	db := connect(t, dsn)
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
