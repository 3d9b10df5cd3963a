package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// nameLimit leaves room for the suffixes of triggers: names have 64 characters at most.
const nameLimit = 60

// changeTable is the change table of a stream: the names in it, and what was found of it.
//
// Its primary key is that of the stream behind a column lockstep_own, which is 1 in the table's own row and 0 in all
// others. By a primary key the triggers lock the row of their key and nothing beside it: two transactions that touch
// different rows of the stream never meet.
type changeTable struct {
	plan   *sqlkit.Plan
	system *System
	name   string
	sql    string   // its quoted name, with the database
	keys   []string // quoted
	types  []string
	marker string // the comment that tells what it was made for

	epoch string
	acked int64
	clock time.Time
}

const ownColumn = "lockstep_own"

func (s *System) changeTableOf(p *sqlkit.Plan, r lockstep.Read) *changeTable {
	c := &changeTable{plan: p, system: s, name: sqlkit.TrackName(r, nameLimit)}
	c.sql = quote(s.database) + "." + quote(c.name)
	sum := sha256.New()
	for i, at := range p.Key {
		column := p.Columns[at]
		info := columnOf(p.Table, column)
		typ := column.Type.Native
		if info.collation != "" {
			typ += " CHARACTER SET " + info.charset + " COLLATE " + info.collation
		}
		c.keys, c.types = append(c.keys, quote(column.Name)), append(c.types, typ)
		fmt.Fprintf(sum, "%d %q %q;", i, column.Name, typ)
	}
	c.marker = markerOf(r) + hex.EncodeToString(sum.Sum(nil)[:8])
	return c
}

// markerOf is how the comments of what we install begin. The number moves when what is installed does.
func markerOf(r lockstep.Read) string { return markerHead + r.Stream + ", " }

const markerHead = "lockstep change table 1 of stream "

// suffixes are those of the triggers: insert, update, an update's old key, delete.
var suffixes = [...]string{"_i", "_u", "_k", "_d"}

const stateSQL = `SELECT COALESCE((SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?), '-'),
	(SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? AND TRIGGER_NAME IN (?, ?, ?, ?))`

// state is the comment of the change table, "-" where there is none, and how many of its triggers there are.
func (c *changeTable) state(ctx context.Context, conn link) (comment string, triggers int, err error) {
	row, err := conn.one(ctx, stateSQL, c.system.database, c.name, c.system.database, infoOf(c.plan.Table).name,
		c.name+suffixes[0], c.name+suffixes[1], c.name+suffixes[2], c.name+suffixes[3])
	if err != nil {
		return "", 0, err
	}
	return row[0], number(row[1]), nil
}

// installed reads what a poll must know: the change table is there and was made for the key as it is now, its triggers
// are there, and where it stands.
func (s *System) installed(ctx context.Context, conn link, p *sqlkit.Plan, r lockstep.Read) (*changeTable, error) {
	if p.Table.View {
		return nil, sqlkit.CannotTrack(p.Table, "a view")
	}
	c := s.changeTableOf(p, r)
	comment, triggers, err := c.state(ctx, conn)
	switch {
	case err != nil:
		return nil, err
	case comment == "-":
		return nil, sqlkit.NotTracked(r, "there is no change table "+c.sql)
	case comment != c.marker:
		return nil, sqlkit.NotTracked(r, "the change table "+c.sql+" was made for another key")
	case triggers < len(suffixes):
		return nil, sqlkit.NotTracked(r, "triggers of "+p.Table.SQL+" are missing, so that changes were missed; or the user lacks the right TRIGGER on it, without which it does not see them")
	}
	found := false
	err = conn.rows(ctx, "SELECT "+sqlkit.Epoch+", "+sqlkit.Generation+", SYSDATE(6) FROM "+c.sql+" WHERE "+ownColumn+" = 1", nil, func(cells []driver.Value) error {
		found = true
		c.epoch = textOf(cells[0])
		c.acked, _ = strconv.ParseInt(textOf(cells[1]), 10, 64)
		c.clock, _, _ = parseTime([]byte(textOf(cells[2])))
		return nil
	})
	if err == nil && !found {
		err = sqlkit.NotTracked(r, "the change table "+c.sql+" was emptied")
	}
	return c, err
}

// installTrigger makes the change table and its triggers. What is there and right stays; what is not is made anew,
// for changes may have been missed meanwhile: positions are lost then.
func (s *System) installTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, dry bool) (string, error) {
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	if _, err := s.installed(ctx, conn, p, r); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeNotTracked {
		return "", err
	}
	c := s.changeTableOf(p, r)
	comment, _, err := c.state(ctx, conn)
	if err != nil {
		return "", err
	}
	if comment != "-" && !strings.HasPrefix(comment, markerHead) {
		return "", lockstep.Faultf(lockstep.CodeConfig, "there is a table %s that is not ours: give the tracker another name", c.sql)
	}
	drop, err := s.removeTriggerSQL(ctx, conn, r)
	if err != nil {
		return "", err
	}
	script, err := s.runScript(ctx, conn, append(drop, c.installSQL()...), dry)
	if err != nil { // what could not be finished goes away
		if drop, failed := s.removeTriggerSQL(ctx, conn, r); failed == nil {
			_, _ = s.runScript(ctx, conn, drop, false)
		}
	}
	return script, err
}

