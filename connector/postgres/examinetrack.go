package postgres

import (
	"fmt"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// tracked are the checks of the trackers that read the table itself, by a counter or a mark.
func (e *examiner) tracked(r lockstep.Read) (checks []func() error, err error) {
	switch r.Track.By {
	case lockstep.Version:
		if e.field, err = e.plan.Number(); err != nil {
			return nil, err
		}
		e.UnseenNumbers(e.plan, e.field)
		return []func() error{e.transactions, e.index}, nil
	case lockstep.Flag:
		if e.field, err = e.plan.Mark(); err != nil {
			return nil, err
		}
		if _, err := exactly(e.plan); err != nil {
			return nil, err
		}
		return []func() error{func() error { return e.flag(r) }, e.markIndex}, nil
	}
	return nil, nil
}

func (e *examiner) flag(r lockstep.Read) error {
	f, err := flaggerOf(e.plan, r)
	if err != nil {
		return err
	}
	st, err := f.state(e.ctx, e.link)
	if err != nil {
		return err
	}
	e.UnseenMarks(e.plan, e.field, st.triggers > 0)
	row, err := e.link.one(e.ctx, "SELECT has_column_privilege($1::oid, $2, 'UPDATE')", fmt.Sprint(e.plan.Table.Info.(tableInfo).oid), e.field.Name)
	if err == nil && row[0] != "t" {
		e.Say("error", "the user may not take the marks away: the same rows would come with every poll",
			"GRANT UPDATE ("+sqlkit.Quote(e.field.Name)+") ON "+e.plan.Table.SQL+" TO the user.")
	}
	return err
}

// markIndex looks for an index by which the few marked rows are found.
func (e *examiner) markIndex() error {
	t := e.plan.Table
	if e.field.Indexed || t.View {
		return nil
	}
	row, err := e.link.one(e.ctx, `SELECT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisvalid AND strpos(pg_get_expr(i.indpred, i.indrelid), quote_ident($2)) > 0)`,
		fmt.Sprint(t.Info.(tableInfo).oid), e.field.Name)
	if err == nil && row[0] != "t" {
		condition := sqlkit.Quote(e.field.Name)
		if e.field.Type.Kind != value.BoolType {
			condition += " <> 0"
		}
		e.Say("warning", "no index finds the marked rows: every poll reads the whole table",
			"CREATE INDEX CONCURRENTLY ON "+t.SQL+" ("+sqlkit.QuoteAll(t.Stream.Key)+") WHERE "+condition)
	}
	return err
}

// triggers says whether the trigger tracker is installed, and what fires no trigger of ours.
func (e *examiner) triggers(s *System, r lockstep.Read) error {
	_, err := s.installed(e.ctx, e.plan, r)
	var missing *lockstep.Fault
	if err != nil {
		if missing = lockstep.FaultOf(err); missing.Code != lockstep.CodeNotTracked {
			return err
		}
	}
	e.Installed(missing)
	e.Say("note", "a TRUNCATE of "+e.plan.Table.SQL+" makes a full sync due: it does not say which rows were there", "")
	e.Say("note", "commits that notify wait for one another for a moment at their very end: thousands of small transactions a second feel it", "Use the log tracker there.")
	row, err := e.link.one(e.ctx, `SELECT (SELECT relkind FROM pg_class WHERE oid = $1::oid),
		EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = $1::oid), EXISTS (SELECT 1 FROM pg_subscription_rel WHERE srrelid = $1::oid),
		EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = $1::oid AND tgname = $2 || '_u' AND tgenabled = 'O')`,
		fmt.Sprint(e.plan.Table.Info.(tableInfo).oid), sqlkit.TrackName(r, nameLimit))
	if err != nil {
		return err
	}
	switch {
	case row[0] == "p":
		e.Say("note", "a partition that is attached with its rows, detached, or truncated by itself fires no trigger of the table", "Run a full sync after that.")
	case row[1] == "t":
		e.Say("warning", "other tables inherit from "+e.plan.Table.SQL+": what is written to them directly fires no trigger of it", "Track them as streams of their own.")
	}
	if row[3] == "t" {
		e.Say("note", "what sessions write with session_replication_role = replica fires no trigger: the one who installed does not own "+e.plan.Table.SQL,
			"Let its owner install, or ALTER TABLE … ENABLE ALWAYS TRIGGER for each.")
	}
	if row[2] == "t" {
		e.Say("warning", e.plan.Table.SQL+" is filled by logical replication, which fires no triggers of whole statements", "Track it where it is written.")
	}
	return nil
}
