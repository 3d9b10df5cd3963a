package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// nameLimit leaves room for the suffixes of triggers, indexes and sequences: names have 63 bytes at most.
const nameLimit = 63 - len("_key")

// channel is what the triggers notify. Tables of two schemas may share one: that wakes us up too often, nothing more.
func channel(r lockstep.Read) string { return sqlkit.TrackName(r, nameLimit) }

// changeTable is the change table of a stream: the names in it, and what was found of it.
type changeTable struct {
	plan    *sqlkit.Plan
	name    string
	schema  string   // quoted
	sql     string   // its quoted name
	keys    []string // quoted
	aliases []string // of the keys in a join with the stream, whose columns may be named in any way
	types   []string
	marker  string // the comment that tells what it was made for

	epoch string
	acked int64
	clock time.Time
}

func changeTableOf(p *sqlkit.Plan, r lockstep.Read) *changeTable {
	c := &changeTable{plan: p, name: sqlkit.TrackName(r, nameLimit)}
	c.schema = p.Table.Info.(tableInfo).schema
	c.sql = c.schema + "." + sqlkit.Quote(c.name)
	sum := sha256.New()
	for i, at := range p.Key {
		column := p.Columns[at]
		c.keys = append(c.keys, sqlkit.Quote(column.Name))
		c.aliases = append(c.aliases, "c.lockstep_k"+strconv.Itoa(i))
		c.types = append(c.types, column.Cast)
		fmt.Fprintf(sum, "%q %q %v;", column.Name, column.Cast, p.Table.KeyIsUnique())
	}
	c.marker = markerOf(r) + hex.EncodeToString(sum.Sum(nil)[:8])
	return c
}

// markerOf is how the comments of what we install begin. The number moves when what is installed does.
func markerOf(r lockstep.Read) string { return markerHead + r.Stream + ", " }

const markerHead = "lockstep change table 1 of stream "

func (c *changeTable) columnList() string {
	out := make([]string, len(c.keys))
	for i, key := range c.keys {
		out[i] = key + " AS lockstep_k" + strconv.Itoa(i)
	}
	return strings.Join(out, ", ")
}

func (c *changeTable) onKey() string {
	out := make([]string, len(c.keys))
	for i, key := range c.keys {
		out[i] = "t." + key + " = " + c.aliases[i]
	}
	return strings.Join(out, " AND ")
}

// kinds are the kinds of pg_class.relkind on which no trigger of ours can be.
var kinds = map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table"}

// state is what is there of a tracker's installation.
type state struct {
	kind      string
	table     string // the change table's marker, "" where there is none
	triggers  int    // how many of ours are there and fire
	owner     bool   // the user owns the stream's table
	mayCreate bool   // in the schema
	mayTrack  bool
	user      string
}

const triggerCount = 5

const stateSQL = `SELECT c.relkind, coalesce((SELECT coalesce(obj_description(x.oid, 'pg_class'), '-') FROM pg_class x WHERE x.relname = $2 AND x.relnamespace = c.relnamespace), ''),
	(SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname IN ($2 || '_i', $2 || '_u', $2 || '_k', $2 || '_d', $2 || '_t') AND g.tgenabled IN ('O', 'A')),
	pg_has_role(c.relowner, 'USAGE'), has_schema_privilege(c.relnamespace, 'CREATE'), has_table_privilege(c.oid, 'TRIGGER'), current_user
FROM pg_class c WHERE c.oid = $1::oid`

func (c link) state(ctx context.Context, t *changeTable) (state, error) {
	row, err := c.one(ctx, stateSQL, strconv.FormatUint(uint64(t.plan.Table.Info.(tableInfo).oid), 10), t.name)
	if err != nil || row == nil {
		return state{}, err
	}
	n, _ := strconv.Atoi(row[2])
	return state{row[0], row[1], n, row[3] == "t", row[4] == "t", row[5] == "t", row[6]}, nil
}

// installed reads what a poll must know: the change table is there and was made for the key as it is now, its triggers
// fire, and where it stands.
func (s *System) installed(ctx context.Context, p *sqlkit.Plan, r lockstep.Read) (*changeTable, error) {
	c := changeTableOf(p, r)
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	defer conn.release()
	if err := s.whole(ctx, conn, c, r); err != nil {
		return nil, err
	}
	row, err := conn.one(ctx, "SELECT "+sqlkit.Epoch+", "+sqlkit.Generation+", clock_timestamp() FROM "+c.sql+" WHERE "+c.keys[0]+" IS NULL AND "+sqlkit.Epoch+" IS NOT NULL")
	if err != nil {
		s.unsure()
		if f := lockstep.FaultOf(fault(err)); f.Code == lockstep.CodeNoStream {
			return nil, sqlkit.NotTracked(r, "there is no change table "+c.sql+" any more")
		}
		return nil, err
	}
	if row == nil {
		return nil, sqlkit.NotTracked(r, "the change table "+c.sql+" was emptied")
	}
	c.epoch = row[0]
	c.acked, _ = strconv.ParseInt(row[1], 10, 64)
	c.clock, err = instant(row[2])
	return c, err
}

