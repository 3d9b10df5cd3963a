package trial

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// examples/pimcore-magento.yaml, as it stands, with signed requests: the first sync, random edits, and nothing left to do.
func TestPimcoreToMagento(t *testing.T) {
	pim := newPimWorld(t, sandbox.Options{Products: 60, Seed: 3})
	shop := newShopWorld(t, magento.Options{})
	shop.srv.Configure(func(o *magento.Options) { o.Bearer = false }) // signatures only
	at, err := url.Parse(pim.url)
	pim.must(err)
	who := shop.srv.Integration()
	for name, value := range map[string]string{
		"PIMCORE_URL": pim.url, "PIMCORE_KEY": pim.srv.Key(), "PIMCORE_HOST": at.Host, "PIMCORE_ROOT": strconv.Itoa(pim.srv.ByPath("/Categories")),
		"MAGENTO_URL": shop.url, "MAGENTO_CONSUMER_KEY": who.ConsumerKey, "MAGENTO_CONSUMER_SECRET": who.ConsumerSecret, "MAGENTO_TOKEN": who.Token, "MAGENTO_TOKEN_SECRET": who.TokenSecret,
	} {
		t.Setenv(name, value)
	}
	shop.rest("POST", "/rest/all/V1/products/attribute-sets/attributes", map[string]any{"attributeSetId": 4, "attributeGroupId": shop.group(4), "attributeCode": "color", "sortOrder": 1})
	text, err := os.ReadFile("../../examples/pimcore-magento.yaml")
	pim.must(err)
	h := newPlace(t).house(string(text))
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)
	if got, want := len(shop.srv.SKUs()), len(pim.srv.IDs("Product")); got != want || want < 60 {
		t.Errorf("%d products of %d", got, want)
	}
	shop.counted()
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	if _, writes := shop.counted(); writes > 0 {
		t.Errorf("nothing changed, and there were %d writes", writes)
	}
	for seed := range uint64(3) {
		pim.must(pim.srv.RandomEdits(40, seed+1))
		do(t, h, app.Request{Do: app.DoSync, Full: seed == 2, AllowDeletes: true})
	}
	do(t, h, app.Request{Do: app.DoSync, Full: true, AllowDeletes: true})
	shop.agrees(pim)
}

// agrees holds names, prices and states in the shop against what Pimcore's endpoint shows.
func (w *shopWorld) agrees(pim *pimWorld) {
	w.t.Helper()
	w.srv.Configure(func(o *magento.Options) { o.Bearer = true })
	all, de, seen := w.products("all"), w.products("de"), map[string]bool{}
	ids := pim.srv.IDs("Product")
	for i, n := range pim.nodes(ids) {
		o, _ := pim.srv.Get(ids[i])
		if n.SKU == nil || n.NameEN == nil {
			continue
		}
		sku := strings.TrimSpace(*n.SKU)
		seen[strings.ToLower(sku)] = true
		p, q := all[sku], de[sku]
		if p == nil || q == nil {
			w.t.Errorf("the shop has no %q", sku)
			continue
		}
		price := 0.0
		if n.Price != nil {
			price, _ = n.Price.Float64()
		}
		got, _ := p.Price.Float64()
		if p.Name != *n.NameEN || n.NameDE != nil && q.Name != *n.NameDE || got-price > 0.005 || price-got > 0.005 || (p.Status == 1) != o.Published {
			w.t.Errorf("%s: the shop has %q %q %v %d, Pimcore %q %v %v %v", sku, p.Name, q.Name, got, p.Status, *n.NameEN, cell(n.NameDE), price, o.Published)
		}
	}
	for sku, p := range all {
		if !seen[strings.ToLower(sku)] && p.Status != 2 {
			w.t.Errorf("%s is gone from Pimcore and for sale in the shop", sku)
		}
	}
}
