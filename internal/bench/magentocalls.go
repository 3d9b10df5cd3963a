package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const shopEdits = 120

// shopCalls counts the calls of a first sync, of one that finds nothing, and of edits; and lets a bare client send what
// the first sync sent.
func (p *shopPair) shopCalls(ctx context.Context, takes time.Duration) error {
	n := len(p.pim.IDs("Product"))
	p.asked.keep(true)
	_, first, err := p.sync(ctx)
	if err != nil {
		return err
	}
	p.asked.keep(false)
	if err := p.same(); err != nil {
		return err
	}
	p.b.figure(shopName(fmt.Sprintf("calls for each product, first sync of %d with an image and texts of a second store view", n), takes), first.per(n), "")
	bare, err := p.bare(ctx, takes, fromProducts(first.list))
	if err != nil {
		return err
	}
	rate := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
	p.b.figure(shopName("the first sync beside a bare client that sends the same requests", takes),
		fmt.Sprintf("%.1f products a second, %.1f by the bare client: %.3f", rate(first.span), rate(bare), bare.Seconds()/first.span.Seconds()), "0.95")

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
