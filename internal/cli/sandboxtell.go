package cli

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// check completes the flags and refuses what cannot be meant. every is the pause between edits, 0 for none.
func (o *pimcoreOptions) check(secret string) (every time.Duration, err error) {
	if o.serve.Version < 10 || o.serve.Version > 12 {
		return 0, usagef("--version is 10, 11 or 12")
	}
	if o.serve.Zone, err = time.LoadLocation(o.zone); err != nil {
		return 0, usagef("--zone %s is no time zone that this machine knows", o.zone)
	}
	if slices.ContainsFunc(o.serve.Keys, func(k string) bool { return len(k) < 16 }) {
		return 0, usagef("--key: a key of DataHub has at least 16 characters")
	}
	if o.serve.ControlAnywhere && o.serve.Control == "" {
		return 0, usagef("--control-anywhere needs --control-token")
	}
	if o.serve.Products < 1 || o.serve.Products > 200_000 {
		return 0, usagef("--products is between 1 and 200000")
	}
	if o.hook.URL != "" {
		if len(o.hook.Secrets) == 0 && secret != "" {
			o.hook.Secrets = []string{secret}
		}
		if u, err := url.Parse(o.hook.URL); err != nil || u.Host == "" {
			return 0, usagef("--hook is no URL")
		}
		if len(o.hook.Secrets) == 0 {
			return 0, usagef("--hook needs --hook-secret")
		}
	}
	o.serve.NoIntrospection = o.noIntrospection
	for _, f := range o.fail {
		if _, _, err := faultShare(f); err != nil {
			return 0, err
		}
	}
	return editPause(o.edit)
}

// faultShare reads FAULT:SHARE.
func faultShare(text string) (pimcore.Fault, float64, error) {
	name, share, _ := strings.Cut(text, ":")
	n, err := strconv.ParseFloat(share, 64)
	if err != nil || n < 0 || n > 1 || !slices.Contains(pimcore.Faults(), pimcore.Fault(name)) {
		return "", 0, usagef("--fail %q: it is a fault and its share from 0 to 1, such as 429:0.05; faults are %s", text, faultNames(pimcore.Faults()))
	}
	return pimcore.Fault(name), n, nil
}

// editPause reads 2/s or 30/min.
func editPause(rate string) (time.Duration, error) {
	if rate == "" {
		return 0, nil
	}
	count, per, _ := strings.Cut(rate, "/")
	n, err := strconv.ParseFloat(count, 64)
	unit := map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}[per]
	if err != nil || unit == 0 || n <= 0 || n > 10_000 {
		return 0, usagef("--edit %q: it is a rate, such as 2/s or 30/min", rate)
	}
	return time.Duration(float64(unit) / n), nil
}

// prepare switches on what the flags ask for beside the endpoint.
func (o *pimcoreOptions) prepare(ctx context.Context, s *pimcore.Server) error {
	for _, f := range o.fail {
		name, share, _ := faultShare(f) // was checked
		s.Fail(name, share)
	}
	s.SetSlow(o.slow)
	if o.dsn != "" {
		if err := s.Mirror(ctx, o.dsn); err != nil {
			return lockstep.NewFault(lockstep.CodeUnavailable, fmt.Errorf("--dsn: %w", err))
		}
	}
	if o.hook.URL != "" {
		s.Listen(ctx, o.hook)
	}
	return nil
}

// tellPimcore prints where the stand-in is and a configuration that reads it.
func (t *tool) tellPimcore(o pimcoreOptions, s *pimcore.Server, base string) error {
	snippet := pimcoreSnippet(o, s, base)
	if t.json {
		return t.object(map[string]any{"url": base + s.Path(), "api_key": s.Key(), "control": base + "/_sandbox/", "products": len(s.IDs("Product")), "config": snippet})
	}
	t.put("Pimcore %d stands in at  %s", o.serve.Version, base+s.Path())
	t.put("                    key  %s", s.Key())
	t.put("                  holds  %d products and variants, %d categories, %d manufacturers", len(s.IDs("Product")), len(s.IDs("Category")), len(s.IDs("Manufacturer")))
	t.say("\nA lockstep.yaml to begin with:\n\n%s", shifted(snippet))
	t.say("Edit it:  curl -d '{\"at\": %q, \"values\": {\"price\": 9.5}}' %s/_sandbox/save", o.firstPath(s), base)
	t.say("          curl %s/_sandbox/    # all that can be done\n\nCtrl-C ends it.", base)
	return nil
}

// firstPath is where some product is.
func (o *pimcoreOptions) firstPath(s *pimcore.Server) string {
	for _, id := range s.IDs("Product") {
		if p, ok := s.Get(id); ok {
			return p.Fullpath
		}
	}
	return "/Products/p-00001"
}

func shifted(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}

// pimcoreSnippet is a configuration that brings the catalogue into an SQLite file.
func pimcoreSnippet(o pimcoreOptions, s *pimcore.Server, base string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "systems:\n  pim:\n    type: pimcore\n    url: %s\n    api_key: %s\n    languages: [en, de]\n", base+s.Path(), s.Key())
	if o.zone != "UTC" {
		fmt.Fprintf(&b, "    zone: %s\n", o.zone)
	}
	track := "{by: timestamp, field: modificationDate, every: 2s, sweep: 1m}"
	if o.dsn != "" {
		b.WriteString("    dsn: ${PIMCORE_DSN}      # what --dsn says\n")
		track = "{by: trigger, every: 1s}"
	}
	b.WriteString("    classes:\n      Product: {}\n  db: {type: sqlite, path: products.db, create: true}\n\n")
	fmt.Fprintf(&b, "flows:\n  products:\n    from: {system: pim, stream: Product, track: %s}\n    to: {system: db, stream: products, create: true}\n", track)
	b.WriteString("    map:\n      id: id\n      sku: sku\n      path: fullpath\n      published: published\n      name_en: name_en\n      name_de: name_de\n      price: price\n      weight: weight\n")
	if u, err := url.Parse(o.hook.URL); err == nil && u.Host != "" {
		fmt.Fprintf(&b, "    hook: {secrets: [\"${HOOK_SECRET}\"]}   # what --hook-secret says\n\napi: {listen: %q}\n", u.Host)
	}
	return b.String()
}
