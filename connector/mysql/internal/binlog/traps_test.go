package binlog

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// What a row alone does not tell is looked at when it is delivered.
func TestHints(t *testing.T) {
	for _, test := range []struct{ name, column, value string }{
		{"geometry", "POINT", "ST_GeomFromText('POINT(1 2)')"},
		{"inet", "INET6", "'::1'"},
		{"many bytes a character", "VARCHAR(20) CHARACTER SET gbk", "'日本'"},
		{"two bytes a character", "VARCHAR(20) CHARACTER SET ucs2", "'a'"},
		{"utf16", "TEXT CHARACTER SET utf16", "'a'"},
		{"uuid that may be in another order", "UUID", "'00112233-4455-8677-8899-aabbccddeeff'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := begin(t, "id INT PRIMARY KEY, v "+test.column+", n INT")
			from := b.now()
			b.exec("INSERT INTO t VALUES (1, "+test.value+", 1), (2, NULL, 2)", "UPDATE t SET n = 3 WHERE id = 1", "DELETE FROM t WHERE id = 1")
			b.want(from, "?1", "+2|NULL|2", "?1", "-1")
		})
	}
}

func TestGeneratedAndInvisibleColumns(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, a INT, v INT GENERATED ALWAYS AS (a + 1) VIRTUAL, p INT GENERATED ALWAYS AS (a + 2) PERSISTENT, h INT INVISIBLE DEFAULT 9, z VARCHAR(10)")
	from := b.now()
	b.exec("INSERT INTO t (id, a, z) VALUES (1, 10, 'end')", "UPDATE t SET a = 20")
	from = b.want(from, "?1", "?1") // the virtual column is looked at
	b.shape.Columns = slices.Delete(b.shape.Columns, 2, 3)
	names := value.NewNames(b.shape.Columns...)
	b.shape.Change = func(cells []Cell) lockstep.Change {
		values := make([]value.Value, len(cells))
		for i := range cells {
			text, _ := cellText(cells[i])
			values[i] = value.Text(text)
		}
		return lockstep.Change{Record: lockstep.Record{Key: lockstep.Key(values[0].Text()), Fields: names.Fields(values)}}
	}
	b.exec("UPDATE t SET a = 30")
	b.want(from, "+1|30|32|9|end")
}

// Other row images than FULL leave columns out. What an update leaves out and the image before has stayed as it was.
func TestOtherRowImages(t *testing.T) {
	for _, image := range []string{"MINIMAL", "NOBLOB"} {
		t.Run(image, func(t *testing.T) {
			b := begin(t, "id INT PRIMARY KEY, a INT, t TEXT, n INT DEFAULT 5")
			b.db.SetMaxOpenConns(1)
			b.exec("SET SESSION binlog_row_image = "+image, "INSERT INTO t VALUES (1, 1, 'text', 1), (2, 2, 'text', 2)")
			from := b.now()
			b.exec("UPDATE t SET a = 10 WHERE id = 1", "UPDATE t SET id = 3 WHERE id = 2", "INSERT INTO t (id) VALUES (4)", "DELETE FROM t WHERE id = 1")
			got, _ := b.all(from, 100)
			if want := "[?1 -2 ?3 ?4 -1]"; fmt.Sprint(got) != want {
				t.Errorf("got %v, want %s", got, want)
			}
		})
	}
}

// Without the names of columns in the log only keys are taken from it, and only where they must be right.
func TestWithoutNames(t *testing.T) {
	for _, metadata := range []string{"MINIMAL", "NO_LOG"} {
		t.Run(metadata, func(t *testing.T) {
			b := begin(t, "a INT, id VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY, u INT UNSIGNED")
			b.shape.Key = []int{1}
			b.shape.MakeKey = func(cells []Cell) (lockstep.Key, error) {
				text, _ := cellText(cells[1])
				return lockstep.MakeKey(text), nil
			}
			b.exec("SET GLOBAL binlog_row_metadata = " + metadata)
			defer b.exec("SET GLOBAL binlog_row_metadata = FULL")
			from := b.now()
			b.exec("INSERT INTO t VALUES (1, 'ä', 4000000000)", "UPDATE t SET id = 'ö'", "DELETE FROM t")
			from = b.want(from, "?ä", "-ä", "?ö", "-ö")
			// A column in front of the key: rows from before do not look like the table any more.
			b.exec("INSERT INTO t VALUES (1, 'x', 1)", "ALTER TABLE t ADD COLUMN first VARCHAR(20) FIRST")
			b.reopen()
			if _, err := b.page(from, 10); lockstep.FaultOf(err).Code != lockstep.CodeCannot {
				t.Errorf("%v, want LS-CANNOT", err)
			}
		})
	}
}

