package magento

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// priceRows are the prices of products, by folded key. Products that are not there have none.
func (s *System) priceRows(ctx context.Context, k *priceKind, skus []string) (map[string]*priceRow, error) {
	out := map[string]*priceRow{}
	for len(skus) > 0 {
		some := skus[:min(len(skus), s.limits.rows())]
		got, err := s.priceInfo(ctx, k, some)
		if s.limits.learn(err, len(some)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		skus = skus[len(some):]
		for i := range got {
			out[k.fold(&got[i])] = &got[i]
		}
	}
	return out, nil
}

// priceInfo asks for the prices of some products. Some versions answer 404 for all where one product is not there: then
// those that are there are asked for.
func (s *System) priceInfo(ctx context.Context, k *priceKind, skus []string) ([]priceRow, error) {
	ask := func(skus []string) (got []priceRow, err error) {
		body := map[string]any{"skus": skus}
		q := call{name: "read prices", method: http.MethodPost, scope: allViews, path: "V1/products/" + k.path + "-information", body: body, reads: true}
		_, err = s.client.into(ctx, q, (*list[priceRow])(&got))
		return got, err
	}
	got, err := ask(skus)
	if lockstep.KindOf(err) != lockstep.NotFound {
		return got, err
	}
	known, again := s.lightProducts(ctx, skus)
	if again != nil {
		return nil, again
	}
	var there []string
	for _, sku := range skus {
		if _, is := known[foldSKU(sku)]; is {
			there = append(there, sku)
		}
	}
	switch len(there) {
	case 0:
		return nil, nil
	case len(skus): // that it has none of their prices is no answer to rely on (law 9)
		return nil, lockstep.Faultf(lockstep.CodeServer, "Magento has the products, and says that it has not where their prices are read: %w", lockstep.FaultOf(err).Err).
			On(lockstep.About{Request: "read prices"})
	}
	return ask(there)
}

func (s *System) fetchPrices(ctx context.Context, k *priceKind, r *reading, keys []lockstep.Key) ([]lockstep.Record, error) {
	var rows []priceRow
	var skus []string
	for _, key := range keys {
		if row, err := k.rowOfKey(key); err == nil {
			rows, skus = append(rows, row), append(skus, row.SKU)
		}
	}
	have, err := s.priceRows(ctx, k, distinctSKUs(skus))
	if err != nil {
		return nil, err
	}
	var out []lockstep.Record
	for i := range rows {
		if row := have[k.fold(&rows[i])]; row != nil {
			rec := k.record(row, r.Fields)
			rec.Key = k.keyOf(&rows[i])
			out = append(out, rec)
		}
	}
	return out, nil
}

// findPrices looks by SKU, and tells the rest apart by itself.
func (s *System) findPrices(ctx context.Context, k *priceKind, r *reading, by []string, values [][]value.Value) ([][]lockstep.Record, error) {
	skus, err := skusOfTuples(k.stream, by, values)
	if err != nil {
		return nil, err
	}
	have, err := s.priceRows(ctx, k, skus)
	if err != nil {
		return nil, err
	}
	var all []lockstep.Record
	for _, row := range have {
		all = append(all, k.record(row, r.Fields))
	}
	return matching(all, r.Fields, by, values), nil
}

// pricePlace is behind the product of that id.
type pricePlace struct {
	ID int64 `json:"id"`
}

// scanPrices reads the prices of the products in the order of their ids: the endpoints answer for known SKUs only.
func (s *System) scanPrices(ctx context.Context, k *priceKind, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) {
	var at pricePlace
	if from != nil {
		if err := json.Unmarshal(from, &at); err != nil || at.ID < 0 {
			return lockstep.Page{}, lockstep.Faultf(lockstep.CodePosition, "the position is not one of a scan of prices")
		}
	}
	page := lockstep.Page{Next: place(at), More: true}
	size := s.conf.page
	if l.Rows > 0 {
		size = min(size, l.Rows)
	}
	for len(page.Changes) == 0 && page.More {
		products, err := s.productsAfter(ctx, at.ID, size)
		if err != nil {
			return lockstep.Page{}, err
		}
		got, err := s.priceRows(ctx, k, skusOf(products, func(p *lightProduct) string { return p.SKU }))
		if err != nil {
			return lockstep.Page{}, err
		}
		for _, key := range slices.Sorted(maps.Keys(got)) {
			page.Changes = append(page.Changes, lockstep.Change{Record: k.record(got[key], r.Fields)})
		}
		for _, p := range products {
			at.ID = max(at.ID, int64(p.ID))
		}
		page.Next, page.More = place(at), len(products) == size
	}
	return page, nil
}
