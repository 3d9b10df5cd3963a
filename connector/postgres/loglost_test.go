package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/postgres"
	"github.com/lockstep-sync/lockstep/internal/pgserver"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// What must never be "start from now": each of these leaves a gap.

func (f *logged) slot() string {
	f.Helper()
	return f.one(`SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()`)
}

func (f *logged) code(err error, want lockstep.Code) {
	f.Helper()
	if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != want {
		f.Errorf("%v, want %s", err, want)
	}
}

func TestLogSlotDropped(t *testing.T) {
	f := follow(t, goods)
	_, at := f.all(f.now())
	name := f.slot()
	f.exec(fmt.Sprintf(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '%s'`, name))
	for f.one(`SELECT count(active_pid)::text FROM pg_replication_slots`) != "0" {
		time.Sleep(5 * time.Millisecond)
	}
	f.exec(fmt.Sprintf(`SELECT pg_drop_replication_slot('%s')`, name), `INSERT INTO goods VALUES (1, 'missed')`)
	if _, err := f.read(at, 10); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Kind.StopsFlow() {
		t.Errorf("a stream that was cut off: %v", err)
	}
	for _, from := range []lockstep.Position{at, nil} {
		_, err := f.read(from, 10)
		f.code(err, lockstep.CodeNotTracked)
	}
	// Made again, it has a gap: the position must not fit it.
	install(t, f.s, f.r)
	f.lost(at)
	at = f.now()
	f.exec(`INSERT INTO goods VALUES (2, 'seen')`)
	got, _ := f.all(at)
	f.want(got, up(2, "seen"))
}

func TestLogTableMadeAnew(t *testing.T) {
	f := follow(t, goods)
	_, at := f.all(f.now())
	f.exec(`DROP TABLE goods`, goods, `INSERT INTO goods VALUES (1, 'missed')`)
	_, err := f.read(at, 10) // the stream runs on, and would be silent for ever
	f.code(err, lockstep.CodeNotTracked)
	install(t, f.s, f.r)
	f.lost(at)
	f.reopen()
	f.lost(at)
	at = f.now()
	f.exec(`INSERT INTO goods VALUES (2, 'seen')`)
	got, _ := f.all(at)
	f.want(got, up(2, "seen"))
}

func TestLogPublicationMadeAnew(t *testing.T) {
	f := follow(t, goods)
	_, at := f.all(f.now())
	f.reopen()
	name := f.slot()
	f.exec(`DROP PUBLICATION `+name, `INSERT INTO goods VALUES (1, 'missed')`)
	install(t, f.s, f.r)
	f.lost(at)
	at = f.now()
	if _, err := f.read(at, 10); err != nil { // the slot cannot be read over the gap
		f.code(err, lockstep.CodePosition)
		at = f.now()
	}
	f.exec(`INSERT INTO goods VALUES (2, 'seen')`)
	got, _ := f.all(at)
	f.want(got, up(2, "seen"))
}

// The server gives the log away that a slot needs, as max_slot_wal_keep_size bids it.
func TestLogSlotLost(t *testing.T) {
	f := follow(t, goods)
	f.exec(`INSERT INTO goods VALUES (1, 'a')`)
	_, at := f.all(f.now())
	f.reopen()
	admin := connect(t, f.dsn)
	do(t, admin, `ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`, `SELECT pg_reload_conf()`)
	defer do(t, admin, `ALTER SYSTEM RESET max_slot_wal_keep_size`, `SELECT pg_reload_conf()`)
	f.exec(`UPDATE goods SET v = 'missed'`)
	for range 10 {
		do(t, admin, `CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 10000)`, `DROP TABLE filler`, `SELECT pg_switch_wal()`, `CHECKPOINT`)
	}
	if status := f.one(`SELECT wal_status FROM pg_replication_slots WHERE database = current_database()`); status != "lost" {
		t.Fatalf("the slot is %s", status)
	}
	f.lost(at)
	findings, err := f.s.(lockstep.Examiner).Examine(t.Context(), f.r)
	if err != nil || !strings.Contains(fmt.Sprint(findings), "gave away the log") {
		t.Errorf("doctor says %v, %v", findings, err)
	}
	at = f.now()
	f.exec(`INSERT INTO goods VALUES (2, 'seen')`)
	got, _ := f.all(at)
	f.want(got, up(2, "seen"))
}

func TestLogOfAnotherServer(t *testing.T) {
	f := follow(t, goods)
	at := string(f.now())
	head := `{"system":"`
	f.lost(lockstep.Position(head + "1" + strings.TrimPrefix(at, head)))
	f.lost(lockstep.Position(strings.Replace(at, `"lsn":"0/`, `"lsn":"FF/`, 1))) // a log that was set back
}

// Old rows that do not hold the key would make a delete of nothing.
func TestLogIdentityTakenAway(t *testing.T) {
	f := follow(t, goods, `INSERT INTO goods VALUES (1, 'a')`)
	at := f.now()
	f.exec(`ALTER TABLE goods ADD UNIQUE (v)`, `ALTER TABLE goods ALTER v SET NOT NULL`, `ALTER TABLE goods REPLICA IDENTITY USING INDEX goods_v_key`, `DELETE FROM goods`)
	f.lost(at)
}

func TestLogNeeds(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, goods, `CREATE UNLOGGED TABLE fast (id int PRIMARY KEY)`, `CREATE VIEW seen AS SELECT * FROM goods`,
		`CREATE TABLE base (id int PRIMARY KEY)`, `CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (base)`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	by := lockstep.Track{By: lockstep.Log}
	f := &logged{T: t, s: s, dsn: dsn}
	for stream, want := range map[string]lockstep.Code{"fast": lockstep.CodeCannot, "base": lockstep.CodeCannot, "seen": lockstep.CodeNoKey, "goods": ""} {
		_, err := s.(lockstep.Installer).Install(t.Context(), lockstep.Read{Stream: stream, Track: by}, true)
		if want == "" && err == nil {
			continue
		}
		f.code(err, want)
	}
	_, err := s.Changes(t.Context(), lockstep.Read{Stream: "goods", Track: by}, nil, lockstep.Limit{Rows: 1})
	f.code(err, lockstep.CodeNotTracked)

	exec(t, dsn, `DROP VIEW seen`)
	role, asRole := testkit.Role(t, dsn)
	exec(t, dsn, `GRANT CREATE ON DATABASE `+f.one(`SELECT current_database()`)+` TO `+role, `ALTER TABLE goods OWNER TO `+role)
	mine := open(t, lockstep.Settings{"dsn": asRole})
	r := lockstep.Read{Stream: "goods", Fields: []string{"id", "v"}, Track: by}
	_, err = mine.(lockstep.Installer).Install(t.Context(), r, false)
	f.code(err, lockstep.CodeRights)
	if next := lockstep.FaultOf(err).Next; !strings.Contains(next, "ALTER ROLE") {
		t.Errorf("next: %s", next)
	}
	exec(t, dsn, `ALTER ROLE `+role+` REPLICATION`)
	install(t, mine, r)
	f.s, f.r = mine, r
	at := f.now()
	f.exec(`INSERT INTO goods VALUES (1, 'a')`)
	got, _ := f.all(at)
	f.want(got, up(1, "a"))
	if _, err := mine.(lockstep.Installer).Remove(t.Context(), r, false); err != nil {
		t.Error(err)
	}
}

// A server as it comes does not log enough.
func TestLogNeedsALogicalLog(t *testing.T) {
	server, err := pgserver.Start(t.Context(), pgserver.Fast)
	if err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := server.Exec(t.Context(), "postgres", goods); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Connector.Open(t.Context(), lockstep.Settings{"dsn": server.DSN("postgres")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := lockstep.Read{Stream: "goods", Track: lockstep.Track{By: lockstep.Log}}
	_, err = s.(lockstep.Installer).Install(t.Context(), r, true)
	if f := lockstep.FaultOf(err); f == nil || f.Code != lockstep.CodeCannot || !strings.Contains(f.Next, "wal_level") {
		t.Errorf("%v", err)
	}
	findings, err := s.(lockstep.Examiner).Examine(t.Context(), r)
	if err != nil || !strings.Contains(fmt.Sprint(findings), "wal_level is replica") {
		t.Errorf("doctor says %v, %v", findings, err)
	}
}
