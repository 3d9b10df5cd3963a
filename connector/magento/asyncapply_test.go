package magento

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
	"github.com/lockstep-sync/lockstep/value"
)

func bulkWrite(sku string, fields ...any) lockstep.Write {
	return lockstep.Write{Key: lockstep.Key(sku), Fields: value.F(append([]any{"sku", sku}, fields...)...), Transfer: lockstep.BulkTransfer}
}

// follow does what the engine does with writes that are accepted: it asks, and writes again where it is told to look
// again. It says how often it wrote.
func follow(t *testing.T, shop *testShop, s *System, writes []lockstep.Write) (rounds int) {
	t.Helper()
	open := writes
	for rounds = 1; rounds < 20; rounds++ {
		results, err := s.Apply(t.Context(), productsStream, open)
		if err != nil {
			t.Fatal(err)
		}
		var receipts []string
		var asked, again []lockstep.Write
		for i, r := range results {
			switch {
			case r.Receipt != "" && r.Err == nil:
				receipts, asked = append(receipts, r.Receipt), append(asked, open[i])
			case lockstep.KindOf(r.Err) == lockstep.Conflict, lockstep.KindOf(r.Err) == lockstep.Waiting:
				again = append(again, open[i])
			case r.Err != nil:
				t.Fatalf("%s: %v", open[i].Key, r.Err)
			}
		}
		shop.Drain()
		ends, err := s.confirmProducts(t.Context(), receipts)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range ends {
			switch {
			case r.Receipt != "":
				t.Fatalf("%s is still open", asked[i].Key)
			case lockstep.KindOf(r.Err) == lockstep.Conflict, r.Err != nil && lockstep.FaultOf(r.Err).Unknown:
				again = append(again, asked[i])
			case r.Err != nil:
				t.Fatalf("%s: %v", asked[i].Key, r.Err)
			}
		}
		if open = again; len(open) == 0 {
			return rounds
		}
	}
	t.Fatal("it does not end")
	return 0
}

func TestProductsByTheQueue(t *testing.T) {
	from, _ := pictures(t)
	shop := newTestShop(t, sandbox.Options{Consumers: 3, Shuffle: true})
	s := shop.open(t, lockstep.Settings{"media_hosts": []string{strings.TrimPrefix(from, "http://")}})
	var writes []lockstep.Write
	for i := range 20 {
		sku := fmt.Sprintf("S/%d", i)
		w := bulkWrite(sku, "name", "Name "+sku, "price", i+1, "name_de", "Der "+sku)
		if i%5 == 0 {
			image := value.Object(value.F("hash", hashA, "label", "Front", "roles", value.List(value.Text("image"))))
			w.Fields = w.Fields.With("images", value.List(image)).With("image_urls", value.List(value.Object(value.F("hash", hashA, "url", from+"/"+sku))))
		}
		writes = append(writes, w)
	}
	follow(t, shop, s, writes)
	bulks, singles := 0, 0
	for _, w := range shop.writes() {
		switch {
		case strings.Contains(w, "/async/bulk/"):
			bulks++
		case !strings.Contains(w, "/media"):
			singles++
		}
	}
	if bulks != 2 || singles != 0 { // one at all, one at de
		t.Errorf("%d bulks and %d single calls", bulks, singles)
	}
	// All is level: nothing is sent, and nothing is to be asked for.
	results, err := s.Apply(t.Context(), productsStream, writes)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil || r.Receipt != "" {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if w := shop.writes(); len(w) > 0 {
		t.Errorf("%v", w)
	}
	var deletes []lockstep.Write
	for i := range writes {
		deletes = append(deletes, lockstep.Write{Op: lockstep.Delete, Key: writes[i].Key, Transfer: lockstep.BulkTransfer})
	}
	follow(t, shop, s, deletes)
	found, err := s.lightProducts(t.Context(), []string{"S/0", "S/19"})
	if err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestWhatGoesByTheQueueIsChosen(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, lockstep.Settings{"async_from": int64(3)})
	for _, test := range []struct {
		transfer lockstep.Transfer
		batch    int
		queue    bool
	}{{lockstep.AutoTransfer, 2, false}, {lockstep.AutoTransfer, 3, true}, {lockstep.SingleTransfer, 3, false}, {lockstep.BulkTransfer, 1, true}} {
		if got := s.byQueue(&lockstep.Write{Key: "A", Transfer: test.transfer}, test.batch); got != test.queue {
			t.Errorf("%+v: %v", test, got)
		}
	}
	s.queued.avoid("a")
	if s.byQueue(&lockstep.Write{Key: "A", Transfer: lockstep.BulkTransfer}, 1) {
		t.Error("a product that had a bad end goes by the queue again")
	}
}

// A second flow's write to a product waits for the end of what the first has in the queue.
func TestOneOpenOperationForAProduct(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, nil)
	first, err := s.Apply(t.Context(), productsStream, []lockstep.Write{bulkWrite("A", "name", "One", "price", 1)})
	if err != nil || first[0].Receipt == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	shop.writes()
	for _, transfer := range []lockstep.Transfer{lockstep.SingleTransfer, lockstep.BulkTransfer} {
		other := bulkWrite("a", "name", "Two", "price", 1)
		other.Transfer = transfer
		gone := lockstep.Write{Op: lockstep.Delete, Key: "a", Transfer: transfer}
		for _, w := range []lockstep.Write{other, gone} {
			if r, err := s.Apply(t.Context(), productsStream, []lockstep.Write{w}); err != nil || lockstep.KindOf(r[0].Err) != lockstep.Conflict {
				t.Errorf("%s: %+v, %v", transfer, r, err)
			}
		}
	}
	if w := shop.writes(); len(w) > 0 {
		t.Errorf("sent meanwhile: %v", w)
	}
	shop.StartConsumers(1)
	shop.Drain()
	if r := confirm(t, s, first[0].Receipt)[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	other := bulkWrite("A", "name", "Two")
	other.Transfer = lockstep.SingleTransfer
	if r, err := s.Apply(t.Context(), productsStream, []lockstep.Write{other}); err != nil || r[0].Err != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// A consumer that died leaves its operation open for ever. The record is looked at, and goes by a call of its own.
func TestAConsumerThatDies(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, lockstep.Settings{"async_deadline": time.Nanosecond})
	shop.KillConsumers(1)
	shop.StartConsumers(1)
	follow(t, shop, s, []lockstep.Write{bulkWrite("A", "name", "One", "price", 1), bulkWrite("B", "name", "Two", "price", 1)})
	var singles []string
	for _, w := range shop.writes() {
		if !strings.Contains(w, "/async/bulk/") {
			singles = append(singles, w)
		}
	}
	if strings.Join(singles, ",") != "POST all/V1/products" { // that of A was done, and is only not acknowledged
		t.Errorf("by single calls: %v", singles)
	}
}

// A right that is missing for the status stops the flow, and is named; what was accepted stays open.
func TestTheRightToAskIsMissing(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, nil)
	r, err := s.Apply(t.Context(), productsStream, []lockstep.Write{bulkWrite("A", "name", "One", "price", 1)})
	if err != nil || r[0].Receipt == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if strings.Contains(r.URL.Path, "/bulk/") {
			a.Code = http.StatusUnauthorized
			a.Body.Reset()
			a.Body.WriteString(`{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Magento_Logging::system_magento_logging_bulk_operations"}}`)
		}
	})
	_, err = s.Confirm(t.Context(), productsStream, []string{r[0].Receipt})
	if lockstep.KindOf(err) != lockstep.Denied || !strings.Contains(err.Error(), "bulk_operations") {
		t.Error(err)
	}
}
