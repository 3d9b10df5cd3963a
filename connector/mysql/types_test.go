package mysql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// What stands in columns of the server's own types, as it is read, and as it stands when that is written back.
func TestTypes(t *testing.T) {
	dec := func(s string) value.Decimal { d, err := value.ParseDecimal(s); must(t, err); return d }
	at := func(s string) time.Time { x, err := time.Parse(time.RFC3339Nano, s); must(t, err); return x }
	for _, c := range []struct {
		column string
		sql    string
		kind   value.TypeKind
		want   any
	}{
		{"tinyint", "-128", value.IntType, -128},
		{"tinyint unsigned", "255", value.IntType, 255},
		{"tinyint(1)", "1", value.BoolType, true},
		{"tinyint(1)", "0", value.BoolType, false},
		{"tinyint(1)", "7", value.BoolType, 7}, // no truth value, so not made one
		{"smallint unsigned", "65535", value.IntType, 65535},
		{"mediumint unsigned zerofill", "42", value.IntType, 42},
		{"int unsigned", "4294967295", value.IntType, 4294967295},
		{"bigint", "-9223372036854775808", value.IntType, int64(-9223372036854775808)},
		{"bigint unsigned", "18446744073709551615", value.IntType, dec("18446744073709551615")},
		{"bigint unsigned", "5", value.IntType, 5},
		{"bit(1)", "b'1'", value.BoolType, true},
		{"bit(1)", "b'0'", value.BoolType, false},
		{"bit(12)", "b'101010101010'", value.IntType, 2730},
		{"bit(64)", "18446744073709551615", value.IntType, dec("18446744073709551615")},
		{"decimal(65,30)", "12345678901234567890123456789012345.123456789012345678901234567890", value.DecimalType, dec("12345678901234567890123456789012345.123456789012345678901234567890")},
		{"decimal(8,2) unsigned zerofill", "12.5", value.DecimalType, dec("12.50")},
		{"float", "16777216", value.FloatType, 16777216.0},
		{"float", "3.4028234e38", value.FloatType, float64(float32(3.4028234e38))},
		{"float", "0.1", value.FloatType, float64(float32(0.1))},
		{"double", "1.7976931348623157e308", value.FloatType, 1.7976931348623157e308},
		{"double", "0.1", value.FloatType, 0.1},
		{"year", "2026", value.IntType, 2026},
		{"char(5)", "'a'", value.TextType, "a"},
		{"varchar(20) CHARACTER SET latin1", "'Grüße €'", value.TextType, "Grüße €"},
		{"varchar(20) CHARACTER SET utf8mb3", "'čšž'", value.TextType, "čšž"},
		{"varchar(20) CHARACTER SET utf16", "'😀'", value.TextType, "😀"},
		{"text CHARACTER SET latin2", "'Škoda'", value.TextType, "Škoda"},
		{"longtext CHARACTER SET utf8mb4", "'😀🏳️'", value.TextType, "😀🏳️"},
		{"enum('small','it''s, big','')", "'it''s, big'", value.TextType, "it's, big"},
		{"set('a','b','c')", "'c,a'", value.ListType, []string{"a", "c"}},
		{"set('a','b','c')", "''", value.ListType, []string{}},
		{"binary(4)", "X'00FF'", value.BytesType, []byte{0, 0xff, 0, 0}},
		{"varbinary(9)", "X'00FF27'", value.BytesType, []byte{0, 0xff, 0x27}},
		{"mediumblob", "X'5C0A00'", value.BytesType, []byte{0x5c, 0x0a, 0}},
		{"date", "'2026-11-23'", value.DateType, at("2026-11-23T00:00:00Z")},
		{"datetime", "'9999-12-31 23:59:59'", value.WallType, at("9999-12-31T23:59:59Z")},
		{"datetime(3)", "'2026-11-23 10:20:30.123'", value.WallType, at("2026-11-23T10:20:30.123Z")},
		{"datetime(6) COMMENT 'UTC'", "'2026-11-23 10:20:30.000001'", value.InstantType, at("2026-11-23T10:20:30.000001Z")},
		{"timestamp(6) NULL", "'2026-07-23 10:20:30.5'", value.InstantType, at("2026-07-23T14:20:30.5Z")}, // written in New York's summer
		{"time", "'23:59:59'", value.ClockType, "23:59:59"},
		{"time(6)", "'12:30:00.500000'", value.ClockType, "12:30:00.5"},
		{"time", "'-838:59:59'", value.ClockType, "-838:59:59"},
		{"json", `'{"a": [1, null, "č"]}'`, value.JSONType, map[string]any{"a": []any{1, nil, "č"}}},
		{"uuid", "'6BA7B810-9dad-11d1-80b4-00c04fd430c8'", value.UUIDType, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		{"inet6", "'2001:db8::1'", value.TextType, "2001:db8::1"},
		{"point", "POINT(1, 2)", value.BytesType, nil},
		// Zero dates, and dates of which a part is zero, are null.
		{"date", "'0000-00-00'", value.DateType, value.Null},
		{"datetime", "'2026-00-10 10:00:00'", value.WallType, value.Null},
		{"timestamp NULL", "'0000-00-00 00:00:00'", value.InstantType, value.Null},
	} {
		t.Run(c.column+" "+c.sql, func(t *testing.T) {
			s, dsn := fresh(t)
			exec(t, dsn, "SET NAMES utf8mb4, sql_mode = ''", "CREATE TABLE v (id int PRIMARY KEY, v "+c.column+")", "INSERT INTO v VALUES (1, "+c.sql+")")
			streams, err := s.Streams(t.Context())
			must(t, err)
			if got := streams[0].Field("v").Type; got.Kind != c.kind {
				t.Errorf("its type is %s, want %s", got.Kind, c.kind)
			}
			r := lockstep.Read{Stream: "v", Fields: []string{"v"}}
			got := fetchOne(t, s, r, "1")
			if want, err := value.From(c.want); err != nil || c.want != nil && !value.Equal(got, want) {
				t.Errorf("it is %s %s, want %s %s", got.Kind(), got, want.Kind(), want)
			}
			// One row, and enough for LOAD DATA.
			writes := []lockstep.Write{{Key: "2", Fields: value.F("v", got)}}
			for i := range 30 {
				writes = append(writes, lockstep.Write{Key: lockstep.Key(fmt.Sprint(10 + i)), Fields: value.F("v", got)})
			}
			for _, some := range [][]lockstep.Write{writes[:1], writes[1:]} {
				if len(some) > 1 {
					exec(t, dsn, "DELETE FROM v WHERE id > 2")
				}
				if _, err := s.Apply(t.Context(), "v", some); err != nil {
					t.Fatal(err)
				}
				if again := fetchOne(t, s, r, some[len(some)-1].Key); !value.Equal(again, got) {
					t.Errorf("written back, it is %s %s, want %s", again.Kind(), again, got)
				}
			}
			page, err := s.Scan(t.Context(), r, nil, lockstep.Limit{Rows: 100})
			if err != nil || len(page.Changes) != 32 {
				t.Fatalf("%d rows, %v", len(page.Changes), err)
			}
		})
	}
}

// The same, into an empty table: by LOAD DATA.
func TestTypesLoaded(t *testing.T) {
	_, dsn := fresh(t)
	const columns = "(id int PRIMARY KEY, a bigint unsigned, b bit(1), c bit(40), d double, e decimal(10,3), f varchar(40) CHARACTER SET latin1, g set('x','y'), h varbinary(300), i longblob, j datetime(6), k json, l longtext CHARACTER SET utf8mb4, m tinyint(1), n uuid)"
	exec(t, dsn, "SET NAMES utf8mb4", "CREATE TABLE x "+columns, "CREATE TABLE y "+columns)
	for i := range 40 {
		exec(t, dsn, "SET NAMES utf8mb4", fmt.Sprintf(`INSERT INTO x VALUES (%d, 18446744073709551615, b'1', 1099511627775, 0.1, -1.250, 'ä\\\t\n''', 'x,y', X'00010A095C27FF', X'', '2026-11-23 10:20:30.123456', '{"a":"\\n\\\\"}', '😀\\N\r\n\0', 1, uuid())`, i),
			fmt.Sprintf(`INSERT INTO x (id, l) VALUES (%d, '\\N')`, 100+i))
	}
	s := open(t, lockstep.Settings{"dsn": dsn})
	all := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"}
	read := func(stream string) []lockstep.Change {
		page, err := s.Scan(t.Context(), lockstep.Read{Stream: stream, Fields: all}, nil, lockstep.Limit{Rows: 1000})
		must(t, err)
		return page.Changes
	}
	want := read("x")
	var writes []lockstep.Write
	for _, c := range want {
		writes = append(writes, lockstep.Write{Key: c.Record.Key, Fields: c.Record.Fields})
	}
	for _, how := range []string{"into an empty table", "over rows that are there"} {
		if _, err := s.Apply(t.Context(), "y", writes); err != nil {
			t.Fatal(how, err)
		}
		got := read("y")
		if len(got) != len(want) {
			t.Fatalf("%s: %d rows of %d", how, len(got), len(want))
		}
		for i := range want {
			if !got[i].Record.Fields.Equal(want[i].Record.Fields) {
				t.Fatalf("%s: %s, want %s", how, value.AppendFields(nil, got[i].Record.Fields), value.AppendFields(nil, want[i].Record.Fields))
			}
		}
	}
}

func TestZeroDatesParked(t *testing.T) {
	_, dsn := fresh(t)
	exec(t, dsn, "SET sql_mode = ''", "CREATE TABLE v (id int PRIMARY KEY, v datetime NOT NULL)", "INSERT INTO v VALUES (1, '0000-00-00'), (2, '2026-01-01')")
	s := open(t, lockstep.Settings{"dsn": dsn, "zero_dates": "park"})
	page, err := s.Scan(t.Context(), lockstep.Read{Stream: "v", Fields: []string{"v"}}, nil, lockstep.Limit{Rows: 10})
	must(t, err)
	if len(page.Changes) != 2 || code(page.Changes[0].Fault) != lockstep.CodeValue || page.Changes[0].Record.Key != "1" || page.Changes[1].Fault != nil {
		t.Errorf("%+v", page.Changes)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// code is that of an error, "" of none.
func code(err error) lockstep.Code {
	if f, ok := err.(*lockstep.Fault); err == nil || ok && f == nil {
		return ""
	}
	return lockstep.FaultOf(err).Code
}

func fetchOne(t *testing.T, s system, r lockstep.Read, key lockstep.Key) value.Value {
	t.Helper()
	found, err := s.Fetch(t.Context(), r, []lockstep.Key{key})
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%d records of key %s", len(found), key)
	}
	_, v := found[0].Fields.At(0)
	return v
}
