package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	lib "modernc.org/sqlite/lib"

	"modernc.org/sqlite"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// byTime reads what has a later "last modified" time, in sweeps: each begins with a horizon, reads everything after
// the last one in the order of (time, key), and ends with its horizon as the new position. Times may be texts or
// numbers, and one column may hold both: each way to write a time is a phase of the sweep. A row whose time is null
// is not seen: it counts as old, and the full sync has it.
func (s *System) byTime(ctx context.Context, p *sqlkit.Plan, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	db, err := s.read()
	if err != nil {
		return lockstep.Page{}, err
	}
	track, err := s.trackedBy(ctx, db, p)
	if err != nil {
		return lockstep.Page{}, err
	}
	if from == nil {
		h, err := s.horizon(ctx)
		return lockstep.Page{Next: sqlkit.Feed{Horizon: h}.Position(), UpTo: h.Clock}, err
	}
	feed, err := sqlkit.ReadFeed(from)
	if err != nil {
		return lockstep.Page{}, err
	}
	w := sweeper{sys: s, db: db, plan: p, track: track, feed: feed, limit: l}
	if feed.Sweep == nil {
		if err := w.begin(ctx); err != nil {
			return lockstep.Page{}, err
		}
	}
	if w.from, err = time.Parse(time.RFC3339Nano, w.feed.Sweep.From); err != nil {
		return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a timestamp tracker")
	}
	return w.sweep(ctx)
}

// horizon takes the clock while nobody can write: what was committed is seen from now on, and what is stamped from
// now on is later. SQLite runs in its writers, so its clock is this machine's. Who may not write cannot keep others
// from it, and reads blindly.
func (s *System) horizon(ctx context.Context) (sqlkit.Horizon, error) {
	blind := sqlkit.NewHorizon(time.Now().UTC())
	blind.Blind = true
	db, err := s.write()
	if err != nil {
		return sqlkit.Horizon{}, err
	}
	conn, err := db.Conn(ctx)
	if cannotWrite(err) {
		return blind, nil
	}
	if err != nil {
		return sqlkit.Horizon{}, err
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	if cannotWrite(err) {
		return blind, nil
	}
	if err != nil {
		return sqlkit.Horizon{}, err
	}
	h := sqlkit.NewHorizon(time.Now().UTC())
	return h, rollback(ctx, conn)
}

func cannotWrite(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		return true
	}
	return false
}

// sweeper reads one page of a sweep.
type sweeper struct {
	sys   *System
	db    *sql.DB
	plan  *sqlkit.Plan
	track *trackedColumn
	feed  sqlkit.Feed
	from  time.Time
	limit lockstep.Limit
}

// begin takes a horizon and says where the sweep begins. Where somebody writes for longer than we wait for the lock,
// the sweep reads what is there and the position stays.
func (w *sweeper) begin(ctx context.Context) error {
	next, err := w.sys.horizon(ctx)
	if lockstep.KindOf(fault(err)) == lockstep.Transient && err != nil && ctx.Err() == nil {
		next, err = w.feed.Horizon, nil
	}
	if err != nil {
		return err
	}
	from, err := w.feed.Begin(&next, w.plan.Track.Overlap)
	if err != nil {
		return err
	}
	// Whole seconds: CURRENT_TIMESTAMP keeps no more, nor do many applications.
	from = from.Truncate(time.Second)
	w.feed.Sweep = &sqlkit.Sweep{From: from.Format(time.RFC3339Nano), Next: next}
	return nil
}

// phases are the numbers by unit, then the texts.
const phases = sqlkit.Units + 1

// bounds is the half-open range of stored values of a phase; high nil is open.
func (w *sweeper) bounds(phase int) (low, high any) {
	if phase == sqlkit.Units {
		return w.track.textBound(w.from, w.feed.Sweep.Next.Clock), nil
	}
	u := sqlkit.Unit(phase)
	least, most := u.Range()
	number := u.Number(w.from)
	if u == sqlkit.Julian {
		number -= 1e-8 // a millisecond: a Julian day is not exact
	}
	low = max(least, number)
	if u == sqlkit.Nanos {
		return low, "" // texts come behind all numbers
	}
	return low, most
}

// next is the first phase from the current one on that has rows.
func (w *sweeper) next(ctx context.Context) (int, error) {
	for phase := w.feed.Sweep.Phase; phase < phases; phase++ {
		low, high := w.bounds(phase)
		if number, ok := low.(float64); ok {
			if _, most := sqlkit.Unit(phase).Range(); number >= most {
				continue
			}
		}
		condition, args := w.inRange(low, high)
		var found bool
		query := "SELECT EXISTS (SELECT 1 FROM " + w.plan.Table.SQL + " t WHERE " + condition + ")"
		if err := w.db.QueryRowContext(ctx, query, args...).Scan(&found); err != nil {
			return phase, err
		}
		if found {
			return phase, nil
		}
	}
	return phases, nil
}

