package mysql_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/testkit"
	"github.com/lockstep-sync/lockstep/value"
)

// logged is a table t, keyed by id, that is followed by the log.
type logged struct {
	*testing.T
	dsn  string
	sys  lockstep.System
	read lockstep.Read
}

func beginLogged(t *testing.T, columns string, settings ...any) *logged {
	t.Helper()
	b := &logged{T: t, dsn: testkit.MariaDB(t)}
	exec(t, b.dsn, "CREATE TABLE t (id VARCHAR(40) PRIMARY KEY, "+columns+")")
	all := lockstep.Settings{"dsn": b.dsn, "statement_timeout": time.Minute}
	for i := 0; i+1 < len(settings); i += 2 {
		all[settings[i].(string)] = settings[i+1]
	}
	b.sys = open(t, all)
	b.read = lockstep.Read{Stream: "t", Track: lockstep.Track{By: lockstep.Log}}
	streams, err := b.sys.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range streams[0].Fields {
		b.read.Fields = append(b.read.Fields, f.Name)
	}
	return b
}

func (b *logged) now() lockstep.Position {
	b.Helper()
	p, err := b.sys.(lockstep.Source).Changes(b.Context(), b.read, nil, lockstep.Limit{})
	if err != nil {
		b.Fatal(err)
	}
	return p.Next
}

func (b *logged) changes(from lockstep.Position) (out []lockstep.Change) {
	b.Helper()
	for {
		p, err := b.sys.(lockstep.Source).Changes(b.Context(), b.read, from, lockstep.Limit{Rows: 100, Bytes: 8 << 20})
		if err != nil {
			b.Fatal(err)
		}
		if out = append(out, p.Changes...); len(p.Changes) == 0 && !p.More {
			return out
		}
		from = p.Next
	}
}

// A change read from the log is, to the last bit, the record that a fetch gives. Where it cannot be, it is a hint.
func TestLogGivesWhatAFetchGives(t *testing.T) {
	for _, test := range []struct{ kind, values, hints string }{
		{"TINYINT(1)", "0; 1; 2; -1; NULL", ""},
		{"TINYINT UNSIGNED", "255", ""},
		{"SMALLINT", "-32768; 32767", ""},
		{"MEDIUMINT", "-8388608", ""},
		{"MEDIUMINT UNSIGNED", "16777215", ""},
		{"INT UNSIGNED", "4294967295", ""},
		{"BIGINT", "-9223372036854775808", ""},
		{"BIGINT UNSIGNED", "18446744073709551615; 9223372036854775807", ""},
		{"DECIMAL(10,2)", "0; -0.01; 12345678.90", ""},
		{"DECIMAL(65,30)", "-12345678901234567890123456789012345.123456789012345678901234567890", ""},
		{"FLOAT", "0; 1.1; 123456.789; -3.4e38; 16777217", ""},
		{"DOUBLE", "0; 0.1; -1e300; 123456789.123456789", ""},
		{"BIT(1)", "b'0'; b'1'", ""},
		{"BIT(9)", "b'100000001'", ""},
		{"BIT(64)", "0xFFFFFFFFFFFFFFFF", ""},
		{"YEAR", "2026; 0; 1901", ""},
		{"DATE", "'2026-11-24'; '0000-00-00'; '2026-00-10'; '0001-01-01'", ""},
		{"TIME", "'12:00:00'; '-838:59:59'", ""},
		{"TIME(6)", "'12:00:00.500000'; '-00:00:00.000001'", ""},
		{"DATETIME", "'2026-11-24 20:30:40'; '0000-00-00'; '2026-11-00 01:02:03'", ""},
		{"DATETIME(6)", "'2026-11-24 20:30:40.123456'; '9999-12-31 23:59:59.999999'", ""},
		{"DATETIME(6) COMMENT 'UTC'", "'2026-11-24 20:30:40.123456'", ""},
		{"TIMESTAMP NULL", "'2026-11-24 20:30:40'; 0; '2026-03-29 02:30:00'", ""},
		{"TIMESTAMP(6) NULL", "'2026-11-24 20:30:40.000001'", ""},
		{"CHAR(10)", "'a'; 'a  '; 'č'; ''", ""},
		{"VARCHAR(300)", "'a '; REPEAT('č', 300)", ""},
		{"VARCHAR(20) CHARACTER SET latin1", "'ä€'; UNHEX('818D8F909D')", ""},
		{"VARCHAR(20) CHARACTER SET cp1251", "'Привет'", ""},
		{"LONGTEXT", "REPEAT('😀', 50000); ''", ""},
		{"TEXT CHARACTER SET latin2", "'čšž'", ""},
		{"VARCHAR(20) CHARACTER SET gbk", "'日本'", "1"},
		{"BINARY(4)", "0x01; 0x01020304; ''", ""},
		{"VARBINARY(4)", "0x0100; ''", ""},
		{"LONGBLOB", "REPEAT(0x00, 70000)", ""},
		{"ENUM('a','č','it''s')", "'č'; 'it''s'", ""},
		{"SET('x','y','č')", "''; 'x,č'", ""},
		{"JSON", `'{"b": [1, 2.50, "č"], "a": null}'; '"text"'; '12345678901234567890.5'`, ""},
		{"UUID", "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'; '00000000-0000-0000-0000-000000000000'", ""},
		{"INET6", "'::1'", "1"},
		{"POINT", "ST_GeomFromText('POINT(1 2)')", "1"},
		{"INT AS (LENGTH(id)) PERSISTENT", "DEFAULT", ""},
		{"INT AS (LENGTH(id)) VIRTUAL", "DEFAULT", "1"},
	} {
		t.Run(test.kind, func(t *testing.T) {
			b := beginLogged(t, "v "+test.kind)
			from := b.now()
			statements := []string{"SET sql_mode = ''"}
			for i, v := range strings.Split(test.values, "; ") {
				statements = append(statements, fmt.Sprintf("INSERT INTO t (id, v) VALUES ('k%d', %s)", i, v))
			}
			exec(t, b.dsn, statements...)
			changes := b.changes(from)
			if len(changes) != len(statements)-1 {
				t.Fatalf("%d changes of %d", len(changes), len(statements)-1)
			}
			for _, c := range changes {
				if c.Hint != (test.hints != "") || c.Fault != nil || c.Op != lockstep.Upsert {
					t.Errorf("%+v", c)
				}
				if !c.Hint {
					b.same(c.Record)
				}
			}
		})
	}
}

