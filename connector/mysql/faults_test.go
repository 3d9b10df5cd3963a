package mysql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/mysql"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

func refusals() []connectortest.Refusal {
	made := func(statements ...string) func(t *testing.T) (connectortest.Place, string) {
		return func(t *testing.T) (connectortest.Place, string) {
			p := newPlace(t)
			exec(t, dsnOf[t.Name()], statements...)
			return p, "r"
		}
	}
	good := []lockstep.Write{{Key: "1", Fields: value.F("v", "a")}, {Key: "2", Fields: value.F("v", "b")}}
	bad := func(v any) lockstep.Write { return lockstep.Write{Key: "3", Fields: value.F("v", v)} }
	return []connectortest.Refusal{
		{Name: "unique", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(9) UNIQUE)`), Good: good, Bad: bad("a"), Want: lockstep.CodeUnique},
		{Name: "unique by collation", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_general_ci UNIQUE)`), Good: good, Bad: bad("Á"), Want: lockstep.CodeUnique},
		{Name: "unique, of a row that is there", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(9) UNIQUE)`, `INSERT INTO r VALUES (3, 'c')`), Good: good, Bad: bad("a"), Want: lockstep.CodeUnique},
		{Name: "a key that equals another by collation", New: made(`CREATE TABLE r (id varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v text)`, `INSERT INTO r VALUES ('cafe', 'x')`),
			Good: good, Bad: lockstep.Write{Key: "café", Fields: value.F("v", "y")}, Want: lockstep.CodeUnique},
		{Name: "check", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(9) CHECK (v <> 'c'))`), Good: good, Bad: bad("c"), Want: lockstep.CodeConstraint},
		{Name: "not null", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(9) NOT NULL)`), Good: good, Bad: bad(nil), Want: lockstep.CodeConstraint},
		{Name: "left out", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(9), w int NOT NULL)`, `INSERT INTO r VALUES (1, '', 1), (2, '', 1)`), Good: good, Bad: bad("c"), Want: lockstep.CodeConstraint},
		{Name: "too long", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(3))`), Good: good, Bad: bad("four"), Want: lockstep.CodeValue},
		{Name: "out of range", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(3), n tinyint)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("n", 128)}, Want: lockstep.CodeValue},
		{Name: "a fraction", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(3), n int)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("n", 1.5)}, Want: lockstep.CodeValue},
		{Name: "no number", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text)`), Good: good, Bad: lockstep.Write{Key: "three", Fields: value.F("v", "x")}, Want: lockstep.CodeValue},
		{Name: "no word of the enum", New: made(`CREATE TABLE r (id int PRIMARY KEY, v enum('a','b'))`), Good: good, Bad: bad("c"), Want: lockstep.CodeValue},
		{Name: "no letter of the character set", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text CHARACTER SET latin1)`), Good: good, Bad: bad("č"), Want: lockstep.CodeValue},
		{Name: "no date", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text, d date)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("d", "2026-02-30")}, Want: lockstep.CodeValue},
		{Name: "no JSON", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(9) CHECK (json_valid(v) OR v IN ('a', 'b')))`), Good: good, Bad: bad("{"), Want: lockstep.CodeConstraint},
		{Name: "reference", New: made(`CREATE TABLE p (id varchar(9) PRIMARY KEY)`, `INSERT INTO p VALUES ('a'), ('b')`, `CREATE TABLE r (id int PRIMARY KEY, v varchar(9), FOREIGN KEY (v) REFERENCES p (id))`),
			Good: good, Bad: bad("c"), Want: lockstep.CodeReference},
		{Name: "referenced", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text)`, `CREATE TABLE c (id int, FOREIGN KEY (id) REFERENCES r (id))`, `INSERT INTO r VALUES (3, '')`, `INSERT INTO c VALUES (3)`),
			Good: good, Bad: lockstep.Write{Op: lockstep.Delete, Key: "3"}, Want: lockstep.CodeReference},
		{Name: "trigger", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text)`,
			`CREATE TRIGGER no BEFORE INSERT ON r FOR EACH ROW IF NEW.id = 3 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'secret'; END IF`),
			Good: good, Bad: bad("x"), Want: lockstep.CodeConstraint},
		{Name: "larger than a packet", New: made(`CREATE TABLE r (id int PRIMARY KEY, v longtext)`), Good: good, Bad: bad(strings.Repeat("x", 17<<20)), Want: lockstep.CodeTooLarge},
	}
}

// Each refusal again among so many rows that they go by LOAD DATA, which passes over what it cannot take.
func TestRefusedAmongMany(t *testing.T) {
	for _, r := range refusals() {
		if r.Bad.Op == lockstep.Delete || r.Want == lockstep.CodeUnique { // of one row only
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			place, stream := r.New(t)
			sys, err := place.Open(t.Context())
			must(t, err)
			defer sys.Close()
			s := sys.(system)
			var writes []lockstep.Write
			for i := range 50 {
				writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(100 + i)), Fields: r.Bad.Fields})
			}
			if r.Name == "no number" {
				writes[49].Key = "three"
			}
			if r.Name == "trigger" {
				writes[49].Key = "3"
			}
			results, err := s.Apply(t.Context(), stream, writes)
			if err == nil {
				err = results[49].Err
			}
			if code(err) != r.Want {
				t.Errorf("%v, want %s", err, r.Want)
			}
		})
	}
}

