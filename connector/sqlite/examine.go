package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math/bits"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// Examine says what doctor should know of a stream: rights, and what its tracker cannot see. SQLite's clock is ours.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	db, err := s.read()
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	var e sqlkit.Remarks
	h, err := s.horizon(ctx)
	if err != nil {
		return nil, about(err, r.Stream)
	}
	if h.Blind {
		e.Say("note", "the file may only be read", "")
	}
	if t := p.Table; !t.KeyIsUnique() && !t.View {
		e.Say("warning", "no unique index covers the key of "+t.SQL+": two rows could have one key", "CREATE UNIQUE INDEX on the key.")
	} else if t.KeyIsNullable() {
		e.Say("note", "the key of "+t.SQL+" may be null, as SQLite allows: full syncs park such rows, polls pass over them", "")
	}
	if r.Track.By != lockstep.Timestamp {
		err := s.examineTracker(ctx, db, &e, p, r, h.Blind)
		return e.Findings, about(err, r.Stream)
	}
	track, err := s.trackedBy(ctx, db, p)
	if err != nil {
		return nil, about(err, r.Stream)
	}
	field := p.Table.Column(track.name)
	if h.Blind {
		e.Say("warning", fmt.Sprintf("writers cannot be kept out while the clock is read: each poll reads %s again, and a transaction that is open for longer is missed until the next full sync",
			sqlkit.BlindOverlap), "Allow lockstep to open the file for writing; it changes nothing.")
	}
	if err := s.times(ctx, db, &e, p, track); err != nil {
		return nil, about(err, r.Stream)
	}
	if !field.Indexed && !p.Table.View {
		e.Say("warning", "no index begins with "+field.Name+": every poll reads the whole table", "CREATE INDEX on "+p.Table.SQL+" ("+sqlkit.Quote(field.Name)+")")
	}
	e.Precision(field)
	e.Unseen(p, field)
	return e.Findings, nil
}

// times looks at all values of the tracked column.
func (s *System) times(ctx context.Context, db *sql.DB, e *sqlkit.Remarks, p *sqlkit.Plan, track *trackedColumn) error {
	field, name := p.Table.Column(track.name), sqlkit.Quote(track.name)
	var nulls, texts, numbers, bad int64
	row := db.QueryRowContext(ctx, "SELECT count(*) - count("+name+"), total(typeof("+name+") = 'text'), total(typeof("+name+") IN ('integer', 'real')), total(typeof("+
		name+") = 'text' AND julianday("+name+") IS NULL) FROM "+p.Table.SQL)
	var t, n, b float64
	if err := row.Scan(&nulls, &t, &n, &b); err != nil {
		return err
	}
	texts, numbers, bad = int64(t), int64(n), int64(b)
	if nulls > 0 {
		e.Nulls(field)
	}
	if texts > 0 && numbers > 0 {
		e.Say("note", fmt.Sprintf("%s holds both texts and numbers: both are read as times", field.Name), "")
	}
	if bad > 0 {
		e.Say("warning", fmt.Sprintf("%d texts in %s are no times: changes of these rows may be missed until the next full sync", bad, field.Name), "Correct them to ISO 8601.")
	}
	seen := track.seen.Load()
	if seen&(seenDate|seenMinute|seenOffset) != 0 || bits.OnesCount32(seen&(seenBlank|seenT)) > 1 {
		e.Say("note", fmt.Sprintf("the texts in %s do not sort by time, or only coarsely (dates alone, offsets, more than one form): every poll reads more than the changes", field.Name),
			"Write all of them in one form, in UTC.")
	}
	if texts > 0 && field.Type.Kind != value.InstantType && track.zone == time.UTC {
		e.Say("note", field.Name+" has no time zone: its times are taken as written in UTC", "Set `zone:` of the stream if the application writes in another one.")
	}
	return nil
}
