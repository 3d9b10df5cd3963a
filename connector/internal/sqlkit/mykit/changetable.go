package mykit

import (
	"context"
	"database/sql/driver"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Own is the column of a change table that is 1 in the table's own row and 0 in all others. The primary key is it and
// the key: by a primary key the triggers lock the row of their key and nothing beside it, so that two transactions that
// touch different rows never meet.
const Own = "lockstep_own"

// ChangeTable is a change table.
type ChangeTable struct {
	Database, Name string
	Keys, Types    []string // the key's columns, quoted, and their types
	Marker         string   // the comment that tells what it was made for
}

// SQL is its name, with the database.
func (c *ChangeTable) SQL() string { return Quote(c.Database) + "." + Quote(c.Name) }

// CreateSQL makes the table.
func (c *ChangeTable) CreateSQL() string {
	columns := Own + " tinyint NOT NULL"
	for i, key := range c.Keys {
		columns += ", " + key + " " + c.Types[i] + " NOT NULL"
	}
	return "CREATE TABLE " + c.SQL() + " (" + columns + ", " + sqlkit.Generation + " bigint NOT NULL, " + sqlkit.Epoch + " varchar(64), PRIMARY KEY (" + Quote(Own) + ", " +
		strings.Join(c.Keys, ", ") + ")) ENGINE = InnoDB COMMENT = " + Literal(c.Marker)
}

// OwnRowSQL makes the table's own row, last of all: it says that all is there. Its key fields are whatever the server
// puts where nothing is given.
func (c *ChangeTable) OwnRowSQL() string {
	return "INSERT IGNORE INTO " + c.SQL() + " (" + Quote(Own) + ", " + sqlkit.Generation + ", " + sqlkit.Epoch + ") VALUES (1, 0, MD5(UUID()))"
}

// ChangeTrigger is a trigger that puts the key of a row into a change table.
type ChangeTrigger struct {
	Name  string
	Event string   // INSERT, UPDATE or DELETE
	Table string   // with the database, quoted
	Key   []string // the key, as SQL
	When  string   // a condition
}

// TriggerSQL makes a trigger. It is a single statement, so that a script of them needs no delimiter of its own. A
// generation is the time in microseconds, or one more than the last: a key never has the same again while somebody may
// still hold it. Triggers run with the rights of who makes them, so that applications need none on the change table.
func (c *ChangeTable) TriggerSQL(t ChangeTrigger) string {
	const generation = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
	return "CREATE TRIGGER " + Quote(c.Database) + "." + Quote(t.Name) + " AFTER " + t.Event + " ON " + t.Table + " FOR EACH ROW\n\tINSERT INTO " + c.SQL() +
		" (" + Quote(Own) + ", " + strings.Join(c.Keys, ", ") + ", " + sqlkit.Generation + ") SELECT 0, " + strings.Join(t.Key, ", ") + ", " + generation +
		" FROM DUAL WHERE " + t.When +
		"\n\tON DUPLICATE KEY UPDATE " + sqlkit.Generation + " = GREATEST(" + c.SQL() + "." + sqlkit.Generation + " + 1, VALUES(" + sqlkit.Generation + "))"
}

// Comment is the comment of the table of that name, "-" where there is none.
func (c *ChangeTable) Comment(ctx context.Context, conn Link) (string, error) {
	row, err := conn.One(ctx, "SELECT COALESCE((SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?), '-')", c.Database, c.Name)
	if err != nil {
		return "", err
	}
	return row[0], nil
}

// Standing is what the own row says.
type Standing struct {
	Epoch string
	Acked int64
	Clock time.Time // the server's, now
}

// Standing reads the own row; false where there is none.
func (c *ChangeTable) Standing(ctx context.Context, conn Link) (s Standing, found bool, err error) {
	err = conn.Rows(ctx, "SELECT "+sqlkit.Epoch+", "+sqlkit.Generation+", CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED) FROM "+c.SQL()+" WHERE "+Own+" = 1", nil, func(cells []driver.Value) error {
		found = true
		s.Epoch = TextOf(cells[0])
		s.Acked, _ = strconv.ParseInt(TextOf(cells[1]), 10, 64)
		micros, err := strconv.ParseInt(TextOf(cells[2]), 10, 64)
		s.Clock = time.UnixMicro(micros).UTC()
		return err
	})
	return s, found, err
}

// Count notes in the own row that a page was acknowledged. False says that this is not the table that was read.
func (c *ChangeTable) Count(ctx context.Context, conn Link, turn sqlkit.Turn) (bool, error) {
	done, err := conn.Exec(ctx, "UPDATE "+c.SQL()+" SET "+sqlkit.Generation+" = GREATEST("+sqlkit.Generation+", ?) WHERE "+Quote(Own)+" = 1 AND "+sqlkit.Epoch+" = ?", turn.Acked, turn.Epoch)
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// DropSQL drops the table, if there is one whose comment begins with a text.
func (c *ChangeTable) DropSQL(ctx context.Context, conn Link, marker string) (script []string, err error) {
	err = conn.Rows(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND LEFT(TABLE_COMMENT, CHAR_LENGTH(?)) = ?",
		[]driver.Value{c.Database, c.Name, marker, marker}, func([]driver.Value) error {
			script = append(script, "DROP TABLE "+c.SQL())
			return nil
		})
	return script, err
}

// DropTriggersSQL are statements that drop those of the triggers that are there.
func DropTriggersSQL(ctx context.Context, conn Link, database string, names ...string) (script []string, err error) {
	args := []driver.Value{database}
	for _, n := range names {
		args = append(args, n)
	}
	err = conn.Rows(ctx, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? AND TRIGGER_NAME IN ("+Marks(len(names))+")", args, func(cells []driver.Value) error {
		script = append(script, "DROP TRIGGER "+Quote(database)+"."+Quote(TextOf(cells[0])))
		return nil
	})
	return script, err
}

// RunScript runs statements, unless dry, and shows them. The server commits each by itself: what is made last tells
// that all is there.
func RunScript(ctx context.Context, conn Link, statements []string, dry bool) (string, error) {
	if len(statements) == 0 {
		return "", nil
	}
	script := strings.Join(statements, ";\n") + ";\n"
	if dry {
		return script, nil
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return script, installFault(err)
		}
	}
	return script, nil
}

// installFault says more of what the server says too little of.
func installFault(err error) error {
	if IsNumber(err, 1419) {
		return lockstep.Faultf(lockstep.CodeRights, "the binary log is on, and then only a user with the right SUPER may make triggers: "+
			"SET GLOBAL log_bin_trust_function_creators = ON, or let somebody who has the right run the script of a dry run")
	}
	if IsNumber(err, 1142, 1044, 1227) {
		return lockstep.Faultf(lockstep.CodeRights, "the user lacks the rights CREATE, DROP, INSERT and TRIGGER on the database, which the tracker needs; or let somebody who has them run the script of a dry run")
	}
	return err
}
