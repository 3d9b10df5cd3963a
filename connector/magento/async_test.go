package magento

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

func queued(at int, sku, members string) bulkItem {
	product := fmt.Sprintf(`{"sku":%q,"name":%q,"attribute_set_id":4,"type_id":"simple","price":1%s}`, sku, "Name "+sku, members)
	return bulkItem{at: at, sku: sku, method: http.MethodPut, scope: allViews, product: json.RawMessage(product)}
}

// send puts items into the queue and gives their receipts.
func send(t *testing.T, s *System, items ...bulkItem) []string {
	t.Helper()
	results := make([]lockstep.Result, len(items))
	if single := s.sendBulks(t.Context(), items, results); len(single) > 0 {
		t.Fatalf("%d items are to go by single calls", len(single))
	}
	var out []string
	for i, r := range results {
		if r.Err != nil || r.Receipt == "" {
			t.Fatalf("item %d: %+v", i, r)
		}
		out = append(out, r.Receipt)
	}
	return out
}

func confirm(t *testing.T, s *System, receipts ...string) []lockstep.Result {
	t.Helper()
	out, err := s.confirmProducts(t.Context(), receipts)
	if err != nil || len(out) != len(receipts) {
		t.Fatalf("%+v, %v", out, err)
	}
	return out
}

func TestEachOperationEndsAsItIs(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, nil)
	more := queued(5, "BK-6", "")
	more.more = true
	receipts := send(t, s,
		queued(0, "BK-1", ""), queued(1, "BK-2", `,"price":-4`), queued(2, "BK-3", `,"name":""`), queued(3, "BK-4", `,"custom_attributes":[{"attribute_code":"url_key","value":"name-bk-1"}]`),
		bulkItem{at: 4, sku: "NOPE", method: http.MethodDelete, scope: allViews}, more)
	for _, r := range confirm(t, s, receipts...) {
		if r.Err != nil || r.Receipt == "" {
			t.Fatalf("before a consumer runs: %+v", r)
		}
	}
	// Another process asks: all it needs is in the receipts.
	s = shop.open(t, nil)
	shop.StartConsumers(1)
	shop.Drain()
	shop.writes()
	kinds := []lockstep.FaultKind{0, lockstep.Invalid, lockstep.Invalid, lockstep.Invalid, 0, lockstep.Conflict}
	for i, r := range confirm(t, s, receipts...) {
		if r.Receipt != "" || (r.Err == nil) != (kinds[i] == 0) || r.Err != nil && lockstep.KindOf(r.Err) != kinds[i] || lockstep.FaultOf(r.Err) != nil && lockstep.FaultOf(r.Err).Unknown {
			t.Errorf("item %d: %+v", i, r)
		}
		if i == 0 && r.Version == "" {
			t.Error("no version")
		}
	}
	if w := shop.writes(); len(w) > 0 {
		t.Error(w)
	}
}

var opsPattern = regexp.MustCompile(`"operations_list":\[.*?\],`)

// answer makes every bulk status be one.
func statusIs(status int, message string) func(r *http.Request, a *httptest.ResponseRecorder) {
	return func(r *http.Request, a *httptest.ResponseRecorder) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			ops := fmt.Sprintf(`"operations_list":[{"id":0,"status":%d,"result_message":%q,"error_code":0}],`, status, message)
			a.Body = bytes.NewBuffer(opsPattern.ReplaceAll(a.Body.Bytes(), []byte(ops)))
		}
	}
}

