package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// bulkItem is one product's next step, to be done by Magento's queue.
type bulkItem struct {
	at     int // in the batch
	sku    string
	method string // PUT or DELETE: both have the SKU in the path, and PUT makes a product that is not there
	scope  string
	// product is the body's product, as it would go by a single call.
	product json.RawMessage
	more    bool   // the record is not level when this is done
	was     string // the product's version before, "" of a new one
}

// mostBulk is how many items go in one bulk, and mostBulkBytes how large it gets: Adobe's limit is 5000.
const (
	mostBulk      = 500
	mostBulkBytes = 8 << 20
)

// sendBulks puts items into the queue, one bulk for each scope and kind, and answers each by its receipt. Items that must
// go by single calls come back: those that would spoil a bulk, or were refused in one.
func (s *System) sendBulks(ctx context.Context, items []bulkItem, results []lockstep.Result) (single []bulkItem) {
	kinds := map[[2]string][]bulkItem{}
	var order [][2]string
	for _, it := range items {
		if !fitsBulk(&it) {
			single = append(single, it)
			continue
		}
		kind := [2]string{it.scope, it.method}
		if kinds[kind] == nil {
			order = append(order, kind)
		}
		kinds[kind] = append(kinds[kind], it)
	}
	for _, kind := range order {
		for rest := kinds[kind]; len(rest) > 0; {
			n, size := 0, 0
			for n < len(rest) && n < mostBulk && (n == 0 || size+len(rest[n].product) <= mostBulkBytes) {
				size += len(rest[n].product)
				n++
			}
			single = append(single, s.sendBulk(ctx, rest[:n], results)...)
			rest = rest[n:]
		}
	}
	return single
}

// fitsBulk tells whether an item can be trusted in a bulk. A shape or a type that Magento does not take refuses the whole
// bulk, and an item without a SKU inside kills the process that works on the queue, and holds up all behind it.
func fitsBulk(it *bulkItem) bool {
	if it.sku == "" || len(it.sku) > 4*64 {
		return false
	}
	if it.method == http.MethodDelete {
		return true
	}
	var p struct {
		SKU    string           `json:"sku"`
		Custom *json.RawMessage `json:"custom_attributes"`
		Ext    *json.RawMessage `json:"extension_attributes"`
		Links  *json.RawMessage `json:"product_links"`
		Price  *json.Number     `json:"price"`
		Weight *json.Number     `json:"weight"`
		Set    *int64           `json:"attribute_set_id"`
		Status *int64           `json:"status"`
		Sight  *int64           `json:"visibility"`
	}
	if json.Unmarshal(it.product, &p) != nil || foldSKU(p.SKU) != foldSKU(it.sku) {
		return false
	}
	begins := func(raw *json.RawMessage, with byte) bool {
		return raw == nil || len(*raw) > 0 && ((*raw)[0] == with || string(*raw) == "null")
	}
	return begins(p.Custom, '[') && begins(p.Ext, '{') && begins(p.Links, '[')
}

// bulkAnswer is what Magento says to a bulk.
type bulkAnswer struct {
	UUID  string `json:"bulk_uuid"`
	Items []struct {
		ID     number `json:"id"`
		Status string `json:"status"`
	} `json:"request_items"`
}

// refused are the items that Magento did not take.
func (b *bulkAnswer) refused() map[int]bool {
	out := map[int]bool{}
	for _, it := range b.Items {
		out[int(it.ID)] = it.Status != "" && it.Status != "accepted"
	}
	return out
}

// sendBulk puts the items of one bulk into the queue. A bulk that is refused as a whole was not begun: its halves are
// sent, until an item stands alone that a single call answers better.
func (s *System) sendBulk(ctx context.Context, items []bulkItem, results []lockstep.Result) (single []bulkItem) {
	path := "async/bulk/V1/products/bySku"
	body := make([]map[string]any, len(items))
	for i := range items {
		body[i] = map[string]any{"sku": items[i].sku}
		if items[i].method != http.MethodDelete {
			body[i]["product"] = items[i].product
		}
	}
	var got bulkAnswer
	at := time.Now()
	_, err := s.client.into(ctx, call{name: "queue products", method: items[0].method, scope: items[0].scope, path: path, body: body}, &got)
	f := lockstep.FaultOf(err)
	switch {
	case err == nil && !isUUID(got.UUID):
		err = lockstep.Faultf(lockstep.CodeServer, "the answer names no bulk").Maybe()
	case err == nil:
		return s.accepted(items, &got, at, results)
	case (f.Kind == lockstep.Invalid || f.Kind == lockstep.NotFound) && !f.Unknown && len(items) > 1:
		return append(s.sendBulk(ctx, items[:len(items)/2], results), s.sendBulk(ctx, items[len(items)/2:], results)...)
	case (f.Kind == lockstep.Invalid || f.Kind == lockstep.NotFound) && !f.Unknown:
		return items
	}
	if f = lockstep.FaultOf(err); f.Unknown && ctx.Err() == nil {
		items = s.adopt(ctx, items, at, results)
	}
	for _, it := range items {
		results[it.at] = lockstep.Result{Err: err}
		if f.Unknown { // it may come into the queue yet: the next try is not to race with it there
			s.queued.avoid(it.sku)
		}
	}
	return nil
}

// accepted answers the items of a bulk that was taken, each by itself.
func (s *System) accepted(items []bulkItem, got *bulkAnswer, at time.Time, results []lockstep.Result) (single []bulkItem) {
	refused := got.refused()
	for op, it := range items {
		if refused[op] {
			single = append(single, it)
			continue
		}
		r := receipt{Bulk: got.UUID, Op: op, SKU: it.sku, At: at, More: it.more, Was: it.was, Gone: it.method == http.MethodDelete}
		results[it.at] = lockstep.Result{Key: lockstep.Key(it.sku), Receipt: r.text()}
		s.queued.open(r)
	}
	return single
}

// byQueue tells which writes of a batch go by Magento's queue.
func (s *System) byQueue(w *lockstep.Write, batch int) bool {
	switch {
	case s.queued.avoids(string(w.Key)):
		return false
	case w.Transfer == lockstep.BulkTransfer:
		return true
	}
	return w.Transfer == lockstep.AutoTransfer && s.conf.asyncFrom > 0 && batch >= s.conf.asyncFrom
}
