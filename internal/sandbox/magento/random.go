package magento

import (
	"fmt"
	"math/rand/v2"
	"net/http"
)

// RandomEdits makes n edits as people do in the Admin, now a price, now a text of a store view, now a product that goes.
// The same seed on the same shop makes the same edits.
func (s *Server) RandomEdits(n int, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // must be repeatable
	for range n {
		if err := s.randomEdit(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) randomEdit(r *rand.Rand) error {
	skus := s.SKUs()
	if len(skus) == 0 || r.IntN(20) == 0 {
		sku := fmt.Sprintf("R-%08x", r.Uint32())
		_, err := s.Rest(http.MethodPost, "/rest/all/V1/products", map[string]any{"product": map[string]any{
			"sku": sku, "name": "Product " + sku, "attribute_set_id": DefaultSet, "price": 1 + r.IntN(100), "weight": 1}})
		return err
	}
	sku := skus[r.IntN(len(skus))]
	switch r.IntN(10) {
	case 0:
		return s.Delete(sku)
	case 1:
		return s.Edit(sku, "", map[string]any{"status": 1 + r.IntN(2)})
	case 2, 3:
		return s.SetStock(sku, "", float64(r.IntN(50)))
	case 4:
		return s.SetPrice(sku, float64(r.IntN(10000))/100)
	case 5:
		return s.Edit(sku, s.someView(r), map[string]any{"name": fmt.Sprintf("Name %d", r.IntN(1_000_000))})
	case 6:
		return s.Edit(sku, s.someView(r), map[string]any{"short_description": fmt.Sprintf("<p>%d</p>", r.IntN(1_000_000))})
	case 7:
		return s.Edit(sku, s.someView(r), map[string]any{"short_description": nil})
	}
	return s.Edit(sku, "", map[string]any{"price": float64(r.IntN(10000)) / 100})
}

// someView is "all" or a store view.
func (s *Server) someView(r *rand.Rand) string {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	v := s.world.views[r.IntN(len(s.world.views))]
	if v.id == 0 {
		return "all"
	}
	return v.code
}
