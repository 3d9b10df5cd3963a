package magento

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// sourceItems are the rows of products, by folded key.
func (s *System) sourceItems(ctx context.Context, skus []string) (map[string]*sourceItem, error) {
	out := map[string]*sourceItem{}
	var mu sync.Mutex
	err := s.bySKU(ctx, skus, func(group []filter) error {
		return s.stockRows(ctx, group, func(it *sourceItem) {
			mu.Lock()
			defer mu.Unlock()
			out[it.fold()] = it
		})
	})
	return out, err
}

// stockRows are all rows that a group of filters finds.
func (s *System) stockRows(ctx context.Context, group []filter, each func(*sourceItem)) error {
	return s.client.findAll(ctx, "search stock", allViews, stockPath, search{groups: [][]filter{group}, sort: stockOrder, size: s.conf.page, fields: stockFields}, eachOf(each))
}

const (
	stockPath   = "V1/inventory/source-items"
	stockFields = "items[sku,source_code,quantity,status],total_count"
)

// stockOrder is one in which no row moves while others are written.
var stockOrder = []string{"sku", "source_code"}

func (s *System) stockPage(ctx context.Context, q search) ([]sourceItem, error) {
	q.fields = stockFields
	got, err := s.client.find(ctx, "search stock", allViews, stockPath, q)
	if err != nil {
		return nil, err
	}
	return decodeAll[sourceItem]("search stock", got.items)
}

func (s *System) fetchStock(ctx context.Context, r *reading, keys []lockstep.Key) ([]lockstep.Record, error) {
	var rows []sourceItem
	for _, k := range keys {
		if row, err := stockRow(k); err == nil {
			rows = append(rows, row)
		}
	}
	have, err := s.sourceItems(ctx, skusOf(rows, func(r *sourceItem) string { return r.SKU }))
	if err != nil {
		return nil, err
	}
	var out []lockstep.Record
	for i := range rows {
		if it := have[rows[i].fold()]; it != nil {
			rec := it.record(r.Fields)
			rec.Key = rows[i].key()
			out = append(out, rec)
		}
	}
	return out, nil
}

// findStock looks by SKU, and tells the rest apart by itself.
func (s *System) findStock(ctx context.Context, r *reading, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	skus, err := skusOfTuples(stockStream, by, values)
	if err != nil {
		return nil, err
	}
	have, err := s.sourceItems(ctx, skus)
	if err != nil {
		return nil, err
	}
	var all []lockstep.Record
	for _, it := range have {
		all = append(all, it.record(r.Fields))
	}
	return matching(all, r.Fields, by, values), nil
}

// stockPlace is behind the rows of a SKU.
type stockPlace struct {
	SKU string `json:"sku"`
}

// scanStock reads the rows in the order of SKUs: those of the last SKU of a full page may go on behind it, and are read
// with the next.
func (s *System) scanStock(ctx context.Context, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	var at stockPlace
	if from != nil {
		if err := json.Unmarshal(from, &at); err != nil {
			return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a scan of stock")
		}
	}
	size := rowsOf(s.conf, l)
	q := search{sort: stockOrder, size: size, page: 1}
	if at.SKU != "" {
		q.groups = [][]filter{{{"sku", greater, at.SKU}}}
	}
	got, err := s.stockPage(ctx, q)
	if err != nil {
		return lockstep.Page{}, err
	}
	more := len(got) == size
	if more {
		if got, err = s.wholeSKUs(ctx, got); err != nil {
			return lockstep.Page{}, err
		}
	}
	page := lockstep.Page{More: more, Next: from}
	for i := range got {
		page.Changes = append(page.Changes, lockstep.Change{Record: got[i].record(r.Fields)})
		at.SKU = got[i].SKU
	}
	if len(got) > 0 || from == nil {
		page.Next = place(at)
	}
	return page, nil
}

// wholeSKUs is a full page without its last SKU, or, where it is of one SKU alone, with all the rows of it.
func (s *System) wholeSKUs(ctx context.Context, got []sourceItem) ([]sourceItem, error) {
	last := bareSKU(got[len(got)-1].SKU) // gt passes over all that the database takes for one SKU
	end := len(got)
	for end > 0 && bareSKU(got[end-1].SKU) == last {
		end--
	}
	if end > 0 {
		return got[:end], nil
	}
	var all []sourceItem
	err := s.stockRows(ctx, []filter{{"sku", equals, got[0].SKU}}, func(it *sourceItem) { all = append(all, *it) })
	return all, err
}

// sources are the codes of the shop's sources, in small letters. They are asked for again where enough does not hold.
func (s *System) sources(ctx context.Context, enough func(map[string]bool) bool) (map[string]bool, error) {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if known != nil && enough(known) {
		return known, nil
	}
	known = map[string]bool{}
	q := search{sort: []string{"source_code"}, size: s.conf.page, fields: "items[source_code],total_count"}
	err := s.client.findAll(ctx, "search sources", allViews, "V1/inventory/sources", q, func(items []json.RawMessage) error {
		got, err := decodeAll[sourceItem]("search sources", items)
		for _, it := range got {
			known[strings.ToLower(it.Source)] = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.known = known
	s.mu.Unlock()
	return known, nil
}