func (w *sweeper) column() string { return "t." + sqlkit.Quote(w.track.name) }

func (w *sweeper) inRange(low, high any) (string, []any) {
	if high == nil {
		return w.column() + " >= ?", []any{low}
	}
	return w.column() + " >= ? AND " + w.column() + " < ?", []any{low, high}
}

// sweep reads a page, through as many phases as fit.
func (w *sweeper) sweep(ctx context.Context) (lockstep.Page, error) {
	next := w.feed.Sweep.Next
	page := lockstep.Page{Next: sqlkit.Feed{Horizon: next}.Position(), UpTo: next.Clock}
	for bytes := 0; ; {
		phase, err := w.next(ctx)
		if err != nil || phase == phases {
			return page, err
		}
		w.enter(phase)
		full, err := w.read(ctx, &page, &bytes)
		if err != nil {
			return lockstep.Page{}, err
		}
		if full {
			page.Next, page.More, page.UpTo = w.feed.Position(), true, time.Time{}
			return page, nil
		}
		w.enter(phase + 1)
	}
}

func (w *sweeper) enter(phase int) {
	if now := w.feed.Sweep; now.Phase != phase {
		w.feed.Sweep = &sqlkit.Sweep{From: now.From, Phase: phase, Next: now.Next}
	}
}

// read reads rows of the current phase onto the page and moves the place along. It tells whether the page is full and
// there is more.
func (w *sweeper) read(ctx context.Context, page *lockstep.Page, bytes *int) (full bool, err error) {
	left := w.plan.Rows(lockstep.Limit{Rows: w.limit.Rows}) - len(page.Changes)
	if left <= 0 {
		return true, nil
	}
	query, args, err := w.query(left + 1)
	if err != nil {
		return false, err
	}
	rows, err := w.db.QueryContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	rd := newReader(w.plan, sqlkit.MaxRecord(w.sys.options.MaxRecord, w.limit), 2)
	for rows.Next() {
		if left--; left < 0 {
			return true, nil
		}
		rec, fault, err := rd.record(rows)
		if err != nil {
			return false, err
		}
		if w.limit.Bytes > 0 && *bytes > 0 && *bytes+rd.size > w.limit.Bytes {
			return true, nil
		}
		when, gone := rd.cells[len(rd.cells)-2], rd.cells[len(rd.cells)-1]
		if w.track.read(when, w.from) {
			*bytes += rd.size
			c := lockstep.Change{Record: rec, Fault: fault}
			if gone == int64(1) {
				c.Op = lockstep.Delete
			}
			page.Changes = append(page.Changes, c)
		}
		w.feed.Sweep.After = append([]string{place(when)}, rd.place().After...)
	}
	return false, rows.Err()
}

// query selects the rows of the current phase behind the place, in the order of (time, key).
func (w *sweeper) query(limit int) (string, []any, error) {
	p, sweep := w.plan, w.feed.Sweep
	low, high := w.bounds(sweep.Phase)
	condition, args := w.inRange(low, high)
	terms := []string{condition}
	if p.Table.Where != "" {
		terms = append(terms, "("+p.Table.Where+")")
	}
	for _, at := range p.Key {
		if p.Columns[at].Nullable {
			terms = append(terms, "t."+sqlkit.Quote(p.Columns[at].Name)+" IS NOT NULL")
		}
	}
	order := w.column() + ", " + keyList(p)
	if len(sweep.After) > 0 {
		if len(sweep.After) != 1+len(p.Key) {
			return "", nil, lockstep.Faultf(lockstep.CodePosition, "the position is not one of this stream: its key may have changed")
		}
		for _, a := range sweep.After {
			v, ok := unplace(a)
			if !ok {
				return "", nil, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a timestamp tracker")
			}
			args = append(args, v)
		}
		terms = append(terms, "("+order+") > ("+marks(len(sweep.After))+")")
	}
	gone := "0"
	if p.Deleted != nil {
		gone = goneSQL(p.Deleted)
	}
	return "SELECT " + selectList(p, sqlkit.MaxRecord(w.sys.options.MaxRecord, w.limit)) + ", +" + w.column() + ", " + gone +
		" FROM " + p.Table.SQL + " t" + and(terms) + " ORDER BY " + order + " LIMIT " + strconv.Itoa(limit), args, nil
}
