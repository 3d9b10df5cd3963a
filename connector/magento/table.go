package magento

import (
	"context"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// stream is one of the streams, with how each thing is done.
type stream struct {
	name     string
	batch    int // most writes in one Apply
	describe func(ctx context.Context) (lockstep.Stream, error)
	scan     func(ctx context.Context, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error)
	changes  func(ctx context.Context, r *reading, from lockstep.Position, l lockstep.Limit) (lockstep.Page, error) // nil: by snapshot only
	fetch    func(ctx context.Context, r *reading, keys []lockstep.Key) ([]lockstep.Record, error)
	find     func(ctx context.Context, r *reading, by []string, values [][]value.Value) ([][]lockstep.Record, error)
	apply    func(ctx context.Context, writes []lockstep.Write) ([]lockstep.Result, error) // nil: read only
	confirm  func(ctx context.Context, receipts []string) ([]lockstep.Result, error)       // nil: what is written is done
}

// The names of the streams.
const (
	productsStream   = "products"
	categoriesStream = "categories"
	attributesStream = "attributes"
	optionsStream    = "attribute_options"
	setsStream       = "attribute_sets"
	stockStream      = "stock"
	basePrices       = "base_prices"
	specialPrices    = "special_prices"
	tierPrices       = "tier_prices"
	customersStream  = "customers"
	ordersStream     = "orders"
)

// maxWrites is how many writes one Apply takes of streams that are written one by one; maxRows of those that have an
// endpoint for many.
const (
	maxWrites = 100
	maxRows   = 500
)

// table is the streams, in the order in which they refer to each other. What has no apply is read only.
func (s *System) table() []*stream {
	return []*stream{
		(&whole{s.conf, s.allSets}).stream(setsStream, plainStream(setsDef())).written(s.applySets, nil),
		(&whole{s.conf, s.allAttributes}).stream(attributesStream, plainStream(attributesDef())).written(s.applyAttributes, nil),
		(&whole{s.conf, s.allOptions}).stream(optionsStream, s.describeOptions).written(s.applyOptions, nil),
		s.categories().stream(categoriesStream, s.describeCategories).written(s.applyCategories, nil),
		s.products().stream(productsStream, s.describeProducts).tracked(s.products()).written(s.applyProducts, s.confirmProducts),
		s.stockTable(), s.priceStream(&baseKind), s.priceStream(&specialKind), s.priceStream(&tierKind),
		s.customers().stream(customersStream, plainStream(customersDef())).tracked(s.customers()).written(s.applyCustomers, nil),
		s.orders().stream(ordersStream, plainStream(ordersDef())).tracked(s.orders()),
	}
}

// stream is the stream of an entity.
func (e *entity) stream(name string, describe func(context.Context) (lockstep.Stream, error)) *stream {
	return &stream{name: name, batch: maxWrites, describe: describe, scan: e.scan, fetch: e.fetch, find: e.find}
}

// tracked is a stream whose changes updated_at shows.
func (st *stream) tracked(e *entity) *stream {
	st.changes = e.changes
	return st
}

// written is a stream that can be written; confirm is nil where what is written is done.
func (st *stream) written(apply func(context.Context, []lockstep.Write) ([]lockstep.Result, error), confirm func(context.Context, []string) ([]lockstep.Result, error)) *stream {
	st.apply, st.confirm = apply, confirm
	return st
}

// stream is the stream of records that are read whole.
func (w *whole) stream(name string, describe func(context.Context) (lockstep.Stream, error)) *stream {
	return &stream{name: name, batch: maxWrites, describe: describe, scan: w.scan, fetch: w.fetch, find: w.find}
}
