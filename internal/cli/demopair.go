package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// pairShow is the show of the reference pair: a Pimcore keeps a Magento shop in step.
type pairShow struct {
	show
	pim     *pimcore.Server
	shop    *magento.Server
	webs    []*http.Server
	pimURL  string // of the machine, not of the endpoint
	shopURL string
	ids     []int // of the products
	sums    pairSummary
}

// pairSummary is what the show came to; --json prints it.
type pairSummary struct {
	Products   int     `json:"products"`
	Categories int     `json:"categories"`
	Planned    int64   `json:"planned_creates"`
	FullSync   float64 `json:"full_sync_seconds"`
	Calls      int     `json:"full_sync_requests"`
	Saves      int     `json:"saves"`
	Writes     int     `json:"writes_for_saves"`
	P50        float64 `json:"latency_p50_ms"`
	P99        float64 `json:"latency_p99_ms"`
	FannedOut  int     `json:"resent_after_rename"`
	Disabled   int     `json:"disabled"`
	Options    int     `json:"options_created"`
	Parked     int     `json:"parked"`
	Mended     int     `json:"mended"`
	Level      bool    `json:"verify_level"`
	Seconds    float64 `json:"seconds"`
}

// demoPair plays it.
func (t *tool) demoPair(ctx context.Context, o demoOptions) (err error) {
	dir, err := demoFolder(o.keep)
	if err != nil {
		return err
	}
	if o.keep == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s := &pairShow{show: show{tool: t, options: o, dir: dir, began: time.Now()}}
	for _, act := range []func(context.Context) error{s.open, s.preview, s.firstSync, s.edits, s.rename, s.remove, s.option, s.accident, s.agree} {
		if err = act(ctx); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return errors.Join(err, s.end())
}

const demoPairConfig = `systems:
  pim:
    type: pimcore
    url: PIM/pimcore-graphql-webservices/sync
    api_key: ${PIMCORE_KEY}
    languages: [en, de]
    classes:
      Product:
        fields:
          price: price decimal(12,2)
          category_keys: categories[].id
          category_names: categories[].name@en
      Category: {}
  shop:
    type: magento
    url: SHOP
    token: ${MAGENTO_TOKEN}
    create: [options]                     # a colour that the shop does not know yet is made
    media_hosts: ["MEDIA"]
flows:
  categories:
    from: {system: pim, stream: Category, track: &track {by: timestamp, field: modificationDate, every: 10s, sweep: 1m}}
    to:   {system: shop, stream: categories}
    match: [parent_id, name]
    hook: &hook {secrets: ["${HOOK_SECRET}"]}
    map:
      parent_id: 'parentId == "ROOT" ? 2 : link("categories", parentId)'
      name: name_en
      name_de: name_de
      is_active: published
      include_in_menu: true
  products:
    from: {system: pim, stream: Product, track: *track}
    to:   {system: shop, stream: products, on_delete: disable, disable: {status: 2}}
    hook: *hook
    built_from: {categories: category_keys}     # their names are in the keywords
    map:
      sku: sku
      type_id: {const: simple}
      attribute_set: {const: Default}
      name: name_en
      name_de: name_de                          # one more write, for the store view, where it differs
      description: description_en
      price: price ?? 0
      weight: 'weight_unit == "g" ? round(decimal(weight ?? 0) / 1000, 4) : decimal(weight ?? 0)'
      status: 'published ? 1 : 2'
      visibility: 'type == "variant" ? 1 : 4'
      color: color
      url_key: slug((name_en ?? "") + " " + sku)
      meta_keyword: join(category_names, ", ")
      category_ids: 'map(category_keys, link("categories", #))'
      images: 'map(unique(gallery), ({hash: left(sha256(.fullpath + " " + text(.modificationDate)), 24), roles: #index == 0 ? ["image", "small_image", "thumbnail"] : []}))'
      image_urls: 'map(unique(gallery), ({hash: left(sha256(.fullpath + " " + text(.modificationDate)), 24), url: "PIM" + .fullpath}))'
api: {listen: "API"}
`

// open starts the two stand-ins, and writes the configuration.
func (s *pairShow) open(ctx context.Context) (err error) {
	n := 150
	if s.options.fast {
		n = 30
	}
	s.act("A Pimcore with a catalogue, and an empty Magento shop (stand-ins, see lockstep sandbox)")
	if s.pim, err = pimcore.New(pimcore.Options{Products: n, Seed: 1}); err != nil {
		return err
	}
	if s.shop, err = magento.New(magento.Options{Bearer: true, Delay: 5 * time.Millisecond, Workers: 4}); err != nil {
		return err
	}
	if s.pimURL, err = s.serve(ctx, s.pim); err != nil {
		return err
	}
	if s.shopURL, err = s.serve(ctx, s.shop); err != nil {
		return err
	}
	s.ids = s.pim.IDs("Product")
	s.sums.Categories = len(s.pim.IDs("Category"))
	if err := s.furnish(ctx); err != nil {
		return err
	}
	p := s.outPaint()
	s.say("   %s  %s products and variants, %d categories, in two languages, with images", p.bold("pim "), number(int64(len(s.ids))), s.sums.Categories)
	s.say("   %s  two store views (default, de), the attribute color without options; each request takes 5 ms and more", p.bold("shop"))
	return s.configure(ctx)
}

// configure writes the configuration, and has Pimcore tell of its saves.
func (s *pairShow) configure(ctx context.Context) error {
	api, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	// A name of the environment stands for itself: it begins before the PIM in it.
	text := strings.NewReplacer("PIM", s.pimURL, "SHOP", s.shopURL, "MEDIA", strings.TrimPrefix(s.pimURL, "http://"), `"API"`, `"`+api+`"`,
		"ROOT", fmt.Sprint(s.pim.ByPath("/Categories")), "${PIMCORE_KEY}", "${PIMCORE_KEY}").Replace(demoPairConfig)
	s.act("The configuration between them (" + demoFile + ")")
	s.say("%s", s.yaml(text))
	s.config = filepath.Join(s.dir, demoFile)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	secret := rand.Text()
	for name, value := range map[string]string{"PIMCORE_KEY": s.pim.Key(), "MAGENTO_TOKEN": s.shop.Integration().Token, "HOOK_SECRET": secret} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	for _, flow := range []string{"categories", "products"} {
		s.pim.Listen(context.WithoutCancel(ctx), pimcore.Hook{URL: "http://" + api + "/hooks/" + flow, Secrets: []string{secret}})
	}
	return nil
}

// serve lets a stand-in answer on a free port.
func (s *pairShow) serve(ctx context.Context, h http.Handler) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", lockstep.NewFault(lockstep.CodeUnavailable, err)
	}
	web := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	s.webs = append(s.webs, web)
	go func() { _ = web.Serve(l) }() // its end is ours
	return "http://" + l.Addr().String(), nil
}

func (s *pairShow) end() error {
	var errs []error
	if s.daemon != nil {
		errs = append(errs, s.daemon.stop())
	}
	for _, web := range s.webs {
		errs = append(errs, web.Close())
	}
	if s.pim != nil {
		s.pim.Close()
	}
	if s.shop != nil {
		errs = append(errs, s.shop.Close())
	}
	return errors.Join(errs...)
}
