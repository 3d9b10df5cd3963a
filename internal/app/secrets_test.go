package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

// TestSecretsNeverLeave makes everything go wrong that has a password at hand, and looks for it in all that comes out
// (law 12).
func TestSecretsNeverLeave(t *testing.T) {
	const password = "hunter2-hush/hush"
	p := newPlace(t)
	p.env["DSN"] = "postgres://somebody:hunter2-hush%2Fhush@127.0.0.1:1/nowhere?connect_timeout=2"
	p.db("pim.db", `CREATE TABLE products (sku TEXT PRIMARY KEY, moved TEXT)`, `INSERT INTO products VALUES ('a', '2026-01-01T00:00:00Z')`)
	cfg := p.must(`
systems:
  pim:  {type: sqlite, path: pim.db}
  shop: {type: postgres, dsn: "${DSN}"}
flows:
  products:
    from: {system: pim, stream: products, track: {by: snapshot}}
    to:   {system: shop, stream: products}
`)
	h := p.open(cfg)
	var out strings.Builder
	for _, req := range []Request{
		{Do: DoSync}, {Do: DoPlan}, {Do: DoVerify}, {Do: DoDoctor}, {Do: DoStatus}, {Do: DoRuns},
		{Do: DoExplain, Flows: []string{"products"}, Keys: []lockstep.Key{"a"}},
	} {
		events, err := try(t.Context(), h, req)
		b, _ := json.Marshal(events)
		fmt.Fprintf(&out, "%s %v %+v\n", b, err, err)
		h.log.Error("went wrong", "err", err)
		h.log.Error(p.env["DSN"], "settings", cfg.System("shop").Settings(), "system", cfg.System("shop"))
		switch req.Do {
		case DoSync, DoPlan, DoVerify:
			f, ok := errors.AsType[*lockstep.Fault](err)
			if !ok || f.About.System != "shop" || f.Kind != lockstep.Unavailable {
				t.Errorf("%s with a system that is away: %v", req.Do, err)
			}
		case DoDoctor:
			if err != nil || len(events) < 2 || events[0].Finding.Level != "ok" || events[1].Finding.Level != "error" {
				t.Errorf("doctor with a system that is away: %s, %v", b, err)
			}
		case DoStatus, DoExplain:
			if err != nil || len(events) != 1 {
				t.Errorf("%s needs no system: %v", req.Do, err)
			}
		}
	}
	out.WriteString(p.logged.String())
	for _, secret := range []string{password, "hunter2", "hush"} {
		if i := strings.Index(out.String(), secret); i >= 0 {
			t.Errorf("%q came out: …%s…", secret, out.String()[max(0, i-200):min(out.Len(), i+200)])
		}
	}
	if !strings.Contains(out.String(), "***") {
		t.Error("nothing was masked: does this test look at anything?")
	}
}

func TestMask(t *testing.T) {
	p := newPlace(t)
	for dsn, shown := range map[string]string{
		"postgres://u:s3cret-pass@h/db":            "no login with ***: ***",
		"host=h user=u password=s3cret-pass":       "no login with ***: ***",
		"host=h user=u password='s3cret-pass' x=1": "no login with ***: ***",
	} {
		p.env["DSN"] = dsn
		cfg := p.must(`
systems: {a: {type: sqlite, path: a.db}, b: {type: postgres, dsn: "${DSN}"}}
flows: {f: {from: {system: a, stream: s, track: {by: snapshot}}, to: {system: b, stream: s}}}
`)
		if got := Mask(cfg)("no login with " + dsn + ": s3cret-pass"); got != shown {
			t.Errorf("%s is shown as %s", dsn, got)
		}
	}
}
