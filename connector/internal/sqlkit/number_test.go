package sqlkit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/connector/internal/sqlkit"
)

// counted is a table whose rows get numbers from a sequence, in transactions that overlap in any way.
type counted struct {
	rng      *rand.Rand
	clock    time.Time
	sequence int64
	xid      int64
	open     []*transaction
	rows     map[int64]int64 // number to the transaction that wrote it
	seen     map[int64]bool
}

type transaction struct {
	id      int64
	since   time.Time
	numbers []int64
}

// step lets something happen.
func (c *counted) step(longest time.Duration) {
	c.clock = c.clock.Add(time.Duration(c.rng.IntN(2000)) * time.Millisecond)
	for i := 0; i < len(c.open); i++ {
		if t := c.open[i]; c.clock.Sub(t.since) >= longest { // before it is too long
			t.commit(c)
			c.open = append(c.open[:i], c.open[i+1:]...)
			i--
		}
	}
	switch n := c.rng.IntN(10); {
	case n < 3:
		c.xid++
		c.open = append(c.open, &transaction{id: c.xid, since: c.clock})
	case n < 7 && len(c.open) > 0:
		t := c.open[c.rng.IntN(len(c.open))]
		c.sequence++
		t.numbers = append(t.numbers, c.sequence)
	case len(c.open) > 0:
		i := c.rng.IntN(len(c.open))
		if c.rng.IntN(4) > 0 {
			c.open[i].commit(c)
		}
		c.open = append(c.open[:i], c.open[i+1:]...)
	}
}

func (t *transaction) commit(c *counted) {
	for _, n := range t.numbers {
		c.rows[n] = t.id
	}
}

// numbers is what a poll reads, with things that happen in between.
func (c *counted) numbers(blind bool, longest time.Duration) sqlkit.Numbers {
	n := sqlkit.Numbers{Last: sqlkit.NoNumber, Clock: c.clock, Blind: blind}
	for number := range c.rows {
		n.Last = max(n.Last, number)
	}
	c.step(longest)
	for _, t := range c.open {
		if !blind {
			n.Open = append(n.Open, sqlkit.OpenNumber{ID: fmt.Sprint(t.id), Above: sqlkit.NoNumber})
		}
	}
	c.step(longest)
	return n
}

// read reads a sweep and says how many rows it read that were seen before.
func (c *counted) read(s *sqlkit.NumberSweep) {
	since := int64(1 << 62)
	if s.Since != "" {
		_, _ = fmt.Sscan(s.Since, &since)
	}
	for number, xid := range c.rows {
		if number > s.Above || xid >= since {
			c.seen[number] = true
		}
	}
}

// No row is missed, whatever order transactions commit in: exactly where they are seen, and where they are not as long as
// none is open for longer than the overlap.
func TestNumbersMissNothing(t *testing.T) {
	for seed := range uint64(300) {
		for _, blind := range []bool{false, true} {
			c := &counted{rng: rand.New(rand.NewPCG(seed, 1)), clock: time.Unix(1e9, 0), rows: map[int64]int64{}, seen: map[int64]bool{}}
			longest := time.Hour
			if blind {
				longest = sqlkit.BlindOverlap - 10*time.Second
			}
			for range c.rng.IntN(50) {
				c.step(longest)
			}
			start := c.xid + 1
			for _, t := range c.open {
				start = min(start, t.id)
			}
			at := c.numbers(blind, longest)
			at.Start = fmt.Sprint(start)
			for number, xid := range c.rows { // what a full sync that begins now reads, at the least
				c.seen[number] = xid < start
			}
			for range 200 {
				for range c.rng.IntN(6) {
					c.step(longest)
				}
				now := c.numbers(blind, longest)
				sweep := at.Begin(&now, -1)
				c.read(sweep)
				at = sweep.Next
			}
			for _, t := range c.open {
				t.commit(c)
			}
			c.open = nil
			for range 2 {
				now := sqlkit.Numbers{Last: c.sequence, Clock: c.clock, Blind: blind}
				sweep := at.Begin(&now, -1)
				c.read(sweep)
				at = sweep.Next
			}
			for number := range c.rows {
				if !c.seen[number] {
					t.Fatalf("seed %d, blind %v: number %d was not seen", seed, blind, number)
				}
			}
		}
	}
}
