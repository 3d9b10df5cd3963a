package mysql

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// nameLimit leaves room for the suffixes of triggers: names have 64 characters at most.
const nameLimit = 60

// changeTable is the change table of a stream, and what was found of it. Its key is that of the stream.
type changeTable struct {
	mykit.ChangeTable
	mykit.Standing
	plan *sqlkit.Plan
}

func (s *System) changeTableOf(p *sqlkit.Plan, r lockstep.Read) *changeTable {
	c := &changeTable{plan: p, ChangeTable: mykit.ChangeTable{Database: s.database, Name: sqlkit.TrackName(r, nameLimit)}}
	sum := sha256.New()
	for i, at := range p.Key {
		column := p.Columns[at]
		info := columnOf(p.Table, column)
		typ := column.Type.Native
		if info.collation != "" {
			typ += " CHARACTER SET " + info.charset + " COLLATE " + info.collation
		}
		c.Keys, c.Types = append(c.Keys, mykit.Quote(column.Name)), append(c.Types, typ)
		fmt.Fprintf(sum, "%d %q %q;", i, column.Name, typ)
	}
	c.Marker = markerOf(r) + hex.EncodeToString(sum.Sum(nil)[:8])
	return c
}

// markerOf is how the comments of what we install begin. The number moves when what is installed does.
func markerOf(r lockstep.Read) string { return markerHead + r.Stream + ", " }

const markerHead = "lockstep change table 1 of stream "

// suffixes are those of the triggers: insert, update, an update's old key, delete.
var suffixes = [...]string{"_i", "_u", "_k", "_d"}

const ourTriggersSQL = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? AND TRIGGER_NAME IN (?, ?, ?, ?)"

// state is the comment of the change table, "-" where there is none, and how many of its triggers there are.
func (c *changeTable) state(ctx context.Context, conn mykit.Link) (comment string, triggers int, err error) {
	if comment, err = c.Comment(ctx, conn); err != nil {
		return "", 0, err
	}
	row, err := conn.One(ctx, ourTriggersSQL, c.Database, infoOf(c.plan.Table).name, c.Name+suffixes[0], c.Name+suffixes[1], c.Name+suffixes[2], c.Name+suffixes[3])
	if err != nil {
		return "", 0, err
	}
	return comment, number(row[0]), nil
}

// installed reads what a poll must know: the change table is there and was made for the key as it is now, its triggers
// are there, and where it stands.
func (s *System) installed(ctx context.Context, conn mykit.Link, p *sqlkit.Plan, r lockstep.Read) (*changeTable, error) {
	if p.Table.View {
		return nil, sqlkit.CannotTrack(p.Table, "a view")
	}
	c := s.changeTableOf(p, r)
	comment, triggers, err := c.state(ctx, conn)
	switch {
	case err != nil:
		return nil, err
	case comment == "-":
		return nil, sqlkit.NotTracked(r, "there is no change table "+c.SQL())
	case comment != c.Marker:
		return nil, sqlkit.NotTracked(r, "the change table "+c.SQL()+" was made for another key")
	case triggers < len(suffixes):
		return nil, sqlkit.NotTracked(r, "triggers of "+p.Table.SQL+" are missing, so that changes were missed; or the user lacks the right TRIGGER on it, without which it does not see them")
	}
	found := false
	c.Standing, found, err = c.ChangeTable.Standing(ctx, conn)
	if err == nil && !found {
		err = sqlkit.NotTracked(r, "the change table "+c.SQL()+" was emptied")
	}
	return c, err
}

// installTrigger makes the change table and its triggers. What is there and right stays; what is not is made anew,
// for changes may have been missed meanwhile: positions are lost then.
func (s *System) installTrigger(ctx context.Context, p *sqlkit.Plan, r lockstep.Read, dry bool) (string, error) {
	conn, err := mykit.Acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	if _, err := s.installed(ctx, conn, p, r); lockstep.FaultOf(err) == nil || lockstep.FaultOf(err).Code != lockstep.CodeNotTracked {
		return "", err
	}
	c := s.changeTableOf(p, r)
	comment, _, err := c.state(ctx, conn)
	if err != nil {
		return "", err
	}
	if comment != "-" && !strings.HasPrefix(comment, markerHead) {
		return "", lockstep.Faultf(lockstep.CodeConfig, "there is a table %s that is not ours: give the tracker another name", c.SQL())
	}
	drop, err := s.removeTriggerSQL(ctx, conn, r)
	if err != nil {
		return "", err
	}
	script, err := mykit.RunScript(ctx, conn, append(drop, c.installSQL()...), dry)
	if err != nil { // what could not be finished goes away
		if drop, failed := s.removeTriggerSQL(ctx, conn, r); failed == nil {
			_, _ = mykit.RunScript(ctx, conn, drop, false)
		}
	}
	return script, err
}

func (s *System) removeTrigger(ctx context.Context, r lockstep.Read, dry bool) (string, error) {
	conn, err := mykit.Acquire(ctx, s.writer)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	script, err := s.removeTriggerSQL(ctx, conn, r)
	if err != nil {
		return "", err
	}
	return mykit.RunScript(ctx, conn, script, dry)
}

// removeTriggerSQL drops what was installed for a stream, whether its table is there or not: triggers that go by our
// names, and a table that says that it is ours.
func (s *System) removeTriggerSQL(ctx context.Context, conn mykit.Link, r lockstep.Read) ([]string, error) {
	name := sqlkit.TrackName(r, nameLimit)
	var names []string
	for _, suffix := range suffixes {
		names = append(names, name+suffix)
	}
	script, err := mykit.DropTriggersSQL(ctx, conn, s.database, names...)
	if err != nil {
		return nil, err
	}
	table := mykit.ChangeTable{Database: s.database, Name: name}
	drop, err := table.DropSQL(ctx, conn, markerOf(r))
	return append(script, drop...), err
}

// installSQL makes the table, its triggers, and last its own row, which says that all is there.
func (c *changeTable) installSQL() []string {
	script := []string{c.CreateSQL()}
	for _, t := range [...]struct{ suffix, event, row, when string }{
		{"_i", "INSERT", "NEW", ""}, {"_u", "UPDATE", "NEW", ""}, {"_k", "UPDATE", "OLD", " AND NOT (" + c.each("OLD.%[1]s <=> NEW.%[1]s", " AND ") + ")"}, {"_d", "DELETE", "OLD", ""},
	} {
		script = append(script, c.TriggerSQL(mykit.ChangeTrigger{
			Name: c.Name + t.suffix, Event: t.event, Table: c.plan.Table.SQL, Key: []string{c.each(t.row+".%[1]s", ", ")}, When: c.each(t.row+".%[1]s IS NOT NULL", " AND ") + t.when,
		}))
	}
	return append(script, c.OwnRowSQL())
}

// each writes something of each key field.
func (c *changeTable) each(format, between string) string {
	out := make([]string, len(c.Keys))
	for i, key := range c.Keys {
		out[i] = fmt.Sprintf(format, key)
	}
	return strings.Join(out, between)
}
