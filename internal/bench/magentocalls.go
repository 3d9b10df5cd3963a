package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const shopEdits = 120

// shopRounds is how often the first sync and the bare client are measured in turns: the quick ones more often, for what
// else the machine does counts with them.
func shopRounds(takes time.Duration) int {
	if takes == shopSlow {
		return 1
	}
	return 5
}

// beside is how fast a first sync is, and a bare client that sends the same requests to a shop of its own.
type beside struct{ ours, bare time.Duration }

func (s beside) share() float64 { return s.bare.Seconds() / s.ours.Seconds() }

// first makes the first sync, and then lets the bare client send what it sent.
func (p *shopPair) first(ctx context.Context, takes time.Duration) (asking, beside, error) {
	p.asked.keep(true)
	_, asked, err := p.sync(ctx)
	p.asked.keep(false)
	if err == nil {
		err = p.same()
	}
	if err != nil {
		return asked, beside{}, err
	}
	bare, err := p.bare(ctx, takes, fromProducts(asked.list))
	return asked, beside{asked.span, bare}, err
}

// shopFirst measures first syncs beside their limit, and leaves the last pair as it is then.
func (b *bench) shopFirst(ctx context.Context, takes time.Duration, products int) (p *shopPair, err error) {
	var all []beside
	var asked asking
	for range shopRounds(takes) {
		if p != nil {
			if err := p.close(); err != nil {
				return nil, err
			}
		}
		if p, err = b.newPair(ctx, products, takes); err != nil {
			return nil, err
		}
		var one beside
		if asked, one, err = p.first(ctx, takes); err != nil {
			return p, err
		}
		all = append(all, one)
	}
	n := len(p.pim.IDs("Product"))
	b.figure(shopName(fmt.Sprintf("calls for each product, first sync of %d with an image and texts of a second store view", n), takes), asked.per(n), "")
	slices.SortFunc(all, func(x, y beside) int { return cmp.Compare(x.share(), y.share()) })
	mid := all[len(all)/2]
	rate := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
	text := fmt.Sprintf("%.1f products a second, %.1f by the bare client: %.2f", rate(mid.ours), rate(mid.bare), mid.share())
	if len(all) > 1 {
		text += fmt.Sprintf(" (%.2f to %.2f in %d rounds)", all[0].share(), all[len(all)-1].share(), len(all))
	}
	b.figure(shopName("the first sync beside a bare client that sends the same requests", takes), text, "0.95")
	return p, nil
}

// shopCalls counts the calls of a sync that finds nothing, and of edits.
func (p *shopPair) shopCalls(ctx context.Context, takes time.Duration) error {
	n := len(p.pim.IDs("Product"))
	_, again, err := p.sync(ctx, "--full")
	if err != nil {
		return err
	}
	p.b.figure(shopName("calls for each unchanged product", takes), again.per(n), "0")

	ids := p.pim.IDs("Product")
	for _, e := range []struct {
		what  string
		edits int
		value func(i int) map[string]any
	}{
		{"calls for one changed price, one product", 1, func(i int) map[string]any { return map[string]any{"price": 5000.5 + float64(i)} }},
		{fmt.Sprintf("the same, %d products at once", shopEdits), shopEdits, func(i int) map[string]any { return map[string]any{"price": 7000.5 + float64(i)} }},
		{fmt.Sprintf("calls for one changed German text, %d products at once", shopEdits), shopEdits, func(i int) map[string]any { return map[string]any{"name@de": fmt.Sprintf("Neu %d", i)} }},
	} {
		for i, id := range ids[:e.edits] {
			if err := p.pim.Save(id, e.value(i)); err != nil {
				return err
			}
		}
		_, asked, err := p.sync(ctx)
		if err != nil {
			return err
		}
		p.b.figure(shopName(e.what, takes), asked.per(e.edits), "")
	}
	return p.same()
}

// bare is what a bare client needs, with a shop of its own.
func (p *shopPair) bare(ctx context.Context, takes time.Duration, list []request) (took time.Duration, err error) {
	srv, err := newShop(takes)
	if err != nil {
		return 0, err
	}
	defer srv.Close()
	web, url, err := serve(ctx, (&requests{}).before(srv))
	if err != nil {
		return 0, err
	}
	defer web.Close()
	return bareShop(ctx, url, srv.Integration().Token, list)
}

// shown is a product as the shop shows it.
type shown struct {
	Name  string
	Price float64
	Media []struct{ File string } `json:"media_gallery_entries"`
}

// inShop looks past the service time, as nobody from outside can.
func (p *shopPair) inShop(sku, view string) (shown, error) {
	var out shown
	text, err := p.shop.Rest(http.MethodGet, "/rest/"+view+"/V1/products/"+url.PathEscape(sku), nil)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}
