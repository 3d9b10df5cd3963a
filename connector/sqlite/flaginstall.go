package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// flagTriggers are the triggers that set a mark, by name, for applications that do not set it themselves: on each row
// that is inserted, and on each whose update changes more than the mark. An application that writes all columns back,
// the mark as it once read it among them, does not undo that.
func flagTriggers(p *sqlkit.Plan, r lockstep.Read) (names, scripts []string, err error) {
	mark, err := p.Mark()
	if err != nil {
		return nil, nil, err
	}
	if err := (&changeTable{plan: p}).possible(); err != nil {
		return nil, nil, err
	}
	same := make([]string, len(p.Key))
	for i, at := range p.Key {
		key := sqlkit.Quote(p.Columns[at].Name)
		same[i] = key + " IS NEW." + key
	}
	name, unmarked := sqlkit.TrackName(r, nameLimit), "ifnull(NEW."+sqlkit.Quote(mark.Name)+", 0) = 0"
	set := " BEGIN\n\tUPDATE " + p.Table.SQL + " SET " + sqlkit.Quote(mark.Name) + " = 1 WHERE " + strings.Join(same, " AND ") + ";\nEND"
	_, others := p.Table.Idle(mark.Name)
	differ := []string{"0"}
	for _, c := range others {
		differ = append(differ, "OLD."+sqlkit.Quote(c.Name)+" IS NOT NEW."+sqlkit.Quote(c.Name)+" COLLATE BINARY")
	}
	names = []string{name + "_fi", name + "_fu"}
	return names, []string{
		"CREATE TRIGGER " + sqlkit.Quote(names[0]) + " AFTER INSERT ON " + p.Table.SQL + " WHEN " + unmarked + set,
		"CREATE TRIGGER " + sqlkit.Quote(names[1]) + " AFTER UPDATE ON " + p.Table.SQL + " WHEN " + unmarked + " AND (" + strings.Join(differ, " OR ") + ")" + set,
	}, nil
}

func (s *System) installFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, dry bool) (string, error) {
	names, wanted, err := flagTriggers(p, r)
	if err != nil {
		return "", err
	}
	db, err := s.read()
	if err != nil {
		return "", err
	}
	script := ""
	for i, name := range names {
		var made string
		err := db.QueryRowContext(ctx, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?", name).Scan(&made)
		switch {
		case err == nil && made == wanted[i]:
			continue
		case err == nil:
			script += "DROP TRIGGER " + sqlkit.Quote(name) + ";\n"
		case !errors.Is(err, sql.ErrNoRows):
			return "", err
		}
		script += wanted[i] + ";\n"
	}
	if script == "" {
		return "", nil
	}
	return s.runScript(ctx, script, dry)
}

func (s *System) removeFlag(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	db, err := s.read()
	if err != nil {
		return "", err
	}
	script, name := "", sqlkit.TrackName(r, nameLimit)
	err = each(ctx, db, "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name IN ("+literal(name+"_fi")+", "+literal(name+"_fu")+")", func(rows *sql.Rows) error {
		var trigger string
		err := rows.Scan(&trigger)
		script += "DROP TRIGGER " + sqlkit.Quote(trigger) + ";\n"
		return err
	})
	if err != nil || script == "" {
		return "", err
	}
	return s.runScript(ctx, script, dry)
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
