package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// nameLimit keeps names handy; SQLite itself sets no limit.
const nameLimit = 100

// changeTable is the change table of a stream: the names in it.
type changeTable struct {
	plan    *sqlkit.Plan
	name    string
	sql     string   // its quoted name
	keys    []string // quoted
	aliases []string // of the keys in a join with the stream, whose columns may be named in any way
	marker  string   // the comment in its definition that tells what it was made for
}

const markerHead = "lockstep change table 1 of stream "

func changeTableOf(p *sqlkit.Plan, r lockstep.Read) *changeTable {
	c := &changeTable{plan: p, name: sqlkit.TrackName(r, nameLimit)}
	c.sql = sqlkit.Quote(c.name)
	sum := sha256.New()
	for i, at := range p.Key {
		column := p.Columns[at]
		c.keys = append(c.keys, sqlkit.Quote(column.Name))
		c.aliases = append(c.aliases, "c.lockstep_k"+strconv.Itoa(i))
		fmt.Fprintf(sum, "%q %q;", column.Name, column.Type.Native)
	}
	c.marker = markerHead + hex.EncodeToString([]byte(r.Stream)) + ", " + hex.EncodeToString(sum.Sum(nil)[:8])
	return c
}

// suffixes are those of the triggers: insert, update, an update's old key, delete.
var suffixes = [...]string{"_i", "_u", "_k", "_d"}

// installed reads what a poll must know: the change table is there and was made for the key as it is now, its triggers
// are there, and where it stands. It comes as a position.
func (s *System) installed(ctx context.Context, c *changeTable, r lockstep.Read) (sqlkit.Turn, error) {
	db, err := s.read()
	if err != nil {
		return sqlkit.Turn{}, err
	}
	if err := c.possible(); err != nil {
		return sqlkit.Turn{}, err
	}
	what, err := c.missing(ctx, db)
	if err != nil {
		return sqlkit.Turn{}, err
	}
	if what != "" {
		return sqlkit.Turn{}, sqlkit.NotTracked(r, what)
	}
	var turn sqlkit.Turn
	err = db.QueryRowContext(ctx, "SELECT "+sqlkit.Epoch+", "+sqlkit.Generation+" FROM "+c.sql+c.own()).Scan(&turn.Epoch, &turn.Acked)
	if errors.Is(err, sql.ErrNoRows) {
		return turn, sqlkit.NotTracked(r, "the change table "+c.sql+" was emptied")
	}
	return turn, err
}

// own finds the table's own row.
func (c *changeTable) own() string {
	return " WHERE " + c.keys[0] + " IS NULL AND " + sqlkit.Epoch + " IS NOT NULL"
}

// possible is a fault where there can be no triggers.
func (c *changeTable) possible() error {
	switch info := c.plan.Table.Info.(tableInfo); {
	case c.plan.Table.View:
		return sqlkit.CannotTrack(c.plan.Table, "a view")
	case info.virtual:
		return sqlkit.CannotTrack(c.plan.Table, "a virtual table")
	}
	return nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// missing says what of the installation is not there, or not as it should be; "" where all is.
func (c *changeTable) missing(ctx context.Context, db querier) (string, error) {
	args := []any{c.name}
	for _, suffix := range suffixes {
		args = append(args, c.name+suffix)
	}
	var made sql.NullString
	var triggers int
	err := db.QueryRowContext(ctx, "SELECT (SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?), (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name IN ("+
		marks(len(suffixes))+") AND lower(tbl_name) = lower(?))", append(args, c.plan.Table.Info.(tableInfo).name)...).Scan(&made, &triggers)
	switch {
	case err != nil:
		return "", err
	case !made.Valid:
		return "there is no change table " + c.sql, nil
	case !strings.Contains(made.String, c.marker):
		return "the change table " + c.sql + " was made for another key", nil
	case triggers < len(suffixes):
		return "triggers of " + c.plan.Table.SQL + " are missing: changes were missed", nil
	}
	return "", nil
}

// installTrigger makes the change table and its triggers. What is there and right stays; what is not is made anew,
// for changes may have been missed meanwhile: positions are lost then.
func (s *System) installTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, dry bool) (string, error) {
	c := changeTableOf(p, r)
	if err := c.possible(); err != nil {
		return "", err
	}
	db, err := s.read()
	if err != nil {
		return "", err
	}
	what, err := c.missing(ctx, db)
	if err != nil {
		return "", err
	}
	if what == "" {
		var n int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+c.sql+c.own()).Scan(&n); err != nil || n == 1 {
			return "", err
		}
	}
	drop, err := removeSQL(ctx, db, r)
	if err != nil {
		return "", err
	}
	return s.runScript(ctx, drop+c.installSQL(), dry)
}

