package magento

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/value"
)

// What the streams of rows (stock and prices) share: rows of products, written many at a time.

// rowLimit is how many rows the shop takes in one request; the zero one is maxRows.
type rowLimit struct{ n atomic.Int64 }

func (l *rowLimit) rows() int {
	if n := int(l.n.Load()); n > 0 {
		return n
	}
	return maxRows
}

// learn takes the limit from a refusal; true where the same rows can be sent again, fewer at a time: nothing was done.
func (l *rowLimit) learn(err error, sent int) bool {
	r := refusalOf(err)
	if r == nil || !strings.HasPrefix(r.template, saysTooMany) {
		return false
	}
	var most number
	if most.UnmarshalJSON([]byte(r.param("max"))) != nil || most < 1 || int(most) >= sent {
		return false
	}
	l.n.Store(int64(most))
	return true
}

const saysTooMany = "Maximum items of type"

// skusOf are the SKUs of rows, each once as Magento compares them.
func skusOf[T any](rows []T, sku func(*T) string) []string {
	out := make([]string, 0, len(rows))
	for i := range rows {
		if s := sku(&rows[i]); s != "" {
			out = append(out, s)
		}
	}
	return distinctSKUs(out)
}

func distinctSKUs(skus []string) []string {
	seen := make(map[string]bool, len(skus))
	var out []string
	for _, s := range skus {
		if f := foldSKU(s); f != "" && !seen[f] {
			seen[f] = true
			out = append(out, s)
		}
	}
	return out
}

// bySKU calls do for groups of SKUs that fit into one search, several side by side.
func (s *System) bySKU(_ context.Context, skus []string, do func([]filter) error) error {
	var calls []func() error
	for _, group := range inGroups("sku", skus) {
		calls = append(calls, func() error { return do(group) })
	}
	return inParallel(s.conf.writers, calls...)
}

// inParallel makes calls, so many at a time, and waits for all of them.
func inParallel(most int, calls ...func() error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(calls))
	var next atomic.Int64
	for range min(most, len(calls)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(calls) {
					return
				}
				if errs[i] = calls[i](); errs[i] != nil {
					next.Store(int64(len(calls))) // the others would not be used
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeAll reads the items of a list.
func decodeAll[T any](name string, items []json.RawMessage) ([]T, error) {
	out := make([]T, len(items))
	for i, raw := range items {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, lockstep.Faultf(lockstep.CodeServer, "an item has another shape than Magento's").On(lockstep.About{Request: name})
		}
	}
	return out, nil
}

// lightProduct is what tells that a product is there.
type lightProduct struct {
	ID      number `json:"id"`
	SKU     string `json:"sku"`
	Updated string `json:"updated_at"`
}

const lightFields = "items[id,sku,updated_at],total_count"

// lightProducts are products by folded SKU: those that are there.
func (s *System) lightProducts(ctx context.Context, skus []string) (map[string]lightProduct, error) {
	out := make(map[string]lightProduct, len(skus))
	var mu sync.Mutex
	err := s.bySKU(ctx, skus, func(group []filter) error {
		q := search{groups: [][]filter{group}, sort: []string{"entity_id"}, size: s.conf.page, fields: lightFields}
		return s.client.findAll(ctx, "search products", allViews, "V1/products", q, func(items []json.RawMessage) error {
			got, err := decodeAll[lightProduct]("search products", items)
			mu.Lock()
			defer mu.Unlock()
			for _, p := range got {
				if _, twice := out[foldSKU(p.SKU)]; !twice { // of several with one SKU, Magento takes the first
					out[foldSKU(p.SKU)] = p
				}
			}
			return err
		})
	})
	return out, err
}

// productsAfter are products in the order of their ids.
func (s *System) productsAfter(ctx context.Context, id int64, size int) ([]lightProduct, error) {
	q := search{groups: [][]filter{{{"entity_id", greater, number(id).text()}}}, sort: []string{"entity_id"}, size: size, fields: lightFields}
	got, err := s.client.find(ctx, "search products", allViews, "V1/products", q)
	if err != nil {
		return nil, err
	}
	return decodeAll[lightProduct]("search products", got.items)
}

// pick is a record with the fields that were asked for.
func pick(key lockstep.Key, names []string, all map[string]value.Value) lockstep.Record {
	values := make([]value.Value, len(names))
	for i, name := range names {
		values[i] = all[name]
	}
	return lockstep.Record{Key: key, Fields: value.NewNames(names...).Fields(values)}
}

// skusOfTuples are the SKUs of what Find looks by: rows are found by the product that they are of.
func skusOfTuples(stream string, by []string, values [][]value.Value) ([]string, error) {
	at := slices.Index(by, "sku")
	if at < 0 {
		f := lockstep.Faultf(lockstep.CodeCannot, "rows of %s are found by sku, alone or with other fields", stream)
		return nil, f.On(lockstep.About{Stream: stream})
	}
	var out []string
	for _, tuple := range values {
		if tuple[at].Kind() == value.KindText {
			out = append(out, tuple[at].Text())
		}
	}
	return distinctSKUs(out), nil
}

// matching tells the records apart that Find looks for.
func matching(all []lockstep.Record, names, by []string, values [][]value.Value) [][]lockstep.Record {
	out := make([][]lockstep.Record, len(values))
	for i, tuple := range values {
		for _, rec := range all {
			if holds(rec.Fields, by, tuple) {
				out[i] = append(out[i], only(rec, names))
			}
		}
	}
	return out
}

func holds(f value.Fields, by []string, tuple []value.Value) bool {
	for i, name := range by {
		have, _ := f.Get(name)
		a, someA := have.KeyText()
		b, someB := tuple[i].KeyText()
		if someA != someB || a != b && (have.Kind() != value.KindText || !strings.EqualFold(a, b)) {
			return false
		}
	}
	return true
}

// place is a position's text.
func place(v any) lockstep.Position {
	b, err := json.Marshal(v)
	if err != nil { // positions hold texts and numbers
		return nil
	}
	return b
}

// ofSystem tells faults after which nothing else need be sent now.
func ofSystem(f *lockstep.Fault) bool {
	return f.Kind.StopsFlow() || f.Kind == lockstep.Unavailable || f.Kind == lockstep.Throttled
}

// notSent is the fault of what was not sent for another's fault.
func notSent(f *lockstep.Fault) error {
	g := *f
	g.Unknown = false
	return &g
}

// rowState is what is known of the shop for writing rows.
type rowState struct {
	limits rowLimit
	queued queue             // of products
	priced map[string]*queue // of prices, by stream
	mu     sync.Mutex
	known  map[string]bool // codes of sources, in small letters
	tiers  turns           // of the SKUs whose tier prices are written
	images *fetcher
}

// short is a text cut to what fits on a line.
func short(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\ufffd")), " ")
	if len(text) > 100 {
		text = strings.ToValidUTF8(text[:100], "") + "…"
	}
	return text
}

func folded(skus []string) []string {
	out := make([]string, len(skus))
	for i, sku := range skus {
		out[i] = foldSKU(sku)
	}
	return out
}
