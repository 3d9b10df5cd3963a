package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// magentoOptions are the flags as they were typed.
type magentoOptions struct {
	listen, edit string
	views, fail  []string
	slow         time.Duration
	maintenance  string
	limits       bool
	serve        magento.Options
}

func (t *tool) sandboxMagento() *cobra.Command {
	var o magentoOptions
	c := t.command(spec{
		use:   "magento [flags]",
		short: "Run a stand-in for the REST interface of a Magento shop",
		long: `Serves a shop by REST as Magento Open Source 2.4.7 does: SKUs that two creates at a time make twice,
deadlocks that wear a 400, values that are taken and not kept, URL keys that clash, updated_at that
moves when nothing changed and stays when stock or prices did, an asynchronous queue whose statuses
lie and whose consumer dies. It prints its address, its credentials and a configuration to begin with.

POST /_sandbox/VERB on the same address changes things as people do in the Admin, from this machine
only: edit, rename, disable, delete, stock, price, order, rename-category, move-category, rename-option;
fail, slow, maintenance and consumer let things go wrong, and requests counts what was asked.
GET /_sandbox/ lists them with what they take.`,
		example: `  lockstep sandbox magento
  lockstep sandbox magento --products 2000 --views default,de,fr --edit 2/s
  lockstep sandbox magento --products 0 --catalogue 500
  lockstep sandbox magento --delay 150ms --workers 4 --consumers 2 --consumer-delay 500ms
  lockstep sandbox magento --fail deadlock400:0.05 --fail lost:0.01
  curl -d '{"sku": "P-1", "quantity": 4}' http://127.0.0.1:8092/_sandbox/stock
  curl http://127.0.0.1:8092/_sandbox/requests`,
		run: func(ctx context.Context, _ []string) error { return t.serveMagento(ctx, o) },
	})
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.listen, "listen", "127.0.0.1:8092", "the `ADDRESS` to listen on")
	f.IntVar(&o.serve.Products, "products", 100, "`N` products P-1, P-2, … from the start")
	f.IntVar(&o.serve.Catalogue, "catalogue", 0, "`N` more products of a generated catalogue: categories, options, configurables, pictures, texts in a second view")
	f.Int64Var(&o.serve.Seed, "seed", 0, "another `NUMBER`, another catalogue")
	f.StringSliceVar(&o.views, "views", []string{"default", "de"}, "the store views, by their `CODES`; the first is the default one")
	f.DurationVar(&o.serve.Delay, "delay", 0, "the service time of every request (`DURATION`)")
	f.IntVar(&o.serve.Workers, "workers", 0, "answer `N` requests at a time, as that many PHP workers do (default all that come)")
	f.IntVar(&o.serve.Consumers, "consumers", 1, "`N` consumers of the asynchronous queue; with several, operations overtake each other")
	f.DurationVar(&o.serve.ConsumerDelay, "consumer-delay", 200*time.Millisecond, "wait a `DURATION` before each operation")
	f.DurationVar(&o.serve.ConsumerRestart, "consumer-restart", time.Minute, "start another consumer a `DURATION` after one has died; 0: none")
	f.BoolVar(&o.serve.Shuffle, "shuffle", false, "consumers take any operation, not the oldest")
	f.BoolVar(&o.serve.Bearer, "bearer", false, "take the integration's token without a signature")
	f.BoolVar(&o.serve.TwoFactor, "two-factor", false, "ask the Admin for a second factor: a password alone gives no token")
	f.StringVar(&o.serve.SigningURL, "signing-url", "", "the `URL` that signatures are checked against, as behind a proxy that rewrites the host")
	f.StringVar(&o.maintenance, "maintenance", "", "begin in maintenance: 503, as `FORM` html or text")
	f.BoolVar(&o.limits, "limits", false, "switch on the input limits: pages of at most 300")
	f.StringSliceVar(&o.fail, "fail", nil, "let a share of requests or operations go wrong: `FAULT:SHARE`, such as 429:0.05; repeatable. Faults: "+faultNames(magento.Faults()))
	f.DurationVar(&o.slow, "slow", 500*time.Millisecond, "how long a slow answer takes, and how long PHP works on behind a 504 (`DURATION`)")
	f.StringVar(&o.edit, "edit", "", "make random edits of all kinds at a `RATE`, such as 2/s or 30/min")
	f.StringVar(&o.serve.Control, "control-token", t.env("LOCKSTEP_SANDBOX_TOKEN"), "the `TOKEN` that POST /_sandbox/ asks for (environment LOCKSTEP_SANDBOX_TOKEN; default none)")
	f.Lookup("control-token").DefValue = ""
	f.BoolVar(&o.serve.ControlAnywhere, "control-anywhere", false, "take POST /_sandbox/ from other machines, too; needs a token")
	return c
}