func (s *System) removeTrigger(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	script, err := s.removeTriggerSQL(ctx, conn, r)
	if err != nil {
		return "", err
	}
	return s.runScript(ctx, conn, script, dry)
}

// removeTriggerSQL drops what was installed for a stream, whether its table is there or not: triggers that go by our
// names, and a table that says that it is ours.
func (s *System) removeTriggerSQL(ctx context.Context, conn link, r lockstep.Read) ([]string, error) {
	name := sqlkit.TrackName(r, nameLimit)
	var names []string
	for _, suffix := range suffixes {
		names = append(names, name+suffix)
	}
	script, err := s.dropTriggers(ctx, conn, names...)
	if err != nil {
		return nil, err
	}
	err = conn.rows(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND LEFT(TABLE_COMMENT, CHAR_LENGTH(?)) = ?",
		[]driver.Value{s.database, name, markerOf(r), markerOf(r)}, func([]driver.Value) error {
			script = append(script, "DROP TABLE "+quote(s.database)+"."+quote(name))
			return nil
		})
	return script, err
}

// dropTriggers are statements that drop those of the triggers that are there.
func (s *System) dropTriggers(ctx context.Context, conn link, names ...string) (script []string, err error) {
	args := []driver.Value{s.database}
	for _, n := range names {
		args = append(args, n)
	}
	err = conn.rows(ctx, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? AND TRIGGER_NAME IN ("+marks(len(names))+")", args, func(cells []driver.Value) error {
		script = append(script, "DROP TRIGGER "+quote(s.database)+"."+quote(textOf(cells[0])))
		return nil
	})
	return script, err
}

// runScript runs statements, unless dry, and shows them. The server commits each by itself: what is made last tells
// that all is there.
func (s *System) runScript(ctx context.Context, conn link, statements []string, dry bool) (string, error) {
	if len(statements) == 0 {
		return "", nil
	}
	script := strings.Join(statements, ";\n") + ";\n"
	if dry {
		return script, nil
	}
	for _, statement := range statements {
		if _, err := conn.exec(ctx, statement); err != nil {
			return script, installFault(err)
		}
	}
	return script, nil
}

// installFault says more of what the server says too little of.
func installFault(err error) error {
	if isNumber(err, 1419) {
		return lockstep.Faultf(lockstep.CodeRights, "the binary log is on, and then only a user with the right SUPER may make triggers: "+
			"SET GLOBAL log_bin_trust_function_creators = ON, or let somebody who has the right run the script of a dry run")
	}
	if isNumber(err, 1142, 1044, 1227) {
		return lockstep.Faultf(lockstep.CodeRights, "the user lacks the rights CREATE, DROP, INSERT and TRIGGER on the database, which the tracker needs; or let somebody who has them run the script of a dry run")
	}
	return err
}

// installSQL makes the table, its triggers, and last its own row, which says that all is there. Each trigger is a
// single statement, so that the script needs no delimiter of its own. A generation is the time in microseconds, or one
// more than the last: a key never has the same again while somebody may still hold it. Triggers run with the rights of
// who makes them, so that applications need none on the change table.
func (c *changeTable) installSQL() []string {
	columns := ownColumn + " tinyint NOT NULL"
	for i, key := range c.keys {
		columns += ", " + key + " " + c.types[i] + " NOT NULL"
	}
	own := quote(ownColumn)
	script := []string{"CREATE TABLE " + c.sql + " (" + columns + ", " + sqlkit.Generation + " bigint NOT NULL, " + sqlkit.Epoch + " varchar(64), PRIMARY KEY (" + own + ", " +
		strings.Join(c.keys, ", ") + ")) ENGINE = InnoDB COMMENT = " + literal(c.marker)}
	const generation = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
	for _, t := range [...]struct{ suffix, event, row, when string }{
		{"_i", "INSERT", "NEW", ""}, {"_u", "UPDATE", "NEW", ""}, {"_k", "UPDATE", "OLD", " AND NOT (" + c.each("OLD.%[1]s <=> NEW.%[1]s", " AND ") + ")"}, {"_d", "DELETE", "OLD", ""},
	} {
		script = append(script, "CREATE TRIGGER "+quote(c.system.database)+"."+quote(c.name+t.suffix)+" AFTER "+t.event+" ON "+c.plan.Table.SQL+" FOR EACH ROW\n\tINSERT INTO "+c.sql+
			" ("+own+", "+strings.Join(c.keys, ", ")+", "+sqlkit.Generation+") SELECT 0, "+c.each(t.row+".%[1]s", ", ")+", "+generation+
			" FROM DUAL WHERE "+c.each(t.row+".%[1]s IS NOT NULL", " AND ")+t.when+
			"\n\tON DUPLICATE KEY UPDATE "+sqlkit.Generation+" = GREATEST("+c.sql+"."+sqlkit.Generation+" + 1, VALUES("+sqlkit.Generation+"))")
	}
	// The own row's key fields are whatever the server puts where nothing is given.
	return append(script, "INSERT IGNORE INTO "+c.sql+" ("+own+", "+sqlkit.Generation+", "+sqlkit.Epoch+") VALUES (1, 0, MD5(UUID()))")
}

// each writes something of each key field.
func (c *changeTable) each(format, between string) string {
	out := make([]string, len(c.keys))
	for i, key := range c.keys {
		out[i] = fmt.Sprintf(format, key)
	}
	return strings.Join(out, between)
}

func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}
