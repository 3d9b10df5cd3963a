package cli

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/cli/demo"
	"github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

func (t *tool) demoPimcoreCommand() *cobra.Command {
	var o demoOptions
	c := t.command(spec{
		use:   "pimcore [flags]",
		short: "Watch a Pimcore tell lockstep of its saves, and a shop follow",
		long: `Starts the stand-in for a Pimcore (see lockstep sandbox) whose listener sends signed notices, and
lockstep run, which keeps the products of a SQLite file in step with it. Products are saved, a folder
is renamed, which moves no date, and products are deleted, which leaves no trace in Pimcore. At the end
lockstep verify must say that both sides agree: only then is the exit code 0.`,
		example: "  lockstep demo pimcore\n  lockstep demo pimcore --fast --json",
		run:     func(ctx context.Context, _ []string) error { return t.demoPimcore(ctx, o) },
	})
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&o.fast, "fast", false, "a small catalogue and a second of saves")
	f.StringVar(&o.keep, "keep", "", "use the folder `DIR` and leave everything there")
	_ = c.MarkFlagDirname("keep")
	return c
}

// pimcoreShow is one run of it.
type pimcoreShow struct {
	show
	srv  *pimcore.Server
	web  *http.Server
	url  string // of the endpoint
	shop *sql.DB
	ids  []int
	sums pimcoreSummary
}

type pimcoreSummary struct {
	Products int     `json:"products"`
	FullSync float64 `json:"full_sync_seconds"`
	Saves    int     `json:"saves"`
	P50      float64 `json:"latency_p50_ms"`
	P99      float64 `json:"latency_p99_ms"`
	Moved    int     `json:"moved"`
	Deleted  int     `json:"deleted"`
	Requests int     `json:"requests"`
	Level    bool    `json:"verify_level"`
	Seconds  float64 `json:"seconds"`
}

func (t *tool) demoPimcore(ctx context.Context, o demoOptions) (err error) {
	dir, err := demoFolder(o.keep)
	if err != nil {
		return err
	}
	if o.keep == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s := &pimcoreShow{show: show{tool: t, options: o, dir: dir, began: time.Now()}}
	for _, act := range []func(context.Context) error{s.open, s.firstSync, s.saves, s.move, s.remove, s.agree} {
		if err = act(ctx); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return errors.Join(err, s.end())
}

const demoPimcoreConfig = `systems:
  pim:
    type: pimcore
    url: %s
    api_key: %s
    languages: [en, de]
    classes:
      Product: {fields: {price: "price decimal(12,2)", category_codes: "categories[].code"}}
  shop: {type: sqlite, path: shop.db, create: true}
flows:
  products:
    from: {system: pim, stream: Product, track: {by: timestamp, field: modificationDate, every: 10s, sweep: 1m}}
    to:   {system: shop, stream: products, create: true}
    hook: {secrets: ["%s"]}                        # POST /hooks/products: look at these
    map:
      id: id
      sku: sku
      path: fullpath
      name_en: name_en
      name_de: name_de
      price: price
      weight_kg: 'weight_unit == "g" ? round(decimal(weight) / 1000, 3) : weight'
      categories: join(category_codes, ",")
      published: published
api: {listen: "%s"}
`

// open starts the Pimcore, and writes the configuration.
func (s *pimcoreShow) open(ctx context.Context) (err error) {
	n := 300
	if s.options.fast {
		n = 60
	}
	s.act("A Pimcore with a catalogue behind a DataHub endpoint (a stand-in, see lockstep sandbox)")
	if s.srv, err = pimcore.New(pimcore.Options{Products: n, Seed: 1}); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return lockstep.NewFault(lockstep.CodeUnavailable, err)
	}
	s.web = &http.Server{Handler: s.srv, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.web.Serve(listener) }() // its end is ours
	s.url = "http://" + listener.Addr().String() + s.srv.Path()
	s.ids = s.srv.IDs("Product")
	s.say("   %s products and variants in folders, in two languages. The shop is empty.", number(int64(len(s.ids))))
	api, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	secret := rand.Text()
	text := fmt.Sprintf(demoPimcoreConfig, s.url, s.srv.Key(), secret, api)
	s.act("The configuration between them (" + demoFile + ")")
	s.say("%s", s.yaml(strings.Replace(text, secret, "…", 1)))
	s.config = filepath.Join(s.dir, demoFile)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	s.srv.Listen(context.WithoutCancel(ctx), pimcore.Hook{URL: "http://" + api + "/hooks/products", Secrets: []string{secret}})
	return nil
}

// freeAddress is one on which nobody listens at the moment.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", lockstep.NewFault(lockstep.CodeUnavailable, err)
	}
	return l.Addr().String(), l.Close()
}

func (s *pimcoreShow) firstSync(ctx context.Context) (err error) {
	s.act("lockstep run: the first full sync")
	began := time.Now()
	if s.daemon, err = startDaemon(s.dir, demoFile, filepath.Join(s.dir, "run.log")); err != nil {
		return err
	}
	if s.shop, err = sql.Open("sqlite", "file:"+filepath.Join(s.dir, "shop.db")+"?mode=ro&_pragma=busy_timeout(10000)"); err != nil {
		return err
	}
	if err := s.wait(ctx, "for the first full sync", "count(*) = "+fmt.Sprint(len(s.ids))); err != nil {
		return err
	}
	took := time.Since(began)
	s.sums.FullSync = took.Seconds()
	s.say("   %s products in the shop %s after the start.", number(int64(len(s.ids))), s.outPaint().bold(span(took)))
	return nil
}