// check completes the flags and refuses what cannot be meant. every is the pause between edits, 0 for none.
func (o *magentoOptions) check() (every time.Duration, err error) {
	switch {
	case o.serve.Products < 0 || o.serve.Products > 200_000 || o.serve.Catalogue < 0 || o.serve.Catalogue > 200_000:
		return 0, usagef("--products and --catalogue are between 0 and 200000")
	case o.serve.Workers < 0 || o.serve.Consumers < 0 || o.serve.Consumers > 100:
		return 0, usagef("--workers and --consumers are no negative numbers, and 100 consumers are enough")
	case o.serve.ControlAnywhere && o.serve.Control == "":
		return 0, usagef("--control-anywhere needs --control-token")
	case !slices.Contains([]string{"", "html", "text"}, o.maintenance):
		return 0, usagef("--maintenance is html or text")
	case len(o.views) == 0 || len(o.views) > 60:
		return 0, usagef("--views names one to 60 store views")
	}
	o.serve.Maintenance = o.maintenance
	o.serve.Limits.On = o.limits
	for i, code := range o.views {
		if code == "" || code == "all" || code == "V1" || code == "async" || slices.Contains(o.views[:i], code) || strings.ContainsAny(code, "/ ") {
			return 0, usagef("--views: %q is no code of a store view, or there twice", code)
		}
		o.serve.Views = append(o.serve.Views, magento.StoreView{Code: code, Name: code, Group: "main_website_store"})
	}
	for _, f := range o.fail {
		if _, _, err := magentoFault(f); err != nil {
			return 0, err
		}
	}
	return editPause(o.edit)
}

// magentoFault reads FAULT:SHARE.
func magentoFault(text string) (magento.Fault, float64, error) {
	name, share, _ := strings.Cut(text, ":")
	n, err := strconv.ParseFloat(share, 64)
	if err != nil || n < 0 || n > 1 || !slices.Contains(magento.Faults(), magento.Fault(name)) {
		return "", 0, usagef("--fail %q: it is a fault and its share from 0 to 1, such as 429:0.05; faults are %s", text, faultNames(magento.Faults()))
	}
	return magento.Fault(name), n, nil
}

// serveMagento runs the stand-in until it is told to stop.
func (t *tool) serveMagento(ctx context.Context, o magentoOptions) error {
	every, err := o.check()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return lockstep.NewFault(lockstep.CodeUnavailable, err)
	}
	defer listener.Close()
	base := "http://" + listener.Addr().String()
	o.serve.BaseURL = base
	s, err := magento.New(o.serve)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, f := range o.fail {
		name, share, _ := magentoFault(f) // was checked
		s.Fail(name, share)
	}
	s.SetSlow(o.slow)
	web := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	edits := make(chan struct{})
	editing, stop := context.WithCancel(ctx)
	go func() {
		defer close(edits)
		t.editEvery(editing, every, s.RandomEdits)
	}()
	t.hushed.Store(true)
	err = t.tellMagento(o, s, base)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	stop()
	<-edits
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if closing := web.Shutdown(ending); err == nil && !errors.Is(closing, context.DeadlineExceeded) {
		err = closing
	}
	return err
}

// editEvery makes edits at a rate until ctx ends; an edit that is refused is said and passed over.
func (t *tool) editEvery(ctx context.Context, every time.Duration, edit func(n int, seed uint64) error) {
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := uint64(1); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := edit(1, n); err != nil {
				t.note("an edit was refused: %v", err)
			}
		}
	}
}

// tellMagento prints where the stand-in is and a configuration that reads it.
func (t *tool) tellMagento(o magentoOptions, s *magento.Server, base string) error {
	i := s.Integration()
	snippet := magentoSnippet(o, i, base)
	if t.json {
		return t.object(map[string]any{"url": base, "control": base + "/_sandbox/", "products": len(s.SKUs()), "config": snippet,
			"username": magento.DefaultUser, "password": magento.DefaultPassword, "consumer_key": i.ConsumerKey, "consumer_secret": i.ConsumerSecret,
			"access_token": i.Token, "token_secret": i.TokenSecret})
	}
	t.put("Magento 2.4.7 stands in at  %s", base)
	t.put("               consumer key  %s   secret  %s", i.ConsumerKey, i.ConsumerSecret)
	t.put("               access token  %s   secret  %s", i.Token, i.TokenSecret)
	t.put("                      Admin  %s / %s", magento.DefaultUser, magento.DefaultPassword)
	t.put("                      holds  %d products; store views %s", len(s.SKUs()), strings.Join(o.views, ", "))
	t.say("\nA lockstep.yaml to begin with:\n\n%s", shifted(snippet))
	if skus := s.SKUs(); len(skus) > 0 {
		t.say("Edit it:  curl -d '{\"sku\": %q, \"values\": {\"price\": 9.5}}' %s/_sandbox/edit", skus[0], base)
	}
	t.say("          curl %s/_sandbox/    # all that can be done\n\nCtrl-C ends it.", base)
	return nil
}

// magentoSnippet is a configuration that brings the products into an SQLite file.
func magentoSnippet(o magentoOptions, i magento.Integration, base string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "systems:\n  shop:\n    type: magento\n    url: %s\n    consumer_key: %s\n    consumer_secret: %s\n    access_token: %s\n    token_secret: %s\n",
		base, i.ConsumerKey, i.ConsumerSecret, i.Token, i.TokenSecret)
	if o.serve.SigningURL != "" {
		fmt.Fprintf(&b, "    signing_url: %s\n", o.serve.SigningURL)
	}
	b.WriteString("  db: {type: sqlite, path: products.db, create: true}\n\nflows:\n  products:\n" +
		"    from: {system: shop, stream: products, track: {by: timestamp, field: updated_at, every: 2s, sweep: 1m}}\n" +
		"    to: {system: db, stream: products, create: true}\n    map:\n      id: id\n      sku: sku\n      name: name\n      price: price\n      status: status\n")
	for _, v := range o.views[1:] {
		fmt.Fprintf(&b, "      name_%s: name_%s\n", v, v)
	}
	return b.String()
}
