package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// shopConfiguration keeps a Magento in step with the source: categories, and the products by two flows, one by single calls
// and one by Magento's queue.
const shopConfiguration = `store: store.db
systems:
  pim: %s
  shop:
    type: magento
    url: %s
    token: %s
    create: [options]
    media_hosts: ["127.0.0.1"]
    grace: 1s
    async_deadline: 5s
flows:
  categories:
    from: {system: pim, stream: categories, track: &track %s}
    to:   {system: shop, stream: categories}
    match: [parent_id, name]
    full: {every: 9s}
    deliver: {retry: &retry {attempts: 200, from: 20ms, to: 500ms}}
    deletes: &deletes {max_share: 100%%, max: 1000000}
    map:
      parent_id: 'parent == nil ? 2 : link("categories", parent)'
      name: name
      is_active: {const: true}
      include_in_menu: {const: true}
`

const shopProducts = `  %[1]s:
    from: {system: pim, stream: %[1]s, track: *track}
    to:   {system: shop, stream: products}
    full: {every: 6s}
    deliver: {transfer: %[2]s, retry: *retry}
    deletes: *deletes
    map:
      sku: sku
      type_id: kind
      attribute_set: {const: Default}
      name: name
      name_de: name_de
      description: description
      price: {expr: 'kind == "simple" ? price : nil', null: skip}
      status: {const: 1}
      visibility: {const: 4}
      color: color
      size: size
      category_ids: 'map(compact(split(categories, ",")), link("categories", #))'
      configurable_attributes: {expr: 'kind == "configurable" ? ["size", "color"] : nil', null: skip}
      children: 'map(compact(split(children, ",")), link("%[1]s", #))'
      related: 'map(compact(split(related, ",")), later(link("%[1]s", #)))'
      images: 'map(compact(split(images, ",")), ({hash: #, roles: #index == 0 ? ["image", "small_image", "thumbnail"] : []}))'
      image_urls: 'map(compact(split(images, ",")), ({hash: #, url: "%[3]s/pictures/" + # + ".png"}))'
`

// phpGoesOn is for how long PHP is at a write after a proxy gave up: less than the shop's grace, which a write whose
// answer was lost by a kill must outlive, too.
const phpGoesOn = 300 * time.Millisecond

// shopFaults are what goes wrong meanwhile, and how often.
var shopFaults = map[magento.Fault]float64{
	magento.FaultDeadlock: 0.03, magento.FaultLost: 0.03, magento.Fault504: 0.02, magento.Fault502: 0.01, magento.Fault503: 0.005, magento.Fault500: 0.01,
	magento.FaultOpDead: 0.03, magento.FaultOpRetry: 0.03, magento.FaultOpLies: 0.02, magento.FaultOpNothing: 0.02, magento.FaultOpTwice: 0.02, magento.FaultOpKill: 0.03,
}

// runShop is a run whose target is a Magento, which lives on while lockstep is killed.
func runShop(ctx context.Context, o Options, t tracker) (err error) {
	r := &run{Options: o, tracker: t, rng: rand.New(rand.NewPCG(o.Seed, 0)), hits: map[string]int{}, away: []int{exitFailed, exitUnavailable}}
	var all servers
	defer func() { err = errors.Join(err, all.stop()) }()
	if r.from, err = all.open(ctx, o.From, "source", o.Dir); err != nil {
		return err
	}
	defer r.from.db.Close()
	shop, err := openShop()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.close()) }()
	load := &catalogue{place: r.from, rng: rand.New(rand.NewPCG(o.Seed, 1))}
	if err := load.make(ctx); err != nil {
		return err
	}
	text := fmt.Sprintf(shopConfiguration, r.from.system, shop.url, shop.srv.Integration().Token, t.track) +
		fmt.Sprintf(shopProducts, "products", "single", shop.url) + fmt.Sprintf(shopProducts, "bulk", "bulk", shop.url)
	if err := os.WriteFile(filepath.Join(o.Dir, "lockstep.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	if r.tool, err = newTool(o.Binary, o.Dir); err != nil {
		return err
	}
	defer r.tool.close()
	if t.install {
		if err := r.tool.once(ctx, "track", "install"); err != nil {
			return err
		}
	}
	return r.throughShop(ctx, shop, load)
}

// throughShop kills and edits, lets all drain now and then, and compares.
func (r *run) throughShop(ctx context.Context, shop *shop, load *catalogue) error {
	r.say("%s to %s by %s: seed %d, %d kills", r.From, r.To, r.Track, r.Seed, r.Kills)
	start := time.Now()
	for done := 0; done < r.Kills; {
		shop.fails(true)
		stop := load.start(ctx)
		for edited := done; done < r.Kills && done < edited+r.Every; {
			if r.rng.IntN(3) == 0 {
				shop.srv.KillConsumers(1)
			}
			killed, err := r.round(ctx)
			if err != nil {
				return errors.Join(err, stop())
			}
			if killed {
				done++
			}
		}
		if err := stop(); err != nil {
			return err
		}
		r.say("%d kills in %s: %v; %d edits", done, time.Since(start).Round(time.Second), r.hits, load.edits)
		if err := r.tool.drain(ctx, r.away, "sync", "--once"); err != nil {
			return err
		}
		if err := r.compareShop(ctx, shop, "after the delta", r.tracker.deletes); err != nil {
			return err
		}
	}
	shop.fails(false)
	for _, command := range [][]string{{"sync", "--full", "--allow-deletes"}, {"sync", "--once"}} {
		if err := r.tool.drain(ctx, nil, command...); err != nil {
			return err
		}
	}
	if err := r.compareShop(ctx, shop, "at the end", true); err != nil {
		return err
	}
	if !r.tracker.install {
		return nil
	}
	return r.tool.once(ctx, "track", "remove")
}

// compareShop counts the differences and refuses them; what is too many only if extra says so.
func (r *run) compareShop(ctx context.Context, shop *shop, when string, extra bool) error {
	source, err := readCatalogue(ctx, r.from)
	if err != nil {
		return err
	}
	target, err := shop.read()
	if err != nil {
		return err
	}
	count := map[string]int{}
	var lines []string
	for _, d := range differences(source, target) {
		count[d.Kind()]++
		if d.Kind() == "extra" && !extra {
			continue
		}
		lines = append(lines, d.String())
		if id, _ := strconv.Atoi(strings.TrimPrefix(d.Key, "P-")); d.Flow == "products" && len(lines) <= 3 {
			lines = append(lines, r.tool.says(ctx, "explain", tableFor(id), strconv.Itoa(id)))
		}
	}
	twice := shop.twice()
	r.say("%s: %d missing, %d extra, %d wrong, %d doubled, of %d", when, count["missing"], count["extra"], count["wrong"], len(twice), len(source))
	if len(lines)+len(twice) == 0 {
		return nil
	}
	return fmt.Errorf("%s: not level (seed %d)\n%s", when, r.Seed, strings.Join(append(lines, twice...), "\n"))
}
