package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Create makes the table of a stream where there is none. dry only returns the statement. The name is one of Streams:
// "table", or "schema.table" where there is such a schema.
func (s *System) Create(ctx context.Context, stream lockstep.Stream, dry bool) (string, error) {
	if len(stream.Key) == 0 {
		return "", lockstep.Faultf(lockstep.CodeNoKey, "a table needs a key").On(lockstep.About{Stream: stream.Name})
	}
	conn, err := s.acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.release()
	name, err := s.nameFor(ctx, conn, stream.Name)
	if err != nil {
		return "", about(err, stream.Name)
	}
	var lines []string
	for _, f := range stream.Fields {
		line := "\t" + sqlkit.Quote(f.Name) + " " + declare(f.Type)
		if !f.Nullable || slices.Contains(stream.Key, f.Name) {
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	lines = append(lines, "\tPRIMARY KEY ("+sqlkit.QuoteAll(stream.Key)+")")
	script := "CREATE TABLE IF NOT EXISTS " + name + " (\n" + strings.Join(lines, ",\n") + "\n)"
	if dry {
		return script, nil
	}
	if _, err := conn.pg.Exec(ctx, script).ReadAll(); err != nil {
		return script, about(err, stream.Name)
	}
	s.forget()
	return script, nil
}

// nameFor is the quoted name of the table for a stream.
func (s *System) nameFor(ctx context.Context, conn link, stream string) (string, error) {
	home, err := conn.one(ctx, "SELECT coalesce(nullif($1, ''), current_schema(), 'public')", s.schema)
	if err != nil {
		return "", err
	}
	if schema, table, ok := strings.Cut(stream, "."); ok {
		found, err := conn.one(ctx, "SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema)
		if err != nil {
			return "", err
		}
		if found[0] == "1" {
			return sqlkit.Quote(schema) + "." + sqlkit.Quote(table), nil
		}
	}
	return sqlkit.Quote(home[0]) + "." + sqlkit.Quote(stream), nil
}