// wait waits until a condition over the shop's products holds.
func (s *pimcoreShow) wait(ctx context.Context, what, condition string, args ...any) error {
	return s.daemon.until(ctx, what, time.Minute, func() (ok bool, err error) {
		if _, err := os.Stat(filepath.Join(s.dir, "shop.db")); err != nil {
			return false, nil // it is made by the first sync
		}
		err = s.shop.QueryRowContext(ctx, "SELECT "+condition+" FROM products", args...).Scan(&ok)
		if err != nil && strings.Contains(err.Error(), "no such table") {
			return false, nil
		}
		return ok, err
	})
}

// saves saves products, and looks how long each takes to the shop.
func (s *pimcoreShow) saves(ctx context.Context) error {
	n := 100
	if s.options.fast {
		n = 20
	}
	s.act("People save products; Pimcore tells lockstep, which reads them and writes the shop")
	rnd := mathrand.New(mathrand.NewPCG(1, 2)) //nolint:gosec // a show that is the same every time
	var took []time.Duration
	for i := range n {
		id := s.ids[rnd.IntN(len(s.ids))]
		price := fmt.Sprintf("%d.%02d", 100+i, i%100)
		began := time.Now()
		if err := s.srv.Save(id, map[string]any{"price": float64(100+i) + float64(i%100)/100}); err != nil {
			return err
		}
		if err := s.look(ctx, id, price); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	s.sums.Saves, s.sums.P50, s.sums.P99 = n, ms(p50), ms(p99)
	s.say("   %d saves, each by itself: half are in the shop within %s, 99 %% within %s.", n, s.outPaint().bold(span(p50)), s.outPaint().bold(span(p99)))
	return nil
}

// look looks into the shop until a price is there.
func (s *pimcoreShow) look(ctx context.Context, id int, price string) error {
	tick := time.NewTicker(demo.LookEvery / 10)
	defer tick.Stop()
	end := time.After(time.Minute)
	for {
		var there bool
		err := s.shop.QueryRowContext(ctx, "SELECT printf('%.2f', price) = ? FROM products WHERE id = ?", price, fmt.Sprint(id)).Scan(&there)
		if there || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end:
			return fmt.Errorf("waited a minute in vain for product %d", id)
		case <-s.daemon.ended:
			return s.daemon.dead()
		case <-tick.C:
		}
	}
}

// move renames a folder: the paths of all below change, and no date does.
func (s *pimcoreShow) move(ctx context.Context) error {
	s.act("A folder is renamed: the path of everything below changes, and no date does")
	if err := s.srv.Rename(s.srv.ByPath("/Products"), "Catalogue"); err != nil {
		return err
	}
	if err := s.wait(ctx, "for the paths of what is below", "count(*) = sum(path LIKE '/Catalogue/%')"); err != nil {
		return err
	}
	s.sums.Moved = len(s.ids)
	s.say("   The notice names the folder alone; lockstep asked what lies below it. %s paths follow.", number(int64(len(s.ids))))
	return nil
}

// remove deletes products, of which nothing is left to read.
func (s *pimcoreShow) remove(ctx context.Context) error {
	s.act("Products are deleted: Pimcore keeps no trace, but tells")
	before := len(s.ids)
	for _, id := range s.ids[len(s.ids)-10:] {
		if o, there := s.srv.Get(id); there { // a variant goes with its product
			if err := s.srv.Delete(o.ID); err != nil {
				return err
			}
		}
	}
	s.ids = s.srv.IDs("Product")
	if err := s.wait(ctx, "for the deletes", "count(*) = ?", len(s.ids)); err != nil {
		return err
	}
	s.sums.Deleted = before - len(s.ids)
	s.say("   %d are gone from the shop, each after Pimcore had said \"not found\" of it.", s.sums.Deleted)
	s.lockstep(ctx, "explain", "products", fmt.Sprint(s.ids[0]))
	return nil
}

// agree asks for the proof, and prints what it came to.
func (s *pimcoreShow) agree(ctx context.Context) error {
	s.sums.Requests = s.srv.Requests()
	s.act("The proof: do both sides agree?")
	if code := s.lockstep(ctx, "verify"); code != ExitOK {
		return ended{code}
	}
	if err := s.daemon.stop(); err != nil {
		return err
	}
	s.sums.Level, s.sums.Products, s.sums.Seconds = true, len(s.ids), time.Since(s.began).Seconds()
	if s.json {
		return s.object(s.sums)
	}
	p := s.outPaint()
	s.put("\n%s %s", p.good("In step."), p.dim("("+span(time.Since(s.began))+")"))
	line := func(name, text string) { s.put("   %s  %s", p.dim(fmt.Sprintf("%-8s", name)), text) }
	line("records", fmt.Sprintf("%s products in both systems", number(int64(s.sums.Products))))
	line("latency", fmt.Sprintf("p50 %.0fms, p99 %.0fms from save to visible in the shop", s.sums.P50, s.sums.P99))
	line("requests", fmt.Sprintf("%d to Pimcore, all in all", s.sums.Requests))
	line("verify", "both sides agree")
	s.put("\nTry it by hand: %s, and docs/pimcore.md for your own.", p.bold("lockstep sandbox pimcore"))
	return nil
}

func (s *pimcoreShow) end() error {
	var errs []error
	if s.daemon != nil {
		errs = append(errs, s.daemon.stop())
	}
	if s.shop != nil {
		errs = append(errs, s.shop.Close())
	}
	if s.web != nil {
		errs = append(errs, s.web.Close())
	}
	if s.srv != nil {
		s.srv.Close()
	}
	return errors.Join(errs...)
}
