package magento

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// What Magento's queue calls its operations.
const (
	topicSave   = "async.magento.catalog.api.productrepositoryinterface.save.put"
	topicDelete = "async.magento.catalog.api.productrepositoryinterface.deletebyid.delete"
)

// mostAdoptPages bounds the look through open operations.
const mostAdoptPages = 60

// adopt looks for the operations of a bulk whose answer was lost: they would be done some time, and write over whatever
// is sent until then. Those that it finds are followed like any other; the others come back.
func (s *System) adopt(ctx context.Context, items []bulkItem, sent time.Time, results []lockstep.Result) (left []bulkItem) {
	bySKU := map[string]int{}
	for i, it := range items {
		bySKU[foldSKU(it.sku)] = i
	}
	topic := topicSave
	if items[0].method == http.MethodDelete {
		topic = topicDelete
	}
	q := search{size: s.conf.page, fields: "items[id,bulk_uuid,serialized_data],total_count",
		groups: [][]filter{{{"status", equals, number(opOpen).text()}}, {{"topic_name", equals, topic}}}}
	found := map[int]bool{}
	for seen := 0; q.page < mostAdoptPages; {
		q.page++
		got, err := s.client.find(ctx, "search operations", allViews, "V1/bulk", q)
		if err != nil || len(got.items) == 0 {
			break
		}
		for _, raw := range got.items {
			uuid, op, sku := openOperation(raw)
			i, is := bySKU[foldSKU(sku)]
			if !is || !isUUID(uuid) {
				continue
			}
			it := &items[i]
			r := receipt{Bulk: uuid, Op: op, SKU: it.sku, At: sent, More: it.more, Was: it.was, Gone: it.method == http.MethodDelete}
			results[it.at] = lockstep.Result{Key: lockstep.Key(it.sku), Receipt: r.text()}
			s.queued.open(r)
			found[i] = true
		}
		if seen += len(got.items); seen >= got.total {
			break
		}
	}
	for i, it := range items {
		if !found[i] {
			left = append(left, it)
		}
	}
	return left
}

// openOperation is what an operation is about. Its input is JSON within JSON.
func openOperation(raw json.RawMessage) (uuid string, op int, sku string) {
	var o struct {
		ID   number `json:"id"`
		Bulk string `json:"bulk_uuid"`
		Data string `json:"serialized_data"`
	}
	var data struct {
		Meta string `json:"meta_information"`
	}
	var in struct {
		SKU string `json:"sku"`
	}
	if json.Unmarshal(raw, &o) != nil || json.Unmarshal([]byte(o.Data), &data) != nil || json.Unmarshal([]byte(data.Meta), &in) != nil {
		return "", 0, ""
	}
	return o.Bulk, int(o.ID), in.SKU
}
