package mysql

import (
	"context"
	"database/sql/driver"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit/mykit"
	"github.com/lockstep-sync/lockstep/value"
)

// byTime reads what has a later "last modified" time, in sweeps: each begins with a horizon, reads everything after the
// last one in the order of (time, key), and ends with its horizon as the new position. A row whose time is null is not
// seen: it counts as old, and the full sync has it.
func (s *System) byTime(ctx context.Context, p *sqlkit.Plan, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	field, err := trackField(p)
	if err != nil {
		return lockstep.Page{}, err
	}
	if from == nil {
		h, err := s.now(ctx)
		return lockstep.Page{Next: sqlkit.Feed{Horizon: h}.Position(), UpTo: h.Clock}, err
	}
	feed, err := sqlkit.ReadFeed(from)
	if err != nil {
		return lockstep.Page{}, err
	}
	if feed.Sweep == nil {
		if feed.Sweep, err = s.begin(ctx, p, field, feed.Horizon); err != nil {
			return lockstep.Page{}, err
		}
	}
	return s.sweep(ctx, p, field, feed, l)
}

// trackField is the column that the tracker reads.
func trackField(p *sqlkit.Plan) (*sqlkit.Column, error) {
	about := lockstep.About{Stream: p.Table.Stream.Name, Field: p.Track.Field}
	c := p.Table.Column(p.Track.Field)
	switch {
	case c == nil:
		return nil, lockstep.Faultf(lockstep.CodeNoField, "table %s has no column %q to track changes by", p.Table.SQL, p.Track.Field).On(about)
	case !sqlkit.IsTime(c.Type.Kind) && c.Type.Kind != value.IntType:
		return nil, lockstep.Faultf(lockstep.CodeCannot, "column %q is no time: its type is %s", c.Name, c.Type.Native).On(about)
	}
	return c, nil
}

func (s *System) now(ctx context.Context) (sqlkit.Horizon, error) {
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return sqlkit.Horizon{}, err
	}
	defer conn.Release()
	return s.horizon(ctx, conn, nil, time.Now().Add(-fresh))
}

// begin takes a horizon and says where a sweep from the last one begins.
func (s *System) begin(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, last sqlkit.Horizon) (*sqlkit.Sweep, error) {
	conn, err := mykit.Acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	next, err := s.horizon(ctx, conn, &last, time.Now().Add(-fresh))
	if err != nil {
		return nil, err
	}
	from, err := last.Begin(&next, p.Track.Overlap)
	if err != nil {
		return nil, err
	}
	// Whole seconds: a column may keep no more, and applications cut off the rest in columns that do.
	from = from.Truncate(time.Second)
	bound, err := s.bound(ctx, conn, p, field, from, next.Clock)
	return &sqlkit.Sweep{From: bound, Next: next}, err
}

// bound is an instant as the column is compared with it.
func (s *System) bound(ctx context.Context, conn mykit.Link, p *sqlkit.Plan, field *sqlkit.Column, from, now time.Time) (string, error) {
	switch field.Type.Kind {
	case value.InstantType:
		return wallText(from), nil
	case value.IntType:
		row, err := conn.One(ctx, "SELECT COALESCE(MAX("+mykit.Quote(field.Name)+"), 0) FROM "+p.Table.SQL)
		if err != nil {
			return "", err
		}
		n, _ := strconv.ParseInt(row[0], 10, 64)
		unit := sqlkit.UnitOf(float64(n), true)
		return strconv.FormatInt(int64(unit.Number(from)), 10), nil
	}
	wall, err := s.wall(ctx, conn, p.Table.Zone)
	if err != nil {
		return "", err
	}
	// The oldest that a clock on the wall showed since: where it was set back in between, that is less than at first.
	later := from.Add(3 * time.Hour)
	if now.Before(later) {
		later = now
	}
	first, err := wall(from)
	if err != nil {
		return "", err
	}
	second, err := wall(later)
	if err != nil {
		return "", err
	}
	if back := from.Add(second.Sub(later)); back.Before(first) {
		first = back
	}
	if field.Type.Kind == value.DateType {
		return wallText(first)[:len("2006-01-02")], nil
	}
	return wallText(first), nil
}

