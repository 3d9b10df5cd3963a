package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/cli/demo"
)

// change keeps editing the catalogue while the watch tells what arrives in the shop; in the middle a record breaks.
func (s *show) change(ctx context.Context) error {
	_, lasts, rate := s.size()
	s.act("People edit the catalogue; the watch looks into the shop every " + span(demo.LookEvery))
	s.say("   %s", s.outPaint().dim("after   item       what (a few of them)"))
	looking, stopLooking := context.WithCancel(ctx)
	defer stopLooking()
	var wg sync.WaitGroup
	var watchErr error
	teller := &teller{show: s}
	wg.Go(func() { watchErr = s.watch.Run(looking, teller.arrived) })
	defer wg.Wait()
	defer stopLooking()

	if err := s.edit(ctx, lasts/2, rate); err != nil {
		return err
	}
	if err := s.accident(ctx, teller, rate); err != nil {
		return err
	}
	if err := s.edit(ctx, lasts/2, rate); err != nil {
		return err
	}
	if err := s.daemon.until(ctx, "for the last changes to arrive", time.Minute, func() (bool, error) { return s.watch.Pending() == 0, nil }); err != nil {
		return err
	}
	stopLooking()
	wg.Wait()
	if watchErr != nil {
		return watchErr
	}
	n, p50, p99, most := s.watch.Took()
	s.sum.Arrived = n
	s.sum.P50, s.sum.P99, s.sum.Most = ms(p50), ms(p99), ms(most)
	p := s.outPaint()
	s.say("   %s changes, all of them arrived: half within %s, 99 %% within %s, the slowest after %s.", number(int64(n)), p.bold(span(p50)), p.bold(span(p99)), span(most))
	s.say("   %s", p.dim("From commit in the catalogue to visible in the shop. The catalogue is asked every 250ms: that is most of it."))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// teller prints arrivals, not more often than people read.
type teller struct {
	*show
	mu   sync.Mutex
	last time.Time
	mute bool
}

func (t *teller) arrived(c demo.Change, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mute || time.Since(t.last) < 600*time.Millisecond {
		return
	}
	t.last = time.Now()
	p := t.outPaint()
	t.say("   %s  %s  %s", p.good(fmt.Sprintf("%-6s", span(took))), c.SKU, c.What)
}

// hush keeps arrivals from being printed between other words.
func (t *teller) hush(mute bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mute = mute
}

// edit makes so many changes a second for a while: prices mostly, new products, names, and what is in the range.
func (s *show) edit(ctx context.Context, lasts time.Duration, perSecond int) error {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	end := time.After(lasts)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.daemon.ended:
			return s.daemon.dead()
		case <-end:
			return nil
		case <-tick.C:
			if err := s.editOne(ctx); err != nil {
				return fmt.Errorf("editing the catalogue: %w", err)
			}
		}
	}
}

func (s *show) editOne(ctx context.Context) error {
	// The last products are kept for the deletes, the first for the accident.
	x := &s.products[1+s.rand.IntN(len(s.products)-60)]
	var c demo.Change
	var err error
	switch n := s.rand.IntN(20); {
	case n == 0:
		fresh := demo.Catalogue(s.rand, s.nextID, 1)[0]
		s.nextID++
		s.products = slices.Insert(s.products, 1, fresh)
		c, err = s.pim.Add(ctx, fresh)
	case n == 1:
		name := x.Name + " II"
		if len(name) > 100 {
			name = x.SKU
		}
		c, err = s.pim.Rename(ctx, x, &name)
	case n == 2:
		c, err = s.pim.Publish(ctx, x, !x.Published)
	default:
		c, err = s.pim.Reprice(ctx, x, max(100, x.Cents*int64(85+s.rand.IntN(30))/100))
	}
	if err != nil {
		return err
	}
	s.sum.Changes++
	s.watch.Expect(c)
	return nil
}

// accident empties a product's name, shows how that is parked and why, and mends it, while the rest goes on.
func (s *show) accident(ctx context.Context, teller *teller, rate int) error {
	teller.hush(true)
	defer teller.hush(false)
	x := &s.products[0]
	name := x.Name
	s.act("An accident: somebody empties the name of " + x.SKU + ", which the shop must have")
	if _, err := s.pim.Rename(ctx, x, nil); err != nil {
		return err
	}
	key := lockstep.Key(fmt.Sprint(x.ID))
	if err := s.daemon.until(ctx, "for the broken record to be parked", 30*time.Second, func() (bool, error) { return s.isParked(ctx, key) }); err != nil {
		return err
	}
	s.sum.Parked = 1
	s.lockstep(ctx, "parked")
	s.lockstep(ctx, "explain", "products", string(key))
	before := s.sum.Changes
	if err := s.edit(ctx, 500*time.Millisecond, rate); err != nil {
		return err
	}
	s.say("   Meanwhile %d other changes went their way: a bad record hurts only itself.", s.sum.Changes-before)
	c, err := s.pim.Rename(ctx, x, &name)
	if err != nil {
		return err
	}
	s.sum.Changes++
	s.watch.Expect(c)
	if err := s.daemon.until(ctx, "for the mended record", 30*time.Second, func() (bool, error) {
		parked, err := s.isParked(ctx, key)
		return !parked && s.watch.Pending() == 0, err
	}); err != nil {
		return err
	}
	s.sum.Mended = 1
	s.say("   Mended in the catalogue: %s is in the shop again, and nothing is parked.", x.SKU)
	s.act("Life goes on")
	return nil
}

// isParked asks the daemon whether a product is parked.
func (s *show) isParked(ctx context.Context, key lockstep.Key) (parked bool, err error) {
	h, err := s.house(ctx)
	if err != nil {
		return false, err
	}
	err = h.Do(ctx, app.Request{Do: app.DoParked, Flows: []string{"products"}, Keys: []lockstep.Key{key}}, func(e app.Event) error {
		parked = parked || e.Event == app.EntryEvent
		return nil
	})
	return parked, s.closed(h, err)
}

// summary prints what the show came to.
func (s *show) summary() error {
	took := time.Since(s.began)
	s.sum.Seconds, s.sum.Products = took.Seconds(), int64(len(s.products))
	if s.json {
		return s.object(s.sum)
	}
	p := s.outPaint()
	s.put("\n%s %s", p.good("In step."), p.dim("("+span(took)+")"))
	line := func(name, text string) { s.put("   %s  %s", p.dim(fmt.Sprintf("%-8s", name)), text) }
	line("records", fmt.Sprintf("%s products in both systems, the first full sync took %s", number(s.sum.Products), span(time.Duration(s.sum.FullSync*float64(time.Second)))))
	line("changes", fmt.Sprintf("%d made, %d arrived", s.sum.Changes, s.sum.Arrived))
	line("latency", fmt.Sprintf("p50 %.0fms, p99 %.0fms, measured in the shop", s.sum.P50, s.sum.P99))
	line("parked", fmt.Sprintf("%d, mended %d", s.sum.Parked, s.sum.Mended))
	line("deletes", fmt.Sprintf("%d, found by a full sync", s.sum.Deleted))
	line("verify", "both sides agree")
	if s.options.keep != "" {
		s.put("\nEverything is in %s: cd there and try `lockstep status`, `lockstep plan`, `lockstep run`.", s.dir)
	} else {
		s.put("\nYour own: %s writes a first configuration. Keep this one to look around with %s.", p.bold("lockstep init"), p.bold("lockstep demo --keep ./demo"))
	}
	return nil
}
