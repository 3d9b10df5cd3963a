package magento

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

// silent are values that Magento takes without a word and does not keep as they are.
func silent() map[string][]any {
	return map[string][]any{
		"an option that is not there":      {"shade", "Mauve"},
		"one of several that is not there": {"material_x", []any{"Wool", "Mauve"}},
		"a status":                         {"status", 5},
		"a visibility":                     {"visibility", 0},
		"a name":                           {"name", strings.Repeat("n", 256)},
		"a text":                           {"short_txt", strings.Repeat("ü", 256)},
		"an emoji":                         {"long_note", "fine \U0001F600"},
		"a price":                          {"cost_x", "100000000000000"},
		"a type":                           {"type_id", "weird"},
		"an attribute of no set":           {"homeless", "x"},
		"an attribute that is not there":   {"nope", "x"},
	}
}

func TestWhatMagentoTakesInSilenceIsParked(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	b.must(b.write(shirt("S")...))
	for name, field := range silent() {
		b.shop.writes()
		code := lockstep.CodeValue
		if field[0] == "nope" {
			code = lockstep.CodeNoField
		}
		f := b.fails(code, b.write("sku", "S", field[0], field[1]))
		if f.Kind != code.Info().Kind || f.About.Field != field[0] {
			t.Errorf("%s: %v", name, f)
		}
		if got := b.shop.writes(); len(got) > 0 {
			t.Errorf("%s: sent %v", name, got)
		}
	}
	b.must(b.write("sku", "S", "short_txt", strings.Repeat("ü", 255), "cost_x", "99999999999999", "status", 2, "visibility", 1))
}

func TestWhatMagentoTakesInSilenceIsLeftOut(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"unknown_values": "warn"})
	b.must(b.write(shirt("S")...))
	for name, field := range silent() {
		r := b.apply(b.write("sku", "S", "price", 17, field[0], field[1]))[0]
		if r.Err != nil || !strings.Contains(r.Note, fmt.Sprint(field[0])) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	b.want("all", "S", "price", 17, "name", "Shirt", "status", 1, "shade", nil)
}

func TestAnOptionIsMadeOnce(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{Delay: 2 * time.Millisecond}, lockstep.Settings{"create": []string{"options"}})
	var writes []lockstep.Write
	for i := range 8 {
		writes = append(writes, b.write(shirt(fmt.Sprint("S-", i), "shade", "Mauve", "material_x", []any{"Silk", "Wool"})...))
	}
	var wg sync.WaitGroup
	for i := range 4 { // four calls of Apply at a time
		wg.Go(func() {
			for _, r := range b.apply(writes[2*i : 2*i+2]...) {
				if r.Err != nil {
					t.Error(r.Err)
				}
			}
		})
	}
	wg.Wait()
	made := slices.DeleteFunc(b.shop.writes(), func(c string) bool { return !strings.HasSuffix(c, "/options") })
	if len(made) != 2 {
		t.Errorf("two labels are made by %v", made)
	}
	b.want("all", "S-5", "shade", b.option("shade", "Mauve"))
}

func TestAnOptionThatSomebodyElseMakesIsTaken(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"create": []string{"options"}})
	b.must(b.write(shirt("S", "shade", "Red")...))
	b.shop.interfere(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/options") { // just before us
			b.shop.interfere(nil, nil)
			b.shop.post(t, "POST", "all/V1/products/attributes/shade/options", `{"option":{"label":"Mauve"}}`)
		}
		return false
	}, nil)
	b.must(b.write("sku", "S", "shade", "Mauve"))
	b.want("all", "S", "shade", b.option("shade", "Mauve"))
	// And one that somebody made a while ago is found without making it.
	b.sys = b.shop.open(t, nil)
	b.must(b.write("sku", "S", "shade", "Red"))
	b.shop.post(t, "POST", "all/V1/products/attributes/shade/options", `{"option":{"label":"Ochre"}}`)
	b.must(b.write("sku", "S", "shade", "ochre"))
	b.want("all", "S", "shade", b.option("shade", "Ochre"))
}

// rows is how many products there are with a SKU.
func (b *writeBench) rows(sku string) int {
	b.t.Helper()
	got := b.read("all/V1/products?searchCriteria[filterGroups][0][filters][0][field]=sku&searchCriteria[filterGroups][0][filters][0][value]=" + escape(sku))
	n, _ := got["total_count"].(float64)
	return int(n)
}

func TestFourAppliesOfOneNewSKUMakeOneProduct(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{Delay: 5 * time.Millisecond}, nil)
	var wg sync.WaitGroup
	for _, sku := range []string{"New-1", "NEW-1", " new-1", "New-1 "} {
		wg.Go(func() {
			if r := b.apply(b.write(shirt(sku)...))[0]; r.Err != nil {
				t.Error(r.Err)
			}
		})
	}
	wg.Wait()
	if n := b.rows("new-1"); n != 1 {
		t.Errorf("there are %d products", n)
	}
	for _, r := range b.apply(b.write(shirt("New-2")...), b.write(shirt("NEW-2")...), b.write("sku", "new-2", "price", 4)) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	for _, r := range b.apply(lockstep.Write{Op: lockstep.Delete, Key: "New-2"}, b.write(shirt("new-2")...)) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	b.must(b.write("sku", "NEW-2", "price", 4))
	if n := b.rows("new-2"); n != 1 {
		t.Errorf("of one call there are %d products", n)
	}
	b.want("all", "NEW-2", "price", 4)
}

