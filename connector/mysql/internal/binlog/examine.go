package binlog

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// Ready is nil where the server writes what a feed needs into its log, else a fault that names the settings. None is
// changed by us: they are the whole server's.
func (s *Server) Ready(ctx context.Context) error {
	vars, err := s.variables(ctx)
	if err != nil {
		return err
	}
	if missing := missing(vars); len(missing) > 0 {
		f := lockstep.Faultf(lockstep.CodeNotTracked, "the server's settings are not fit for the log tracker: %s", strings.Join(missing, ", "))
		f.Next = "Set them in the server's configuration and for the running server, then start the flow again."
		return f
	}
	return nil
}

// missing are the settings without which changes are not seen.
func missing(vars map[string]string) (out []string) {
	if vars["log_bin"] != "ON" {
		return []string{"log_bin must be on (it needs a restart of the server)"}
	}
	if format := vars["binlog_format"]; format != "" && format != "ROW" {
		out = append(out, "binlog_format is "+format+", it must be ROW")
	}
	if image := vars["binlog_row_image"]; image != "" && !strings.HasPrefix(image, "FULL") {
		out = append(out, "binlog_row_image is "+image+", it must be FULL")
	}
	if vars["server_id"] == "0" {
		out = append(out, "server_id is 0, it must be a number of the server's own")
	}
	return out
}

// Examine says what doctor should know of following a table by the log.
func (s *Server) Examine(ctx context.Context, schema, name string) ([]lockstep.Finding, error) {
	vars, err := s.variables(ctx)
	if err != nil {
		return nil, err
	}
	var out []lockstep.Finding
	for _, m := range missing(vars) {
		out = append(out, lockstep.Finding{Level: "error", What: m, Next: "Set it in the server's configuration and for the running server."})
	}
	if len(out) > 0 && vars["log_bin"] != "ON" {
		return out, nil
	}
	out = append(out, s.examineRights(ctx, schema, name)...)
	out = append(out, settings(vars)...)
	table, err := s.examineTable(ctx, table{schema, name})
	if err != nil {
		return nil, err
	}
	return append(out, table...), nil
}

// examineRights asks for the log as a feed would: nothing tells rights better.
func (s *Server) examineRights(ctx context.Context, schema, name string) []lockstep.Finding {
	probe := NewFeed(&Server{DB: s.DB, Address: s.Address}, schema, name)
	defer probe.Close()
	if _, err := probe.Changes(ctx, nil, lockstep.Limit{Rows: 1}, Shape{}); err != nil {
		f := lockstep.FaultOf(err)
		return []lockstep.Finding{{Level: "error", What: "the log cannot be read: " + f.Error(), Next: f.Next}}
	}
	out := []lockstep.Finding{{Level: "ok", What: "the log can be read"}}
	only, without, err := s.filters(ctx)
	switch {
	case err != nil:
		out = append(out, lockstep.Finding{
			Level: "note", What: "it cannot be seen whether the server leaves databases out of its log (binlog_do_db, binlog_ignore_db)",
			Next: "Grant BINLOG MONITOR (MariaDB) or REPLICATION CLIENT (MySQL) to the user.",
		})
	case only != "" && !listed(only, schema), listed(without, schema):
		out = append(out, lockstep.Finding{
			Level: "error", What: "the server leaves the database " + schema + " out of its log (binlog_do_db, binlog_ignore_db)",
			Next: "Take the database into the log, or choose another tracker.",
		})
	}
	return out
}

func listed(list, schema string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(one), schema) {
			return true
		}
	}
	return false
}

