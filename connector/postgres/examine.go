package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// Examine says what doctor should know of a stream: rights, the clock, and what its tracker cannot see.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	defer conn.release()
	e := examiner{ctx: ctx, link: conn, plan: p}
	checks := []func() error{e.rights, e.clock, e.key}
	switch r.Track.By {
	case lockstep.Timestamp:
		field, err := trackField(p)
		if err != nil {
			return nil, err
		}
		e.field = field
		checks = append(checks, e.transactions, e.times, e.index)
		e.Unseen(p, field)
	case lockstep.Version, lockstep.Flag:
		more, err := e.tracked(r)
		if err != nil {
			return nil, err
		}
		checks = append(checks, more...)
	case lockstep.Trigger:
		checks = append(checks, func() error { return e.triggers(s, r) })
	case lockstep.Log:
		checks = append(checks, func() error { return e.log(s.logName(r)) })
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return nil, s.about(err, r.Stream)
		}
	}
	return e.Findings, nil
}

type examiner struct {
	sqlkit.Remarks
	ctx   context.Context
	link  link
	plan  *sqlkit.Plan
	field *sqlkit.Column
}

func (e *examiner) rights() error {
	t := e.plan.Table
	row, err := e.link.one(e.ctx, `SELECT has_any_column_privilege($1::oid, 'SELECT'), has_any_column_privilege($1::oid, 'INSERT'),
		has_any_column_privilege($1::oid, 'UPDATE'), has_table_privilege($1::oid, 'DELETE')`, fmt.Sprint(t.Info.(tableInfo).oid))
	if err != nil {
		return err
	}
	lacking := ""
	for i, right := range []string{"SELECT", "INSERT", "UPDATE", "DELETE"} {
		if row[i] == "t" {
			continue
		}
		if i == 0 {
			e.Say("error", "the user may not read "+t.SQL, "GRANT SELECT ON "+t.SQL+" TO the user.")
			continue
		}
		lacking += " " + right
	}
	if lacking != "" && !t.View {
		e.Say("note", "the user may only read "+t.SQL+": it lacks"+lacking, "")
	}
	return nil
}

func (e *examiner) clock() error {
	before := time.Now()
	row, err := e.link.one(e.ctx, clockSQL)
	if err != nil {
		return err
	}
	theirs, err := instant(row[0])
	if err != nil {
		return err
	}
	e.Clock(theirs, before.Add(time.Since(before)/2))
	return nil
}

func (e *examiner) key() error {
	t := e.plan.Table
	if !t.KeyIsUnique() && !t.View {
		e.Say("warning", "no unique index covers the key of "+t.SQL+": two rows could have one key, and writing locks the table",
			"CREATE UNIQUE INDEX ON "+t.SQL+" ("+sqlkit.QuoteAll(t.Stream.Key)+")")
	}
	if t.KeyIsNullable() {
		e.Say("warning", "the key of "+t.SQL+" may be null: full syncs park such rows, polls pass over them", "")
	}
	return nil
}

// transactions says whether the horizon is exact.
func (e *examiner) transactions() error {
	h, err := e.link.horizon(e.ctx, true)
	if err != nil {
		return err
	}
	standby, err := e.link.one(e.ctx, "SELECT pg_is_in_recovery(), current_user, pg_has_role('pg_read_all_stats', 'USAGE')")
	if err != nil {
		return err
	}
	missed := fmt.Sprintf("each poll reads %s again, and a transaction that is open for longer is missed until the next full sync", sqlkit.BlindOverlap)
	switch {
	case standby[0] == "t":
		e.Say("warning", "this is a standby, which does not know the open transactions of its primary: "+missed, "Read from the primary.")
	case standby[2] != "t":
		level := "note"
		if h.Blind {
			level = "warning"
		}
		e.Say(level, "the user is not shown the open transactions of other users: where there are any, "+missed, "GRANT pg_read_all_stats TO "+sqlkit.Quote(standby[1])+".")
	default:
		e.Say("ok", "open transactions are seen: a late commit is not missed", "")
	}
	return nil
}

// times looks at the field's values.
func (e *examiner) times() error {
	name, from := sqlkit.Quote(e.field.Name), " FROM "+e.plan.Table.SQL+" t"
	row, err := e.link.one(e.ctx, "SELECT EXISTS (SELECT 1"+from+" WHERE "+name+" IS NULL)")
	if err != nil {
		return err
	}
	if row[0] == "t" {
		e.Nulls(e.field)
	}
	switch e.field.Type.Kind {
	case value.InstantType:
		if row, err = e.link.one(e.ctx, "SELECT EXISTS (SELECT 1"+from+" WHERE "+name+" > clock_timestamp() + interval '1 minute')"); err != nil {
			return err
		}
		if row[0] == "t" {
			e.Future(e.field)
		}
	case value.WallType, value.DateType:
		zone := e.plan.Table.Zone
		if zone == "" {
			if row, err = e.link.one(e.ctx, "SELECT current_setting('lockstep.zone')"); err != nil {
				return err
			}
			zone = row[0]
		}
		e.Say("note", fmt.Sprintf("%s has no time zone: its times are taken as written in %s", e.field.Name, zone),
			"Set `zone:` of the stream if the applications write in another one, or make the column a timestamptz.")
	}
	e.Precision(e.field)
	return nil
}

func (e *examiner) index() error {
	if !e.field.Indexed && !e.plan.Table.View {
		e.Say("warning", "no index begins with "+e.field.Name+": every poll reads the whole table",
			"CREATE INDEX CONCURRENTLY ON "+e.plan.Table.SQL+" ("+sqlkit.Quote(e.field.Name)+")")
	}
	return nil
}
