package sqlite

import (
	"context"
	"database/sql"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// How a column was seen to write times as text.
const (
	seenBlank  = 1 << iota // "2026-11-23 10:00:00"
	seenT                  // "2026-11-23T10:00:00"
	seenDate               // a date alone
	seenMinute             // without seconds
	seenOffset             // an offset from UTC: the texts do not sort by instant
	seenOther              // no time that we can read
)

// trackedColumn is a column that a tracker reads, and what is known of its texts. SQLite compares texts as texts, so
// the bound of a sweep must sort before all texts that mean a later time.
type trackedColumn struct {
	name string
	zone *time.Location // of texts without one
	seen atomic.Uint32
}

func (c *trackedColumn) note(text string) {
	_, shape, ok := sqlkit.ParseTime(text, time.UTC)
	var bits uint32
	switch {
	case !ok:
		bits = seenOther
	case shape.Sep == 0:
		bits = seenDate
	case shape.Sep == ' ':
		bits = seenBlank
	default:
		bits = seenT
	}
	if shape.Step == time.Minute {
		bits |= seenMinute
	}
	if shape.Offset {
		bits |= seenOffset
	}
	if c.seen.Load()&bits != bits {
		c.seen.Or(bits)
	}
}

// textBound is a text that sorts before every text of the column that means from or later.
func (c *trackedColumn) textBound(from, now time.Time) string {
	seen := c.seen.Load()
	local := c.oldestWall(from, now)
	if seen&seenOffset != 0 {
		local = local.Add(-12 * time.Hour) // the offset farthest behind UTC
	}
	layout := "2006-01-02"
	if seen != 0 && seen&seenDate == 0 {
		if layout += "T15:04"; seen&seenBlank != 0 {
			layout = "2006-01-02 15:04"
		}
		if seen&seenMinute == 0 {
			layout += ":05"
		}
	}
	return local.Format(layout)
}

// oldestWall is the oldest that the clock on the wall showed since from, as a time in UTC, also by UTC itself. Where
// the clock was set back meanwhile, it is less than what it showed at from.
func (c *trackedColumn) oldestWall(from, now time.Time) time.Time {
	later := from.Add(3 * time.Hour)
	if now.Before(later) {
		later = now
	}
	least := 0
	for i, t := range []time.Time{from, later} {
		_, offset := t.In(c.zone).Zone()
		if i == 0 || offset < least {
			least = offset
		}
	}
	if c.zone != time.UTC {
		least = min(least, 0) // texts with a Z may stand among them
	}
	return from.UTC().Add(time.Duration(least) * time.Second)
}

// read tells whether a row with that stored time belongs to a sweep from the time given: the bound is coarser than
// that where texts do not sort by instant.
func (c *trackedColumn) read(stored any, from time.Time) bool {
	text, ok := stored.(string)
	if !ok || c.zone != time.UTC {
		return true
	}
	t, shape, ok := sqlkit.ParseTime(text, time.UTC)
	return !ok || t.Add(shape.Step).After(from)
}

// tracked is the column that r tracks by, with a sample of its texts.
func (s *System) trackedBy(ctx context.Context, db *sql.DB, p *sqlkit.Plan) (*trackedColumn, error) {
	about := lockstep.About{Stream: p.Table.Stream.Name, Field: p.Track.Field}
	c := p.Table.Column(p.Track.Field)
	if c == nil {
		return nil, lockstep.Faultf(lockstep.CodeNoField, "table %s has no column %q to track changes by", p.Table.SQL, p.Track.Field).On(about)
	}
	track, err := s.trackedColumn(p.Table, c)
	if err != nil {
		return nil, err
	}
	if track.seen.Load() == 0 {
		if err := track.sample(ctx, db, p, c.Indexed); err != nil {
			return nil, err
		}
	}
	if track.seen.Load()&seenOther != 0 {
		return nil, lockstep.Faultf(lockstep.CodeCannot, "column %q holds texts that are no times in ISO 8601, so that later ones cannot be found", c.Name).On(about)
	}
	return track, nil
}

func (s *System) trackedColumn(t *sqlkit.Table, c *sqlkit.Column) (*trackedColumn, error) {
	zone := time.UTC
	if t.Zone != "" {
		var err error
		if zone, err = time.LoadLocation(t.Zone); err != nil {
			return nil, lockstep.Faultf(lockstep.CodeConfig, "there is no time zone %q", t.Zone).On(lockstep.About{Stream: t.Stream.Name})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := t.Stream.Name + "\x00" + c.Name
	if s.tracked == nil {
		s.tracked = map[string]*trackedColumn{}
	}
	if s.tracked[id] == nil {
		s.tracked[id] = &trackedColumn{name: c.Name, zone: zone}
		if c.Type.Kind == value.DateType {
			s.tracked[id].seen.Store(seenDate)
		}
	}
	return s.tracked[id], nil
}

const sampleRows = 200

func (c *trackedColumn) sample(ctx context.Context, db *sql.DB, p *sqlkit.Plan, indexed bool) error {
	name := sqlkit.Quote(c.name)
	orders := []string{""}
	if indexed {
		orders = []string{" ORDER BY " + name, " ORDER BY " + name + " DESC"}
	}
	for _, order := range orders {
		query := "SELECT +" + name + " FROM " + p.Table.SQL + " WHERE typeof(" + name + ") = 'text'" + order + " LIMIT " + strconv.Itoa(sampleRows)
		err := each(ctx, db, query, func(rows *sql.Rows) error {
			var text string
			err := rows.Scan(&text)
			c.note(text)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// noted is the column whose texts a scan should look at on its way, or nil.
func (s *System) noted(p *sqlkit.Plan) *trackedColumn {
	if p.Version < 0 || p.Track.By != lockstep.Timestamp || p.Columns[p.Version].Name != p.Track.Field {
		return nil
	}
	track, err := s.trackedColumn(p.Table, p.Columns[p.Version])
	if err != nil { // told by Changes
		return nil
	}
	return track
}