// settings are remarks on how the log is written and kept.
func settings(vars map[string]string) (out []lockstep.Finding) {
	if vars["binlog_row_metadata"] != "FULL" {
		out = append(out, lockstep.Finding{
			Level: "warning", What: "the log has no names of columns (binlog_row_metadata is not FULL): each change is looked at by a query, and its key is taken from where the columns stand now",
			Next: "Set binlog_row_metadata to FULL (MariaDB 10.5, MySQL 8.0.1).",
		})
	}
	days, _ := strconv.ParseFloat(vars["expire_logs_days"], 64)
	seconds, _ := strconv.ParseFloat(vars["binlog_expire_logs_seconds"], 64)
	if keep := max(days*86400, seconds); keep > 0 {
		level := "note"
		if keep < 86400 {
			level = "warning"
		}
		out = append(out, lockstep.Finding{
			Level: level, What: fmt.Sprintf("the server keeps its log for %.4g days (expire_logs_days, binlog_expire_logs_seconds): after a longer stop a full sync is due", keep/86400),
		})
	}
	if vars["log_slave_updates"] == "OFF" || vars["log_replica_updates"] == "OFF" {
		out = append(out, lockstep.Finding{
			Level: "note", What: "where the server is a replica, what it gets from its source is not in its own log (log_slave_updates is off)",
		})
	}
	if vars["gtid_mode"] != "" && vars["gtid_mode"] != "ON" {
		out = append(out, lockstep.Finding{
			Level: "note", What: "the server has no GTIDs (gtid_mode): positions are places in this server's files, and after a failover a full sync is due",
		})
	}
	return append(out, lockstep.Finding{
		Level: "note", What: "not in the log: what a session writes with sql_log_bin off; what an ALTER TABLE does to the values that are there",
	})
}

// examineTable names what of the table the log does not tell.
func (s *Server) examineTable(ctx context.Context, t table) ([]lockstep.Finding, error) {
	columns, err := s.catalog(ctx, t)
	if err != nil {
		return nil, err
	}
	var out []lockstep.Finding
	sets := charsets{db: s.DB}
	if err := sets.load(ctx); err != nil {
		return nil, err
	}
	var looked []string
	for i := range columns {
		c := &columns[i]
		if c.packed {
			out = append(out, lockstep.Finding{
				Level: "error", What: "column " + c.name + " is compressed: rows with it cannot be read from the log", Next: "Take COMPRESSED away, or choose another tracker.",
			})
			continue
		}
		set, err := sets.named(ctx, c.charset)
		if err != nil {
			return nil, err
		}
		if c.virtual || c.looked() || (c.text() && set == nil) {
			looked = append(looked, c.name)
		}
	}
	if len(looked) > 0 {
		out = append(out, lockstep.Finding{
			Level: "note", What: "these columns are not taken from the log; where one is mapped, changes are looked at by a query: " + strings.Join(looked, ", "),
		})
	}
	if columns[0].versioned {
		out = append(out, lockstep.Finding{Level: "note", What: "the table keeps its history (system versioning): each of its changes is looked at by a query"})
	}
	cascades, err := s.cascades(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(cascades) > 0 {
		out = append(out, lockstep.Finding{
			Level: "warning", What: "what these foreign keys change in the table by themselves (CASCADE, SET NULL) is not in the log: " + strings.Join(cascades, ", "),
			Next: "Schedule a full sync, or have the application change the rows itself.",
		})
	}
	return out, nil
}

// looked tells whether values of the column's type are never taken from the log.
func (c *catalogColumn) looked() bool {
	switch c.dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "decimal", "date", "year", "bit", "timestamp", "datetime", "time",
		"enum", "set", "char", "binary", "varchar", "varbinary", "uuid":
		return false
	}
	return !strings.HasSuffix(c.dataType, "text") && !strings.HasSuffix(c.dataType, "blob")
}

// cascades are the foreign keys of a table that change its rows without a word in the log.
func (s *Server) cascades(ctx context.Context, t table) (names []string, err error) {
	const query = `SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ?
		AND (DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')) ORDER BY 1`
	rows, err := s.DB.QueryContext(ctx, query, t.schema, t.name)
	if err != nil {
		return nil, fault(err, "the table's foreign keys")
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fault(err, "the table's foreign keys")
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return nil, fault(err, "the table's foreign keys")
	}
	return names, nil
}
