package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// Examine says what doctor should know of a stream: rights, the clock, and what its tracker cannot see.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	e := examiner{ctx: ctx, sys: s, link: conn, plan: p}
	checks := []func() error{e.clock, e.key, e.engine, e.zeros, e.writing}
	more, err := e.tracked(r)
	if err != nil {
		return nil, err
	}
	for _, check := range append(checks, more...) {
		if err := check(); err != nil {
			return nil, s.about(err, r.Stream)
		}
	}
	return e.Findings, nil
}

type examiner struct {
	sqlkit.Remarks
	ctx   context.Context
	sys   *System
	link  mykit.Link
	plan  *sqlkit.Plan
	field *sqlkit.Column
}

func (e *examiner) clock() error {
	before := time.Now()
	theirs, err := clockOf(e.ctx, e.link)
	if err != nil {
		return err
	}
	e.Clock(theirs, before.Add(time.Since(before)/2))
	return nil
}

func (e *examiner) key() error {
	t := e.plan.Table
	if !t.KeyIsUnique() && !t.View {
		e.Say("warning", "no unique index covers the key of "+t.SQL+": two rows could have one key, and writing locks the gaps between them",
			"CREATE UNIQUE INDEX … ON "+t.SQL+" ("+mykit.QuoteAll(t.Stream.Key)+")")
	}
	if t.KeyIsNullable() {
		e.Say("warning", "the key of "+t.SQL+" may be null: full syncs park such rows, polls pass over them", "")
	}
	if t.Stream.FoldKeys {
		e.Say("note", "keys of "+t.SQL+" that differ by letter case only are one key, by the collation of the key's columns; keys that differ by an accent or by blanks at the end may be, too, and the second is refused (LS-UNIQUE)", "")
	}
	return nil
}

func (e *examiner) engine() error {
	t := e.plan.Table
	if engine := infoOf(t).engine; !t.View && !strings.EqualFold(engine, "InnoDB") {
		e.Say("warning", t.SQL+" is a table of the engine "+engine+", which knows no transactions: what fails half-way stays half written, and is written again",
			"ALTER TABLE "+t.SQL+" ENGINE = InnoDB")
	}
	return nil
}

// zeros says what becomes of dates such as 0000-00-00.
func (e *examiner) zeros() error {
	t := e.plan.Table
	for i := range t.Columns {
		c := &t.Columns[i]
		if !sqlkit.IsTime(c.Type.Kind) || t.View {
			continue
		}
		row, err := e.link.One(e.ctx, "SELECT EXISTS (SELECT 1 FROM "+t.SQL+" t WHERE "+mykit.Quote(c.Name)+" < '0001-01-01' OR DAY("+mykit.Quote(c.Name)+") = 0)")
		if err != nil {
			return err
		}
		if row[0] != "0" {
			what := "are read as null"
			if e.sys.park {
				what = "park their records (LS-VALUE)"
			}
			e.Say("note", "some dates in "+c.Name+" are zero: they "+what, "Set `zero_dates:` of the system if they should not.")
		}
	}
	return nil
}

// writing says how rows get into the table.
func (e *examiner) writing() error {
	facts := e.sys.known()
	if !facts.infile {
		e.Say("note", "the server takes no LOAD DATA LOCAL: a first full sync into it is slower", "SET GLOBAL local_infile = ON, if this server is a target.")
	}
	if facts.statements {
		e.Say("note", "the binary log keeps statements: writes lock the gaps between rows, too", "SET GLOBAL binlog_format = ROW")
	}
	return nil
}

// transactions says whether the horizon is exact.
func (e *examiner) transactions() error {
	h, err := e.sys.horizon(e.ctx, e.link, nil, time.Now().Add(-fresh))
	if err != nil {
		return err
	}
	row, err := e.link.One(e.ctx, "SELECT CURRENT_USER()")
	if err != nil {
		return err
	}
	missed := fmt.Sprintf("each poll reads %s again, and a transaction that is open for longer is missed until the next full sync", sqlkit.BlindOverlap)
	err = e.link.Rows(e.ctx, "SELECT 1 FROM information_schema.INNODB_TRX LIMIT 1", nil, ignore)
	switch {
	case noRight(err):
		name, host, _ := strings.Cut(row[0], "@")
		e.Say("warning", "the user is not shown the open transactions of others: "+missed, "GRANT PROCESS ON *.* TO '"+name+"'@'"+host+"'")
	case err != nil:
		return err
	case h.Blind:
		e.Say("warning", "this is a replica, where what its primary stamped comes later by as much as it lags, or somebody reads the list of transactions all the time: "+missed, "Read from the primary.")
	default:
		e.Say("ok", "open transactions are seen: a late commit with an older time is not missed", "")
	}
	return nil
}

// times looks at the field's values.
func (e *examiner) times() error {
	name, from := mykit.Quote(e.field.Name), " FROM "+e.plan.Table.SQL+" t"
	row, err := e.link.One(e.ctx, "SELECT EXISTS (SELECT 1"+from+" WHERE "+name+" IS NULL)")
	if err != nil {
		return err
	}
	if row[0] != "0" {
		e.Nulls(e.field)
	}
	switch e.field.Type.Kind {
	case value.InstantType:
		if row, err = e.link.One(e.ctx, "SELECT EXISTS (SELECT 1"+from+" WHERE "+name+" > SYSDATE(6) + INTERVAL 1 MINUTE)"); err != nil {
			return err
		}
		if row[0] != "0" {
			e.Future(e.field)
		}
	case value.WallType, value.DateType:
		zone := e.plan.Table.Zone
		if zone == "" {
			if row, err = e.link.One(e.ctx, "SELECT IF(@@GLOBAL.time_zone = 'SYSTEM', @@system_time_zone, @@GLOBAL.time_zone)"); err != nil {
				return err
			}
			zone = row[0] + ", the server's zone"
		}
		e.Say("note", fmt.Sprintf("%s has no time zone: its times are taken as written in %s", e.field.Name, zone),
			"Set `zone:` of the stream if the applications write in another one, give the column the comment UTC if it holds UTC, or make it a TIMESTAMP.")
	}
	if e.field.Type.Kind != value.IntType && !e.plan.Table.View && !columnOf(e.plan.Table, e.field).onUpdate {
		e.Say("note", e.field.Name+" is not set by the database: a statement that does not set it changes rows unseen", "ON UPDATE CURRENT_TIMESTAMP sets it with every change.")
	}
	e.Precision(e.field)
	return nil
}

func (e *examiner) index() error {
	if !e.field.Indexed && !e.plan.Table.View {
		e.Say("warning", "no index begins with "+e.field.Name+": every poll reads the whole table",
			"CREATE INDEX … ON "+e.plan.Table.SQL+" ("+mykit.Quote(e.field.Name)+")")
	}
	return nil
}

func ignore([]driver.Value) error { return nil }

// cascades names the foreign keys that change rows and nothing beside.
func (e *examiner) cascades() error {
	for _, c := range infoOf(e.plan.Table).cascades {
		e.Say("warning", "foreign key "+c+" changes rows of "+e.plan.Table.SQL+" without setting a time, a number or a mark, running a trigger, or leaving a trace in the binary log",
			"Let the application change these rows, or rely on the full sync for them.")
	}
	return nil
}
