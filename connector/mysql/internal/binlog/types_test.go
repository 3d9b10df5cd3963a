package binlog

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// The values of every type, as a SELECT gives them, are those that the log gives.
func TestTypes(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	b.exec("SET GLOBAL sql_mode = ''")
	b.db.SetMaxIdleConns(0) // sessions with that mode
	defer b.exec("SET GLOBAL sql_mode = DEFAULT")
	for _, test := range []struct{ kind, values string }{
		{"TINYINT", "-128; 127; 0; NULL"},
		{"TINYINT UNSIGNED", "255; 128; 0"},
		{"SMALLINT", "-32768; 32767"},
		{"SMALLINT UNSIGNED", "65535"},
		{"MEDIUMINT", "-8388608; 8388607; -1"},
		{"MEDIUMINT UNSIGNED", "16777215"},
		{"INT", "-2147483648; 2147483647"},
		{"INT UNSIGNED", "4294967295"},
		{"BIGINT", "-9223372036854775808; 9223372036854775807"},
		{"BIGINT UNSIGNED", "18446744073709551615; 9223372036854775808"},
		{"BOOL", "TRUE; FALSE"},
		{"DECIMAL(10,2)", "0; 1.5; -1.5; 99999999.99; -99999999.99; 0.01; -0.01; 12345678.9"},
		{"DECIMAL(65,30)", "12345678901234567890123456789012345.123456789012345678901234567890; -0.000000000000000000000000000001"},
		{"DECIMAL(20,0)", "12345678901234567890; -7; 0; 100000000000"},
		{"DECIMAL(9,9)", "0.123456789; -0.000000001; 0"},
		{"DECIMAL(18,9)", "999999999.999999999; 1000000.000001"},
		{"DECIMAL(1,0)", "9; -9"},
		{"DOUBLE", "0; 1.5; -1e300; 0.1; 123456789012; 1e15"},
		{"BIT(1)", "b'1'; b'0'"},
		{"BIT(8)", "b'10101010'"},
		{"BIT(12)", "b'101010101111'; 1"},
		{"BIT(64)", "0xFFFFFFFFFFFFFFFF; 1"},
		{"YEAR", "2026; 1901; 2155; 0"},
		{"DATE", "'2026-11-24'; '0001-01-01'; '9999-12-31'; '0000-00-00'; '2026-00-00'; '2026-02-00'"},
		{"TIME", "'00:00:00'; '-00:00:01'; '838:59:59'; '-838:59:59'; '12:34:56'"},
		{"TIME(1)", "'-00:00:00.1'; '12:00:00.9'; '-1:02:03.4'"},
		{"TIME(3)", "'-00:00:00.001'; '12:00:00.999'; '-100:00:00.5'"},
		{"TIME(6)", "'-00:00:00.000001'; '838:59:59.999999'; '-838:59:59.999999'; '0:0:0'"},
		{"DATETIME", "'2026-11-24 20:30:40'; '0000-00-00 00:00:00'; '1000-01-01 00:00:00'; '9999-12-31 23:59:59'; '2026-00-00 00:00:00'"},
		{"DATETIME(2)", "'2026-11-24 20:30:40.12'; '1969-12-31 23:59:59.99'; '0000-00-00'"},
		{"DATETIME(4)", "'2026-11-24 20:30:40.1234'"},
		{"DATETIME(6)", "'2026-11-24 20:30:40.123456'; '2026-11-24 20:30:40.000001'; '2026-11-24'"},
		{"TIMESTAMP NULL", "'2026-11-24 20:30:40'; '1970-01-01 00:00:01'; '2038-01-19 03:14:07'; 0; NULL"},
		{"TIMESTAMP(3)", "'2026-11-24 20:30:40.123'; 0"},
		{"TIMESTAMP(6)", "'2026-11-24 20:30:40.123456'; '2026-03-29 01:30:00.000001'"},
		{"CHAR(10)", "''; 'a'; 'ends in blank '; 'čšž 日本 😀'; NULL"},
		{"CHAR(100) CHARACTER SET utf8mb4", "'a'; REPEAT('😀', 100)"},
		{"CHAR(255) CHARACTER SET utf8mb3", "'a'; REPEAT('č', 255)"},
		{"VARCHAR(10)", "''; 'blank '; 'čšž'"},
		{"VARCHAR(300)", "REPEAT('x', 300); ''; 'č'"},
		{"VARCHAR(20) CHARACTER SET latin1", "'ä'; 'plain'; '€ ¤ ÿ'; ''"},
		{"CHAR(20) CHARACTER SET latin1", "'ä'; 'plain'"},
		{"VARCHAR(20) CHARACTER SET latin2", "'čšž ŁŚ'"},
		{"VARCHAR(20) CHARACTER SET cp1250", "'čšž €'"},
		{"VARCHAR(20) CHARACTER SET cp1251", "'Привет'"},
		{"VARCHAR(20) CHARACTER SET koi8r", "'Привет'"},
		{"VARCHAR(20) CHARACTER SET swe7", "'åäö'"},
		{"VARCHAR(20) CHARACTER SET ascii", "'plain'"},
		{"TINYTEXT", "'a'; ''; REPEAT('č', 100)"},
		{"TEXT", "'a'; REPEAT('č', 10000)"},
		{"TEXT CHARACTER SET latin1", "'ä'; REPEAT('ö', 1000)"},
		{"MEDIUMTEXT", "REPEAT('x', 100000)"},
		{"LONGTEXT", "'a'; REPEAT('😀', 20000)"},
		{"BINARY(4)", "0x01020304; 0x01; 0x0000; ''; 0x00000001"},
		{"VARBINARY(4)", "0x01020304; 0x0100; ''"},
		{"TINYBLOB", "0x00FF; ''"},
		{"BLOB", "0x00FF; REPEAT(0xFF, 1000)"},
		{"LONGBLOB", "REPEAT(0x00, 100000)"},
		{"ENUM('a','b c','it''s','č')", "'a'; 'b c'; 'it''s'; 'č'; 'none of them'; NULL"},
		{"ENUM('ä','ö') CHARACTER SET latin1", "'ä'; 'ö'"},
		{"SET('x','y','č')", "''; 'x'; 'x,y'; 'y,č'; 'x,y,č'"},
		{"SET('ä','ö') CHARACTER SET latin1", "'ä,ö'"},
		{"UUID", "'00112233-4455-1677-8899-aabbccddeeff'; '00112233-4455-6677-8899-aabbccddee00'; '00112233-4455-7677-8899-aabbccddeeff'; '00000000-0000-0000-0000-000000000000'; NULL"},
		{"JSON", `'{"a": [1, 2.50, "č"]}'; '[]'; '"text"'`},
	} {
		t.Run(test.kind, func(t *testing.T) {
			b.T = t
			b.exec("DROP TABLE t", "CREATE TABLE t (id INT PRIMARY KEY, before_ INT, v "+test.kind+", after_ INT)")
			b.reopen()
			b.shape = b.shapeOf()
			from := b.now()
			for i, v := range strings.Split(test.values, "; ") {
				b.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 7, %s, -7)", i, v))
			}
			compare(b, from)
		})
	}
}

// compare reads on from a position and holds what came last of each key beside a SELECT.
func compare(b *bench, from lockstep.Position) {
	b.Helper()
	got, _ := b.all(from, 100)
	rows, err := b.db.Query("SELECT * FROM t ORDER BY id")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var want []string
	for rows.Next() {
		into, texts := make([]any, len(b.shape.Columns)), make([]string, len(b.shape.Columns))
		for i := range into {
			into[i] = new(sql.RawBytes)
		}
		if err := rows.Scan(into...); err != nil {
			b.Fatal(err)
		}
		for i := range into {
			texts[i] = string(*into[i].(*sql.RawBytes))
			if *into[i].(*sql.RawBytes) == nil {
				texts[i] = "NULL"
			}
		}
		want = append(want, "+"+strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	for i := range max(len(got), len(want)) {
		a, z := "nothing", "nothing"
		if i < len(got) {
			a = got[i]
		}
		if i < len(want) {
			z = want[i]
		}
		if a != z {
			b.Errorf("the log gave %.200q, a SELECT %.200q", a, z)
		}
	}
}
