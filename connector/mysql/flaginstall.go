package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// flagger is the triggers that set a mark, for applications that do not set it themselves: on each row that is inserted,
// and on each whose update changes more than the mark. An application that writes all columns back, the mark as it once
// read it among them, does not undo that.
type flagger struct {
	plan    *sqlkit.Plan
	mark    *sqlkit.Column
	names   [2]string // of the triggers before inserts and before updates
	actions [2]string
}

func flagNames(r lockstep.Read) [2]string {
	name := sqlkit.TrackName(r, nameLimit)
	return [2]string{name + "_fi", name + "_fu"}
}

func flaggerOf(p *sqlkit.Plan, r lockstep.Read) (*flagger, error) {
	mark, err := p.Mark()
	if err != nil {
		return nil, err
	}
	if p.Table.View {
		return nil, sqlkit.CannotTrack(p.Table, "a view")
	}
	f := &flagger{plan: p, mark: mark, names: flagNames(r)}
	_, others := p.Table.Idle(mark.Name)
	var same []string
	for _, c := range others {
		info := columnOf(p.Table, c)
		name := mykit.Quote(c.Name)
		switch {
		case info.onUpdate:
			continue
		case info.collation != "": // letter by letter, whatever the column takes for equal
			same = append(same, "BINARY OLD."+name+" <=> BINARY NEW."+name)
		default:
			same = append(same, "OLD."+name+" <=> NEW."+name)
		}
	}
	name := mykit.Quote(mark.Name)
	digest := sha256.Sum256([]byte(strings.Join(same, " AND ")))
	f.actions[0] = "SET NEW." + name + " = 1 /* lockstep flag 1 */"
	f.actions[1] = "SET NEW." + name + " = IF(" + strings.Join(append(same, "1"), " AND ") + ", NEW." + name + ", 1) /* lockstep flag 1 " + hex.EncodeToString(digest[:8]) + " */"
	return f, nil
}

// installFlag makes the triggers where they are not as they should be. Each is to be the first of its kind: what other
// triggers change then is no change of the application's, and would set the mark again whenever it is taken away.
func (s *System) installFlag(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, dry bool) (string, error) {
	f, err := flaggerOf(p, r)
	if err != nil {
		return "", err
	}
	conn, err := mykit.Acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	there := map[string]string{}
	first := map[string]string{}
	err = conn.Rows(ctx, `SELECT TRIGGER_NAME, ACTION_STATEMENT, EVENT_MANIPULATION FROM information_schema.TRIGGERS
WHERE TRIGGER_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? AND ACTION_TIMING = 'BEFORE' ORDER BY ACTION_ORDER`, []driver.Value{s.database, infoOf(p.Table).name}, func(cells []driver.Value) error {
		name, event := mykit.TextOf(cells[0]), mykit.TextOf(cells[2])
		there[name] = mykit.TextOf(cells[1])
		if first[event] == "" && name != f.names[0] && name != f.names[1] {
			first[event] = name
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	var script []string
	for i, event := range [...]string{"INSERT", "UPDATE"} {
		action, ok := there[f.names[i]]
		if ok && action == f.actions[i] {
			continue
		}
		if ok {
			script = append(script, "DROP TRIGGER "+mykit.Quote(s.database)+"."+mykit.Quote(f.names[i]))
		}
		order := ""
		if first[event] != "" {
			order = " PRECEDES " + mykit.Quote(first[event])
		}
		script = append(script, "CREATE TRIGGER "+mykit.Quote(s.database)+"."+mykit.Quote(f.names[i])+" BEFORE "+event+" ON "+p.Table.SQL+" FOR EACH ROW"+order+" "+f.actions[i])
	}
	return mykit.RunScript(ctx, conn, script, dry)
}

func (s *System) removeFlag(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	conn, err := mykit.Acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	names := flagNames(r)
	script, err := mykit.DropTriggersSQL(ctx, conn, s.database, names[:]...)
	if err != nil {
		return "", err
	}
	return mykit.RunScript(ctx, conn, script, dry)
}
