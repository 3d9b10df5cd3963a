package magento

import (
	"io"
	"net/http"
	"testing"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

// A page of HTML with status 200 comes from something before Magento: no write that it answers is done.
func TestAPageWithStatus200IsNoAnswerToAWrite(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"create": []string{createOptions}})
	b.must(b.write(shirt("S-1", "shade", "Red")...))
	red := b.option("shade", "Red")
	b.shop.mu.Lock()
	b.shop.before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodGet {
			return false
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>One moment</title>")
		return true
	}
	b.shop.mu.Unlock()
	for name, c := range map[string]struct {
		stream string
		write  lockstep.Write
	}{
		"a product changed":    {productsStream, lockstep.Write{Key: "S-1", Fields: value.F("sku", "S-1", "name", "Another")}},
		"a product made":       {productsStream, b.write(shirt("S-2")...)},
		"a product deleted":    {productsStream, lockstep.Write{Op: lockstep.Delete, Key: "S-1"}},
		"stock":                {stockStream, lockstep.Write{Fields: value.F("sku", "S-1", "source_code", "default", "quantity", 7)}},
		"stock deleted":        {stockStream, lockstep.Write{Op: lockstep.Delete, Key: lockstep.MakeKey("S-1", "default")}},
		"an option renamed":    {optionsStream, lockstep.Write{Key: lockstep.MakeKey("shade", red), Fields: value.F("label", "Crimson")}},
		"an option deleted":    {optionsStream, lockstep.Write{Op: lockstep.Delete, Key: lockstep.MakeKey("shade", red)}},
		"an attribute deleted": {attributesStream, lockstep.Write{Op: lockstep.Delete, Key: "shade"}},
	} {
		res, err := b.sys.Apply(t.Context(), c.stream, []lockstep.Write{c.write})
		if err == nil {
			err = res[0].Err
		}
		if f := lockstep.FaultOf(err); f == nil || f.Kind != lockstep.Unavailable || !f.Unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}
