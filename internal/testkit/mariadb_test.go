package testkit

import (
	"database/sql"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestMariaDB(t *testing.T) {
	dsn := MariaDB(t)
	mariaExec(t, dsn, "CREATE TABLE a (b int)")
	name, asUser := MariaUser(t, dsn)
	db, err := sql.Open("mysql", asUser)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if db.Ping() == nil {
		t.Error("a user without rights gets into the database")
	}
	mariaExec(t, dsn, "GRANT SELECT ON a TO "+name)
	var n int
	if err := db.QueryRow("SELECT count(*) FROM a").Scan(&n); err != nil {
		t.Error(err)
	}
	if err := db.QueryRow("SELECT @@log_bin AND NOW() < UTC_TIMESTAMP() - INTERVAL 2 HOUR").Scan(&n); err != nil || n != 1 {
		t.Errorf("the binary log is off, or the server's zone is UTC: %d, %v", n, err)
	}
	if MariaDB(t) == dsn {
		t.Error("the database is not a fresh one")
	}
}
