package magento

import (
	"sync"
	"time"
)

// world is what the shop holds. mu is held by whoever reads or changes any of it: one statement after the other, as a
// database would.
type world struct {
	mu     sync.Mutex
	clock  func() time.Time
	limits InputLimits
	quirks Quirks

	stores
	attributes attributes
	categories categories
	products   products
	urls       urlKeys
	stock      stock
	customers  customers
	orders     orders

	files           files
	galleryFiles    map[int][]string // by product id, as they were last saved
	galleryIDs      counter
	gallerySeq      counter
	axisIDs         counter
	customOptionIDs counter
}

// counter gives ids; a failed insert has used one up.
type counter int

func (c *counter) next() int { *c++; return int(*c) }

func newWorld(o *Options) (*world, error) {
	w := &world{clock: o.Clock, limits: o.Limits, quirks: o.Quirks, files: files{}, galleryFiles: map[int][]string{}}
	if err := w.openStores(o); err != nil {
		return nil, err
	}
	w.openAttributes(o.WebsitePrices)
	w.openCategories()
	w.openProducts()
	w.openStock()
	w.openCustomers()
	return w, nil
}

const stampLayout = "2006-01-02 15:04:05"

// stamp is now as created_at and updated_at hold it: UTC, whole seconds.
func (w *world) stamp() string { return w.clock().UTC().Format(stampLayout) }
