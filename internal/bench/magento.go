package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	shop "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	pim "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// Pimcore to Magento, by their stand-ins, which run in the process that measures: lockstep is another one.
const (
	shopWriters  = 4
	shopFast     = 5 * time.Millisecond
	shopSlow     = 150 * time.Millisecond
	shopMemory   = 50_000   // products
	shopPicture  = 10 << 10 // bytes of most images
	shopBig      = 2 << 20  // of one in so many
	shopBigEvery = 1000
)

const shopConfig = `api: {listen: '%s'}
systems:
  pim:  {type: pimcore, url: '%s', api_key: '%s', version: "11", languages: [en, de], classes: {Product: {fields: {price: "price decimal(12,2)", paths: "categories[].fullpath"}}}}
  shop: {type: magento, url: '%s', token: '%s', writers: %d, views: {de: de}, create: [options, categories], media_hosts: [127.0.0.1]}
flows:
  products:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate, every: 24h}}
    to:   {system: shop, stream: products, on_delete: disable, disable: {status: 2}}
    map:
      sku: sku
      name: name_en
      name_de: name_de
      description: description_en
      description_de: description_de
      price: price
      weight: {expr: 'weight_unit == "g" ? round(decimal(weight) / 1000, 4) : weight', null: skip}
      status: 'published ? 1 : 2'
      visibility: 'type == "variant" ? 1 : 4'
      color: color
      categories: 'map(paths, "Default Category/" + trimPrefix(#, "/Categories/"))'
      images: '[{hash: left(sha256(sku), 24), roles: ["image", "small_image", "thumbnail"]}]'
      image_urls: '[{hash: left(sha256(sku), 24), url: "%s/" + sku}]'
    hook: {secrets: [%s]}
`

// shopPair is a Pimcore and a shop, and what is asked of the shop.
type shopPair struct {
	b      *bench
	pim    *pim.Server
	shop   *shop.Server
	asked  *requests
	home   string
	api    string
	urls   [2]string // of the Pimcore and of the shop
	closes []func() error
}

// magento measures each service time with servers of its own.
func (b *bench) magento(ctx context.Context) error {
	if b.binary == "" {
		return nil
	}
	var failed []error
	for _, m := range []struct {
		takes    time.Duration
		products int
	}{{shopFast, 1000}, {shopSlow, 300}} {
		if err := b.shopFigures(ctx, m.takes, m.products); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", m.takes, err))
		}
	}
	return errors.Join(failed...)
}

func (b *bench) shopFigures(ctx context.Context, takes time.Duration, products int) (err error) {
	p, err := b.shopFirst(ctx, takes, products)
	if p != nil {
		defer func() { err = errors.Join(err, p.close()) }()
	}
	if err != nil {
		return err
	}
	if err := p.shopCalls(ctx, takes); err != nil {
		return err
	}
	return p.shopLive(ctx, takes)
}

func shopName(what string, takes time.Duration) string {
	return fmt.Sprintf("Pimcore to Magento, %d ms a request: %s", takes.Milliseconds(), what)
}

// newPair makes a Pimcore with about so many products, an empty shop, and a configuration between them.
func (b *bench) newPair(ctx context.Context, products int, takes time.Duration) (*shopPair, error) {
	p := &shopPair{b: b, asked: &requests{}}
	var err error
	if p.home, err = os.MkdirTemp(b.dir, "shop-"); err != nil {
		return nil, err
	}
	// A third of the products has two variants.
	if p.pim, err = pim.New(pim.Options{Products: products * 3 / 5, Seed: 1, AnswerDelay: takes}); err != nil {
		return nil, err
	}
	if p.shop, err = newShop(takes); err != nil {
		return nil, err
	}
	p.closes = append(p.closes, p.shop.Close)
	files, err := pictures()
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, h := range []http.Handler{p.pim, p.asked.before(p.shop), files} {
		web, url, err := serve(ctx, h)
		if err != nil {
			return nil, err
		}
		p.closes, urls = append(p.closes, web.Close), append(urls, url)
	}
	p.urls = [2]string{urls[0] + p.pim.Path(), urls[1]}
	var free net.ListenConfig
	l, err := free.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.api = l.Addr().String()
	text := fmt.Appendf(nil, shopConfig, p.api, p.urls[0], p.pim.Key(), p.urls[1], p.shop.Integration().Token, shopWriters, urls[2], hookSecret)
	return p, errors.Join(l.Close(), os.WriteFile(filepath.Join(p.home, "lockstep.yaml"), text, 0o600))
}

// newShop is an empty shop whose products have a color.
func newShop(takes time.Duration) (*shop.Server, error) {
	srv, err := shop.New(shop.Options{Bearer: true, Delay: takes})
	if err != nil {
		return nil, err
	}
	const groups = "/rest/all/V1/products/attribute-sets/groups/list?searchCriteria[filterGroups][0][filters][0][field]=attribute_set_id&searchCriteria[filterGroups][0][filters][0][value]=4"
	var in struct {
		Items []struct {
			ID string `json:"attribute_group_id"`
		}
	}
	text, err := srv.Rest(http.MethodGet, groups, nil)
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil || len(in.Items) == 0 {
		return nil, errors.Join(err, errors.New("the attribute set has no groups"))
	}
	_, err = srv.Rest(http.MethodPost, "/rest/all/V1/products/attribute-sets/attributes", map[string]any{
		"attributeSetId": 4, "attributeGroupId": in.Items[0].ID, "attributeCode": "color", "sortOrder": 0})
	return srv, err
}

func (p *shopPair) close() error {
	var errs []error
	for _, c := range p.closes {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// pictures serves an image for each SKU, at once: how fast images come is not the question here.
func pictures() (http.Handler, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16))); err != nil {
		return nil, err
	}
	head := b.Bytes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := shopPicture
		if sku := strings.TrimPrefix(r.URL.Path, "/"); sumOf(sku)%shopBigEvery == 0 {
			size = shopBig
		}
		// What stands behind a picture's end is no part of it, and makes this one another one than all others.
		_, _ = w.Write(append(append(bytes.Clone(head), r.URL.Path...), make([]byte, size)...))
	}), nil
}

// sync runs one sync and gives what it cost, what it asked of the shop, and how long the shop was busy with it.
func (p *shopPair) sync(ctx context.Context, args ...string) (usage, asking, error) {
	p.asked.forget()
	u, err := timedPeak(p.b.lockstep(ctx, p.home, append([]string{"sync", "products"}, args...)...))
	if err != nil {
		why, _ := p.b.lockstep(ctx, p.home, "parked").CombinedOutput()
		err = fmt.Errorf("%w\n%.2000s", err, why)
	}
	return u, p.asked.count(), err
}

// same checks that the shop has all products, and each what the Pimcore says of its price and its name.
func (p *shopPair) same() error {
	ids := p.pim.IDs("Product")
	if have := len(p.shop.SKUs()); have != len(ids) {
		return fmt.Errorf("%d products in the shop, %d in the Pimcore", have, len(ids))
	}
	for i, id := range ids {
		o, _ := p.pim.Get(id)
		sku, _ := o.Values["sku"].(string)
		if !p.shop.Has(sku) {
			return fmt.Errorf("the shop has no %s", sku)
		}
		if i%97 != 0 {
			continue
		}
		got, err := p.inShop(sku, "all")
		if err != nil {
			return err
		}
		if price, ok := o.Values["price"].(float64); ok && price != got.Price || len(got.Media) != 1 {
			return fmt.Errorf("%s: the price is %v, there are %d images", sku, got.Price, len(got.Media))
		}
	}
	return nil
}
