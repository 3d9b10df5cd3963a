package magento

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

func bulked(writes ...lockstep.Write) []lockstep.Write {
	for i := range writes {
		writes[i].Transfer = lockstep.BulkTransfer
	}
	return writes
}

// receiptsOf checks that all was accepted.
func receiptsOf(t *testing.T, results []lockstep.Result) []string {
	t.Helper()
	var out []string
	for i, r := range results {
		if r.Receipt == "" || r.Err != nil {
			t.Fatalf("%d: %+v", i, r)
		}
		out = append(out, r.Receipt)
	}
	return out
}

// A bulk of prices is complete with failed rows in it; each row has its own end.
func TestABulkOfPricesWithFailedRows(t *testing.T) {
	b := newRowBench(t, tierPrices, sandbox.Options{})
	tier := func(sku, group string, quantity any) lockstep.Write {
		return rowOf("sku", sku, "website_id", 0, "customer_group", group, "quantity", quantity, "price", 7)
	}
	writes := bulked(tier("A", "ALL GROUPS", 5), tier("A", "NoGroup", 2), tier("A", "General", 2), tier("b,1", "General", 2), tier("NOPE", "General", 1))
	receipts := receiptsOf(t, b.apply(writes))
	b.sent(1)
	sys := b.shop.open(t, nil) // another process
	ask := func(sys *System, receipts []string, kinds ...lockstep.FaultKind) []lockstep.Result {
		t.Helper()
		got, err := sys.Confirm(t.Context(), tierPrices, receipts)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range got {
			if r.Receipt != "" || (r.Err == nil) != (kinds[i] == 0) || r.Err != nil && lockstep.KindOf(r.Err) != kinds[i] {
				t.Errorf("%d: %+v", i, r)
			}
		}
		return got
	}
	open, err := sys.Confirm(t.Context(), tierPrices, receipts)
	if err != nil || open[0].Receipt == "" || open[0].Err != nil {
		t.Fatalf("%+v, %v", open, err)
	}
	// Meanwhile nothing else of these products is sent.
	if r, err := sys.Apply(t.Context(), tierPrices, []lockstep.Write{tier("a", "General", 9)}); err != nil || lockstep.KindOf(r[0].Err) != lockstep.Conflict {
		t.Errorf("%+v, %v", r, err)
	}
	b.shop.StartConsumers(1)
	b.shop.Drain()
	got := ask(sys, receipts, 0, lockstep.Invalid, 0, 0, lockstep.Waiting)
	if got[0].Key != `["A","0","ALL GROUPS","5"]` {
		t.Errorf("%+v", got[0])
	}
	// Where not all rows of an operation are asked for, none is blamed for another's failure.
	ask(b.shop.open(t, nil), receipts[:1], lockstep.Conflict)
	b.is(`{"sku":"A","website_id":0,"customer_group":"ALL GROUPS","quantity":5,"price":7,"price_type":"fixed"}`,
		`{"sku":"A","website_id":0,"customer_group":"General","quantity":2,"price":7,"price_type":"fixed"}`,
		`{"sku":"b,1","website_id":0,"customer_group":"General","quantity":2,"price":7,"price_type":"fixed"}`)
	// What nobody can tell is looked at, and goes at once.
	b.shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if strings.HasSuffix(r.URL.Path, "/detailed-status") {
			text := a.Body.String()
			a.Body.Reset()
			i, j := strings.Index(text, `[{\"message`), strings.Index(text, `}]"`)
			a.Body.WriteString(text[:i] + `[{\"message\":\"Something is wrong.\"` + text[j:])
		}
	})
	ask(b.shop.open(t, nil), receipts, lockstep.Conflict, lockstep.Conflict, lockstep.Conflict, 0, lockstep.Waiting)
}

func TestPricesByTheQueueThatStayOpen(t *testing.T) {
	b := newRowBench(t, basePrices, sandbox.Options{})
	b.sys = b.shop.open(t, lockstep.Settings{"async_deadline": time.Nanosecond})
	w := bulked(rowOf("sku", "A", "store_id", 0, "price", 5))
	receipts := receiptsOf(t, b.apply(w))
	got, err := b.sys.Confirm(t.Context(), basePrices, receipts)
	if f := lockstep.FaultOf(got[0].Err); err != nil || f == nil || !f.Unknown || got[0].Receipt != "" {
		t.Errorf("%+v, %v", got, err)
	}
	b.shop.writes()
	if r := b.apply(w); r[0].Receipt != "" { // and now at once
		t.Errorf("%+v", r)
	}
	if w := b.shop.writes(); len(w) != 1 || strings.Contains(w[0], "async") {
		t.Error(w)
	}
}
