package trial

import (
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/internal/sandbox/pimcore"
)

// The catalogue goes to a shop on which everything fails now and then: deadlocks that wear a 400, proxies that give up while
// PHP goes on, answers that are lost, a shop in maintenance; Pimcore fails, too, and lockstep is ended and started again in
// between. In the end the shop holds what the file says: no product, option, category or image twice.
func TestLumaThroughFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole catalogue through faults takes a minute")
	}
	t.Parallel()
	pim, shop := lumaPimcore(t), lumaShop(t, magento.Options{})
	shop.srv.SetSlow(60 * time.Millisecond) // for so long PHP is at it after a 504: less than the grace time
	for fault, share := range map[magento.Fault]float64{
		magento.FaultDeadlock: 0.04, magento.FaultLost: 0.03, magento.Fault504: 0.02, magento.Fault502: 0.01, magento.Fault503: 0.005,
		magento.Fault429: 0.002, magento.Fault500: 0.01, magento.FaultHTML: 0.005,
	} {
		shop.srv.Fail(fault, share)
	}
	pim.srv.Fail(pimcore.Fault502, 0.02)
	text, place := lumaBetween(pim, shop), newPlace(t)
	h := place.house(text)
	for round := range 4 {
		if _, err := try(h, app.Request{Do: app.DoSync}); err != nil {
			t.Logf("round %d: %.300v", round, err)
		}
		place.close(h)
		h = place.house(text)
	}
	for _, fault := range magento.Faults() {
		shop.srv.Fail(fault, 0)
	}
	pim.srv.Fail(pimcore.Fault502, 0)
	do(t, h, app.Request{Do: app.DoSync})
	do(t, h, app.Request{Do: app.DoSync, Full: true})
	level(t, h)
	shop.sameAsLuma()
	for code := range lumaChoices {
		labels := map[string]string{}
		for id, label := range shop.options(code) {
			if other, twice := labels[label]; twice {
				t.Errorf("%s has %q twice: %s and %s", code, label, other, id)
			}
			labels[label] = id
		}
	}
}
