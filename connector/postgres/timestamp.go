package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/value"
)

// byTime reads what has a later "last modified" time, in sweeps: each begins with a horizon, reads everything after
// the last one in the order of (time, key), and ends with its horizon as the new position. A row whose time is null is
// not seen: it counts as old, and the full sync has it.
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
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return sqlkit.Horizon{}, err
	}
	defer conn.release()
	return conn.horizon(ctx, true)
}

// begin takes a horizon and says where a sweep from the last one begins.
func (s *System) begin(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, last sqlkit.Horizon) (*sqlkit.Sweep, error) {
	conn, err := s.acquire(ctx, s.reader)
	if err != nil {
		return nil, err
	}
	defer conn.release()
	next, err := conn.horizon(ctx, false)
	if err != nil {
		return nil, err
	}
	from, err := last.Begin(&next, p.Track.Overlap)
	if err != nil {
		return nil, err
	}
	// Whole seconds: a column may keep no more, and applications cut off the rest in columns that do.
	from = from.Truncate(time.Second)
	bound, err := conn.bound(ctx, p, field, from, next.Clock)
	return &sqlkit.Sweep{From: bound, Next: next}, err
}

// wallSQL is the oldest that a clock on the wall of zone $3 showed between the instants $1 and $2. Where the clock is
// set back in between, that is less than it showed at $1.
const wallSQL = `SELECT least($1::timestamptz AT TIME ZONE $3, ($1::timestamptz AT TIME ZONE 'UTC')
	+ ((x.t AT TIME ZONE $3) - (x.t AT TIME ZONE 'UTC'))) FROM (SELECT least($2::timestamptz, $1::timestamptz + interval '3 hours') AS t) x`

// bound is an instant as the column is compared with it.
func (c link) bound(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, from, now time.Time) (string, error) {
	text := string(appendTime(nil, value.InstantType, from))
	switch field.Type.Kind {
	case value.InstantType:
		return text, nil
	case value.IntType:
		row, err := c.one(ctx, "SELECT coalesce(max("+sqlkit.Quote(field.Name)+"), 0) FROM "+p.Table.SQL)
		if err != nil {
			return "", err
		}
		n, _ := strconv.ParseInt(row[0], 10, 64)
		unit := sqlkit.UnitOf(float64(n), true)
		return strconv.FormatInt(int64(unit.Number(from)), 10), nil
	}
	zone := p.Table.Zone
	if zone == "" {
		row, err := c.one(ctx, "SELECT current_setting('lockstep.zone')")
		if err != nil {
			return "", err
		}
		zone = row[0]
	}
	row, err := c.one(ctx, wallSQL, text, string(appendTime(nil, value.InstantType, now)), zone)
	if err != nil {
		return "", err
	}
	if field.Type.Kind == value.DateType {
		return row[0][:len("2006-01-02")], nil
	}
	return row[0], nil
}

func (s *System) sweep(ctx context.Context, p *sqlkit.Plan, field *sqlkit.Column, feed sqlkit.Feed, l lockstep.Limit) (lockstep.Page, error) {
	sweep := *feed.Sweep
	track, keys := "t."+sqlkit.Quote(field.Name), keyNames(p)
	q := &query{plan: p, from: p.Table.SQL + " t", order: track + ", " + strings.Join(keys, ", "), extra: []string{track},
		large: sqlkit.MaxRecord(s.options.MaxRecord, l)}
	if p.Deleted != nil {
		q.gone = true
		q.extra = append(q.extra, goneSQL(p.Deleted))
	}
	if p.Table.Where != "" {
		q.terms = append(q.terms, "("+p.Table.Where+")")
	}
	switch {
	case len(sweep.After) == 0:
		q.terms, q.args = append(q.terms, track+" >= $1"), bytesOf([]string{sweep.From})
		if p.Table.KeyIsNullable() {
			for _, k := range keys {
				q.terms = append(q.terms, k+" IS NOT NULL")
			}
		}
	case len(sweep.After) != 1+len(keys):
		return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the position is not one of this stream: its key may have changed")
	default: // the row comparison also leaves out null keys
		marks := make([]string, len(sweep.After))
		for i := range marks {
			marks[i] = "$" + strconv.Itoa(i+1)
		}
		q.terms = append(q.terms, "("+q.order+") > ("+strings.Join(marks, ", ")+")")
		q.args = bytesOf(sweep.After)
	}
	end := sqlkit.Feed{Horizon: sweep.Next}.Position()
	place := func(keys, extra []string) lockstep.Position {
		after := sweep
		after.After = append([]string{extra[0]}, keys...)
		return sqlkit.Feed{Horizon: feed.Horizon, Sweep: &after}.Position()
	}
	var page lockstep.Page
	ok := false
	if len(sweep.After) > 0 {
		page, ok = s.goOn(ctx, *q, string(feed.Position()), l, place)
	}
	if !ok {
		var err error
		if page, err = s.page(ctx, q, l, end, place); err != nil {
			return page, err
		}
	}
	if !page.More {
		page.Next, page.UpTo = end, sweep.Next.Clock
	}
	return page, nil
}
