package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/cli/demo"
)

// show is one run of the demo.
type show struct {
	*tool
	options demoOptions
	dir     string

	began    time.Time
	step     int
	rand     *rand.Rand
	products []demo.Product
	nextID   int64
	pim      *demo.PIM
	shop     *demo.Shop
	watch    *demo.Watch
	daemon   *daemon
	sum      demoSummary
}

// demoSummary is what the show came to; --json prints it.
type demoSummary struct {
	Products   int64   `json:"products"`
	FullSync   float64 `json:"full_sync_seconds"`
	Changes    int     `json:"changes"`
	Arrived    int     `json:"arrived"`
	P50        float64 `json:"latency_p50_ms"`
	P99        float64 `json:"latency_p99_ms"`
	Most       float64 `json:"latency_max_ms"`
	Parked     int     `json:"parked"`
	Mended     int     `json:"mended"`
	Deleted    int     `json:"deleted"`
	Level      bool    `json:"verify_level"`
	SQLDiffers int     `json:"sql_differences"`
	Seconds    float64 `json:"seconds"`
}

// size is how much the show takes on.
func (s *show) size() (products int, changing time.Duration, perSecond int) {
	if s.options.fast {
		return 500, 2500 * time.Millisecond, 20
	}
	return 5000, 16 * time.Second, 20
}

// play is the show, act by act.
func (s *show) play(ctx context.Context) error {
	s.began = time.Now()
	s.rand = rand.New(rand.NewPCG(4711, 42)) //nolint:gosec // a catalogue that is the same every time
	for _, act := range []func(context.Context) error{s.build, s.fullSync, s.change, s.deletes, s.prove} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return s.summary()
}

// act prints the head of the next act.
func (s *show) act(title string) {
	s.step++
	p := s.outPaint()
	s.say("\n%s %s", p.info(fmt.Sprintf("%d.", s.step)), p.bold(title))
}

const demoFile = "lockstep.yaml"

// build makes both businesses and the configuration between them.
func (s *show) build(ctx context.Context) (err error) {
	n, _, _ := s.size()
	s.act("Two businesses that do not know each other")
	s.products, s.nextID = demo.Catalogue(s.rand, 1, n), int64(n)+1
	if s.pim, err = demo.NewPIM(ctx, filepath.Join(s.dir, "pim.db"), s.products); err != nil {
		return err
	}
	target := "{type: sqlite, path: shop.db}"
	if s.options.postgres == "" {
		s.shop, err = demo.NewShop(ctx, filepath.Join(s.dir, "shop.db"))
	} else {
		schema := fmt.Sprintf("lockstep_demo_%d", os.Getpid())
		target = "{type: postgres, dsn: \"${LOCKSTEP_DEMO_DSN}\", schema: " + schema + "}"
		if err = os.Setenv("LOCKSTEP_DEMO_DSN", s.options.postgres); err == nil {
			s.shop, err = demo.NewPostgresShop(ctx, s.options.postgres, schema)
		}
	}
	if err != nil {
		return err
	}
	s.watch = demo.NewWatch(s.shop)
	p := s.outPaint()
	s.say("   %s  product   %s", p.bold("pim "), p.dim("id, sku, name, description (HTML), price (net), category_id, weight_g, published, …"))
	s.say("   %s  shop_item %s", p.bold("shop"), p.dim("item_no, title, url, teaser, body, gross, cat_no, weight_kg, status, …"))
	x := s.products[0]
	s.say("   %s products in the catalogue, such as %s %s, %s net. The shop is empty.", number(int64(n)), x.SKU, p.bold(x.Name), demo.Money(x.Cents))
	text := strings.Replace(demoConfig, "{type: sqlite, path: shop.db}", target, 1)
	if err := os.WriteFile(filepath.Join(s.dir, demoFile), []byte(text), 0o600); err != nil {
		return err
	}
	s.act("The configuration between them (" + demoFile + ")")
	s.say("%s", s.yaml(text))
	s.config = filepath.Join(s.dir, demoFile)
	return nil
}

const demoConfig = `systems:
  pim:  {type: sqlite, path: pim.db}
  shop: {type: sqlite, path: shop.db}
flows:
  categories:
    from: {system: pim, stream: category, track: {by: timestamp, field: changed_at, every: 250ms}}
    to:   {system: shop, stream: shop_category}
    map:
      cat_no: id
      title: name
      path: slug(name)
  products:
    from: {system: pim, stream: product, track: {by: timestamp, field: changed_at, every: 250ms}}
    to:   {system: shop, stream: shop_item}
    map:
      item_no: sku
      title: name
      url: '"/" + slug(sku)'
      teaser: left(stripHtml(description), 80)
      body: description
      gross: round(price * 1.22, 2)                # 22 % VAT, exact decimals
      cat_no: int(link("categories", category_id)) # waits until the category is there
      weight_kg: weight_g / 1000
      status: 'published ? "live" : "draft"'
      revision: revision                           # the demo's mark, to measure by
`