// A change of the table in the middle: rows from before are read by what they were.
func TestAlterTable(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, a VARCHAR(20), n INT")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1, 'one', 1)", "ALTER TABLE t ADD COLUMN first INT DEFAULT 7 FIRST", "INSERT INTO t VALUES (8, 2, 'two', 2)",
		"ALTER TABLE t DROP COLUMN a", "INSERT INTO t VALUES (9, 3, 3)", "ALTER TABLE t MODIFY n BIGINT UNSIGNED", "INSERT INTO t VALUES (9, 4, 18446744073709551615)")
	// Asked for by who knows the table as it was at first: "a" is not in the last rows, and n was another type.
	from = b.want(from, "?1", "?2", "?3", "?4")
	b.shape = b.shapeOf()
	b.shape.Key = []int{1}
	b.shape.MakeKey = func(cells []Cell) (lockstep.Key, error) {
		text, _ := cellText(cells[1])
		return lockstep.MakeKey(text), nil
	}
	b.exec("INSERT INTO t VALUES (9, 5, 5)", "ALTER TABLE t ADD COLUMN late VARCHAR(10) CHARACTER SET latin1 DEFAULT 'ä'", "UPDATE t SET n = 6 WHERE id = 5")
	from = b.want(from, "+9|5|5", "+9|5|6")
	b.shape.Columns = append(b.shape.Columns, "late")
	b.shape.Change = func(cells []Cell) lockstep.Change {
		id, _ := cellText(cells[1])
		text, _ := cellText(cells[3])
		return lockstep.Change{Record: lockstep.Record{Key: lockstep.Key(id + text)}}
	}
	b.exec("UPDATE t SET n = 7 WHERE id = 5")
	got, _ := b.page(from, 10)
	if len(got.Changes) != 1 || got.Changes[0].Record.Key != "5ä" {
		t.Errorf("%v", got.Changes)
	}
}

func TestTablesThatCannotRollBack(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	b.exec("ALTER TABLE t ENGINE = MyISAM", "CREATE TABLE i (id INT PRIMARY KEY)")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1)")
	from = b.want(from, "+1")
	tx, err := b.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"INSERT INTO i VALUES (1)", "INSERT INTO t VALUES (2)", "ROLLBACK"} {
		if _, err := tx.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	_ = tx.Rollback()
	b.want(from, "+2")
}

// A prepared XA transaction is in the log before anybody knows whether it will be committed.
func TestXA(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	b.exec("CREATE TABLE other (id INT PRIMARY KEY)")
	b.db.SetMaxOpenConns(1)
	from := b.now()
	xa := func(table, name, end string) {
		b.exec("XA START '"+name+"'", "INSERT INTO "+table+" VALUES (1)", "XA END '"+name+"'", "XA PREPARE '"+name+"'", "XA "+end+" '"+name+"'")
	}
	xa("t", "rolled back", "ROLLBACK")
	xa("other", "innocent", "COMMIT")
	b.exec("INSERT INTO t VALUES (2)")
	from = b.want(from, "+2")
	b.exec("XA START 'o'", "INSERT INTO other VALUES (2)", "XA END 'o'", "XA PREPARE 'o'")
	from = b.want(from)
	b.reopen()
	b.exec("XA COMMIT 'o'", "XA START 'one phase'", "INSERT INTO t VALUES (3)", "XA END 'one phase'", "XA COMMIT 'one phase' ONE PHASE")
	from = b.want(from, "+3")
	xa("t", "guilty", "COMMIT")
	b.wantLost(from)
}