func TestOperationsThatFailForAWhile(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, nil)
	receipts := send(t, s, queued(0, "A", ""))
	for name, test := range map[string]struct {
		status  int
		message string
		kind    lockstep.FaultKind
	}{
		"a wrapped deadlock":     {opFailed, "Database deadlock found when trying to get lock", lockstep.Transient},
		"a lock wait":            {opFailed, "Database lock wait timeout exceeded", lockstep.Transient},
		"could not be saved":     {opFailed, "The product was unable to be saved. Please try again.", lockstep.Transient},
		"retriable":              {opRetry, "Unknown Error", lockstep.Transient},
		"retriable, raw":         {opRetry, "SQLSTATE[40001]: Serialization failure: 1213 Deadlock found", lockstep.Transient},
		"failed":                 {opFailed, `The value of the "x" attribute isn't unique.`, lockstep.Invalid},
		"the URL key":            {opFailed, "URL key for specified store already exists.", lockstep.Invalid},
		"gone meanwhile":         {opFailed, "The product that was requested doesn't exist. Verify the product and try again.", lockstep.NotFound},
		"rejected":               {opRejected, "", lockstep.Transient},
		"complete and not there": {opComplete, "Service execution success", lockstep.Conflict},
	} {
		shop.interfere(nil, statusIs(test.status, test.message))
		r := confirm(t, s, receipts...)[0]
		if r.Receipt != "" || lockstep.KindOf(r.Err) != test.kind || lockstep.FaultOf(r.Err).Unknown {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// An operation that says that it is complete is not believed while the product was not saved since.
func TestACompleteOperationIsReadBack(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	shop := newTestShop(t, sandbox.Options{Clock: func() time.Time { return now }})
	s := shop.open(t, nil)
	first := send(t, s, queued(0, "A", ""))
	shop.StartConsumers(1)
	shop.Drain()
	shop.StopConsumers()
	if r := confirm(t, s, first...)[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	// In the second of the save before, the time says nothing: the record is looked at.
	same := queued(0, "A", `,"weight":3`)
	same.was = now.Format(timeLayout)
	sameSecond := send(t, s, same)
	shop.interfere(nil, statusIs(opComplete, "Service execution success"))
	if r := confirm(t, s, sameSecond...)[0]; lockstep.KindOf(r.Err) != lockstep.Conflict || r.Receipt != "" || s.queued.avoids("A") {
		t.Errorf("%+v", r)
	}
	shop.interfere(nil, nil)
	now = now.Add(time.Minute)
	second := send(t, s, queued(0, "A", `,"weight":2`))
	shop.interfere(nil, statusIs(opComplete, "Service execution success"))
	if r := confirm(t, s, second...)[0]; lockstep.KindOf(r.Err) != lockstep.Conflict || r.Receipt != "" {
		t.Errorf("%+v", r)
	}
	if !s.queued.avoids("a") {
		t.Error("the next send is not by a single call")
	}
}

func TestAnOperationThatStaysOpen(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, lockstep.Settings{"async_deadline": time.Hour})
	receipts := send(t, s, queued(0, "A", ""), queued(1, "B", ""))
	shop.KillConsumers(1)
	shop.StartConsumers(1)
	shop.Drain()
	for _, r := range confirm(t, s, receipts...) {
		if r.Err != nil || r.Receipt == "" {
			t.Fatalf("%+v", r)
		}
	}
	if !s.queued.busy("a") || !s.queued.busy("B") {
		t.Error("an open operation keeps nobody off")
	}
	again := shop.open(t, lockstep.Settings{"async_deadline": time.Nanosecond}) // restarted, and so late
	for _, r := range confirm(t, again, receipts...) {
		if f := lockstep.FaultOf(r.Err); r.Receipt != "" || f == nil || !f.Unknown || f.Kind != lockstep.Transient {
			t.Errorf("%+v", r)
		}
	}
	if again.queued.busy("A") || !again.queued.avoids("A") {
		t.Error("it is still waited for, or would go by the queue again")
	}
}

func TestWhatIsKnownOfABulkNoMore(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, nil)
	known := send(t, s, queued(0, "A", ""))
	gone := receipt{Bulk: "00000000-0000-0000-0000-000000000000", SKU: "B", At: time.Now()}
	got := confirm(t, s, known[0], gone.text(), "nonsense")
	if got[0].Receipt == "" || got[0].Err != nil {
		t.Errorf("%+v", got[0])
	}
	for _, r := range got[1:] {
		if lockstep.KindOf(r.Err) != lockstep.Conflict || r.Receipt != "" {
			t.Errorf("%+v", r)
		}
	}
	shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Magento_Logging::system_magento_logging_bulk_operations"}}`))
		return true
	}, nil)
	_, err := s.confirmProducts(t.Context(), known)
	if lockstep.KindOf(err) != lockstep.Denied || !strings.Contains(err.Error(), "system_magento_logging_bulk_operations") {
		t.Error(err)
	}
	// One bulk that cannot be asked for keeps no other from being answered.
	shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.Contains(r.URL.Path, gone.Bulk) {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return strings.Contains(r.URL.Path, gone.Bulk)
	}, nil)
	got = confirm(t, s, gone.text(), known[0])
	if got[0].Receipt == "" || lockstep.KindOf(got[0].Err) != lockstep.Transient || got[1].Receipt == "" || got[1].Err != nil {
		t.Errorf("%+v", got)
	}
}

