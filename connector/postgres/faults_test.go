package postgres_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/connectortest"
	"github.com/lockstep-sync/lockstep/connector/postgres"
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
	return []connectortest.Refusal{
		{Name: "unique", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text UNIQUE)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "a")}, Want: lockstep.CodeUnique},
		{Name: "check", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text CHECK (v <> 'c'))`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "c")}, Want: lockstep.CodeConstraint},
		{Name: "not null", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text NOT NULL)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", nil)}, Want: lockstep.CodeConstraint},
		{Name: "too long", New: made(`CREATE TABLE r (id int PRIMARY KEY, v varchar(3))`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "four")}, Want: lockstep.CodeValue},
		{Name: "no number", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text)`), Good: good, Bad: lockstep.Write{Key: "three", Fields: value.F("v", "x")}, Want: lockstep.CodeValue},
		{Name: "NUL", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "a\x00b")}, Want: lockstep.CodeValue},
		{Name: "reference", New: made(`CREATE TABLE p (id text PRIMARY KEY)`, `INSERT INTO p VALUES ('a'), ('b')`, `CREATE TABLE r (id int PRIMARY KEY, v text REFERENCES p)`),
			Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "c")}, Want: lockstep.CodeReference},
		{Name: "referenced", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text)`, `CREATE TABLE c (id int REFERENCES r)`, `INSERT INTO r VALUES (3)`, `INSERT INTO c VALUES (3)`),
			Good: good, Bad: lockstep.Write{Op: lockstep.Delete, Key: "3"}, Want: lockstep.CodeReference},
		{Name: "trigger", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text)`,
			`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 3 THEN RAISE EXCEPTION ''secret-%'', NEW.v; END IF; RETURN NEW; END'`,
			`CREATE TRIGGER no BEFORE INSERT ON r FOR EACH ROW EXECUTE FUNCTION no()`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "x")}, Want: lockstep.CodeConstraint},
		{Name: "deferred", New: made(`CREATE TABLE r (id int PRIMARY KEY, v text UNIQUE DEFERRABLE INITIALLY DEFERRED)`), Good: good, Bad: lockstep.Write{Key: "3", Fields: value.F("v", "a")}, Want: lockstep.CodeUnique},
	}
}

// Errors name constraints and columns, but never a value, the DSN or its password (law 12).
func TestErrorsKeepSecrets(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE s (id int PRIMARY KEY, n numeric(4,2), d date, u uuid, j jsonb, v text UNIQUE CHECK (v <> 'hush-1'), b bool)`, `INSERT INTO s (id, v) VALUES (0, 'hush-2')`)
	s := open(t, lockstep.Settings{"dsn": dsn})
	for _, many := range []int{0, 30} {
		for field, bad := range map[string]any{"n": "hush", "d": "hush-day", "u": "hush", "v": "hush-1", "b": "hush"} {
			checkSecret(t, s, many, field, bad)
		}
		checkSecret(t, s, many, "n", 123456)
		checkSecret(t, s, many, "v", "hush-2")
	}
	for _, bad := range []string{"postgres://u:hush@127.0.0.1:1/db?connect_timeout=1", "postgres://u:hush@[", "hush", "host=/nowhere password=hush"} {
		sys, err := postgres.Connector.Open(t.Context(), lockstep.Settings{"dsn": bad})
		if err == nil {
			_, err = sys.Streams(t.Context())
			_ = sys.Close()
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
	role, asRole := testkit.Role(t, dsn)
	wrong := strings.Replace(asRole, role+":", "nobody-"+role+":", 1)
	sys := open(t, lockstep.Settings{"dsn": wrong})
	if _, err := sys.Streams(t.Context()); code(err) != lockstep.CodeLogin || strings.Contains(err.Error(), "secret-") {
		t.Errorf("a user that is not there: %v", err)
	}
	sys = open(t, lockstep.Settings{"dsn": asRole})
	exec(t, dsn, `GRANT SELECT ON s TO `+role)
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
	_, err := s.Apply(t.Context(), "s", writes)
	if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "123456") || lockstep.KindOf(err) != lockstep.Invalid {
		t.Errorf("%s of %d: %v (kind %s)", field, len(writes), err, lockstep.KindOf(err))
	}
}

// A server that dies in the middle: whether it was before or after the commit, nobody knows, and the fault says so.
func TestUnknownOutcome(t *testing.T) {
	dsn := testkit.Postgres(t)
	exec(t, dsn, `CREATE TABLE u (id int PRIMARY KEY, v text)`)
	for _, rows := range []int{1, 50} {
		p, through := newProxy(t, dsn)
		s := open(t, lockstep.Settings{"dsn": through})
		write := func(from int) error {
			var writes []lockstep.Write
			for i := range rows {
				writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(from + i)), Fields: value.F("v", "x")})
			}
			_, err := s.Apply(t.Context(), "u", writes)
			return err
		}
		if err := write(0); err != nil {
			t.Fatal(err)
		}
		for answers := range int64(200) { // cut behind so many pieces of answers, until none is missing
			p.CutAfter(answers)
			err := write(1000)
			p.Heal()
			conn := connect(t, dsn)
			if err == nil {
				do(t, conn, `DELETE FROM u WHERE id >= 1000`)
				break
			}
			f := lockstep.FaultOf(err)
			if f.Kind != lockstep.Transient && f.Kind != lockstep.Unavailable {
				t.Errorf("cut after %d answers: %v, kind %s", answers, err, f.Kind)
			}
			var n int
			if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM u WHERE id >= 1000`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n > 0 && !f.Unknown {
				t.Errorf("cut after %d answers: the rows are there, and the fault says that nothing was written: %v", answers, err)
			}
			do(t, conn, `DELETE FROM u WHERE id >= 1000`)
		}
		p.CutAnswerTo(map[int]string{1: "INSERT INTO", 50: "COMMIT"}[rows])
		if f := lockstep.FaultOf(write(1000)); f == nil || !f.Unknown {
			t.Errorf("%d rows, cut between the commit and its answer: %v", rows, f)
		}
		p.Heal()
		do(t, connect(t, dsn), `DELETE FROM u WHERE id >= 1000`)
	}
}

// newProxy is a proxy in front of the server, and the DSN that goes through it.
func newProxy(t *testing.T, dsn string) (*testkit.Proxy, string) {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	const name = ".s.PGSQL.5432"
	p := testkit.NewProxy(t, filepath.Join(u.Query().Get("host"), name), name)
	u.RawQuery = url.Values{"host": {filepath.Dir(p.Socket)}, "sslmode": {"disable"}}.Encode()
	return p, u.String()
}