func TestCompressedEvents(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, v TEXT")
	b.exec("SET GLOBAL log_bin_compress = ON", "SET GLOBAL log_bin_compress_min_len = 10")
	defer b.exec("SET GLOBAL log_bin_compress = OFF")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1, REPEAT('x', 1000))", "UPDATE t SET v = REPEAT('y', 300)", "DELETE FROM t", "TRUNCATE TABLE t /* "+fmt.Sprintf("%0300d", 0)+" */")
	p, err := b.page(from, 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) != 3 || len(show(p.Changes[0])) != 1003 || len(show(p.Changes[1])) != 303 || show(p.Changes[2]) != "-1" {
		t.Errorf("%v", p.Changes)
	}
	b.wantLost(p.Next)
}

func TestAColumnThatIsCompressedIsRefused(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, v TEXT COMPRESSED, w INT")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1, REPEAT('x', 1000), 1)")
	if _, err := b.page(from, 10); lockstep.FaultOf(err).Code != lockstep.CodeCannot {
		t.Errorf("%v, want LS-CANNOT", err)
	}
}

// Foreign keys that cascade change rows that no event tells of. It is as the server does it, and doctor says so.
func TestCascadesAreNotInTheLog(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	b.exec("CREATE TABLE parent (id INT PRIMARY KEY)", "ALTER TABLE t ADD COLUMN p INT, ADD FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE",
		"INSERT INTO parent VALUES (1)", "INSERT INTO t VALUES (1, 1)")
	from := b.now()
	b.exec("DELETE FROM parent")
	b.want(from)
}

func TestKeysOfManyTypes(t *testing.T) {
	for _, test := range []struct{ kind, value, want string }{
		{"BIGINT UNSIGNED", "18446744073709551615", "18446744073709551615"},
		{"VARCHAR(20) CHARACTER SET latin1", "'ä'", "ä"},
		{"CHAR(20) CHARACTER SET cp1250", "'č'", "č"},
		{"DECIMAL(10,2)", "1.50", "1.50"},
		{"ENUM('a','b')", "'b'", "b"},
		{"BINARY(4)", "0x61620000", "ab\x00\x00"},
		{"DATE", "'2026-11-24'", "2026-11-24"},
		{"UUID", "'00112233-4455-1677-8899-AABBCCDDEE00'", "00112233-4455-1677-8899-aabbccddee00"},
		{"DATETIME(3)", "'2026-11-24 01:02:03.4'", "2026-11-24 01:02:03.400"},
	} {
		t.Run(test.kind, func(t *testing.T) {
			b := begin(t, "id "+test.kind+" PRIMARY KEY, n INT")
			from := b.now()
			b.exec("INSERT INTO t VALUES ("+test.value+", 1)", "DELETE FROM t")
			b.want(from, "+"+test.want+"|1", "-"+test.want)
		})
	}
}

// A versioned table keeps its history among its rows, under the same keys.
func TestVersionedTable(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY, v VARCHAR(10)")
	b.exec("ALTER TABLE t ADD SYSTEM VERSIONING")
	from := b.now()
	b.exec("INSERT INTO t VALUES (1, 'a')", "UPDATE t SET v = 'b'", "DELETE FROM t", "INSERT INTO t VALUES (2, 'c')")
	got, from := b.all(from, 100)
	for _, change := range got {
		if change[0] != '?' {
			t.Errorf("%q of %v is no hint", change, got)
		}
	}
	if got[0] != "?1" || got[len(got)-1] != "?2" {
		t.Errorf("%v", got)
	}
	b.wantRemark("note: the table keeps its history")
	b.exec("UPDATE t SET id = 3")
	if got, _ := b.all(from, 100); !slices.Contains(got, "?2") || !slices.Contains(got, "?3") {
		t.Errorf("%v", got)
	}
}

func TestAClosedFeedMakesNoConnection(t *testing.T) {
	b := begin(t, "id INT PRIMARY KEY")
	from := b.now()
	b.feed.Close()
	for _, at := range []lockstep.Position{nil, from} {
		if _, err := b.page(at, 1); lockstep.KindOf(err) != lockstep.Transient {
			t.Errorf("%v, want a transient fault", err)
		}
	}
	if err := b.feed.Wait(t.Context(), from); err != nil {
		t.Error(err)
	}
}