func (b *logged) same(got lockstep.Record) {
	b.Helper()
	records, err := b.sys.(lockstep.Fetcher).Fetch(b.Context(), b.read, []lockstep.Key{got.Key})
	if err != nil || len(records) != 1 {
		b.Fatalf("fetch of %s: %d records, %v", got.Key, len(records), err)
	}
	want := records[0]
	if string(value.AppendTagged(nil, got.Fields)) != string(value.AppendTagged(nil, want.Fields)) || got.Key != want.Key || got.Version != want.Version {
		b.Errorf("key %s: the log gave %v, a fetch gives %v", got.Key, got.Fields.Values(), want.Fields.Values())
	}
}

func TestLogHeedsTheStreamsSettings(t *testing.T) {
	t.Run("where", func(t *testing.T) {
		b := beginLogged(t, "n INT", "streams", map[string]lockstep.Settings{"t": {"where": "n > 0"}})
		from := b.now()
		exec(t, b.dsn, "INSERT INTO t VALUES ('a', 1)", "DELETE FROM t")
		changes := b.changes(from)
		if len(changes) != 2 || !changes[0].Hint || changes[1].Op != lockstep.Delete {
			t.Errorf("%+v", changes)
		}
	})
	t.Run("zero dates park", func(t *testing.T) {
		b := beginLogged(t, "d DATE", "zero_dates", "park")
		from := b.now()
		exec(t, b.dsn, "SET sql_mode = ''", "INSERT INTO t VALUES ('a', 0), ('b', '2026-11-24')")
		changes := b.changes(from)
		if len(changes) != 2 || changes[0].Fault == nil || changes[0].Fault.Code != lockstep.CodeValue || changes[0].Record.Key != "a" || changes[1].Fault != nil {
			t.Errorf("%+v", changes)
		}
	})
	t.Run("version and key", func(t *testing.T) {
		b := beginLogged(t, "a INT, n BIGINT, UNIQUE (a, n)", "streams", map[string]lockstep.Settings{"t": {"key": []string{"a", "n"}, "version": "n"}})
		b.read.Fields = []string{"id"}
		from := b.now()
		exec(t, b.dsn, "INSERT INTO t VALUES ('x', 1, 2)", "UPDATE t SET n = 3", "INSERT INTO t VALUES ('y', NULL, 4)")
		changes := b.changes(from)
		if len(changes) != 4 || changes[0].Record.Key != `["1","2"]` || changes[0].Record.Version != "2" || changes[1].Op != lockstep.Delete ||
			changes[2].Record.Key != `["1","3"]` || changes[3].Fault == nil || changes[3].Fault.Code != lockstep.CodeNullKey {
			t.Errorf("%+v", changes)
		}
		b.same(changes[2].Record)
	})
	t.Run("soft delete", func(t *testing.T) {
		for _, test := range []struct{ kind, no, yes string }{
			{"BOOL", "NULL; 0", "1; 2"}, {"BIT(1)", "b'0'", "b'1'"}, {"DATETIME", "NULL; 0", "NOW()"}, {"VARCHAR(10)", "''; 'no'; 'F'", "'yes'; 'x'"}, {"BIT(16)", "0", "256"}, {"DOUBLE", "0", "0.5"},
		} {
			b := beginLogged(t, "gone "+test.kind)
			b.read.Track.Deleted, b.read.Fields = "gone", []string{"id"}
			from := b.now()
			statements := []string{"SET sql_mode = ''"}
			for i, v := range strings.Split(test.no+"; "+test.yes, "; ") {
				statements = append(statements, fmt.Sprintf("INSERT INTO t VALUES ('k%d', %s)", i, v))
			}
			exec(t, b.dsn, statements...)
			for _, c := range b.changes(from) {
				records, err := b.sys.(lockstep.Fetcher).Fetch(t.Context(), b.read, []lockstep.Key{c.Record.Key})
				if err != nil {
					t.Fatal(err)
				}
				if gone := len(records) == 0; gone != (c.Op == lockstep.Delete) || c.Hint {
					t.Errorf("%s, %s: the log says %s, a fetch finds %d", test.kind, c.Record.Key, c.Op, len(records))
				}
			}
		}
	})
	t.Run("a view is refused", func(t *testing.T) {
		b := beginLogged(t, "n INT")
		exec(t, b.dsn, "CREATE VIEW v AS SELECT * FROM t")
		sys := open(t, lockstep.Settings{"dsn": b.dsn, "streams": map[string]lockstep.Settings{"v": {"key": []string{"id"}}}})
		r := lockstep.Read{Stream: "v", Track: lockstep.Track{By: lockstep.Log}}
		_, err := sys.(lockstep.Source).Changes(t.Context(), r, nil, lockstep.Limit{})
		_, err2 := sys.(lockstep.Installer).Install(t.Context(), r, true)
		for _, err := range []error{err, err2} {
			if lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeCannot {
				t.Errorf("%v, want LS-CANNOT", err)
			}
		}
	})
}
