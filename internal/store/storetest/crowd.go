package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	lockstep "github.com/lockstep-sync/lockstep"
)

var crowdRows = []row{
	{"many at once: nothing is lost, nothing is delivered twice at a time", func(b *bench) {
		c := &crowd{bench: b, delivered: map[lockstep.Key]int{}}
		c.all.Go(func() { c.failed(c.capture()) })
		for range 3 {
			c.all.Go(func() { c.failed(c.deliver()) })
		}
		c.all.Go(func() { c.failed(c.look()) })
		c.all.Wait()
		b.ok(c.err)
		b.entries()
		for i := range crowdKeys {
			key := lockstep.Key(fmt.Sprint("k", i))
			same(b, c.delivered[key], crowdRounds)
			same(b, b.find("f", key), string(key+"="+key))
		}
		st := b.status("f")
		same(b, []int64{st.Ready, st.Leased, st.Links}, []int64{0, 0, crowdKeys})
	}},
}

const crowdKeys, crowdRounds = 50, 20

// crowd is one capturer, some deliverers and somebody who looks.
type crowd struct {
	*bench
	all       sync.WaitGroup
	mu        sync.Mutex
	delivered map[lockstep.Key]int // the newest version
	done      bool
	err       error
}

func (c *crowd) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = errors.Join(c.err, err)
	c.done = c.done || err != nil
}

func (c *crowd) isDone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

func (c *crowd) capture() error {
	at := lockstep.Position(nil)
	for round := 1; round <= crowdRounds; round++ {
		for from := 0; from < crowdKeys; from += 10 {
			var changes []lockstep.Change
			for i := from; i < from+10; i++ {
				changes = append(changes, up(lockstep.Key(fmt.Sprint("k", i)), round))
			}
			next := place(round*1000 + from)
			if err := c.s.Append(c.ctx, "feed", at, changes, next, time.Time{}); err != nil {
				return err
			}
			at = next
		}
	}
	return nil
}

func (c *crowd) deliver() error {
	for !c.isDone() {
		ds, err := c.s.Lease(c.ctx, "f", 7, time.Hour)
		if err != nil {
			return err
		}
		if len(ds) == 0 {
			time.Sleep(time.Second)
			continue
		}
		if err := c.take(ds); err != nil {
			return err
		}
		var outcomes []lockstep.Outcome
		for _, d := range ds {
			l := ab(d.Change.Record.Key, d.Change.Record.Key)
			o := done(d)
			o.Link = &l
			outcomes = append(outcomes, o)
		}
		if err := c.s.Settle(c.ctx, outcomes...); err != nil {
			return err
		}
	}
	return nil
}

// take notes what is leased: a version comes once, and none comes after a newer one (law 3).
func (c *crowd) take(ds []lockstep.Delivery) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range ds {
		key := d.Change.Record.Key
		v, _ := d.Change.Record.Fields.Get("v")
		if int(v.Int()) <= c.delivered[key] {
			return fmt.Errorf("%s: version %s after %d", key, v, c.delivered[key])
		}
		c.delivered[key] = int(v.Int())
	}
	c.done = true
	for i := range crowdKeys {
		c.done = c.done && c.delivered[lockstep.Key(fmt.Sprint("k", i))] == crowdRounds
	}
	return nil
}

// look reads while the others write: what it sees must fit together.
func (c *crowd) look() error {
	for !c.isDone() {
		st, err := c.s.Status(c.ctx, "f")
		if err != nil {
			return err
		}
		if open := st.Ready + st.Leased; open < 0 || open > crowdKeys || st.Ready < 0 || st.Leased < 0 {
			return fmt.Errorf("%d ready and %d leased of %d keys", st.Ready, st.Leased, crowdKeys)
		}
		if _, err := c.s.Links(c.ctx, "f", []lockstep.Key{"k1", "k2"}); err != nil {
			return err
		}
		if _, err := c.s.Entries(c.ctx, "f", "", 0, 10); err != nil {
			return err
		}
		if _, _, _, err := c.s.Story(c.ctx, "f", "k1"); err != nil {
			return err
		}
		if _, err := c.s.Mark(c.ctx); err != nil {
			return err
		}
		if err := c.s.Attach(c.ctx, benchFlows); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}
