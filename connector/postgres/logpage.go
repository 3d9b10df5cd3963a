package postgres

import (
	"context"
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
	c.page.More, c.page.UpTo = !goal.met, goal.now
	if len(c.page.Changes) > 0 {
		if err := f.seen(ctx, c, late); err != nil {
			return lockstep.Page{}, err
		}
	}
	return c.page, c.readBack(ctx)
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
		return false, err
	}
	if !f.inside && len(c.page.Changes) == 0 {
		if err := goal.check(ctx); err != nil || goal.met {
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
