package sqlite

import (
	"context"
	"database/sql"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// examineTracker looks at the trackers that read a counter, a mark or a change table.
func (s *System) examineTracker(ctx context.Context, db *sql.DB, e *sqlkit.Remarks, p *sqlkit.Plan, r lockstep.Read, blind bool) error {
	switch r.Track.By {
	case lockstep.Version:
		field, err := p.Number()
		if err != nil {
			return err
		}
		e.UnseenNumbers(p, field)
		if !field.Indexed && !p.Table.View {
			e.Say("warning", "no index begins with "+field.Name+": every poll reads the whole table", "CREATE INDEX on "+p.Table.SQL+" ("+sqlkit.Quote(field.Name)+")")
		}
	case lockstep.Flag:
		return s.examineFlag(ctx, db, e, p, r, blind)
	case lockstep.Trigger:
		return s.examineTrigger(ctx, db, e, p, r, blind)
	}
	return nil
}

const readOnly = "the tracker must write to the file, and the user may only read it"

func (s *System) examineFlag(ctx context.Context, db *sql.DB, e *sqlkit.Remarks, p *sqlkit.Plan, r lockstep.Read, blind bool) error {
	field, err := p.Mark()
	if err != nil {
		return err
	}
	if blind {
		e.Say("error", readOnly, "Allow lockstep to write to the file and its folder.")
	}
	installed := false
	if !p.Table.View {
		script, err := s.installFlag(ctx, p, r, true)
		if err != nil {
			return err
		}
		installed = script == ""
	}
	e.UnseenMarks(p, field, installed)
	var found bool
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pragma_index_list(?) i JOIN sqlite_schema x ON x.name = i.name WHERE i.partial AND instr(lower(x.sql), lower(?)) > 0)`,
		p.Table.Info.(tableInfo).name, field.Name).Scan(&found)
	if err == nil && !found && !p.Table.View {
		e.Say("warning", "no index finds the marked rows: every poll reads the whole table",
			"CREATE INDEX … ON "+p.Table.SQL+" ("+sqlkit.QuoteAll(p.Table.Stream.Key)+") WHERE "+sqlkit.Quote(field.Name)+" <> 0")
	}
	return err
}

func (s *System) examineTrigger(ctx context.Context, db *sql.DB, e *sqlkit.Remarks, p *sqlkit.Plan, r lockstep.Read, blind bool) error {
	if blind {
		e.Say("error", readOnly, "Allow lockstep to write to the file and its folder.")
	}
	c := changeTableOf(p, r)
	if err := c.possible(); err != nil {
		return err
	}
	_, err := s.installed(ctx, c, r)
	var missing *lockstep.Fault
	if err != nil {
		if missing = lockstep.FaultOf(fault(err)); missing.Code != lockstep.CodeNotTracked {
			return err
		}
	}
	e.Installed(missing)
	if others := len(p.Table.Unique); others > 1 || others == 1 && !p.Table.KeyIsUnique() {
		e.Say("warning", "REPLACE fires no trigger for the rows that it deletes: where it takes away a row with another key, for the sake of another unique index of "+p.Table.SQL+", that delete is seen by the next full sync",
			"Let the application use ON CONFLICT … DO UPDATE, or set PRAGMA recursive_triggers = ON in it.")
	}
	return nil
}
