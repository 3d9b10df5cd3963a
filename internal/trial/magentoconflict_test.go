package trial

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// One product is changed on both sides at once, once with the shop's edit as the last, once with the table's: the side
// that the policy names stands on both.
func TestConflictsOfAMagentoPair(t *testing.T) {
	t.Parallel()
	for wins, want := range map[string][2]string{"newest": {"erp", "shop"}, "a": {"shop", "shop"}, "b": {"erp", "erp"}} {
		t.Run(wins, func(t *testing.T) {
			t.Parallel()
			w := newShopWorld(t, sandbox.Options{Products: 2, Seed: 9})
			pl := newPlace(t)
			p := &shopPair{shopWorld: w, erp: openDB(t, "sqlite", pl.path("erp.db"))}
			p.erp.SetMaxOpenConns(1)
			exe(t, p.erp, `PRAGMA journal_mode = WAL`, `PRAGMA busy_timeout = 10000`, shopPairTable)
			h := pl.house(fmt.Sprintf(shopPairYAML, w.url, w.token(), wins))
			do(t, h, app.Request{Do: app.DoSync})
			inShop := func(sku string) { p.must(p.srv.Edit(sku, "all", map[string]any{"name": "shop"})) }
			inERP := func(sku string) {
				exe(t, p.erp, fmt.Sprintf(`UPDATE products SET name = 'erp', updated_at = %s WHERE sku = '%s'`, shopNow, sku))
			}
			inShop("P-1")
			inERP("P-2")
			time.Sleep(1100 * time.Millisecond) // Magento's times are whole seconds
			inERP("P-1")
			inShop("P-2")
			p.rest(h)
			sameRows(t, "at rest", p.inERP(), p.inShop())
			for i, sku := range []string{"P-1", "P-2"} {
				if got := p.products("all")[sku].Name; got != want[i] {
					t.Errorf("%s: %s stands, not %s", sku, got, want[i])
				}
			}
		})
	}
}

// A product that is gone in Magento and changed in the table meanwhile is not lost without a word, nor does it come and go:
// both sides rest equal.
func TestADeleteThatMeetsAnEditInAMagentoPair(t *testing.T) {
	t.Parallel()
	w := newShopWorld(t, sandbox.Options{Products: 4, Seed: 9})
	pl := newPlace(t)
	p := &shopPair{shopWorld: w, erp: openDB(t, "sqlite", pl.path("erp.db"))}
	p.erp.SetMaxOpenConns(1)
	exe(t, p.erp, `PRAGMA journal_mode = WAL`, `PRAGMA busy_timeout = 10000`, shopPairTable)
	h := pl.house(fmt.Sprintf(shopPairYAML, w.url, w.token(), "newest"))
	do(t, h, app.Request{Do: app.DoSync})
	p.must(p.srv.Delete("P-1"))
	exe(t, p.erp, `UPDATE products SET name = 'erp', updated_at = `+shopNow+` WHERE sku = 'P-1'`)
	p.must(p.srv.Delete("P-2"))
	do(t, h, app.Request{Do: app.DoSync})
	do(t, h, app.Request{Do: app.DoSync, Full: true, AllowDeletes: true})
	p.rest(h)
	sameRows(t, "at rest", p.inERP(), p.inShop())
	if all := p.products("all"); all["P-1"] == nil || all["P-1"].Name != "erp" || all["P-2"] != nil {
		t.Errorf("P-1 is %+v, P-2 is %+v", all["P-1"], all["P-2"])
	}
}
