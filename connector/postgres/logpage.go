package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
)

// patience is how long a page may take. Then the caller is told that there is more, so that it can save the place.
const patience = 2 * time.Second

// next takes the next message.
func (f *logFeed) next() (m wal.Message, ok bool) {
	if len(f.again) > 0 {
		m, f.again = f.again[0], f.again[1:]
		return m, true
	}
	return f.stream.Next()
}

// page reads on until the page is full, or nothing waits. An empty page that says that there is no more is sure of it:
// all that the log held when it was asked for was read.
func (f *logFeed) page(ctx context.Context, r lockstep.Read, p *sqlkit.Plan, l lockstep.Limit) (lockstep.Page, error) {
	c := newLogChanger(f, r, p, l)
	goal := logGoal{feed: f, read: r}
	late := time.Now().Add(patience)
	for n := 0; n%256 != 255 || time.Now().Before(late); n++ {
		m, ok := f.next()
		if !ok {
			over, err := f.pause(ctx, c, &goal, late)
			if err != nil {
				return lockstep.Page{}, err
			}
			if over {
				break
			}
			continue
		}
		was := f.logReading
		taken, err := c.message(ctx, m)
		if taken && err == nil {
			f.taken = append(f.taken, m)
			continue
		}
		f.again = append([]wal.Message{m}, f.again...)
		if err == nil { // the page is full
			break
		}
		if f.logReading = was; len(c.page.Changes) == 0 {
			return lockstep.Page{}, err
		}
		break // what came before it goes first
	}
	switch {
	case goal.met:
		c.page.UpTo = goal.now
	default:
		if c.page.More = true; !f.inside {
			c.page.UpTo = f.when
		}
	}
	if err := f.seen(ctx, c.xids, late); err != nil {
		return lockstep.Page{}, err
	}
	return c.page, c.readBack(ctx)
}

// errUnseen holds a page back.
var errUnseen = errors.New("others do not see it yet")

// visibleSoon is how long a commit usually takes, at most, from the log to the eyes of others.
const visibleSoon = time.Millisecond

// seen returns when others see the transactions of a page. A commit is in the log a moment before, or for long where it
// waits for a standby: whoever fetched a record then would take what it was before for what it is.
func (f *logFeed) seen(ctx context.Context, xids []uint32, late time.Time) error {
	if len(xids) == 0 {
		return nil
	}
	conn, err := f.sys.acquire(ctx, f.sys.reader)
	if err != nil {
		return err
	}
	defer conn.release()
	for {
		row, err := conn.one(ctx, "SELECT "+conn.snapshotFunction())
		if err != nil {
			return err
		}
		xids = slices.DeleteFunc(xids, func(x uint32) bool { return visible(row[0], x) })
		if len(xids) == 0 {
			return nil
		}
		if time.Now().After(late) {
			return errUnseen
		}
		wait := time.NewTimer(visibleSoon)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

// pause is for when no message waits: it says that the page is over, or waits for the next one.
func (f *logFeed) pause(ctx context.Context, c *logChanger, goal *logGoal, late time.Time) (over bool, err error) {
	if !f.inside && len(c.page.Changes) > 0 && f.at.LSN >= f.fill {
		return true, nil
	}
	more, ok := f.stream.More()
	if ok {
		return false, nil
	}
	if err := f.stream.Err(); err != nil {
		if len(c.page.Changes) > 0 {
			return true, nil
		}
		f.stop()
		return false, err
	}
	if !f.inside && len(c.page.Changes) == 0 {
		if err := goal.look(ctx); err != nil || goal.met {
			return true, err
		}
	}
	wait := time.NewTimer(min(time.Until(late), askAgain))
	defer wait.Stop()
	select {
	case <-more:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-wait.C:
		if time.Now().After(late) {
			return true, nil
		}
		f.stream.Ask()
	}
	return false, nil
}

// askAgain is how long to wait for the server's word on how far it has read its log.
const askAgain = 50 * time.Millisecond

// logGoal is the end of the log at a moment.
type logGoal struct {
	feed *logFeed
	read lockstep.Read
	end  wal.LSN
	now  time.Time
	met  bool
}

// goalSQL also asks whether the table is still published: a table that was made anew would be followed in silence.
const goalSQL = `SELECT ` + endSQL + `, clock_timestamp(), EXISTS (SELECT FROM pg_publication_rel WHERE oid = $1::oid)`

// look finds out whether all was read up to the end. What is committed is in the log on disk before anybody sees it.
func (g *logGoal) look(ctx context.Context) error {
	f := g.feed
	if g.end == 0 {
		conn, err := f.sys.acquire(ctx, f.sys.reader)
		if err != nil {
			return err
		}
		row, err := conn.one(ctx, goalSQL, f.at.Member)
		conn.release()
		if err != nil {
			return err
		}
		if row[2] != "t" {
			if err := f.start(ctx, g.read, f.at); err != nil { // it knows what is the matter
				return err
			}
			return lockstep.Faultf(lockstep.CodePosition, "the table left the publication %s: it was made anew, or the publication was", f.name)
		}
		if g.end, err = wal.ParseLSN(row[0]); err != nil {
			return err
		}
		if g.now, err = instant(row[1]); err != nil {
			return err
		}
		if f.at.LSN < g.end {
			f.stream.Ask()
		}
	}
	g.met = f.at.LSN >= g.end
	return nil
}