// yaml indents a configuration and colours it a little.
func (s *show) yaml(text string) string {
	p := s.outPaint()
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		body, comment, found := strings.Cut(line, " #")
		if found {
			comment = p.dim(" #" + comment)
		}
		if key, rest, ok := strings.Cut(body, ":"); ok {
			body = p.info(key) + ":" + rest
		}
		fmt.Fprintf(&b, "   %s%s\n", body, comment)
	}
	return strings.TrimRight(b.String(), "\n")
}

// fullSync starts the daemon and watches the shop fill.
func (s *show) fullSync(ctx context.Context) (err error) {
	s.act("lockstep run: the first full sync")
	began := time.Now()
	if s.daemon, err = startDaemon(s.dir, demoFile, filepath.Join(s.dir, "run.log")); err != nil {
		return err
	}
	m := silentUnless(s.live(), s.meter)
	want := int64(len(s.products))
	err = s.daemon.until(ctx, "for the first full sync", 2*time.Minute, func() (bool, error) {
		n, err := s.shop.Count(ctx)
		m.show(app.Progress{Flow: "products", Phase: "scan", Counts: app.Counts{Read: n}, Total: want})
		return n >= want, err
	})
	m.stop()
	if err != nil {
		return err
	}
	took := time.Since(began)
	s.sum.Products, s.sum.FullSync = want, took.Seconds()
	p := s.outPaint()
	s.say("   %s products in the shop, counted there %s after the start (%s/s).", number(want), p.bold(span(took)), number(int64(float64(want)/took.Seconds())))
	return nil
}

func silentUnless(live bool, m func() meter) meter {
	if live {
		return m()
	}
	return silent{}
}

// deletes has a full sync find what no "last modified" tells of.
func (s *show) deletes(ctx context.Context) error {
	s.act("Deletes leave no \"last modified\" behind: a full sync finds them")
	gone := min(20, len(s.products)/20)
	var ids []int64
	for _, x := range s.products[len(s.products)-gone:] {
		ids = append(ids, x.ID)
	}
	if err := s.pim.Remove(ctx, ids...); err != nil {
		return err
	}
	s.products = s.products[:len(s.products)-gone]
	s.say("   %d products were deleted in the catalogue.", gone)
	if code := s.lockstep(ctx, "sync", "products", "--full"); code != ExitOK {
		return fmt.Errorf("the full sync ended with exit code %d", code)
	}
	n, err := s.shop.Count(ctx)
	if err != nil {
		return err
	}
	if n != int64(len(s.products)) {
		return fmt.Errorf("the shop has %d items, the catalogue %d", n, len(s.products))
	}
	s.sum.Deleted = gone
	return nil
}

// prove asks lockstep, and plain SQL, whether both sides agree.
func (s *show) prove(ctx context.Context) error {
	s.act("The proof: do both sides agree?")
	code := s.lockstep(ctx, "verify")
	s.sum.Level = code == ExitOK
	pim, err := s.pim.Rows(ctx)
	if err != nil {
		return err
	}
	shop, err := s.shop.Rows(ctx)
	if err != nil {
		return err
	}
	s.sum.SQLDiffers = demo.Differences(pim, shop)
	s.say("   Plain SQL, without lockstep: %s there, %s here; %s in name, price or revision.",
		number(int64(len(pim))), number(int64(len(shop))), differ(s.sum.SQLDiffers))
	if !s.sum.Level {
		return ended{code}
	}
	if s.sum.SQLDiffers > 0 {
		return fmt.Errorf("verify says level, but %d rows differ: this is a bug", s.sum.SQLDiffers)
	}
	return s.daemon.stop()
}

func differ(n int) string {
	if n == 0 {
		return "none differs"
	}
	return number(int64(n)) + " differ"
}

// lockstep runs a command as a person would, with its output under the act.
func (s *show) lockstep(ctx context.Context, args ...string) Exit {
	if s.json || s.quiet {
		quiet := *s.tool
		quiet.out, quiet.quiet, quiet.json, quiet.outTTY = io.Discard, true, false, false
		return quiet.run(ctx, append(args, "--config", s.config, "--quiet"))
	}
	p := s.outPaint()
	s.say("   %s %s", p.dim("$"), p.bold("lockstep "+strings.Join(args, " ")))
	sub := *s.tool
	sub.out, sub.err = &indented{w: s.out, by: "   "}, &indented{w: s.err, by: "   "}
	sub.errTTY = false // no bars: the act's own words are enough
	return sub.run(ctx, append(args, "--config", s.config))
}

// close ends what is still there: the daemon, the databases, a schema in somebody's PostgreSQL.
func (s *show) close() error {
	var errs []error
	if s.daemon != nil {
		errs = append(errs, s.daemon.stop())
	}
	if s.pim != nil {
		errs = append(errs, s.pim.Close())
	}
	if s.shop != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		errs = append(errs, s.shop.Close(ctx, s.options.keep == ""))
	}
	return errors.Join(errs...)
}
