package magento

import (
	"context"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// defaultOverlap is what is read again behind a position: PHP takes updated_at inside the transaction that it commits
// later, and a save of a large product takes long.
const defaultOverlap = 300 * time.Second

// slack is by how much the clock of an answer can be off the search before it.
const slack = 5 * time.Second

// changes reads what has a later updated_at, in sweeps: each begins an overlap before where the last one began, and
// reads all that is there since, in the order of (updated_at, number). What comes again is dropped in capture.
func (e *entity) changes(ctx context.Context, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	p, err := e.plan(ctx, r)
	if err != nil {
		return lockstep.Page{}, err
	}
	if f := r.Track.Field; f != "" && f != updatedField {
		return lockstep.Page{}, lockstep.Faultf(lockstep.CodeCannot, "changes are found by %s only", updatedField).On(lockstep.About{Field: f})
	}
	if from == nil {
		got, err := e.client.find(ctx, "now", allViews, e.path, search{sort: []string{numberColumn}, size: 1, fields: p.light})
		if err != nil {
			return lockstep.Page{}, err
		}
		h := horizonAt(got.clock)
		return lockstep.Page{Next: sqlkit.Feed{Horizon: h}.Position(), UpTo: h.Clock}, nil
	}
	feed, err := sqlkit.ReadFeed(from)
	if err != nil {
		return lockstep.Page{}, err
	}
	if feed.Sweep != nil && (len(feed.Sweep.After) != 2 || !e.isPlace(feed.Sweep.After)) {
		return lockstep.Page{}, wrongPlace()
	}
	return e.sweep(ctx, p, r.Track, feed, l)
}

// isPlace tells a place in a sweep: rubbish in a time is no filter at all to Magento.
func (e *entity) isPlace(after []string) bool {
	_, err := time.Parse(timeLayout, after[0])
	var n number
	return err == nil && n.UnmarshalJSON([]byte(after[1])) == nil
}

// horizonAt is one at a clock of the shop: nobody can say which saves are open at it. A shop that does not tell its
// time is taken to have ours.
func horizonAt(clock time.Time) sqlkit.Horizon {
	if clock.IsZero() {
		clock = time.Now().UTC().Truncate(time.Second)
	}
	h := sqlkit.NewHorizon(clock)
	h.Blind = true
	return h
}

// overlapOf is the overlap of a track: never less than what is read again where open saves cannot be seen.
func overlapOf(t lockstep.Track) time.Duration {
	if t.Overlap <= 0 {
		return defaultOverlap
	}
	return max(t.Overlap, sqlkit.BlindOverlap)
}

func (e *entity) sweep(ctx context.Context, p *plan, track lockstep.Track, feed sqlkit.Feed, l lockstep.Limit) (lockstep.Page, error) {
	q := search{sort: []string{updatedField, numberColumn}, size: rowsOf(e.conf, l)}
	var rows []row
	var got *found
	var err error
	if feed.Sweep == nil {
		rows, got, err = e.enter(ctx, p, track, &feed, q)
	} else {
		q.groups = behind(feed.Sweep.After)
		rows, got, err = e.pageOf(ctx, p, q)
	}
	if err != nil {
		return lockstep.Page{}, err
	}
	sweep := *feed.Sweep
	page := lockstep.Page{More: got.total > len(rows)}
	if page.More && len(rows) == 0 {
		return page, lockstep.Faultf(lockstep.CodeServer, "a search counts %d records and shows none", got.total).On(lockstep.About{Request: e.name})
	}
	for i := range bounded(rows, e.conf.maxRecord, l, &page) {
		sweep.After = []string{rows[i].stamp, number(rows[i].id).text()}
		page.Changes = append(page.Changes, rows[i].change)
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
func (e *entity) enter(ctx context.Context, p *plan, track lockstep.Track, feed *sqlkit.Feed, q search) ([]row, *found, error) {
	from := feed.Clock.Add(-overlapOf(track) - slack)
	for {
		q.groups = [][]filter{{{updatedField, atLeast, writeTime(from)}}}
		began := time.Now()
		rows, got, err := e.pageOf(ctx, p, q)
		if err != nil {
			return nil, nil, err
		}
		next := horizonAt(got.clock)
		next.Since -= time.Since(began)
		need, err := feed.Begin(&next, overlapOf(track))
		if err != nil {
			return nil, nil, err
		}
		if need = need.Truncate(time.Second); !need.Before(from) {
			feed.Sweep = &sqlkit.Sweep{From: writeTime(from), Next: next}
			return rows, got, nil
		}
		from = need
	}
}

// behind are the conditions for what comes after a time and a number. Groups must all hold, and the filters in one are
// alternatives: from that time on, and later or with a higher number. However many records share a second, none is lost.
func behind(after []string) [][]filter {
	return [][]filter{
		{{updatedField, atLeast, after[0]}},
		{{updatedField, greater, after[0]}, {numberColumn, greater, after[1]}},
	}
}