// Errors name constraints and columns, but never a value, the DSN or its password (law 12).
func TestErrorsKeepSecrets(t *testing.T) {
	dsn := testkit.MariaDB(t)
	exec(t, dsn, `CREATE TABLE s (id int PRIMARY KEY, n decimal(4,2), d date, u uuid, j json, v varchar(9) UNIQUE CHECK (v <> 'hush-1'), b boolean)`, `INSERT INTO s (id, v) VALUES (0, 'hush-2')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	for _, many := range []int{0, 30} {
		for field, bad := range map[string]any{"n": "hush", "d": "hush-day", "u": "hush", "v": "hush-1", "b": "hush"} {
			checkSecret(t, s, many, field, bad)
		}
		checkSecret(t, s, many, "n", 123456)
		checkSecret(t, s, many, "v", "hush-2")
	}
	for _, bad := range []string{"mysql://u:hush@127.0.0.1:1/db", "mysql://u:hush@[", "hush", "u:hush@tcp(127.0.0.1:1)/db", "u:hush@tcp(127.0.0.1:1)/db?tls=hush"} {
		sys, err := mysql.Connector.Open(t.Context(), lockstep.Settings{"dsn": bad})
		if err == nil {
			_, err = sys.Streams(t.Context())
			_ = sys.Close()
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
	name, asUser := testkit.MariaUser(t, dsn)
	sys := open(t, lockstep.Settings{"dsn": strings.Replace(asUser, "user_", "nobody_", 1)})
	if _, err := sys.Streams(t.Context()); code(err) != lockstep.CodeLogin || strings.Contains(err.Error(), "secret-") {
		t.Errorf("a user that is not there: %v", err)
	}
	exec(t, dsn, `GRANT SELECT ON s TO `+name)
	sys = open(t, lockstep.Settings{"dsn": asUser})
	if _, err := sys.Apply(t.Context(), "s", []lockstep.Write{{Key: "1", Fields: value.F("v", "x")}}); code(err) != lockstep.CodeRights {
		t.Errorf("writing without the right: %v", err)
	}
}

func checkSecret(t *testing.T, s system, many int, field string, bad any) {
	t.Helper()
	writes := []lockstep.Write{{Key: "1", Fields: value.F(field, bad)}}
	for i := range many {
		writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(10 + i)), Fields: value.F(field, nil)})
	}
	results, err := s.Apply(t.Context(), "s", writes)
	if err == nil {
		err = results[0].Err
	}
	if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "123456") || lockstep.KindOf(err) != lockstep.Invalid {
		t.Errorf("%s of %d: %v", field, len(writes), err)
	}
}

// A server that dies in the middle: whether it was before or after the commit, nobody knows, and the fault says so.
func TestUnknownOutcome(t *testing.T) {
	server := testkit.MariaServer(t)
	dsn := testkit.MariaDB(t)
	exec(t, dsn, `CREATE TABLE u (id int PRIMARY KEY, v text)`)
	for _, rows := range []int{1, 50} {
		p := testkit.NewProxy(t, server.Socket(), "s")
		s := open(t, lockstep.Settings{"dsn": strings.Replace(dsn, server.Socket(), p.Socket, 1)})
		write := func(from int) error {
			var writes []lockstep.Write
			for i := range rows {
				writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(from + i)), Fields: value.F("v", "x")})
			}
			_, err := s.Apply(t.Context(), "u", writes)
			return err
		}
		must(t, write(0))
		db := connect(t, dsn)
		clean := func() (n int) {
			must(t, db.QueryRow(`SELECT COUNT(*) FROM u WHERE id >= 1000`).Scan(&n))
			_, err := db.Exec(`DELETE FROM u WHERE id >= 1000`)
			must(t, err)
			return n
		}
		for answers := range int64(200) { // cut behind so many pieces of answers, until none is missing
			p.CutAfter(answers)
			err := write(1000)
			p.Heal()
			n := clean()
			if err == nil {
				break
			}
			f := lockstep.FaultOf(err)
			if f.Kind != lockstep.Transient && f.Kind != lockstep.Unavailable {
				t.Errorf("cut after %d answers: %v, kind %s", answers, err, f.Kind)
			}
			if n > 0 && !f.Unknown {
				t.Errorf("cut after %d answers: the rows are there, and the fault says that nothing was written: %v", answers, err)
			}
		}
		p.CutAnswerTo("COMMIT")
		if f := lockstep.FaultOf(write(1000)); f == nil || !f.Unknown {
			t.Errorf("%d rows, cut between the commit and its answer: %v", rows, f)
		}
		p.Heal()
		clean()
	}
}

// A row that somebody else holds, for longer than the server lets us wait.
func TestLockedRow(t *testing.T) {
	dsn := testkit.MariaDB(t)
	exec(t, dsn, `CREATE TABLE l (id int PRIMARY KEY, v text)`, `INSERT INTO l VALUES (1, ''), (2, '')`)
	holder := session(t, dsn)
	do(t, holder, `SET GLOBAL innodb_lock_wait_timeout = 1`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	do(t, holder, `BEGIN`, `UPDATE l SET v = 'held' WHERE id = 1`)
	_, err := s.Apply(t.Context(), "l", []lockstep.Write{{Key: "1", Fields: value.F("v", "x")}})
	do(t, holder, `ROLLBACK`, `SET GLOBAL innodb_lock_wait_timeout = 10`)
	if code(err) != lockstep.CodeDeadlock || lockstep.FaultOf(err).Unknown {
		t.Errorf("%v", err)
	}
}
