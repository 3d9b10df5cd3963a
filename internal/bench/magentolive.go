package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	pim "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

const (
	shopProbes   = 200
	shopBurst    = 500 // saves of one product
	shopBurstFor = 10 * time.Second
)

// shopLive lets the listener tell of saves, one by one, then of many of one product.
func (p *shopPair) shopLive(ctx context.Context, takes time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	stop, err := p.b.daemon(ctx, p.home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	if err := (&sending{url: "http://" + p.api, http: client}).awake(ctx); err != nil {
		return err
	}
	listening, deaf := context.WithCancel(ctx)
	defer deaf()
	p.pim.Listen(listening, pim.Hook{URL: "http://" + p.api + "/hooks/products", Secrets: []string{hookSecret}})
	ids := p.pim.IDs("Product")
	probes := shopProbes
	if takes == shopSlow {
		probes /= 2
	}
	var took []time.Duration
	p.asked.forget()
	for i := range probes + 1 {
		d, err := p.probe(ctx, ids[i%len(ids)], 9000.25+float64(i))
		if err != nil {
			return err
		}
		if i > 0 { // the first wakes everybody
			took = append(took, d)
		}
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	p.b.figure(shopName("save to live in the shop, by the listener's signed notice", takes),
		fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, longest %.1f ms of %d", at(0.5), at(0.99), at(1), len(took)), "")
	return p.burst(ctx, takes, ids[3])
}

// probe is one save, until the shop has answered the write that brings it.
func (p *shopPair) probe(ctx context.Context, id int, price float64) (time.Duration, error) {
	begin := time.Now()
	if err := p.pim.Save(id, map[string]any{"price": price}); err != nil {
		return 0, err
	}
	o, _ := p.pim.Get(id)
	sku, _ := o.Values["sku"].(string)
	end, err := p.arrived(ctx, sku, price, begin)
	return end.Sub(begin), err
}

// arrived waits for a write of a product that leaves it with a price.
func (p *shopPair) arrived(ctx context.Context, sku string, price float64, after time.Time) (time.Time, error) {
	poll := time.NewTicker(livePoll)
	defer poll.Stop()
	for seen := 0; ; {
		list := p.asked.since(&seen)
		for _, r := range list {
			if r.product != strings.ToLower(sku) || r.begin.Before(after) {
				continue
			}
			if got, err := p.inShop(sku, "all"); err != nil || got.Price == price {
				return r.end, err
			}
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("the save of %s did not come: %w", sku, ctx.Err())
		}
	}
}

// since are the requests that were answered after the first n, and counts them.
func (q *requests) since(n *int) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := slices.Clone(q.list[*n:])
	*n = len(q.list)
	return out
}

// burst saves one product again and again.
func (p *shopPair) burst(ctx context.Context, takes time.Duration, id int) error {
	p.asked.forget()
	pace := time.NewTicker(shopBurstFor / shopBurst)
	defer pace.Stop()
	begin := time.Now()
	for i := range shopBurst {
		if err := p.pim.Save(id, map[string]any{"price": 20_000 + float64(i)}); err != nil {
			return err
		}
		if i < shopBurst-1 {
			<-pace.C
		}
	}
	o, _ := p.pim.Get(id)
	sku, _ := o.Values["sku"].(string)
	last := time.Now()
	if _, err := p.arrived(ctx, sku, 20_000+shopBurst-1, begin); err != nil {
		return err
	}
	asked := p.asked.count()
	end := slices.MaxFunc(asked.list, func(a, b request) int { return a.end.Compare(b.end) }).end // nothing is sent after it
	p.b.figure(shopName(fmt.Sprintf("one product saved %d times in %s", shopBurst, shopBurstFor), takes),
		fmt.Sprintf("%d sends, %d avoided; the last save is live %.0f ms after it", asked.writes(), shopBurst-asked.writes(), float64(end.Sub(last).Milliseconds())), "")
	return nil
}

// catalogue measures what memory a first sync of a large catalogue takes, and a second one.
func (b *bench) catalogue(ctx context.Context) (err error) {
	if b.binary == "" {
		return nil
	}
	p, err := b.newPair(ctx, shopMemory, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	n := len(p.pim.IDs("Product"))
	first, asked, err := p.sync(ctx)
	if err != nil {
		return err
	}
	if err := p.same(); err != nil {
		return err
	}
	b.figure(fmt.Sprintf("Pimcore to Magento, first sync of %d products with an image each, of stand-ins that answer as soon as they can", n),
		fmt.Sprintf("peak %d MiB; %.0f s, %.0f of them CPU of lockstep; %d calls", first.peak>>20, first.wall.Seconds(), first.cpu.Seconds(), asked.all()), "96 MiB")
	again, asked, err := p.sync(ctx, "--full")
	if err != nil {
		return err
	}
	b.figure("the same, full sync with nothing changed", fmt.Sprintf("peak %d MiB; %.1f s; %d calls", again.peak>>20, again.wall.Seconds(), asked.all()), "96 MiB")
	return nil
}
