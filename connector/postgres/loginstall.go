package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// logInstall makes a publication of the table, a slot, and, where old rows do not hold the stream's key, a replica
// identity that does. The publication comes first: the slot cannot be read from before it.
func (s *System) logInstall(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	s.forget()
	t, err := s.table(ctx, r.Stream)
	if err != nil {
		return "", err
	}
	if _, err := t.KeyColumns(); err != nil {
		return "", err
	}
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	name := s.logName(r)
	state, err := conn.logState(ctx, name, t.Info.(tableInfo).oid)
	if err != nil {
		return "", err
	}
	identity, err := conn.identity(ctx, t, name)
	if err != nil {
		return "", err
	}
	if err := identity.decodable(t); err != nil {
		return "", err
	}
	mend := identity.mend(t)
	tables := append(mend, publish(state, t, name, identity.parts)...)
	switch {
	case len(mend) > 0 && identity.note == "":
		tables = append(tables, identity.remember(name, identityNote+identity.is))
	case !state.public:
		tables = append(tables, identity.remember(name, ours))
	}
	slot := makeSlot(state, name)
	if len(tables)+len(slot) == 0 {
		return "", nil
	}
	if err := state.able(len(slot) > 0); err != nil {
		return "", err
	}
	if !dry {
		err = conn.run(ctx, tables, slot)
	}
	return script(slices.Concat(tables, slot)), err
}

// able says what the server or the user lacks.
func (s logState) able(slot bool) error {
	switch {
	case s.standby:
		return lockstep.Faultf(lockstep.CodeCannot, "this is a standby: a publication is made on the primary")
	case s.level != "logical":
		return levelFault(s)
	case !s.right:
		return rightsFault(s)
	case slot && s.slot && !s.lost:
		return lockstep.Faultf(lockstep.CodeCannot, "there is a replication slot of our name that is not ours: it has the plugin %s, or is of another database", s.plugin)
	case slot && !s.slot && s.free <= 0:
		f := lockstep.Faultf(lockstep.CodeCannot, "all replication slots of the server are taken")
		f.Next = "Raise max_replication_slots (and max_wal_senders) and restart the server, or drop a slot that nobody reads: SELECT * FROM pg_replication_slots."
		return f
	}
	return nil
}

func publish(s logState, t *sqlkit.Table, name string, parts bool) []string {
	const all = "publish = 'insert, update, delete, truncate'"
	switch {
	case !s.public && parts:
		return []string{"CREATE PUBLICATION " + sqlkit.Quote(name) + " FOR TABLE " + t.SQL + " WITH (" + all + ", publish_via_partition_root = true)"}
	case !s.public:
		return []string{"CREATE PUBLICATION " + sqlkit.Quote(name) + " FOR TABLE " + t.SQL + " WITH (" + all + ")"}
	}
	var out []string
	if s.member == "" {
		out = append(out, "ALTER PUBLICATION "+sqlkit.Quote(name)+" SET TABLE "+t.SQL)
	}
	if !s.complete {
		out = append(out, "ALTER PUBLICATION "+sqlkit.Quote(name)+" SET ("+all+")")
	}
	return out
}

func makeSlot(s logState, name string) []string {
	create := "SELECT pg_create_logical_replication_slot(" + literal(name) + ", 'pgoutput')"
	switch {
	case !s.slot:
		return []string{create}
	case s.lost || s.plugin != "pgoutput" || !s.here: // the last two are refused by able
		return []string{dropSlot(name), create}
	}
	return nil
}

func dropSlot(name string) string { return "SELECT pg_drop_replication_slot(" + literal(name) + ")" }

func script(statements []string) string {
	if len(statements) == 0 {
		return ""
	}
	return strings.Join(statements, ";\n") + ";\n"
}