// wholeFor is how long what was found to be there is taken to be there. Whatever is not is noticed a moment later then.
const wholeFor = time.Second

// whole makes sure that a change table is there, with all its triggers.
func (s *System) whole(ctx context.Context, conn link, c *changeTable, r lockstep.Read) error {
	s.mu.Lock()
	known := time.Since(s.wholes[c.sql+c.marker]) < wholeFor
	s.mu.Unlock()
	if known {
		return nil
	}
	st, err := conn.state(ctx, c)
	if err != nil {
		return err
	}
	switch {
	case kinds[st.kind] != "":
		return sqlkit.CannotTrack(c.plan.Table, kinds[st.kind])
	case st.table == "":
		return sqlkit.NotTracked(r, "there is no change table "+c.sql)
	case st.table != c.marker:
		return sqlkit.NotTracked(r, "the change table "+c.sql+" was made for another key")
	case st.triggers < triggerCount:
		return sqlkit.NotTracked(r, "triggers of "+c.plan.Table.SQL+" are missing or disabled: changes were missed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wholes == nil {
		s.wholes = map[string]time.Time{}
	}
	s.wholes[c.sql+c.marker] = time.Now()
	return nil
}

// installTrigger makes the change table and its triggers. What is there and right stays; what is not is made anew,
// for changes may have been missed meanwhile: positions are lost then.
func (s *System) installTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, dry bool) (string, error) {
	c := changeTableOf(p, r)
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	st, err := conn.state(ctx, c)
	if err != nil {
		return "", err
	}
	switch {
	case kinds[st.kind] != "":
		return "", sqlkit.CannotTrack(p.Table, kinds[st.kind])
	case st.table != "" && !strings.HasPrefix(st.table, markerHead):
		return "", lockstep.Faultf(lockstep.CodeConfig, "there is a table %s that is not ours: give the tracker another name", c.sql)
	case st.table == c.marker && st.triggers == triggerCount:
		row, err := conn.one(ctx, "SELECT count(*) FROM "+c.sql+" WHERE "+c.keys[0]+" IS NULL")
		if err != nil || row[0] == "1" {
			return "", err
		}
	}
	if !dry {
		if err := c.mayInstall(st); err != nil {
			return "", err
		}
	}
	before, err := conn.ours(ctx, c.name, markerOf(r))
	if err != nil {
		return "", err
	}
	drop := ""
	for _, old := range before {
		if old.schema == c.schema {
			drop = old.removeSQL()
		}
	}
	script := transaction(drop + c.installSQL(st))
	if !dry {
		_, err = conn.pg.Exec(ctx, script).ReadAll()
	}
	return script, err
}

func (c *changeTable) mayInstall(st state) error {
	lacking := ""
	switch {
	case !st.mayTrack:
		lacking = "TRIGGER on " + c.plan.Table.SQL
	case !st.mayCreate:
		lacking = "CREATE on schema " + c.schema
	default:
		return nil
	}
	return lockstep.Faultf(lockstep.CodeRights, "the user lacks the right %s; or let somebody who has it run the script of a dry run", lacking)
}

// unsure makes the next poll look whether all is there.
func (s *System) unsure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wholes = nil
}

// transaction wraps a script. Nobody waits long behind us while we wait for a lock.
func transaction(script string) string {
	return "BEGIN;\nSET LOCAL lock_timeout = '10s';\n" + script + "COMMIT;\n"
}

func (s *System) removeTrigger(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	s.unsure()
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	found, err := conn.ours(ctx, sqlkit.TrackName(r, nameLimit), markerOf(r))
	script := ""
	for _, c := range found {
		script += c.removeSQL()
	}
	if err != nil || script == "" {
		return "", err
	}
	script = transaction(script)
	if !dry {
		_, err = conn.pg.Exec(ctx, script).ReadAll()
	}
	return script, err
}

// ours finds what was installed for a stream. Its table may be gone, or have another name by now, so what is ours tells
// itself, by its comment.
func (c link) ours(ctx context.Context, name, marker string) (found []*changeTable, err error) {
	err = c.rows(ctx, `SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relname = $1 AND c.relkind = 'r' AND starts_with(obj_description(c.oid, 'pg_class'), $2)
		UNION SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE p.proname = $1 AND starts_with(obj_description(p.oid, 'pg_proc'), $2)`,
		bytesOf([]string{name, marker}), func(cells [][]byte) error {
			schema := sqlkit.Quote(string(cells[0]))
			found = append(found, &changeTable{name: name, schema: schema, sql: schema + "." + sqlkit.Quote(name)})
			return nil
		})
	return found, err
}
