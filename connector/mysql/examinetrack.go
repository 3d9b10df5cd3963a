package mysql

import (
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
)

// tracked are the checks of the tracker.
func (e *examiner) tracked(r lockstep.Read) (checks []func() error, err error) {
	switch r.Track.By {
	case lockstep.Timestamp:
		if e.field, err = trackField(e.plan); err != nil {
			return nil, err
		}
		e.Unseen(e.plan, e.field)
		return []func() error{e.transactions, e.times, e.index, e.cascades}, nil
	case lockstep.Version:
		if e.field, err = e.plan.Number(); err != nil {
			return nil, err
		}
		e.UnseenNumbers(e.plan, e.field)
		return []func() error{e.transactions, e.index, e.cascades}, nil
	case lockstep.Flag:
		if e.field, err = e.plan.Mark(); err != nil {
			return nil, err
		}
		return []func() error{func() error { return e.flag(r) }, e.index, e.cascades}, nil
	case lockstep.Trigger:
		return []func() error{func() error { return e.triggers(r) }, e.cascades}, nil
	case lockstep.Log:
		return []func() error{e.logExamine}, nil
	}
	return nil, nil
}

func (e *examiner) flag(r lockstep.Read) error {
	installed := false
	if !e.plan.Table.View {
		script, err := e.sys.installFlag(e.ctx, e.plan, r, true)
		if err != nil {
			return err
		}
		installed = script == ""
	}
	e.UnseenMarks(e.plan, e.field, installed)
	// What a user may do is told by its grants alone; a column's right shows among the columns that it sees.
	row, err := e.link.One(e.ctx, "SELECT COALESCE(MAX(PRIVILEGES), '') FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COLUMN_NAME = ?",
		e.sys.database, infoOf(e.plan.Table).name, e.field.Name)
	if err == nil && !strings.Contains(row[0], "update") {
		e.Say("error", "the user may not take the marks away: the same rows would come with every poll",
			"GRANT SELECT, UPDATE ("+mykit.Quote(e.field.Name)+") ON "+e.plan.Table.SQL+" TO the user.")
	}
	return err
}

// triggers says whether the trigger tracker is installed, and what fires no trigger.
func (e *examiner) triggers(r lockstep.Read) error {
	_, err := e.sys.installed(e.ctx, e.link, e.plan, r)
	var missing *lockstep.Fault
	if err != nil {
		if missing = lockstep.FaultOf(err); missing.Code != lockstep.CodeNotTracked {
			return err
		}
	}
	e.Installed(missing)
	e.Say("note", "a TRUNCATE of "+e.plan.Table.SQL+" fires no trigger: that its rows are gone is seen by the next full sync", "DELETE FROM instead, or run a full sync after it.")
	return nil
}
