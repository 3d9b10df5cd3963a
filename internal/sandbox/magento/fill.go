package magento

import "context"

// fill makes the products P-1, P-2, … that a stand-in begins with.
func (s *Server) fill(n int) error {
	rt, vars := s.router.find("POST", "/V1/products")
	for i := range n {
		c := s.internal(context.Background(), 0, vars)
		c.delay = 0
		sku := "P-" + itoa(i+1)
		if _, err := perform(rt, c, object{"product": object{"sku": sku, "name": "Product " + itoa(i+1), "attribute_set_id": "4",
			"price": itoa(5 + i%90), "weight": "1"}}, vars); err != nil {
			return err
		}
	}
	return nil
}
