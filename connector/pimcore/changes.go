package pimcore

import (
	"context"
	"strconv"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// Changes reads what changed after from.
func (s *System) Changes(ctx context.Context, r lockstep.Read, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := s.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	var page lockstep.Page
	switch r.Track.By {
	case lockstep.Timestamp:
		page, err = s.byDate(ctx, p, r.Track, from, l)
	case lockstep.Trigger:
		page, err = s.byTrigger(ctx, p, r, from, l)
	default:
		err = lockstep.Faultf(lockstep.CodeCannot, "changes cannot be found by %q", r.Track.By)
	}
	return page, about(err, r.Stream)
}

// byDate reads by modificationDate, in sweeps. The date is stamped by PHP before the save is committed, in whole
// seconds, and nothing tells which saves are open: each sweep begins an overlap before the last one's horizon, and reads
// all that is there since, in the order of (date, id). What comes again is dropped in capture, by its content: two
// saves in one second have one date.
func (s *System) byDate(ctx context.Context, p *plan, track lockstep.Track, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	if f := p.class.field(track.Field); track.Field != "" && (f == nil || f.path.String() != modifiedField) {
		return lockstep.Page{}, lockstep.Faultf(lockstep.CodeCannot, "changes are found by %s only, not by %q", modifiedField, track.Field).On(lockstep.About{Field: track.Field})
	}
	if from == nil {
		got, err := s.list(ctx, p.light(), "now", listing{order: []string{idField}, first: 1})
		if err != nil {
			return lockstep.Page{}, err
		}
		h := horizon(got.clock)
		return lockstep.Page{Next: sqlkit.Feed{Horizon: h}.Position(), UpTo: h.Clock}, nil
	}
	feed, err := sqlkit.ReadFeed(from)
	if err != nil {
		return lockstep.Page{}, err
	}
	if feed.Sweep != nil && (len(feed.Sweep.After) != 2 || !isID(feed.Sweep.After[1])) {
		return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a sweep by (date, id)")
	}
	return s.sweep(ctx, p, track, feed, l)
}

// horizon is one at a clock of the endpoint: nobody can say which saves are open at it. An endpoint that does not tell
// its time is taken to have ours.
func horizon(clock time.Time) sqlkit.Horizon {
	if clock.IsZero() {
		clock = time.Now().UTC().Truncate(time.Second)
	}
	h := sqlkit.NewHorizon(clock)
	h.Blind = true
	return h
}

// defaultOverlap is the least that is read again behind a position.
const defaultOverlap = sqlkit.BlindOverlap

// slack is by how much the clock of an answer can be off its sending.
const slack = 5 * time.Second

// begin is where a sweep from h reads, before the clock of its first answer is known.
func begin(h sqlkit.Horizon, overlap time.Duration) time.Time {
	return h.Clock.Add(-max(overlap, defaultOverlap) - slack)
}

func (s *System) sweep(ctx context.Context, p *plan, track lockstep.Track, feed sqlkit.Feed, l lockstep.Limit) (lockstep.Page, error) {
	read := listing{order: []string{modifiedField, idField}, first: s.rows(l), total: feed.Sweep == nil}
	var got *paged
	var err error
	if feed.Sweep == nil {
		got, err = s.enter(ctx, p, track, &feed, read)
	} else {
		read.where = behind(feed.Sweep.After)
		got, err = s.page(ctx, p, "changes", read)
	}
	if err != nil {
		return lockstep.Page{}, err
	}
	sweep := *feed.Sweep
	page := lockstep.Page{More: !got.end}
	for i := range bounded(got.rows, s.maxRecord(l), l, &page) {
		row := &got.rows[i]
		sweep.After = []string{row.date, row.id}
		page.Changes = append(page.Changes, row.change)
	}
	if page.More {
		page.Next = sqlkit.Feed{Horizon: feed.Horizon, Sweep: &sweep}.Position()
		return page, nil
	}
	page.Next, page.UpTo = sqlkit.Feed{Horizon: sweep.Next}.Position(), sweep.Next.Clock
	return page, nil
}

// enter begins a sweep with its first page. The page's own answer tells the clock; where that was set back since the
// last sweep, the page is read again from further behind.
func (s *System) enter(ctx context.Context, p *plan, track lockstep.Track, feed *sqlkit.Feed, read listing) (*paged, error) {
	from := begin(feed.Horizon, track.Overlap)
	for {
		read.where = compare(modifiedField, atLeast, seconds(from))
		began := time.Now()
		got, err := s.page(ctx, p, "changes", read)
		if err != nil {
			return nil, err
		}
		next := horizon(got.clock)
		next.Since -= time.Since(began)
		need, err := feed.Begin(&next, max(track.Overlap, 0))
		if err != nil {
			return nil, err
		}
		if need = need.Truncate(time.Second); !need.Before(from) {
			feed.Sweep = &sqlkit.Sweep{From: seconds(from), Next: next}
			return got, nil
		}
		from = need
	}
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// behind is the condition for what comes after a date and an id.
func behind(after []string) condition {
	date, id := after[0], after[1]
	return oneOf(compare(modifiedField, greater, date), allOf(compare(modifiedField, equal, date), compare("id", greater, id)))
}
