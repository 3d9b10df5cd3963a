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
		{name: setsStream, batch: maxWrites, describe: plainStream(setsDef())},
		{name: attributesStream, batch: maxWrites, describe: plainStream(attributesDef())},
		{name: optionsStream, batch: maxWrites, describe: s.describeOptions},
		{name: categoriesStream, batch: maxWrites, describe: s.describeCategories},
		{name: productsStream, batch: maxWrites, describe: s.describeProducts},
		s.stockTable(), s.priceStream(&baseKind), s.priceStream(&specialKind), s.priceStream(&tierKind),
		{name: customersStream, batch: maxWrites, describe: plainStream(customersDef())},
		{name: ordersStream, describe: plainStream(ordersDef())},
	}
}
