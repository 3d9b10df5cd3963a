package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// Create makes the table of a stream where there is none. dry only returns the statement. Texts differ by every letter
// and blank, so that keys of other systems stay apart; a time with a zone is a DATETIME in UTC, and says so.
func (s *System) Create(ctx context.Context, stream lockstep.Stream, dry bool) (string, error) {
	if len(stream.Key) == 0 {
		return "", lockstep.Faultf(lockstep.CodeNoKey, "a table needs a key").On(lockstep.About{Stream: stream.Name})
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	conn, err := mykit.Acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	facts := s.known()
	d := declarer{facts: facts, keys: len(stream.Key), room: maxRow}
	var lines []string
	for _, f := range stream.Fields {
		key := slices.Contains(stream.Key, f.Name)
		line := "\t" + mykit.Quote(f.Name) + " " + d.declare(f.Type, key)
		if !f.Nullable || key {
			line += " NOT NULL"
		}
		if f.Type.Kind == value.InstantType {
			line += " COMMENT '" + utcComment + "'"
		}
		lines = append(lines, line)
	}
	lines = append(lines, "\tPRIMARY KEY ("+mykit.QuoteAll(stream.Key)+")")
	script := "CREATE TABLE IF NOT EXISTS " + mykit.Quote(s.database) + "." + mykit.Quote(stream.Name) + " (\n" + strings.Join(lines, ",\n") +
		"\n) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE " + exactCollation(facts)
	if dry {
		return script, nil
	}
	if _, err := conn.Exec(ctx, script); err != nil {
		return script, mykit.About(err, stream.Name)
	}
	s.forget()
	return script, nil
}

// exactCollation is the one that tells all texts apart; older ones of MySQL do not see blanks at the end.
func exactCollation(f *facts) string {
	switch {
	case f.maria:
		return "utf8mb4_nopad_bin"
	case f.version >= 80017:
		return "utf8mb4_0900_bin"
	}
	return "utf8mb4_bin"
}
