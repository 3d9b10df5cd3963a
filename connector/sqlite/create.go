package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Create makes the table of a stream where there is none. dry only returns the statement.
func (s *System) Create(ctx context.Context, stream lockstep.Stream, dry bool) (string, error) {
	if len(stream.Key) == 0 {
		return "", lockstep.Faultf(lockstep.CodeNoKey, "a table needs a key").On(lockstep.About{Stream: stream.Name})
	}
	var lines []string
	for _, f := range stream.Fields {
		line := strings.TrimRight("\t"+sqlkit.Quote(f.Name)+" "+declare(f.Type), " ")
		if !f.Nullable || slices.Contains(stream.Key, f.Name) {
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	lines = append(lines, "\tPRIMARY KEY ("+sqlkit.QuoteAll(stream.Key)+")")
	script := "CREATE TABLE IF NOT EXISTS " + sqlkit.Quote(stream.Name) + " (\n" + strings.Join(lines, ",\n") + "\n)"
	if dry {
		return script, nil
	}
	db, err := s.write()
	if err != nil {
		return script, err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	if _, err := db.ExecContext(ctx, script); err != nil {
		return script, about(err, stream.Name)
	}
	s.forget()
	return script, nil
}
