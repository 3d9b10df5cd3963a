package testkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep/internal/mariaserver"
)

// maria is the MariaDB of this test binary.
var maria struct {
	once   sync.Once
	server *mariaserver.Server
	err    error
}

// mariaSettings are unlike ours where that can matter: the zone of the server's clock is not UTC. The binary log is
// on, with rows and the names of columns.
var mariaSettings = map[string]string{"TZ": "America/New_York", "local_infile": "ON", "max_connections": "100", "innodb_lock_wait_timeout": "10"}

// MariaDB is the DSN of a fresh, empty database of a private server, which is started once per test binary; use Main.
// The user is the superuser root. Without MariaDB's programs the test is skipped; with LOCKSTEP_CI=1 it fails.
func MariaDB(t testing.TB) string {
	t.Helper()
	s := MariaServer(t)
	name := fmt.Sprintf("test_%d", serial.Add(1))
	mariaExec(t, s.DSN(""), "CREATE DATABASE "+name)
	t.Cleanup(func() { mariaExec(t, s.DSN(""), "DROP DATABASE IF EXISTS "+name) })
	return s.DSN(name)
}

// MariaServer is the server of this test binary. Who kills it must launch it again.
func MariaServer(t testing.TB) *mariaserver.Server {
	t.Helper()
	maria.once.Do(func() {
		maria.server, maria.err = mariaserver.Start(context.WithoutCancel(t.Context()), mariaserver.Fast, mariaserver.Binlog, mariaSettings)
	})
	if errors.Is(maria.err, mariaserver.ErrMissing) && os.Getenv("LOCKSTEP_CI") != "1" {
		t.Skip("NO MARIADB: ", maria.err)
	}
	if maria.err != nil {
		t.Fatal(maria.err)
	}
	return maria.server
}

// MariaUser makes a user without any right and gives the DSN of the same database for it. Grant what the test needs to
// the quoted name returned. It is dropped at the end of the test.
func MariaUser(t testing.TB, database string) (name, asUser string) {
	t.Helper()
	s := MariaServer(t)
	cfg, err := mysql.ParseDSN(database)
	if err != nil {
		t.Fatal(err)
	}
	user := fmt.Sprintf("user_%d", serial.Add(1))
	name = "'" + user + "'@'localhost'"
	mariaExec(t, s.DSN(""), "CREATE USER "+name+" IDENTIFIED BY 'secret-"+user+"'")
	t.Cleanup(func() { mariaExec(t, s.DSN(""), "DROP USER IF EXISTS "+name) })
	return name, s.UserDSN(user, "secret-"+user, cfg.DBName)
}

func mariaExec(t testing.TB, dsn, statement string) {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func stopMaria() {
	if maria.server != nil {
		if err := maria.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "mariadb:", err)
		}
	}
}