func (s *System) removeTrigger(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	db, err := s.read()
	if err != nil {
		return "", err
	}
	script, err := removeSQL(ctx, db, r)
	if err != nil || script == "" {
		return "", err
	}
	return s.runScript(ctx, script, dry)
}

// removeSQL drops what was installed for a stream, whether its table is there or not. A table of that name which is not
// ours is a fault.
func removeSQL(ctx context.Context, db *sql.DB, r lockstep.Read) (string, error) {
	name := sqlkit.TrackName(r, nameLimit)
	args := []any{name}
	for _, suffix := range suffixes {
		args = append(args, name+suffix)
	}
	script := ""
	rows, err := db.QueryContext(ctx, "SELECT type, name, sql FROM sqlite_schema WHERE (type = 'table' AND name = ?) OR (type = 'trigger' AND name IN ("+marks(len(suffixes))+")) ORDER BY type DESC", args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, what, made string
		if err := rows.Scan(&kind, &what, &made); err != nil {
			return "", err
		}
		if kind == "table" && !strings.Contains(made, markerHead) {
			return "", lockstep.Faultf(lockstep.CodeConfig, "there is a table %s that is not ours: give the tracker another name", sqlkit.Quote(name))
		}
		script += "DROP " + strings.ToUpper(kind) + " " + sqlkit.Quote(what) + ";\n"
	}
	return script, rows.Err()
}

// runScript runs a script in one transaction, unless dry.
func (s *System) runScript(ctx context.Context, script string, dry bool) (string, error) {
	full := "BEGIN IMMEDIATE;\n" + script + "COMMIT;\n"
	if dry {
		return full, nil
	}
	return full, s.inWriter(ctx, func(tx *sql.Conn) error {
		_, err := tx.ExecContext(ctx, script)
		return err
	})
}

// inWriter does what it is given in a transaction that writes.
func (s *System) inWriter(ctx context.Context, do func(*sql.Conn) error) error {
	db, err := s.write()
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err == nil {
		defer conn.Close()
		_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	}
	if cannotWrite(err) {
		return lockstep.Faultf(lockstep.CodeRights, "the tracker must write to the file, and the user may only read it")
	}
	if err != nil {
		return err
	}
	if err := do(conn); err != nil {
		return errors.Join(err, rollback(ctx, conn))
	}
	return commit(ctx, conn)
}

// installSQL makes what is missing. The triggers delete and insert: an upsert is not known to every SQLite that an
// application may bring along, and OR REPLACE would be overruled by an OR IGNORE of the application's statement. They
// use no sequence: a random generation of 63 bits does not come again for a key, and leaves nothing behind in the file.
func (c *changeTable) installSQL() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + c.sql + " ( /* " + c.marker + " */\n")
	for i, at := range c.plan.Key {
		b.WriteString("\t" + strings.TrimRight(c.keys[i]+" "+c.plan.Columns[at].Type.Native, " ") + ",\n")
	}
	b.WriteString("\t" + sqlkit.Generation + " INTEGER NOT NULL,\n\t" + sqlkit.Epoch + " TEXT\n);\n")
	b.WriteString("CREATE UNIQUE INDEX " + sqlkit.Quote(c.name+"_key") + " ON " + c.sql + " (" + strings.Join(c.keys, ", ") + ");\n")
	b.WriteString("INSERT INTO " + c.sql + " (" + sqlkit.Generation + ", " + sqlkit.Epoch + ") VALUES (0, hex(randomblob(16)));\n")
	moved := make([]string, len(c.keys))
	for i, key := range c.keys {
		moved[i] = "OLD." + key + " IS NOT NEW." + key
	}
	for _, t := range [...]struct{ suffix, event, row, when string }{
		{"_i", "INSERT", "NEW", ""}, {"_u", "UPDATE", "NEW", ""}, {"_k", "UPDATE", "OLD", " AND (" + strings.Join(moved, " OR ") + ")"}, {"_d", "DELETE", "OLD", ""},
	} {
		fmt.Fprintf(&b, "CREATE TRIGGER %s AFTER %s ON %s WHEN %s%s BEGIN\n\tDELETE FROM %s WHERE %s;\n\tINSERT INTO %s (%s, %s) VALUES (%s, random());\nEND;\n",
			sqlkit.Quote(c.name+t.suffix), t.event, c.plan.Table.SQL, c.each(t.row, "%[1]s.%[2]s IS NOT NULL", " AND "), t.when,
			c.sql, c.each(t.row, "%[2]s = %[1]s.%[2]s", " AND "), c.sql, strings.Join(c.keys, ", "), sqlkit.Generation, c.each(t.row, "%[1]s.%[2]s", ", "))
	}
	return b.String()
}

// each writes something of each key field of a row.
func (c *changeTable) each(row, format, between string) string {
	out := make([]string, len(c.keys))
	for i, key := range c.keys {
		out[i] = fmt.Sprintf(format, row, key)
	}
	return strings.Join(out, between)
}
