package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/postgres/internal/wal"
)

// logLook is how the server stands at a moment, beside the stream.
type logLook struct {
	snapshot string // of what is visible
	now      time.Time
	end      wal.LSN // of the log on disk, where a commit is before anybody sees it
	member   bool    // the table is still published
}

// lookSQL stands behind a snapshot, and takes the clock before the end of the log.
const lookSQL = `, clock_timestamp(), ` + endSQL + `, EXISTS (SELECT FROM pg_publication_rel WHERE oid = $1::oid)`

func (f *logFeed) look(ctx context.Context) (l logLook, err error) {
	conn, err := f.sys.acquire(ctx, f.sys.reader)
	if err != nil {
		return l, err
	}
	defer conn.release()
	row, err := conn.one(ctx, "SELECT "+conn.snapshotFunction()+lookSQL, f.at.Member)
	if err != nil {
		return l, err
	}
	l.snapshot, l.member = row[0], row[3] == "t"
	if l.now, err = instant(row[1]); err != nil {
		return l, err
	}
	l.end, err = wal.ParseLSN(row[2])
	return l, err
}

// logGoal is the end of the log at a moment, for a page that stays empty.
type logGoal struct {
	feed *logFeed
	read lockstep.Read
	look logLook
	met  bool
	now  time.Time // zero until it is met
}

// check finds out whether all was read up to the end. A table that was made anew would be followed in silence: that is
// looked at, too.
func (g *logGoal) check(ctx context.Context) (err error) {
	f := g.feed
	if g.look.end == 0 {
		if g.look, err = f.look(ctx); err != nil {
			return err
		}
		if !g.look.member {
			if err := f.start(ctx, g.read, f.at); err != nil { // that knows what is the matter
				return err
			}
			return lockstep.Faultf(lockstep.CodePosition, "the table left the publication %s: it was made anew, or the publication was", f.name)
		}
		if f.at.LSN < g.look.end {
			f.stream.Ask()
		}
	}
	if g.met = f.at.LSN >= g.look.end; g.met {
		g.now = g.look.now
	}
	return nil
}

// errUnseen holds a page back.
var errUnseen = errors.New("others do not see it yet")

// visibleSoon is how long a commit usually takes, at most, from the log to the eyes of others.
const visibleSoon = time.Millisecond

// seen returns when others see the transactions of a page. A commit is in the log a moment before, or for long where it
// waits for a standby: whoever fetched a record then would take what it was before for what it is. It also tells
// whether the page is all that there was.
func (f *logFeed) seen(ctx context.Context, c *logChanger, late time.Time) error {
	for xids := c.xids; ; {
		look, err := f.look(ctx)
		if err != nil {
			return err
		}
		xids = slices.DeleteFunc(xids, func(x uint32) bool { return visible(look.snapshot, x) })
		if len(xids) == 0 {
			switch {
			case f.inside:
			case f.at.LSN >= look.end:
				c.page.More, c.page.UpTo = false, look.now
			default:
				c.page.UpTo = f.when
			}
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
