package binlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"

	"github.com/lockstep-sync/lockstep"
)

func FuzzPlace(f *testing.F) {
	for _, s := range []string{
		`{"flavor":"mariadb","gtids":"0-1-5,1-2-18446744073709551615","file":"binlog.000001","server":"1","born":5,"rows":3,"half":true,"xa":["x''"]}`,
		`{"flavor":"mysql","gtids":"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7,\n 4e11fa47-71ca-11e1-9e33-c80aa9429562:tag:1","file":"a.000002"}`,
		`{"flavor":"mysql-file","file":"a.1","offset":4}`, `{}`, `[`, `{"rows":-1}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := readPlace(lockstep.Position(s))
		if err != nil {
			if lockstep.KindOf(err) != lockstep.Lost {
				t.Fatalf("%v, want a fault of kind lost", err)
			}
			return
		}
		at, err := parseGTIDs(p.Flavor, p.GTIDs)
		if err != nil {
			t.Fatal(err)
		}
		p.GTIDs = at.String()
		again, err := readPlace(p.position())
		if err != nil || string(again.position()) != string(p.position()) {
			t.Fatalf("%s was read as %s, %v", p.position(), again.position(), err)
		}
		if !at.reached(at) {
			t.Fatalf("%s does not reach itself", p.GTIDs)
		}
		if strings.ContainsAny(at.String(), "'\\") {
			t.Fatalf("a sign in %q that ends a text", at.String())
		}
	})
}

func FuzzStatement(f *testing.F) {
	for _, s := range []string{"ALTER TABLE `t` RENAME TO x", "/*!50001 DROP TABLE a.t */", "RENAME TABLE t TO `a``b`", "-- x\nTRUNCATE t", "INSERT INTO t VALUES ('\\'', \"x\")", "DROP TABLE IF EXISTS `d`.`t`"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		table := table{"d", "t"}
		table.effect(s, "d")
		w := words{text: s, table: table}
		for n := 0; ; n++ {
			if _, ok := w.next(); !ok {
				break
			}
			if n > len(s) {
				t.Fatal("more words than bytes")
			}
		}
	})
}

func TestEffects(t *testing.T) {
	for statement, want := range map[string]effect{
		"DROP TABLE t":                                              replaced,
		"DROP TABLE IF EXISTS x, `d`.`t`":                           replaced,
		"drop table D.T":                                            replaced,
		"DROP TABLE other.t":                                        nothing,
		"DROP TEMPORARY TABLE t":                                    nothing,
		"DROP DATABASE d":                                           replaced,
		"DROP DATABASE x":                                           nothing,
		"DROP INDEX i ON t":                                         nothing,
		"/* a */ TRUNCATE /* b */ t":                                replaced,
		"/*!40000 TRUNCATE t */":                                    replaced,
		"/*M!100000 TRUNCATE t */":                                  replaced,
		"# t\nTRUNCATE x":                                           nothing,
		"-- t\nTRUNCATE t":                                          replaced,
		"RENAME TABLE x TO t":                                       replaced,
		"RENAME TABLES other.t TO other.x":                          nothing,
		"RENAME USER t TO x":                                        nothing,
		"ALTER TABLE t ADD c INT":                                   altered,
		"ALTER ONLINE IGNORE TABLE t ADD c INT":                     altered,
		"ALTER TABLE t RENAME COLUMN a TO b":                        altered,
		"ALTER TABLE t RENAME INDEX a TO b":                         altered,
		"ALTER TABLE t RENAME x":                                    replaced,
		"ALTER TABLE x RENAME AS t":                                 replaced,
		"ALTER TABLE t ADD `rename` INT":                            altered,
		"ALTER TABLE t COMMENT 'x RENAME y'":                        altered,
		"ALTER TABLE t DROP PARTITION p":                            replaced,
		"ALTER TABLE t TRUNCATE PARTITION p":                        replaced,
		"ALTER TABLE t ADD PARTITION (…)":                           altered,
		"ALTER TABLE t DROP COLUMN p":                               altered,
		"ALTER TABLE x EXCHANGE PARTITION p WITH TABLE t":           replaced,
		"ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4":            altered,
		"ALTER TABLE t CONVERT PARTITION p TO TABLE x":              replaced,
		"ALTER TABLE t DISCARD TABLESPACE":                          replaced,
		"ALTER TABLE x ADD FOREIGN KEY (a) REFERENCES t (id)":       altered, // a look too much
		"CREATE TABLE t (id INT)":                                   altered,
		"CREATE OR REPLACE TABLE t (id INT)":                        replaced,
		"CREATE OR REPLACE TABLE x AS SELECT * FROM t":              nothing,
		"CREATE OR REPLACE TABLE `d`.`t` (id INT)":                  replaced,
		"CREATE OR REPLACE TABLE t.x (id INT)":                      nothing,
		"CREATE TABLE IF NOT EXISTS t (id INT)":                     altered,
		"SET STATEMENT max_statement_time = 5 FOR TRUNCATE TABLE t": replaced,
		"SET STATEMENT max_statement_time = 5 FOR SELECT 1":         nothing,
		"SET GLOBAL x = 1":                                          nothing,
		"CREATE TEMPORARY TABLE t (id INT)":                         nothing,
		"CREATE VIEW t AS SELECT 1":                                 nothing,
		"INSERT INTO t VALUES ('a')":                                replaced,
		"INSERT INTO x VALUES ('t')":                                nothing,
		`INSERT INTO x VALUES ('it\'s t')`:                          nothing,
		"UPDATE x JOIN d.t USING (id) SET a=1":                      replaced,
		"GRANT SELECT ON t TO x":                                    nothing,
		"FLUSH TABLES t":                                            nothing,
		"ALTER DATABASE d CHARACTER SET utf8":                       nothing,
		"":                                                          nothing,
	} {
		if got := (table{"d", "t"}).effect(statement, "d"); got != want {
			t.Errorf("%q: %d, want %d", statement, got, want)
		}
	}
}

// recorded are the events of a few transactions, as the server sent them.
func recorded(t testing.TB, b *bench, statements ...string) [][]byte {
	t.Helper()
	m, err := b.server.now(context.Background(), MariaDB)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(context.Background(), b.server.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.dump(&place{Flavor: MariaDB}, m.at, 1<<31); err != nil {
		t.Fatal(err)
	}
	b.exec(statements...)
	b.exec("FLUSH BINARY LOGS")
	var events [][]byte
	for {
		event, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		h, err := readHeader(event)
		if err != nil {
			t.Fatal(err)
		}
		if h.kind == replication.ROTATE_EVENT && len(events) > 2 {
			return events
		}
		events = append(events, event)
	}
}

func feed(events [][]byte, flavor Flavor, t table) (items []item, err error) {
	f := newFollower(flavor, t, false, identity{alien: true})
	f.push = func(it item) bool { items = append(items, it); return true }
	for _, event := range events {
		if err = f.event(event); err != nil {
			break
		}
	}
	return items, err
}

// MySQL's frame of a transaction, around rows that MariaDB wrote.
func TestMySQLTransactions(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, v VARCHAR(20)")
	events := recorded(t, b, "INSERT INTO t VALUES (1, 'a')", "UPDATE t SET v = 'b'")
	var frame, inside [][]byte
	for _, event := range events {
		switch h, _ := readHeader(event); h.kind {
		case replication.FORMAT_DESCRIPTION_EVENT:
			frame = append(frame[:0], event)
		case replication.TABLE_MAP_EVENT, replication.WRITE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv1:
			inside = append(inside, event)
		}
	}
	source := []byte("0123456789abcdef")
	gtid := append(append([]byte{0}, source...), 5, 0, 0, 0, 0, 0, 0, 0)
	begin := made(replication.QUERY_EVENT, append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "BEGIN"...))
	xid := made(replication.XID_EVENT, make([]byte, 8))
	transaction := append(append([][]byte{begin}, inside...), xid)
	check := func(what string, events [][]byte) {
		t.Helper()
		items, err := feed(events, MySQL, table{b.name, "t"})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(items) != 4 || items[1].op != insertRow || items[2].op != updateRow || !items[3].named || items[3].id.seq != 5 || !items[3].dirty {
			t.Fatalf("%s: %+v", what, items)
		}
		at, err := parseGTIDs(MySQL, "30313233-3435-3637-3839-616263646566:1-4")
		if err != nil {
			t.Fatal(err)
		}
		if at.add(items[3].id); at.String() != "30313233-3435-3637-3839-616263646566:1-5" {
			t.Errorf("%s: behind %s", what, at.String())
		}
	}
	frame = append(frame, made(replication.GTID_EVENT, gtid))
	check("plain", append(frame[:2:2], transaction...))
	var plain []byte
	for _, event := range transaction { // within, they have no checksum
		event = bytes.Clone(event[:len(event)-4])
		binary.LittleEndian.PutUint32(event[9:], uint32(len(event)))
		plain = append(plain, event...)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for kind, payload := range map[byte][]byte{payloadZstd: z.EncodeAll(plain, nil), payloadNone: plain} {
		body := []byte{payloadKind, 1, kind, 3, 1, 9, payloadEnd}
		if kind == payloadNone {
			body = []byte{payloadKind, 3, 0xfc, kind, 0, payloadEnd}
		}
		check("compressed", append(frame[:2:2], made(replication.TRANSACTION_PAYLOAD_EVENT, append(body, payload...))))
	}
}

// made is an event with a header and a checksum.
func made(kind replication.EventType, body []byte) []byte {
	h := make([]byte, headerSize)
	binary.LittleEndian.PutUint32(h, 1700000000)
	h[4] = byte(kind)
	binary.LittleEndian.PutUint32(h[9:], uint32(headerSize+len(body)+4))
	return append(append(h, body...), 0, 0, 0, 0)
}

// Whatever bytes come, they are read or refused, in bounded memory.
func FuzzEvents(f *testing.F) {
	fde := append([]byte{4, 0}, make([]byte, 50)...)
	copy(fde[2:], "10.11.19-MariaDB-log")
	fde = append(append(fde, 0, 0, 0, 0, headerSize), make([]byte, 171)...)
	fde = append(fde, 1) // checksums
	tm := append([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 3, 3, 246, 252}, 3, 10, 2, 2, 7)
	rows := []byte{1, 0, 0, 0, 0, 0, 1, 0, 3, 7, 0, 1, 0, 0, 0, 128, 0, 0, 5, 50, 1, 0, 'a'}
	f.Add(byte(replication.TABLE_MAP_EVENT), tm, byte(replication.WRITE_ROWS_EVENTv1), rows)
	f.Add(byte(replication.TABLE_MAP_EVENT), tm, byte(replication.UPDATE_ROWS_EVENTv2), rows)
	f.Add(byte(replication.MARIADB_GTID_EVENT), make([]byte, 19), byte(replication.QUERY_EVENT), rows)
	f.Add(byte(replication.TRANSACTION_PAYLOAD_EVENT), []byte{2, 1, 0, 0, 1, 2}, byte(replication.XA_PREPARE_LOG_EVENT), rows)
	f.Fuzz(func(t *testing.T, kind1 byte, body1 []byte, kind2 byte, body2 []byte) {
		items, _ := feed([][]byte{
			made(replication.FORMAT_DESCRIPTION_EVENT, fde), made(replication.EventType(kind1), body1), made(replication.EventType(kind2), body2),
		}, MariaDB, table{"d", "t"})
		for _, it := range items {
			if it.kind == rowsItem {
				walk(it)
			}
		}
	})
}

// walk reads all rows of an item, all columns decoded.
func walk(it item) {
	n := int(it.table.ColumnCount)
	if n != it.head.columns || n > maxColumns || len(it.table.ColumnMeta) != n || len(it.table.ColumnType) != n {
		return
	}
	l := &layout{columns: make([]column, n), at: make([]int, n)}
	for i := range l.columns {
		c := &l.columns[i]
		c.kind, c.length = realType(it.table.ColumnType[i], it.table.ColumnMeta[i])
		c.meta, c.certain, c.set, c.values = it.table.ColumnMeta[i], true, &charset{utf8: i%2 == 0, binary: i%2 == 1}, []string{"a", "b"}
		l.at[i] = i
	}
	x := rows{item: it, layout: l, r: reader{b: it.head.body}}
	for left := len(x.r.b) + 1; x.more(); {
		if _, err := x.next(false); err != nil {
			return
		}
		if len(x.r.b) >= left {
			panic("a row without bytes")
		}
		left = len(x.r.b)
	}
}

// A rollback in the log undoes rows that may have been delivered already: what came of it cannot be told.
func TestARollbackInTheLogIsLost(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, v VARCHAR(20)")
	events := recorded(t, b, "INSERT INTO t VALUES (1, 'a')")
	for _, statement := range []string{"ROLLBACK", "ROLLBACK TO SAVEPOINT `s`"} {
		var changed [][]byte
		for _, event := range events {
			if h, _ := readHeader(event); h.kind == replication.XID_EVENT {
				event = made(replication.QUERY_EVENT, append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, statement...))
			}
			changed = append(changed, event)
		}
		for name, want := range map[string]int{"t": 1, "other": 0} {
			items, err := feed(changed, MariaDB, table{b.name, name})
			if err != nil {
				t.Fatal(err)
			}
			lost := 0
			for _, it := range items {
				if it.kind == lostItem {
					lost++
				}
			}
			if lost != want {
				t.Errorf("%s, for table %s: lost %d times, want %d", statement, name, lost, want)
			}
		}
	}
}
