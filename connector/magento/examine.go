package magento

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// Examine says what doctor should know of a stream: whether all that it needs may be asked for, clocks, and what a
// tracker cannot see.
func (s *System) Examine(ctx context.Context, r lockstep.Read) ([]lockstep.Finding, error) {
	st, err := s.stream(r.Stream)
	if err != nil {
		return nil, err
	}
	var out findings
	rights, err := s.examineRights(ctx, st.name, &out)
	if err != nil || !rights {
		return out, about(err, r.Stream)
	}
	if err := s.examineRecords(ctx, st.name, &out); err != nil {
		return nil, about(err, r.Stream)
	}
	if r.Track.By == lockstep.Timestamp {
		out.polling(st)
	}
	switch st.name {
	case productsStream:
		if err := s.examineFields(ctx, &out); err != nil {
			return nil, about(err, r.Stream)
		}
		out.add("note", "", "texts with characters of four bytes (emoji) come back as ???? where Magento's tables are not utf8mb4: they are refused before they are sent (`unknown_values`)")
	case stockStream:
		out.add("note", "", "a source's quantity does not show open orders: Magento keeps those apart, as reservations, until they are shipped")
	}
	return out, nil
}

type findings []lockstep.Finding

func (f *findings) add(level, next, what string, args ...any) {
	*f = append(*f, lockstep.Finding{Level: level, What: fmt.Sprintf(what, args...), Next: next})
}

// probe is a look that needs a right.
type probe struct {
	what string
	ask  func(ctx context.Context, s *System) error
}

// probes are the looks that a stream needs.
func probes(name string) []probe {
	search1 := func(path string) func(context.Context, *System) error {
		return func(ctx context.Context, s *System) error {
			_, err := s.client.find(ctx, "doctor", allViews, path, search{size: 1, fields: "total_count"})
			return err
		}
	}
	places := probe{"store views and websites", func(ctx context.Context, s *System) error {
		s.shop.places.forget()
		_, err := s.shop.where(ctx)
		return err
	}}
	products, categories := probe{"products", search1(productPath)}, probe{"categories", search1(categoryPath)}
	attrs := probe{"attributes of products", search1("V1/products/attributes")}
	sets := probe{"attribute sets", search1("V1/products/attribute-sets/sets/list")}
	switch name {
	case productsStream:
		return []probe{places, products, attrs, sets, categories}
	case categoriesStream:
		return []probe{places, categories, {"attributes of categories", search1("V1/categories/attributes")}}
	case attributesStream, optionsStream:
		return []probe{places, attrs}
	case setsStream:
		return []probe{sets}
	case stockStream:
		return []probe{{"sources", search1("V1/inventory/sources")}, {"stock", search1(stockPath)}, products}
	case customersStream:
		return []probe{{"customers", search1("V1/customers/search")}}
	case ordersStream:
		return []probe{{"orders", search1("V1/orders")}}
	}
	return []probe{products, {"prices", func(ctx context.Context, s *System) error {
		_, err := s.client.do(ctx, call{name: "doctor", method: http.MethodPost, scope: allViews, path: "V1/products/base-prices-information", body: map[string]any{"skus": []string{}}, reads: true})
		if f := lockstep.FaultOf(err); f != nil && (f.Kind == lockstep.Invalid || f.Kind == lockstep.NotFound) {
			return nil // it may be asked; that no SKU is named is another matter
		}
		return err
	}}}
}

// examineRights makes the looks that a stream needs, and says of each that is refused what to grant. It is false where
// nothing can be read at all.
func (s *System) examineRights(ctx context.Context, name string, f *findings) (bool, error) {
	all, refusedAny := probes(name), false
	for i, p := range all {
		err := p.ask(ctx, s)
		fault := lockstep.FaultOf(err)
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled), fault.Kind != lockstep.Denied:
			return false, err
		default:
			refusedAny = true
			f.add("error", fault.Next, "%s cannot be read: %v", p.what, fault.Err)
			if fault.Code == lockstep.CodeLogin && i == 0 {
				return false, nil // the rest would say the same
			}
		}
	}
	if !refusedAny {
		f.add("ok", "", "all that %s needs may be read", name)
	}
	return !refusedAny, nil
}

// examineRecords counts the records and compares clocks.
func (s *System) examineRecords(ctx context.Context, name string, f *findings) error {
	path := map[string]string{productsStream: productPath, categoriesStream: categoryPath, customersStream: "V1/customers/search", ordersStream: "V1/orders",
		stockStream: stockPath}[name]
	if path == "" {
		return nil
	}
	began := time.Now()
	got, err := s.client.find(ctx, "doctor", allViews, path, search{size: s.conf.page, fields: "total_count"})
	if err != nil {
		return err
	}
	f.add("ok", "", "%d %s, read in pages of %d", got.total, name, s.conf.page)
	if got.clock.IsZero() {
		f.add("note", "", "the shop does not tell its clock (no Date in its answers): ours is taken")
		return nil
	}
	if off := got.clock.Sub(began).Round(time.Second); off.Abs() > 10*time.Second {
		level := "note"
		if s.client.oauth != nil && off < -10*time.Minute { // a time that lies ahead by more is refused
			level = "error"
		}
		f.add(level, "Set both clocks by NTP.", "the shop's clock is off ours by %s; its own is what counts for changes", off)
	}
	return nil
}

// examineFields names the attributes that have no field.
func (s *System) examineFields(ctx context.Context, f *findings) error {
	known, err := s.shop.productAttributes(ctx)
	if err != nil {
		return err
	}
	columns := taken(productColumns())
	var hidden []string
	for _, a := range known.list {
		if _, ok := a.typeOf(); a.own && (!ok || columns[a.code] && !unread[a.code]) {
			hidden = append(hidden, a.code)
		}
	}
	if len(hidden) > 0 {
		f.add("warning", "", "the attributes %s have no field: their input is of a kind that is not read, or a field of all products has their name", strings.Join(hidden, ", "))
	}
	return nil
}

// polling says what updated_at does not show.
func (f *findings) polling(st *stream) {
	if st.changes == nil {
		f.add("error", "Track it by snapshot.", "%s have no updated_at to be tracked by", strings.ReplaceAll(st.name, "_", " "))
		return
	}
	blind := []string{"deletes: there is no tombstone"}
	if st.name == productsStream {
		blind = append(blind, "quantities in stock: read the stream `stock` by snapshot",
			"base, special and tier prices that are set by the price endpoints: read `base_prices`, `special_prices`, `tier_prices` by snapshot",
			"that it is put into a category or taken out there, and positions within categories",
			"labels of options that are renamed, and categories that are renamed",
			"changes by the Admin's mass action \"update attributes\", by SQL, and by modules that go around the product")
	}
	blind = append(blind, fmt.Sprintf("saves that take longer than the overlap (%d s unless set): the time is taken when a save begins", int(defaultOverlap.Seconds())))
	next := "Set `sweep` on the tracker, or run a full sync at intervals."
	for _, what := range blind {
		f.add("warning", next, "updated_at does not show %s", what)
		next = ""
	}
	f.add("note", "", "updated_at moves by a save that changes nothing, too: such a change is dropped by its content")
}