func TestALostAnswerLeavesOneProduct(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	for _, lost := range []string{"POST /rest/all/V1/products", "PUT /rest/de/V1/products/S-2", ""} {
		sku := "S-1"
		if strings.HasSuffix(lost, "S-2") {
			sku = "S-2"
		}
		b.shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
			if r.Method+" "+r.URL.EscapedPath() == lost {
				a.Code = http.StatusGatewayTimeout // PHP has done it
				a.Body.Reset()
				b.shop.interfere(nil, nil)
			}
		})
		w := b.write(shirt(sku, "name_de", "Hemd")...)
		r := b.apply(w)[0]
		if f := lockstep.FaultOf(r.Err); lost != "" && (f == nil || !f.Unknown || f.Kind != lockstep.Transient) {
			t.Fatalf("a lost answer: %v", r.Err)
		}
		if got := b.must(w); slices.Contains(got, "POST all/V1/products") {
			t.Errorf("again: %v", got)
		}
		if n := b.rows(sku); n != 1 {
			t.Errorf("there are %d products", n)
		}
		b.want("de", sku, "name", "Hemd")
	}
}

func TestATransientRefusalIsAnsweredAndNotSentAgain(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	tries := 0
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != http.MethodPost {
			return false
		}
		tries++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"message":"Database deadlock found when trying to get lock"}`)
		return true
	}, nil)
	if f := b.fails(lockstep.CodeDeadlock, b.write(shirt("S")...)); f.Kind != lockstep.Transient || tries != 1 {
		t.Errorf("a deadlock after %d tries: %v", tries, f)
	}
}

func TestABatchStopsWhenTheShopIsDown(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"writers": int64(1)})
	tries := 0
	b.shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodGet {
			return false
		}
		tries++
		http.Error(w, "maintenance", http.StatusServiceUnavailable)
		return true
	}, nil)
	var writes []lockstep.Write
	for i := range 10 {
		writes = append(writes, b.write(shirt(fmt.Sprint("S-", i))...))
	}
	for _, r := range b.apply(writes...) {
		if f := lockstep.FaultOf(r.Err); f == nil || f.Kind != lockstep.Unavailable || f.Unknown {
			t.Errorf("down: %v", r.Err)
		}
	}
	if tries != 1 {
		t.Errorf("%d were sent", tries)
	}
}

func TestAVersionThatMovedIsAConflict(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, nil)
	r := b.apply(b.write(shirt("S")...))[0]
	w := b.write("sku", "S", "price", 12)
	w.IfVersion = "2000-01-01 00:00:00"
	b.fails(lockstep.CodeVersionMoved, w)
	w.IfVersion = r.Version
	b.must(w)
	gone := lockstep.Write{Op: lockstep.Delete, Key: "S", IfVersion: "2000-01-01 00:00:00"}
	b.fails(lockstep.CodeVersionMoved, gone)
	if b.rows("S") != 1 {
		t.Error("it was deleted")
	}
	rec, err := b.sys.Fetch(context.Background(), lockstep.Read{Stream: productsStream, Fields: []string{"price"}}, []lockstep.Key{"S"})
	if err != nil || len(rec) != 1 || rec[0].Version == "" {
		t.Fatalf("%v, %v", rec, err)
	}
	gone.IfVersion = rec[0].Version
	if r := b.apply(gone)[0]; r.Err != nil {
		t.Error(r.Err)
	}
}

// With deadlocks in a 400 and answers that are lost after the effect, tries leave each product once, and level.
func TestFaultsLeaveEachProductOnce(t *testing.T) {
	b := newWriteBench(t, sandbox.Options{}, lockstep.Settings{"create": []string{"options", "categories"}})
	var writes []lockstep.Write
	for i := range 12 {
		writes = append(writes, b.write(shirt(fmt.Sprint("S-", i), "name_de", fmt.Sprint("Hemd ", i), "shade", fmt.Sprint("Tone ", i%3), "categories", []any{"Default Category/Men"},
			"related", []any{fmt.Sprint("S-", (i+1)%12)})...))
	}
	b.shop.Fail(sandbox.FaultDeadlock, 0.2)
	b.shop.Fail(sandbox.FaultLost, 0.15)
	left := writes
	for try := 0; len(left) > 0; try++ {
		if try == 60 {
			t.Fatalf("%d are never done", len(left))
		}
		res, err := b.sys.Apply(t.Context(), productsStream, left)
		if err != nil {
			continue // not even the look was answered
		}
		var again []lockstep.Write
		for i, r := range res {
			if f := lockstep.FaultOf(r.Err); f != nil {
				if f.Kind == lockstep.Invalid {
					t.Fatal(f)
				}
				again = append(again, left[i])
			}
		}
		left = again
	}
	b.shop.Fail(sandbox.FaultDeadlock, 0)
	b.shop.Fail(sandbox.FaultLost, 0)
	for i := range 12 {
		sku := fmt.Sprint("S-", i)
		if n := b.rows(sku); n != 1 {
			t.Errorf("there are %d of %s", n, sku)
		}
		b.want("de", sku, "name", fmt.Sprint("Hemd ", i), "shade", b.option("shade", fmt.Sprint("Tone ", i%3)))
	}
	if got := b.must(writes...); len(got) > 0 {
		t.Errorf("level products are sent: %v", got)
	}
}