func TestWhatWouldSpoilABulkGoesByItself(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, nil)
	good := queued(0, "A", "")
	poison := queued(1, "B", "")
	poison.product = json.RawMessage(`{"name":"no sku inside"}`)
	text := queued(2, "C", `,"price":"abc"`)
	shape := queued(3, "D", `,"custom_attributes":{"color":1}`)
	unforeseen := queued(4, "E", `,"no_such_member":1`)
	results := make([]lockstep.Result, 5)
	single := s.sendBulks(t.Context(), []bulkItem{good, poison, text, shape, unforeseen}, results)
	var skus []string
	for _, it := range single {
		skus = append(skus, it.sku)
	}
	if strings.Join(skus, "") != "BCDE" || results[0].Receipt == "" || results[0].Err != nil {
		t.Errorf("by themselves go %v; %+v", skus, results[0])
	}
	shop.StartConsumers(1)
	shop.Drain()
	if shop.Consumers() != 1 {
		t.Error("the consumer is dead")
	}
}

// An answer that is lost may be of a bulk that was taken: then its operations are found, and followed.
func TestALostAnswerOfABulk(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{})
	s := shop.open(t, nil)
	shop.interfere(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if strings.Contains(r.URL.Path, "/async/bulk/") {
			a.Code = http.StatusGatewayTimeout
			a.Body = bytes.NewBufferString("<html>")
		}
	})
	results := make([]lockstep.Result, 3)
	s.sendBulks(t.Context(), []bulkItem{queued(0, "A/1", ""), queued(1, "b", ""), {at: 2, sku: "C", method: http.MethodDelete, scope: allViews}}, results)
	for i, r := range results {
		if r.Err != nil || r.Receipt == "" || !s.queued.busy([]string{"a/1", "B", "c"}[i]) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	shop.StartConsumers(1)
	shop.Drain()
	for i, r := range confirm(t, s, results[0].Receipt, results[1].Receipt, results[2].Receipt) {
		if r.Err != nil || r.Receipt != "" {
			t.Errorf("%d: %+v", i, r)
		}
	}
	// One that is not there may come yet.
	shop.interfere(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		lost := strings.Contains(r.URL.Path, "/async/bulk/")
		if lost {
			w.WriteHeader(http.StatusGatewayTimeout)
		}
		return lost
	}, nil)
	s.sendBulks(t.Context(), []bulkItem{queued(0, "A/1", "")}, results[:1])
	if f := lockstep.FaultOf(results[0].Err); f == nil || !f.Unknown || results[0].Receipt != "" || !s.queued.avoids("a/1") {
		t.Errorf("%+v", results[0])
	}
}

// Consumers that overtake each other change nothing: there is one operation for a product.
func TestOperationsOutOfOrder(t *testing.T) {
	shop := newTestShop(t, sandbox.Options{Shuffle: true})
	s := shop.open(t, nil)
	var items []bulkItem
	for i := range 40 {
		items = append(items, queued(i, fmt.Sprint("S-", i), ""))
	}
	receipts := send(t, s, items...)
	shop.StartConsumers(4)
	shop.Drain()
	for i, r := range confirm(t, s, receipts...) {
		if r.Err != nil || r.Receipt != "" || r.Key != lockstep.Key(items[i].sku) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}
