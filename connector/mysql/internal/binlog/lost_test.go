package binlog

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/mariaserver"
)

func TestForeignPositions(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	for _, from := range []string{
		"nonsense", "{", "[1,2", "{}", `{"flavor":"mariadb","gtids":"0-1","file":"a.1"}`, `{"flavor":"mysql","file":"a.1"}`,
		`{"flavor":"mariadb","gtids":"0-1-999999999","file":"binlog.000001"}`,
	} {
		if _, err := b.page(lockstep.Position(from), 10); lockstep.KindOf(err) != lockstep.Lost {
			t.Errorf("from %s: %v, want a fault of kind lost", from, err)
		}
	}
}

// own is a server of its own, for what harms a log.
func own(t *testing.T, settings ...map[string]string) *mariaserver.Server {
	t.Helper()
	s := startServer(t, settings...)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// leave ends the feed and what the server has of it, which would keep its file.
func (b *bench) leave() {
	b.Helper()
	id := b.feed.cursor.stream.conn.GetConnectionID()
	b.reopen()
	_, _ = b.db.Exec("KILL ?", id) // it may have ended by itself
	for n := 1; n > 0; {
		if err := b.db.QueryRow("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ?", id).Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
}

// purge drops all files but the one that is written; the server may still need the last ones for a moment.
func (b *bench) purge() {
	b.Helper()
	for range 100 {
		b.exec("PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY")
		if b.files() == 1 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatalf("%d files are left", b.files())
}

func (b *bench) files() (n int) {
	b.Helper()
	rows, err := b.db.Query("SHOW BINARY LOGS")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}

func TestThrownAwayLog(t *testing.T) {
	maria := own(t)
	t.Run("purged", func(t *testing.T) {
		b := beginOn(t, maria, "id INT PRIMARY KEY")
		b.exec("FLUSH BINARY LOGS")
		from := b.now()
		b.exec("INSERT INTO t VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2)", "FLUSH BINARY LOGS")
		b.leave()
		b.purge()
		b.wantLost(from)
	})
	t.Run("purged, and nothing missed", func(t *testing.T) {
		b := beginOn(t, maria, "id INT PRIMARY KEY")
		b.exec("INSERT INTO t VALUES (1)")
		from := b.now()
		b.leave()
		b.exec("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
		b.purge()
		from = b.want(from)
		b.exec("INSERT INTO t VALUES (2)")
		b.want(from, "+2")
	})
	t.Run("reset", func(t *testing.T) {
		b := beginOn(t, maria, "id INT PRIMARY KEY")
		b.exec("INSERT INTO t VALUES (1)")
		from := b.now()
		b.leave()
		b.exec("RESET MASTER")
		b.wantLost(from)
	})
	// The names of old transactions come again, for others.
	t.Run("reset, and filled again", func(t *testing.T) {
		b := beginOn(t, maria, "id INT PRIMARY KEY")
		b.exec("RESET MASTER", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "DO SLEEP(1.1)")
		from := b.now()
		b.leave()
		b.exec("RESET MASTER", "INSERT INTO t VALUES (3)", "INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (5)")
		b.wantLost(from)
	})
	t.Run("reset, and filled again, in another file", func(t *testing.T) {
		b := beginOn(t, maria, "id INT PRIMARY KEY")
		b.exec("RESET MASTER", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "DO SLEEP(1.1)")
		from := b.now()
		b.leave()
		b.exec("RESET MASTER", "INSERT INTO t VALUES (3)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (5)")
		b.wantLost(from)
	})
	t.Run("reset while it is read", func(t *testing.T) {
		b := beginOn(t, maria, "id INT PRIMARY KEY")
		b.exec("INSERT INTO t VALUES (1)")
		from := b.want(b.now())
		b.exec("RESET MASTER", "INSERT INTO t VALUES (2)")
		_, err := b.page(from, 10)
		for lockstep.KindOf(err) == lockstep.Transient { // the server cuts the connection
			_, err = b.page(from, 10)
		}
		if lockstep.KindOf(err) != lockstep.Lost {
			t.Fatalf("%v, want a fault of kind lost", err)
		}
	})
}

func TestRotationAndRestart(t *testing.T) {
	maria := own(t)
	b := beginOn(t, maria, "id INT PRIMARY KEY")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2)", "FLUSH BINARY LOGS", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (3)")
	from = b.want(from, "+1", "+2", "+3")
	if err := maria.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.page(from, 10); lockstep.KindOf(err) != lockstep.Transient && lockstep.KindOf(err) != lockstep.Unavailable {
		t.Errorf("of a server that died: %v", err)
	}
	if err := maria.Launch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 10 { // sessions that died with the server
		_ = b.db.Ping()
	}
	b.exec("INSERT INTO t VALUES (4)")
	b.want(from, "+4")
}

func TestACutConnectionIsTransient(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	from := b.want(b.now())
	b.exec("INSERT INTO t VALUES (1)")
	id := b.feed.cursor.stream.conn.GetConnectionID()
	if _, err := b.db.Exec("KILL ?", id); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		p, err := b.page(from, 10)
		if err != nil {
			if kind := lockstep.KindOf(err); kind != lockstep.Transient {
				t.Fatalf("%v, want a transient fault", err)
			}
			t.Log(err)
			continue
		}
		if len(p.Changes) != 1 || show(p.Changes[0]) != "+1" {
			t.Fatalf("%v", p.Changes)
		}
		break
	}
	b.want(from, "+1")
}

// What may be missing is lost.
func TestStatementsThatNoRowsStandFor(t *testing.T) {
	for _, statements := range [][]string{
		{"TRUNCATE t"},
		{"TRUNCATE TABLE t"},
		{"SET STATEMENT max_statement_time = 60 FOR TRUNCATE TABLE t"},
		{"DROP TABLE t"},
		{"RENAME TABLE t TO old, new TO t"},
		{"RENAME TABLE t TO old"},
		{"ALTER TABLE t RENAME TO old"},
		{"CREATE OR REPLACE TABLE t (id INT PRIMARY KEY)"},
		{"CREATE OR REPLACE TABLE t (id INT PRIMARY KEY) AS SELECT 1 AS id"},
		{"ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE t"},
		{"SET SESSION binlog_format = STATEMENT", "INSERT INTO t VALUES (7)"},
		{"SET SESSION binlog_format = STATEMENT", "UPDATE t SET id = id + 100"},
	} {
		t.Run(statements[len(statements)-1], func(t *testing.T) {
			b := begin(t, "id INT PRIMARY KEY")
			b.exec("CREATE TABLE new (id INT PRIMARY KEY)", "CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))")
			from := b.now()
			b.db.SetMaxOpenConns(1)
			b.exec("INSERT INTO t VALUES (1)")
			b.exec(statements...)
			b.exec("SET SESSION binlog_format = ROW")
			p, err := b.page(from, 10)
			if err != nil && lockstep.FaultOf(err).Code == lockstep.CodeNoStream { // there is nobody to ask for its columns
				return
			}
			if err != nil || len(p.Changes) != 1 || show(p.Changes[0]) != "+1" {
				t.Fatalf("the change before it: %v, %v", p.Changes, err)
			}
			b.wantLost(p.Next)
		})
	}
	for _, statement := range []string{"ALTER TABLE t PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))"} {
		for _, second := range []string{"ALTER TABLE t DROP PARTITION p0", "ALTER TABLE t TRUNCATE PARTITION p0"} {
			b := begin(t, "id INT PRIMARY KEY")
			b.exec(statement, "INSERT INTO t VALUES (1), (11)")
			from := b.now()
			b.exec(second)
			b.wantLost(from)
		}
	}
}

func TestStatementsThatAreNoMatter(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	from := b.now()
	b.exec("CREATE TABLE t2 (id INT PRIMARY KEY, t INT)", "TRUNCATE t2", "ALTER TABLE t2 RENAME t3", "DROP TABLE t3",
		"CREATE TABLE IF NOT EXISTS t (id INT)", "ANALYZE TABLE t", "CREATE INDEX i ON t (id)", "DROP INDEX i ON t",
		"CREATE TEMPORARY TABLE t (id INT)", "DROP TEMPORARY TABLE t", "DROP DATABASE IF EXISTS nosuch",
		"CREATE VIEW v AS SELECT * FROM t", "DROP VIEW v", "ALTER TABLE t COMMENT 'RENAME TO x'", "INSERT INTO t VALUES (1)")
	b.want(from, "+1")
}