// wall gives the time that a clock on the wall of a zone shows at an instant; "" is the zone that the server's own
// applications write in, which the server itself is asked about.
func (s *System) wall(ctx context.Context, conn mykit.Link, zone string) (func(time.Time) (time.Time, error), error) {
	if zone != "" {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return nil, lockstep.Faultf(lockstep.CodeConfig, "zone: there is no time zone %q", zone)
		}
		return func(t time.Time) (time.Time, error) {
			y, m, d := t.In(loc).Date()
			hour, minute, second := t.In(loc).Clock()
			return time.Date(y, m, d, hour, minute, second, t.Nanosecond(), time.UTC), nil
		}, nil
	}
	return func(t time.Time) (time.Time, error) {
		row, err := conn.One(ctx, "SELECT CONVERT_TZ(?, '+00:00', @@GLOBAL.time_zone)", wallText(t))
		if err != nil {
			return t, err
		}
		at, _, ok := parseTime([]byte(row[0]))
		if !ok {
			return at, lockstep.Faultf(lockstep.CodeConfig, "the server cannot convert times to its own zone: name the zone with `zone:` under the system's `streams:`")
		}
		return at, nil
	}, nil
}

func wallText(t time.Time) string { return string(sqlkit.AppendTime(nil, t.UTC(), ' ')) }

func (s *System) sweep(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, feed sqlkit.Feed, l lockstep.Limit) (lockstep.Page, error) {
	sweep := *feed.Sweep
	track := "t." + mykit.Quote(field.Name)
	q, err := s.swept(p, field, sweep.After, l)
	if err != nil {
		return lockstep.Page{}, err
	}
	if len(sweep.After) == 0 {
		q.terms, q.args = append(q.terms, track+" >= ?"), []driver.Value{trackArg(field, sweep.From)}
	}
	end := sqlkit.Feed{Horizon: sweep.Next}.Position()
	page, err := s.page(ctx, q, l, end, func(keys, extra []string) lockstep.Position {
		after := sweep
		after.After = append([]string{extra[0]}, keys...)
		return sqlkit.Feed{Horizon: feed.Horizon, Sweep: &after}.Position()
	})
	if err == nil && !page.More {
		page.Next, page.UpTo = end, sweep.Next.Clock
	}
	return page, err
}

// swept selects the rows behind a place in the order of (field, key); the field's text is the first extra.
func (s *System) swept(p *sqlkit.Plan, field *sqlkit.Column, after []string, l lockstep.Limit) (*selection, error) {
	track, keys := "t."+mykit.Quote(field.Name), keyNames(p, "t.")
	q := &selection{plan: p, from: p.Table.SQL + " t", order: track + ", " + strings.Join(keys, ", "), extra: []string{track},
		large: sqlkit.MaxRecord(s.options.MaxRecord, l)}
	if p.Deleted != nil {
		q.gone = true
		q.extra = append(q.extra, goneSQL(p.Table, p.Deleted))
	}
	q.terms = counted(p)
	if len(after) == 0 {
		return q, nil
	}
	if len(after) != 1+len(keys) {
		return nil, lockstep.Faultf(lockstep.CodePosition, "the position is not one of this stream: its key may have changed")
	}
	marks, args, err := placeArgs(p, after[1:])
	if err != nil {
		return nil, err
	}
	term, args := behind(append([]string{track}, keys...), append([]string{"?"}, marks...), append([]driver.Value{trackArg(field, after[0])}, args...))
	q.terms, q.args = append(q.terms, term), args
	return q, nil
}

// counted are the conditions that a row belongs to the stream, softly deleted or not, and has a key.
func counted(p *sqlkit.Plan) []string {
	var terms []string
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	for _, at := range p.Key {
		if p.Columns[at].Nullable {
			terms = append(terms, "t."+mykit.Quote(p.Columns[at].Name)+" IS NOT NULL")
		}
	}
	return terms
}

// trackArg is a value of the tracked column, as the server wrote it or we wrote a bound.
func trackArg(field *sqlkit.Column, text string) driver.Value {
	if field.Type.Kind == value.IntType {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	return text
}
