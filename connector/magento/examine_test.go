package magento

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

func TestDoctorSaysWhatUpdatedAtDoesNotShow(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Products: 5, Clock: func() time.Time { return time.Now().Add(-time.Hour) }})
	sys := shop.open(t, nil)
	look := func(stream string, by lockstep.Tracker) string {
		t.Helper()
		got, err := sys.Examine(t.Context(), lockstep.Read{Stream: stream, Track: lockstep.Track{By: by}})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, f := range got {
			b.WriteString(f.Level + ": " + f.What + "\n")
		}
		return b.String()
	}
	for _, want := range []string{"ok: 5 products", "warning: updated_at does not show deletes", "quantities in stock", "tier prices", "put into a category", "labels of options", "overlap (300 s"} {
		if got := look(productsStream, lockstep.Timestamp); !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if got := look(categoriesStream, lockstep.Timestamp); !strings.Contains(got, "error: categories have no updated_at") {
		t.Error(got)
	}
	for _, name := range []string{productsStream, categoriesStream, attributesStream, optionsStream, setsStream, stockStream, basePrices, specialPrices, tierPrices, customersStream, ordersStream} {
		if got := look(name, lockstep.Snapshot); strings.Contains(got, "updated_at does not") || strings.Contains(got, "error:") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestDoctorNamesAttributesThatHaveNoField(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Products: 1})
	shop.do(t, "POST", "all/V1/products/attributes", `{"attribute":{"attribute_code":"images","frontend_input":"text","scope":"store","is_required":false,"default_frontend_label":"x"}}`)
	got, err := shop.open(t, nil).Examine(t.Context(), lockstep.Read{Stream: productsStream})
	if err != nil || !slices.ContainsFunc(got, func(f lockstep.Finding) bool { return f.Level == "warning" && strings.Contains(f.What, "images") }) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDoctorSaysWhichRightIsMissing(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Products: 5})
	sys := shop.open(t, nil)
	shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.Contains(r.URL.Path, "attribute-sets") {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Magento_Catalog::sets"}}`))
		return true
	}, nil)
	got, err := sys.Examine(t.Context(), lockstep.Read{Stream: productsStream})
	if err != nil || len(got) != 1 || got[0].Level != "error" || !strings.Contains(got[0].What, "Magento_Catalog::sets") || got[0].Next == "" {
		t.Errorf("%v, %v", got, err)
	}
}
