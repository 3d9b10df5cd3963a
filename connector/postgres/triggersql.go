package postgres

import (
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// The triggers fire once for each statement and take the keys of all its rows at once, from the transition tables; where
// an update changes a key, one for the row takes the old one. (A join of the old with the new transition table would
// tell, too; but its plan is kept for the session, and one that is made for one row takes forever for a million.) A
// partitioned table has no transition tables where a statement is about a partition: there all fire for each row.
//
// They take no lock that the application does not have already: to touch the row of a key in the change table, a
// transaction must have touched a row with that key in the stream, and holds it until it ends; two transactions that
// touch different rows never meet. Only where two rows share a key, for want of a unique index, do their writers wait for
// each other. Ack never waits for anybody (ackSQL).
//
// The function runs as its owner, so that applications need no right to the change table and cannot write to it
// otherwise; its search path is fixed, so that nobody can put something of his own in its way, and nobody else may make
// triggers of it.

const newEpoch = "md5(random()::text || clock_timestamp()::text)"

func (c *changeTable) seq() string { return c.schema + "." + sqlkit.Quote(c.name+"_seq") }

func (c *changeTable) removeSQL() string {
	return "DROP FUNCTION IF EXISTS " + c.sql + "() CASCADE;\nDROP TABLE IF EXISTS " + c.sql + ";\n"
}

func (c *changeTable) installSQL(st state) string {
	var columns strings.Builder
	for i, key := range c.keys { // selected, so that collations are those of the stream
		columns.WriteString(key + "::" + c.types[i] + " AS " + key + ", ")
	}
	body := c.statementBody()
	if st.kind == "p" {
		body = c.rowBody()
	}
	var b strings.Builder
	for _, line := range []string{
		"CREATE TABLE " + c.sql + " WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000) AS\n\tSELECT " + columns.String() +
			"0::bigint AS " + sqlkit.Generation + ", NULL::text AS " + sqlkit.Epoch + " FROM " + c.plan.Table.SQL + " WITH NO DATA",
		"CREATE UNIQUE INDEX " + sqlkit.Quote(c.name+"_key") + " ON " + c.sql + " (" + strings.Join(c.keys, ", ") + ")",
		"CREATE SEQUENCE " + c.seq() + " OWNED BY " + c.sql + "." + sqlkit.Generation,
		"COMMENT ON TABLE " + c.sql + " IS " + literal(c.marker),
		"INSERT INTO " + c.sql + " (" + sqlkit.Generation + ", " + sqlkit.Epoch + ") VALUES (0, " + newEpoch + ")",
		"GRANT SELECT, UPDATE, DELETE ON " + c.sql + " TO " + sqlkit.Quote(st.user),
		"CREATE FUNCTION " + c.sql + "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS " + dollar(body),
		"COMMENT ON FUNCTION " + c.sql + "() IS " + literal(c.marker),
		"REVOKE ALL ON FUNCTION " + c.sql + "() FROM PUBLIC",
	} {
		b.WriteString(line + ";\n")
	}
	moved := " FOR EACH ROW WHEN ((" + c.of("OLD") + ") IS DISTINCT FROM (" + c.of("NEW") + "))"
	for _, t := range [...]struct{ suffix, event, how string }{
		{"_i", "INSERT", " REFERENCING NEW TABLE AS lockstep_new FOR EACH STATEMENT"}, {"_u", "UPDATE", " REFERENCING NEW TABLE AS lockstep_new FOR EACH STATEMENT"},
		{"_k", "UPDATE", moved}, {"_d", "DELETE", " REFERENCING OLD TABLE AS lockstep_old FOR EACH STATEMENT"}, {"_t", "TRUNCATE", " FOR EACH STATEMENT"},
	} {
		name, how := sqlkit.Quote(c.name+t.suffix), t.how
		if st.kind == "p" && strings.HasPrefix(how, " REF") {
			how = " FOR EACH ROW"
		}
		b.WriteString("CREATE TRIGGER " + name + " AFTER " + t.event + " ON " + c.plan.Table.SQL + how + " EXECUTE FUNCTION " + c.sql + "();\n")
		if st.owner { // also for what replication writes
			b.WriteString("ALTER TABLE " + c.plan.Table.SQL + " ENABLE ALWAYS TRIGGER " + name + ";\n")
		}
	}
	return b.String()
}

// of are the keys of a row.
func (c *changeTable) of(row string) string {
	out := make([]string, len(c.keys))
	for i, key := range c.keys {
		out[i] = row + "." + key
	}
	return strings.Join(out, ", ")
}

// solid is the condition that no key field of a row is null.
func (c *changeTable) solid(row string) string {
	out := make([]string, len(c.keys))
	for i, key := range c.keys {
		out[i] = row + "." + key + " IS NOT NULL"
	}
	return strings.Join(out, " AND ")
}

// record inserts keys, or gives them a new generation.
func (c *changeTable) record(keys string) string {
	return "INSERT INTO " + c.sql + " (" + strings.Join(c.keys, ", ") + ", " + sqlkit.Generation + ")\n\t\tSELECT k.*, nextval(" +
		literal(c.seq()) + "::regclass) FROM (" + keys + ") k\n\t\tON CONFLICT (" + strings.Join(c.keys, ", ") + ") DO UPDATE SET " +
		sqlkit.Generation + " = excluded." + sqlkit.Generation + ";\n"
}

func (c *changeTable) truncated() string {
	return "\tIF TG_OP = 'TRUNCATE' THEN\n\t\tUPDATE " + c.sql + " SET " + sqlkit.Epoch + " = " + newEpoch + " WHERE " + c.keys[0] + " IS NULL;\n"
}

func (c *changeTable) notify() string {
	return "PERFORM pg_notify(" + literal(c.name) + ", '');\n"
}

// statementBody takes the keys of all rows of a statement, or the old key of a row. Where the key is unique, none comes
// twice.
func (c *changeTable) statementBody() string {
	distinct := ""
	if !c.plan.Table.KeyIsUnique() {
		distinct = "DISTINCT "
	}
	return "#variable_conflict use_column\nBEGIN\n" + c.truncated() +
		"\tELSIF TG_LEVEL = 'ROW' THEN\n\t\t" + c.record("SELECT "+c.of("OLD")+" WHERE "+c.solid("OLD")) +
		"\tELSIF TG_OP = 'DELETE' THEN\n\t\t" + c.record("SELECT "+distinct+c.of("o")+" FROM lockstep_old o WHERE "+c.solid("o")) +
		"\tELSE\n\t\t" + c.record("SELECT "+distinct+c.of("n")+" FROM lockstep_new n WHERE "+c.solid("n")) +
		"\tEND IF;\n\tIF FOUND THEN " + c.notify() + "\tEND IF;\n\tRETURN NULL;\nEND"
}

// rowBody takes the key of one row.
func (c *changeTable) rowBody() string {
	return "#variable_conflict use_column\nBEGIN\n" + c.truncated() +
		"\tELSIF TG_OP = 'DELETE' OR TG_NAME = " + literal(c.name+"_k") + " THEN\n\t\t" + c.record("SELECT "+c.of("OLD")+" WHERE "+c.solid("OLD")) +
		"\tELSE\n\t\t" + c.record("SELECT "+c.of("NEW")+" WHERE "+c.solid("NEW")) +
		"\tEND IF;\n\t" + c.notify() + "\tRETURN NULL;\nEND"
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// dollar quotes a text by a tag that is not in it.
func dollar(s string) string {
	tag := "$lockstep$"
	for n := 1; strings.Contains(s, tag); n++ {
		tag = "$lockstep" + strconv.Itoa(n) + "$"
	}
	return tag + "\n" + s + "\n" + tag
}