// run does what needs a transaction in one, and what must not be in one behind it. A table that is in use is not
// waited for: those who come after us would wait, too.
func (c link) run(ctx context.Context, together, single []string) error {
	if len(together) > 0 {
		all := "BEGIN; SET LOCAL lock_timeout = '10s'; " + strings.Join(together, "; ") + "; COMMIT"
		if _, err := c.pg.Exec(ctx, all).ReadAll(); err != nil {
			if !c.pg.IsClosed() {
				_, _ = c.pg.Exec(ctx, "ROLLBACK").ReadAll()
			}
			return err
		}
	}
	for _, sql := range single {
		if err := c.runOne(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (c link) runOne(ctx context.Context, sql string) error {
	_, err := c.pg.Exec(ctx, sql).ReadAll()
	return err
}

// logRemove drops the slot first, for it holds the log, then the publication, and puts the replica identity back that
// was there before us, unless another of our publications needs it or somebody else has changed it since.
func (s *System) logRemove(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	name := s.logName(r)
	if !dry {
		s.logFeed(r).close()
	}
	s.forget()
	var oid uint32
	t, err := s.table(ctx, r.Stream)
	if err == nil {
		oid = t.Info.(tableInfo).oid
	} else if lockstep.FaultOf(err).Code != lockstep.CodeNoStream {
		return "", err
	}
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	state, err := conn.logState(ctx, name, oid)
	if err != nil {
		return "", err
	}
	var slot, tables []string
	if state.slot && state.here {
		slot = append(slot, dropSlot(name))
	}
	if state.public {
		if t != nil {
			identity, err := conn.identity(ctx, t, name)
			if err != nil {
				return "", err
			}
			tables = identity.restore(t)
		}
		tables = append(tables, "DROP PUBLICATION "+sqlkit.Quote(name))
	}
	if !dry {
		if len(slot) > 0 {
			if err := conn.endReader(ctx, name); err != nil {
				return "", err
			}
		}
		if err := conn.run(ctx, nil, slot); err != nil {
			return "", err
		}
		if err := conn.run(ctx, tables, nil); err != nil {
			return "", err
		}
	}
	return script(slices.Concat(slot, tables)), nil
}

// endReader ends whoever reads the slot: it is to be dropped.
func (c link) endReader(ctx context.Context, name string) error {
	for range 40 {
		row, err := c.one(ctx, `SELECT coalesce(active_pid::text, ''), coalesce(pg_terminate_backend(active_pid)::text, '')
			FROM pg_replication_slots WHERE slot_name = $1`, name)
		if err != nil || len(row) == 0 || row[0] == "" {
			return err
		}
		if _, err := c.one(ctx, "SELECT pg_sleep(0.05)"); err != nil {
			return err
		}
	}
	return nil // dropping it says why it cannot
}

// ours is how the comments of our publications begin; one with identityNote remembers the replica identity that was
// there before.
const (
	ours         = "lockstep"
	identityNote = ours + ": the replica identity was "
)

// identity is a table's replica identity: what the log keeps of old rows.
type identity struct {
	kind    string   // r is a table, p a partitioned one
	lasting string   // p, where the table's changes are logged
	is      string   // DEFAULT, NOTHING, FULL, or USING INDEX "x"
	columns []string // of it
	index   string   // a unique index without nulls over the key, if there is one
	note    string   // what our publication's comment remembers
	other   string   // another of our publications of this table
	parts   bool
	parent  bool     // other tables inherit from it
	leaves  []string // the partitions, quoted
}

const identitySQL = `SELECT c.relkind, c.relpersistence, c.relreplident,
	coalesce((SELECT quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident), ''),
	coalesce((SELECT array_agg(a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END), '{}')::text,
	coalesce((SELECT quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisunique
		AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
		AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND a.attnotnull)
			= (SELECT array_agg(k ORDER BY k) FROM unnest($2::text[]) k) AND i.indnkeyatts = cardinality($2::text[]) LIMIT 1), ''),
	coalesce((SELECT obj_description(p.oid, 'pg_publication') FROM pg_publication p WHERE p.pubname = $3), ''),
	coalesce((SELECT quote_ident(p.pubname) FROM pg_publication p JOIN pg_publication_rel m ON m.prpubid = p.oid WHERE m.prrelid = c.oid
		AND p.pubname <> $3 AND obj_description(p.oid, 'pg_publication') LIKE '` + ours + `%' ORDER BY p.pubname LIMIT 1), ''),
	coalesce((SELECT array_agg(l.relid::regclass::text ORDER BY l.relid) FROM pg_partition_tree(c.oid) l WHERE l.relid <> c.oid), '{}')::text,
	c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)
FROM pg_class c WHERE c.oid = $1::oid`

func (c link) identity(ctx context.Context, t *sqlkit.Table, name string) (identity, error) {
	keys := make([][]byte, len(t.Stream.Key))
	for i, k := range t.Stream.Key {
		keys[i] = []byte(k)
	}
	row, err := c.one(ctx, identitySQL, strconv.FormatUint(uint64(t.Info.(tableInfo).oid), 10), string(appendArray(nil, keys)), name)
	if err != nil {
		return identity{}, err
	}
	if len(row) == 0 { // dropped a moment ago
		return identity{}, &pgconn.PgError{Code: "42P01", Severity: "ERROR", Message: "the table is gone"}
	}
	id := identity{kind: row[0], lasting: row[1], index: row[5], other: row[7], parts: row[0] == "p", parent: row[9] == "t"}
	id.note, _ = strings.CutPrefix(row[6], identityNote)
	if id.note == row[6] {
		id.note = ""
	}
	switch row[2] {
	case "d":
		id.is = "DEFAULT"
	case "n":
		id.is = "NOTHING"
	case "f":
		id.is = "FULL"
	case "i":
		id.is = "USING INDEX " + row[3]
	}
	if id.columns, err = texts(row[4]); err != nil {
		return id, err
	}
	id.leaves, err = texts(row[8])
	return id, err
}
